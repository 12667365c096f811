"""Edits that should lower the reward take something away, and leave the layout in order."""

from pathlib import Path

import pytest

from core.perturbations import apply, lower
from core.perturbations.lexicon import content_words
from core.perturbations.lower import authored_answers
from core.schema import make_conversation


def edited(name: str, text: str, seed: int = 0, prompt: str = "Tell me.") -> str:
    outcome = apply(name, make_conversation(prompt, text), seed)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


def results(name: str, text: str) -> set[str]:
    return {edited(name, text, seed) for seed in range(20)}


def test_a_sentence_goes_and_paragraphs_stay_apart() -> None:
    text = "The first one is here. The second one follows.\n\nThe third one ends it."
    assert results("drop-sentence", text) == {
        "The second one follows.\n\nThe third one ends it.",
        "The first one is here.\n\nThe third one ends it.",
        "The first one is here. The second one follows.",
    }


def test_the_space_at_the_end_of_the_text_is_kept() -> None:
    text = "Yes. This is all there is to say about it.\n"
    assert results("drop-sentence", text) == {"Yes.\n"}


def test_what_introduces_a_block_stays_and_prose_goes_before_items() -> None:
    text = "Here is what you need:\n- salt\n- pepper\nBring it all here tomorrow."
    assert results("drop-sentence", text) == {"Here is what you need:\n- salt\n- pepper"}


def test_items_after_a_dropped_one_are_numbered_anew() -> None:
    text = "Do this:\n\n1. Wash it.\n2. Cut it. Be careful.\n3. Eat it."
    assert results("drop-sentence", text) == {
        "Do this:\n\n1. Cut it. Be careful.\n2. Eat it.",
        "Do this:\n\n1. Wash it.\n2. Eat it.",
        "Do this:\n\n1. Wash it.\n2. Cut it. Be careful.",
    }


@pytest.mark.parametrize("text", ["One lonely sentence stands here.", "```\na\n```\n", "Yes. No."])
def test_nothing_is_dropped_where_nothing_would_be_left_or_lost(text: str) -> None:
    assert not apply("drop-sentence", make_conversation("Tell me.", text)).applied


def test_truncation_stops_inside_a_sentence() -> None:
    text = "One two three four five six. Seven eight nine ten eleven twelve. Thirteen fourteen."
    for cut in results("truncate", text):
        assert text.startswith(cut)
        assert cut[-1].isalpha()
        assert text[len(cut)] not in ".!?"
        assert 6 <= len(cut.split()) <= 11


@pytest.mark.parametrize("text", ["Only seven words are in this one.", "A. B. C. D. E. F. G. H."])
def test_what_is_too_short_is_not_cut(text: str) -> None:
    assert not apply("truncate", make_conversation("Tell me.", text)).applied


def test_chinese_is_cut_between_characters() -> None:
    text = "天空是蓝色的因为空气散射阳光中的蓝色部分"
    assert text.startswith(edited("truncate", text))


def test_the_other_answer_is_authored_unrelated_and_about_as_long() -> None:
    by_text = {answer.response: answer for answer in authored_answers()}
    own = next(a for a in authored_answers() if a.category == "facts" and a.n_words > 30)
    for seed in range(10):
        other = by_text[edited("answer-another-question", own.response, seed, own.prompt)]
        assert other.category != "facts"
        assert abs(other.n_words - own.n_words) <= 10
        topic = {word.lower() for word in content_words(own.prompt + " " + own.response)}
        assert topic.isdisjoint(word.lower() for word in content_words(other.prompt))


def test_without_the_authored_pairs_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lower, "data_folder", lambda: tmp_path)
    outcome = apply("answer-another-question", make_conversation("Tell me.", "A thing."))
    assert (outcome.applied, outcome.reason) == (
        False,
        "No authored answer to an unrelated question is at hand.",
    )


@pytest.mark.parametrize("dose", [1, 2, 4])
def test_a_sentence_is_said_again_as_often_as_the_dose(dose: int) -> None:
    text = "The first one is here. The second one follows."
    outcome = apply("repeat-sentence", make_conversation("Tell me.", text), dose=dose)
    after = outcome.conversation[-1]["content"]
    counts = sorted(after.count(part) for part in ("first one is here.", "second one follows."))
    assert counts == [1, 1 + dose]
    assert not apply("repeat-sentence", make_conversation("Tell me.", "- a\n- b")).applied
