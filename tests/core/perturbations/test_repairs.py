"""Slips are mended, and what is right stays."""

import pytest

from core.perturbations import apply
from core.schema import make_conversation


def edited(name: str, text: str) -> str:
    outcome = apply(name, make_conversation("Tell me.", text))
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


def refused(name: str, text: str) -> str:
    outcome = apply(name, make_conversation("Tell me.", text))
    assert not outcome.applied
    return outcome.reason


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("It is on the the table.", "It is on the table."),
        ("The the cat and and dog.", "The cat and dog."),
        ("Rain falls on me. Rain falls on me. Bye.", "Rain falls on me. Bye."),
        ("Rain falls on me. Rain falls on me. Rain falls on me.", "Rain falls on me."),
    ],
)
def test_doubled_words_and_sentences_go(broken: str, mended: str) -> None:
    assert edited("remove-repetition", broken) == mended


@pytest.mark.parametrize(
    "text", ["He knew that that was it.", "She had had enough.", "Bye bye!", '"the the"', "No. No."]
)
def test_rightly_doubled_words_stay(text: str) -> None:
    assert "twice in a row" in refused("remove-repetition", text)


def test_said_again_is_what_the_repair_takes_back() -> None:
    text = "Bees make honey in wax cells. They sleep at night in the hive."
    for seed in range(5):
        for dose in (1, 2, 4):
            again = apply("repeat-sentence", make_conversation("Bees?", text), seed, dose)
            assert edited("remove-repetition", again.conversation[-1]["content"]) == text


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("rain falls. it is wet.", "Rain falls. It is wet."),
        ("well, i think i'm wet", "Well, I think I'm wet"),
        ("Rain.\n\nthe sun shines.", "Rain.\n\nThe sun shines."),
    ],
)
def test_capitals_open_sentences(broken: str, mended: str) -> None:
    assert edited("restore-capitals", broken) == mended


@pytest.mark.parametrize(
    "text",
    [
        "All is well.",
        "lsof -i :3000",
        "`code` is here.",
        "Roses are red,\nviolets are blue,\nthe poem goes on.",
        "Let i be an index, and i + 1 the next.",
        "- an item\n- another",
    ],
)
def test_what_needs_no_capital_stays(text: str) -> None:
    assert refused("restore-capitals", text) == "Every sentence opens with a capital."


def test_a_lone_sentence_gets_its_full_stop() -> None:
    assert edited("finish", "It is in the north\n") == "It is in the north.\n"
    assert edited("finish", "See:\n```\nx = 1") == "See:\n```\nx = 1\n```"
    assert edited("finish", "~~~~\nx") == "~~~~\nx\n~~~~"


@pytest.mark.parametrize(
    "text",
    [
        "It is in the north.",
        "First this. Then it was cut off here",
        "Two words",
        "It is one of the",
        "- an item of a list",
        "You can read all of it at https://example.com/a",
        "```\nx\n```",
    ],
)
def test_what_was_cut_or_is_finished_gets_none(text: str) -> None:
    assert refused("finish", text)


def test_misspellings_are_corrected_in_their_case() -> None:
    assert edited("correct-spelling", "Teh goverment will recieve it.") == (
        "The government will receive it."
    )
    assert "misspellings" in refused("correct-spelling", 'He wrote "teh" and `recieve`.')


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("Well , this  is it .", "Well, this is it."),
        ("Well,this is so, too.", "Well, this is so, too."),
        ("It ends here . Then more.", "It ends here. Then more."),
    ],
)
def test_spaces_are_put_right(broken: str, mended: str) -> None:
    assert edited("tidy-spaces", broken) == mended


@pytest.mark.parametrize(
    "text", ["city,country\nRome,Italy", "a   b\nc   d", "| a  b |", "find . -name x", "x = 1  # y"]
)
def test_tables_columns_and_code_keep_their_spaces(text: str) -> None:
    assert refused("tidy-spaces", text)


def test_tidying_takes_back_the_doubled_spaces() -> None:
    text = "The rain in Spain falls mainly on the plain, they say, and then it stops again."
    spaced = apply("double-spaces", make_conversation("Rain?", text)).conversation[-1]["content"]
    assert edited("tidy-spaces", spaced) == text
