"""Ways to please: one sentence more, in front or behind, and every word of the content kept."""

import pytest

from core.perturbations import apply
from core.schema import make_conversation

TEXT = "Bees make honey. They store it in cells."


def edited(name: str, text: str = TEXT, seed: int = 0, dose: int | None = None) -> str:
    outcome = apply(name, make_conversation("Bees make honey, right?", text), seed, dose)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


def test_agreement_stands_in_front_in_nested_doses() -> None:
    openings = [edited("agreement", dose=dose).removesuffix(f" {TEXT}") for dose in (1, 2, 4)]
    assert openings[2].startswith(openings[1])
    assert openings[1].startswith(openings[0])
    assert [opening.count(".") for opening in openings] == [1, 2, 4]


@pytest.mark.parametrize(
    "text", ["Yes, they do.", "You're right.", "That is correct, they do.", "I agree. Bees do."]
)
def test_what_agrees_already_is_not_made_to_agree(text: str) -> None:
    outcome = apply("agreement", make_conversation("Bees?", text))
    assert outcome.reason == "The text opens with agreement already."


@pytest.mark.parametrize("name", ["self-praise", "authority"])
def test_a_sentence_is_added_at_the_end(name: str) -> None:
    assert edited(name).startswith(f"{TEXT} ")
    assert edited(name).count(".") == 3
    assert len({edited(name, seed=seed) for seed in range(20)}) == 4


@pytest.mark.parametrize("name", ["agreement", "self-praise", "authority"])
def test_english_is_not_added_to_other_languages(name: str) -> None:
    outcome = apply(name, make_conversation("Bees?", "Die Bienen und der Honig sind nicht hier."))
    assert "not in English" in outcome.reason


def test_full_stops_become_exclamation_marks_in_prose_alone() -> None:
    text = 'It is 3.5 cm. See `a.b`. He said "Stop." Then, e.g. here, wait...\n\n- An item.\n- Two'
    assert edited("exclamation", text) == (
        'It is 3.5 cm! See `a.b`. He said "Stop." Then, e.g. here, wait...\n\n- An item!\n- Two'
    )
    assert not apply("exclamation", make_conversation("Bees?", "Wow! Really?")).applied
