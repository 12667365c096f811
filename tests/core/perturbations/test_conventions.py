"""A text changes its conventions as a whole, or says why it cannot."""

import pytest

from core.perturbations import apply
from core.perturbations.spelling_words import AMERICAN_TO_BRITISH, BRITISH_TO_AMERICAN, MISSPELLINGS
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
    ("british", "american"),
    [
        ("The colour of the centre.", "The color of the center."),
        ("Organise it, then travelling helps.", "Organize it, then traveling helps."),
        ("My favourite neighbour labelled it.", "My favorite neighbor labeled it."),
        ("Colours: grey and aluminium.", "Colors: gray and aluminum."),
    ],
)
def test_spelling_goes_both_ways(british: str, american: str) -> None:
    assert edited("spelling", british) == american
    assert edited("spelling", american) == british


def test_the_commoner_spelling_is_the_one_that_changes() -> None:
    text = "The color and the flavor of the centre."
    assert edited("spelling", text) == "The colour and the flavour of the centre."


def test_names_code_and_quotations_keep_their_spelling() -> None:
    assert "spell apart" in refused("spelling", 'The Labour Party said "colour" in `colour`.')


def test_every_spelling_has_one_counterpart() -> None:
    assert len(AMERICAN_TO_BRITISH) == len(BRITISH_TO_AMERICAN) > 400
    assert BRITISH_TO_AMERICAN.keys().isdisjoint(AMERICAN_TO_BRITISH)
    assert MISSPELLINGS.keys().isdisjoint(MISSPELLINGS.values())
    assert all(word.isalpha() for pair in MISSPELLINGS.items() for word in pair)


def test_contractions_are_written_out_and_taken_together_again() -> None:
    assert edited("expand-contractions", "We don't know; it's a lie. I'm here.") == (
        "We do not know; it is a lie. I am here."
    )
    assert edited("contract", "We do not know. It is a lie, and you cannot win.") == (
        "We don't know. It's a lie, and you can't win."
    )
    assert "no contraction" in refused("expand-contractions", "Isn't it?")
    assert "no long form" in refused("contract", "They have gone.")


def test_capitals_go_and_acronyms_stay() -> None:
    outcome = apply("small-letters-in-prompt", make_conversation("Is NASA in Texas? I doubt.", "x"))
    assert outcome.conversation[0]["content"] == "is NASA in texas? i doubt."


@pytest.mark.parametrize("prompt", ["call CountUpTo(5) and X", "why?", "`Code` and T-5"])
def test_names_of_code_and_small_letters_have_no_capital_to_drop(prompt: str) -> None:
    assert not apply("small-letters-in-prompt", make_conversation(prompt, "x")).applied


@pytest.mark.parametrize(
    ("straight", "curly"),
    [
        ('He said "yes" and "no".', "He said “yes” and “no”."),
        ("It's the dogs' food.", "It’s the dogs’ food."),
        ("The word 'cat' is short.", "The word ‘cat’ is short."),
        ("Back in the '90s.", "Back in the ’90s."),
    ],
)
def test_quotation_marks_are_curled_and_straightened(straight: str, curly: str) -> None:
    assert edited("quotation-marks", straight) == curly
    assert edited("quotation-marks", curly) == straight


def test_feet_inches_and_code_keep_their_marks() -> None:
    assert "no quotation mark" in refused("quotation-marks", "It is 5' 10\" and `it's`.")
