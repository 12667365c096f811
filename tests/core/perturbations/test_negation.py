"""A negated statement says the opposite, in English that a person would write."""

import random

import pytest

from core.perturbations import apply
from core.perturbations.base import EditRequest, NotApplicable
from core.perturbations.negation import negate
from core.schema import make_conversation


def negated(text: str, dose: int | None = None, seed: int = 0) -> str:
    outcome = apply("negate", make_conversation("Why?", text), seed, dose)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


@pytest.mark.parametrize(
    ("statement", "opposite"),
    [
        ("The sky is blue.", "The sky is not blue."),
        ("The doors were open at noon.", "The doors were not open at noon."),
        ("I am sure of it.", "I am not sure of it."),
        ("Cats can see in the dark.", "Cats cannot see in the dark."),
        ("It will rain.", "It will not rain."),
        ("You should call a doctor.", "You should not call a doctor."),
        ("The train has arrived.", "The train has not arrived."),
        ("It's a fruit.", "It's not a fruit."),
        ("They’re ready.", "They’re not ready."),
        ("You'll see it.", "You will not see it."),
        ("She needs it because it means luck.", "She needs it because it does not mean luck."),
        ("They need water.", "They do not need water."),
        ("He went home.", "He did not go home."),
        ("A week has seven days and a half.", None),
        ("The tower has a lift.", "The tower does not have a lift."),
    ],
)
def test_a_negation_is_put_in(statement: str, opposite: str | None) -> None:
    if opposite is None:
        assert not apply("negate", make_conversation("Why?", statement)).applied
    else:
        assert negated(statement) == opposite


@pytest.mark.parametrize(
    ("statement", "opposite"),
    [
        ("It is not safe.", "It is safe."),
        ("It isn't safe.", "It is safe."),
        ("You cannot swim here.", "You can swim here."),
        ("You can’t swim here.", "You can swim here."),
        ("They don't eat meat.", "They do eat meat."),
        ("She did not come.", "She did come."),
        ("Won't work.", "Will work."),
        ("He never sleeps.", "He always sleeps."),
        ("There is no exit.", "There is an exit."),
        ("There are no trains.", "There are trains."),
    ],
)
def test_a_negation_is_taken_out(statement: str, opposite: str) -> None:
    assert negated(statement) == opposite


@pytest.mark.parametrize(
    ("statement", "opposite"),
    [
        ("Mix the flour and the eggs.", "Do not mix the flour and the eggs."),
        ("- Keep it cold.", "- Do not keep it cold."),
        ("Don't open the door.", "Open the door."),
        ("Never pour it down a drain.", "Pour it down a drain."),
        ("It may be hot, so don't touch it.", "It may be hot, so touch it."),
    ],
)
def test_instructions_are_turned_round(statement: str, opposite: str) -> None:
    assert negated(statement) == opposite


@pytest.mark.parametrize(
    "text",
    [
        "Is it blue?",
        "`x is y`",
        "Der Himmel war blau.",
        "天空是蓝色的。",
        "42",
        "A sealed fuel can.",
        "```\nthe sky is blue\n```",
        '"The sky is blue."',
    ],
)
def test_what_no_rule_can_negate_is_left_alone(text: str) -> None:
    outcome = apply("negate", make_conversation("Why?", text))
    assert not outcome.applied
    assert outcome.reason
    assert outcome.conversation[-1]["content"] == text


@pytest.mark.parametrize(
    ("statement", "opposite"),
    [
        # "not only" and "not X but Y" stay: taking "not" out would not turn them round.
        ("It is not only cheap, it is good.", "It is not only cheap, it is not good."),
        ("If it is wet, the road will be closed.", "If it is wet, the road will not be closed."),
        ("The man who is late can wait.", "The man who is late cannot wait."),
    ],
)
def test_the_main_clause_is_negated(statement: str, opposite: str) -> None:
    assert negated(statement) == opposite


def test_opposites_are_swapped_where_no_verb_is_known() -> None:
    assert negated("A far higher price.") == "A far lower price."


TWO = "The lake is deep. Nobody lives there? The water is cold."


def test_the_dose_counts_the_negated_sentences() -> None:
    assert negated(TWO, dose=2) == (
        "The lake is not deep. Nobody lives there? The water is not cold."
    )
    outcome = apply("negate", make_conversation("Why?", TWO), dose=4)
    assert (outcome.applied, outcome.reason) == (
        False,
        "Only 2 of the 4 sentences to negate were found.",
    )


def test_seeds_choose_among_the_sentences() -> None:
    one = TWO.replace("is deep", "is not deep")
    other = TWO.replace("is cold", "is not cold")
    assert {negated(TWO, seed=seed) for seed in range(12)} == {one, other}


def test_the_note_shows_whole_words() -> None:
    request = EditRequest("Don't push it.", "", random.Random(0))
    assert negate(request).note == "“Don't push” became “Push”"
    with pytest.raises(NotApplicable, match="English rule"):
        negate(EditRequest("Hm.", "", request.rng))
