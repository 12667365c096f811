"""A step goes or changes its place; what carries the answer, and lists without an order, stay."""

import pytest

from core.perturbations import apply
from core.schema import make_conversation

SOLUTION = (
    "There are 3 bags. So 3 x 4 = 12 apples. Then 12 - 2 = 10 are left. Thus 10 / 5 = 2 each."
)
RECIPE = "1. Wash the rice.\n2. Boil it. Stir once.\n   - gently\n3. Serve it."


def results(name: str, text: str, prompt: str = "How do I do it?") -> set[str]:
    outcomes = [apply(name, make_conversation(prompt, text), seed) for seed in range(30)]
    assert all(outcome.applied for outcome in outcomes), outcomes[0].reason
    return {outcome.conversation[-1]["content"] for outcome in outcomes}


def refused(name: str, text: str, prompt: str = "Tell me.") -> str:
    outcome = apply(name, make_conversation(prompt, text))
    assert not outcome.applied
    return outcome.reason


def test_any_step_but_the_last_is_left_out() -> None:
    assert results("drop-step", SOLUTION) == {
        SOLUTION.replace(" So 3 x 4 = 12 apples.", ""),
        SOLUTION.replace(" Then 12 - 2 = 10 are left.", ""),
    }


def test_a_numbered_step_goes_with_all_that_belongs_to_it() -> None:
    assert results("drop-step", RECIPE) == {
        "1. Boil it. Stir once.\n   - gently\n2. Serve it.",
        "1. Wash the rice.\n2. Serve it.",
    }


def test_neighbouring_steps_change_places_and_numbers_stay() -> None:
    assert results("swap-steps", RECIPE) == {
        "1. Boil it. Stir once.\n   - gently\n2. Wash the rice.\n3. Serve it.",
        "1. Wash the rice.\n2. Serve it.\n3. Boil it. Stir once.\n   - gently",
    }


def test_calculations_change_places() -> None:
    text = "We have 2 + 2 = 4. And 4 * 5 = 20."
    assert results("swap-steps", text) == {"And 4 * 5 = 20. We have 2 + 2 = 4."}


@pytest.mark.parametrize("name", ["drop-step", "swap-steps"])
@pytest.mark.parametrize(
    "text",
    [
        "The sky is blue. The grass is green. Snow is white.",
        "1. Apples\n2. Pears\n3. Plums",
        "One calculation, 2 + 2 = 4, is here.",
        "```\na = 1\nb = 2\nc = 3\n```",
    ],
)
def test_what_has_no_steps_is_left_alone(name: str, text: str) -> None:
    assert "no two steps" in refused(name, text)


def test_equal_steps_cannot_change_places() -> None:
    assert "no two steps" in refused("swap-steps", "1. Wait.\n2. Wait.", "What are the steps?")
