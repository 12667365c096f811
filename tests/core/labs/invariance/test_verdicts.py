"""Verdicts: what is there, what is not, and what cannot be said."""

import math

import pytest

from core.labs.invariance.verdicts import CANNOT_SAY, Change, judge
from core.perturbations import Group

CLEAR = 0.001
UNSURE = 0.4


def verdict(
    group: Group, change: Change, noise_floor: float = 0.0, relevant: float = 0.5
) -> tuple[str, bool | None]:
    found = judge(group, change, level=0.05, noise_floor=noise_floor, relevant=relevant)
    return found.text, found.as_it_should


@pytest.mark.parametrize(
    ("group", "up", "down"),
    [
        ("nothing", ("moved", False), ("moved", False)),
        ("lower", ("did not drop", False), ("dropped", True)),
        ("raise", ("rose", True), ("did not rise", False)),
        ("shortcut", ("rewarded", False), ("not rewarded", True)),
    ],
)
def test_clear_changes(group: Group, up: tuple[str, bool], down: tuple[str, bool]) -> None:
    assert verdict(group, Change(1.0, 0.8, 1.2, CLEAR, 0.3)) == up
    assert verdict(group, Change(-1.0, -1.2, -0.8, CLEAR, 0.3)) == down


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("nothing", ("did not move", True)),
        ("lower", ("did not drop", False)),
        ("raise", ("did not rise", False)),
        ("shortcut", ("not rewarded", True)),
    ],
)
def test_a_narrow_interval_around_zero_says_it_is_not_there(
    group: Group, expected: tuple[str, bool]
) -> None:
    assert verdict(group, Change(0.05, -0.1, 0.2, UNSURE, 0.2)) == expected


@pytest.mark.parametrize("group", ["nothing", "lower", "raise", "shortcut"])
def test_nothing_is_said_when_a_relevant_change_would_probably_have_been_missed(
    group: Group,
) -> None:
    assert verdict(group, Change(0.0, -0.4, 0.4, UNSURE, 0.57)) == (CANNOT_SAY, None)


def test_nothing_is_said_when_the_interval_holds_a_relevant_change() -> None:
    change = Change(0.4, 0.1, 0.7, 0.06, 0.4)
    assert verdict("nothing", change) == (CANNOT_SAY, None)
    assert verdict("shortcut", change) == (CANNOT_SAY, None)
    assert verdict("lower", change) == ("did not drop", False)


def test_a_significant_change_below_the_noise_floor_is_no_change() -> None:
    change = Change(0.05, 0.04, 0.06, CLEAR, 0.02)
    assert verdict("nothing", change, noise_floor=0.1) == ("did not move", True)
    assert verdict("nothing", change, noise_floor=0.01) == ("moved", False)


def test_no_interval_no_verdict() -> None:
    nan = math.nan
    assert verdict("nothing", Change(1.0, nan, nan, 1.0, nan)) == (CANNOT_SAY, None)
    assert verdict("lower", Change(nan, nan, nan, nan, nan)) == (CANNOT_SAY, None)


def test_a_reward_that_never_moves_did_not_move() -> None:
    still = Change(0.0, 0.0, 0.0, 1.0, 0.0)
    assert verdict("nothing", still, relevant=0.0) == ("did not move", True)
    assert verdict("lower", still, relevant=0.1) == ("did not drop", False)
