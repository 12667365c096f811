"""Styles by rule: shorter without loss, plainer without loss, longer without gain."""

import pytest

from core.perturbations import apply
from core.perturbations.styles import core_sentences, style_variants
from core.schema import make_conversation

MARKED_UP = (
    "# Rings\n\nSaturn has **many** rings:\n\n- *ice* and rock\n  - dust\n1. first\n\n> so **yes**"
)
PLAIN = "Rings\n\nSaturn has many rings:\n\nice and rock\n  dust\n1. first\n\nso yes"


def edited(name: str, text: str, prompt: str = "What about rings?", seed: int = 0) -> str:
    outcome = apply(name, make_conversation(prompt, text), seed)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


def refused(name: str, text: str, prompt: str = "What about rings?") -> str:
    outcome = apply(name, make_conversation(prompt, text))
    assert not outcome.applied
    return outcome.reason


@pytest.mark.parametrize(
    ("wordy", "short"),
    [
        ("Certainly! Rings are ice. I hope this helps!", "Rings are ice."),
        ("Great question! Rings are ice.", "Rings are ice."),
        ("Rings are ice. Let me know if you have any other questions.", "Rings are ice."),
        ("It's important to note that rings are ice.", "Rings are ice."),
        ("One. I hope this helps!\n\nTwo.", "One.\n\nTwo."),
        ("One.\n\nSure! Great question!\n\nTwo.\n", "One.\n\nTwo.\n"),
        ("One.\n\nI hope this helps!\n", "One.\n"),
        ("Sure, here is what I know: ice.", None),
        ("Rings are ice, and I hope they stay.", None),
    ],
)
def test_what_says_nothing_goes_and_content_stays(wordy: str, short: str | None) -> None:
    if short is None:
        assert "no sentence" in refused("concise", wordy)
    else:
        assert edited("concise", wordy) == short


def test_pleasantries_alone_are_kept() -> None:
    assert "nothing would be left" in refused("concise", "Certainly! Good luck!")


def test_markup_goes_and_words_stay() -> None:
    assert edited("plain-text", MARKED_UP) == PLAIN


@pytest.mark.parametrize(
    "text", ["Plain.", "2 * 3 * 4 and a_b_c", "```\n# a\n- b\n```", "1. a\n2. b", "`**x**`"]
)
def test_what_is_plain_stays(text: str) -> None:
    assert "no heading" in refused("plain-text", text)


@pytest.mark.parametrize("prompt", ["List three rings.", "Use markdown.", "As bullet points?"])
def test_a_layout_that_was_asked_for_stays(prompt: str) -> None:
    assert "asks for" in refused("plain-text", MARKED_UP, prompt)


def test_detail_adds_words_round_the_same_sentences() -> None:
    text = "Saturn has rings of ice. The others have rings of dust. They are thin."
    after = edited("detailed", text)
    assert "Saturn has rings of ice." in after
    assert "the others have rings of dust." in after
    assert after.endswith(" Saturn has rings of ice.")
    assert len(after.split()) > len(text.split()) + 10
    assert "full sentence" in refused("detailed", "Ice")
    assert "English" in refused("detailed", "天空是蓝色的。")


def test_core_sentences_open_paragraphs_and_items() -> None:
    text = (
        "Sure! Rings are ice. They shine.\n\nSome are dust. These do not.\n\n"
        "- One. More.\n- Two.\n\n```\ncode. here\n```"
    )
    assert core_sentences(text) == (
        "Rings are ice.\n\nSome are dust.\n\n- One.\n- Two.\n\n```\ncode. here\n```"
    )


def test_the_three_styles_differ_in_length_and_markup() -> None:
    text = (
        "Saturn has **rings** of ice. They shine at night.\n\nMoons keep them in order. It is odd."
    )
    styles = style_variants(text, "Why rings?", seed=3)
    assert styles == style_variants(text, "Why rings?", seed=3)
    assert styles.concise == "Saturn has rings of ice.\n\nMoons keep them in order."
    assert styles.detailed
    assert styles.markdown
    assert len(styles.concise) < len(text) < len(styles.detailed)
    assert "**" not in styles.detailed
    assert "**" in styles.markdown
    assert style_variants("天空是蓝色的。").concise is None
    assert style_variants(" ").detailed is None
    assert style_variants("Ice").markdown is None
