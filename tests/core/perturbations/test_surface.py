"""Controlled edits of the surface change marks, spaces and letters, and nothing else."""

import unicodedata

import pytest

from core.perturbations import apply
from core.perturbations.nothing import REAL_WORDS
from core.schema import make_conversation

PROMPT = "Could you tell me which planets have rings and how these were discovered by astronomers?"
TEXT = "Saturn has rings, and Jupiter too. They are made of ice.\n\nNeptune has faint ones: five."


def edited(
    name: str, text: str = TEXT, seed: int = 0, dose: int | None = None, prompt: str = PROMPT
) -> str:
    outcome = apply(name, make_conversation(prompt, text), seed, dose)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


def edited_prompt(name: str, prompt: str = PROMPT, seed: int = 0, dose: int | None = None) -> str:
    outcome = apply(name, make_conversation(prompt, TEXT), seed, dose)
    assert outcome.applied, outcome.reason
    return outcome.conversation[0]["content"]


def refused(name: str, text: str, prompt: str = PROMPT) -> str:
    outcome = apply(name, make_conversation(prompt, text))
    assert not outcome.applied
    return outcome.reason


def test_quotation_marks_stand_round_the_prompt() -> None:
    assert edited_prompt("quoted-prompt", "Why?") == '"Why?"'
    assert edited_prompt("quoted-prompt", 'What is "it"?') == '“What is "it"?”'
    outcome = apply("quoted-prompt", make_conversation('"Why?"', TEXT))
    assert outcome.reason == "The text stands between quotation marks already."


def test_every_paragraph_break_gets_one_more_line() -> None:
    assert edited("extra-newlines") == TEXT.replace("\n\n", "\n\n\n")
    assert edited("extra-newlines", "a\r\n\r\nb") == "a\r\n\r\n\r\nb"


def test_a_single_paragraph_is_broken_between_two_sentences() -> None:
    text = "One is here. Two is there. Three is gone."
    broken = {edited("extra-newlines", text, seed) for seed in range(20)}
    assert broken == {
        "One is here.\n\nTwo is there. Three is gone.",
        "One is here. Two is there.\n\nThree is gone.",
    }


@pytest.mark.parametrize("text", ["One sentence alone.", "```\na\n\nb\n```", "word\n\n"])
def test_without_a_break_or_a_gap_no_line_is_added(text: str) -> None:
    assert "paragraph break" in refused("extra-newlines", text)


def test_marks_get_a_space_before_them_and_list_numbers_do_not() -> None:
    assert edited("punctuation-spaces", "1. Yes, we can. Really?!") == "1. Yes , we can . Really ?!"
    assert edited("punctuation-spaces", "It is 3.5, at 8:30.") == "It is 3.5 , at 8:30 ."
    assert "no mark" in refused("punctuation-spaces", "nothing here")


def test_look_alikes_are_other_letters_in_few_words() -> None:
    text = " ".join(["people", "compare", "apples", "each", "evening"] * 12)
    after = edited("homoglyphs", text)
    changed = [(a, b) for a, b in zip(text.split(), after.split(), strict=True) if a != b]
    assert len(changed) == 60 // 15
    for old, new in changed:
        assert len(old) == len(new)
        assert {unicodedata.name(c).split()[0] for c in new} >= {"CYRILLIC"}
    assert "twin" in refused("homoglyphs", "日本語 12 `apple`")


def test_accents_come_off_again() -> None:
    after = edited("accents")
    assert after != TEXT
    plain = "".join(c for c in unicodedata.normalize("NFD", after) if not unicodedata.combining(c))
    assert plain == TEXT
    assert "accent" in refused("accents", "12 + 5")


@pytest.mark.parametrize("seed", range(6))
def test_a_larger_dose_of_noise_contains_the_smaller_one(seed: int) -> None:
    prompt = " ".join(["remarkable", "sentences", "describe", "ordinary", "mornings"] * 12)
    changed = []
    for dose in (1, 2, 4):
        words = edited_prompt("noise-in-prompt", prompt, seed, dose).split()
        pairs = zip(prompt.split(), words, strict=True)
        changed.append({at for at, (a, b) in enumerate(pairs) if a != b})
    assert changed[0] < changed[1] < changed[2]


def test_noise_keeps_first_and_last_letters_and_makes_no_known_word() -> None:
    for seed in range(30):
        after = edited_prompt("noise-in-prompt", "Bring the later letter through here", seed, 4)
        for old, new in zip(["Bring", "the", "later", "letter", "through", "here"], after.split()):  # noqa: B905
            assert (old[0], old[-1]) == (new[0], new[-1])
            assert old == new or new.lower() not in REAL_WORDS


def test_an_unrelated_line_stands_above_with_the_request_to_ignore_it() -> None:
    note, ignore, prompt = edited_prompt("ignore-above").split("\n\n")
    assert prompt == PROMPT
    assert note.endswith(".")
    assert "gnore" in ignore or "disregard" in ignore
    assert "English" in apply("ignore-above", make_conversation("天空为什么是蓝的", "x")).reason


def test_a_handle_and_a_link_end_the_prompt_and_differ_by_seed() -> None:
    assert edited_prompt("handle-in-prompt").removeprefix(f"{PROMPT} ")[0] == "@"
    assert edited_prompt("link-in-prompt").startswith(f"{PROMPT} https://t.co/")
    assert edited_prompt("link-in-prompt", seed=1) != edited_prompt("link-in-prompt", seed=2)


def test_behind_a_code_block_the_appendage_is_a_line_of_its_own() -> None:
    after = edited_prompt("handle-in-prompt", "Fix this:\n```\nx = 1\n```")
    assert "\n```\n\n@" in after
