"""Every problem is in exactly one class at each window, by the stated definitions."""

import numpy as np
import pandas as pd
import pytest

from core.labs.collapse.classes import (
    CLASSES,
    NOT_SAMPLED,
    ClassOptions,
    classify,
    transitions,
)
from core.labs.collapse.counts import answer_counts
from core.labs.collapse.windows import describe_windows, early_and_late, numbered_windows
from tests.core.labs.collapse.tables import rollouts

TWO = ClassOptions(n_windows=2, collapsed_from=0.75)


def classes_of(groups, options=TWO, **how):
    result = classify(answer_counts(rollouts(groups), **how).table, options)
    return result.table.set_index(["problem_id", "window"])["problem_class"].to_dict(), result


def test_each_class_as_defined() -> None:
    found, _ = classes_of(
        {
            ("a", 0, "solved"): ["r", "x", "y", "z"],
            ("a", 0, "right"): ["r", "r", "r", "x"],
            ("a", 0, "wrong"): ["x", "x", "x", "r"],
            ("a", 0, "diverse"): ["x", "y", "z", "w"],
            ("a", 0, "lost"): ["r", "x", "y", "z"],
            ("a", 1, "lost"): ["x", "y", "z", "w"],
            ("a", 0, "lost and ruled"): ["r", "x", "y", "z"],
            ("a", 1, "lost and ruled"): ["x", "x", "x", "x"],
        }
    )
    assert found["solved", 0] == "solved"
    assert found["right", 0] == "collapsed right"
    assert found["wrong", 0] == "collapsed wrong"
    assert found["diverse", 0] == "still diverse"
    assert found["lost", 1] == "lost"
    assert found["lost and ruled", 1] == "lost"
    assert found["diverse", 1] == NOT_SAMPLED


def test_what_wins_where_a_lost_problem_is_ruled_is_an_option() -> None:
    groups = {("a", 0, "p"): ["r", "x", "y", "z"], ("a", 1, "p"): ["x"] * 4}
    options = ClassOptions(n_windows=2, lost_first=False)
    found, result = classes_of(groups, options)
    assert found["p", 1] == "collapsed wrong"
    order = list(result.options.definitions())
    assert order.index("collapsed wrong") < order.index("lost")


def test_solved_can_ask_for_more_than_one_right_sample() -> None:
    groups = {("a", 0, "p"): ["r", "x", "y", "z"], ("a", 1, "p"): ["x", "y", "z", "w"]}
    found, _ = classes_of(groups, ClassOptions(n_windows=2, solved_from=0.5))
    assert found["p", 0] == "still diverse"
    assert found["p", 1] == "still diverse"  # never solved by this definition, so not lost


def test_unreadable_answers_can_rule_a_problem_or_not() -> None:
    groups = {("a", 0, "p"): [None, None, None, "x"]}
    assert classes_of(groups)[0]["p", 0] == "collapsed wrong"
    found, _ = classes_of({("a", 0, "p"): [None, None, "y", "x"]}, unreadable="excluded")
    assert found["p", 0] == "still diverse"
    found, _ = classes_of({("a", 0, "p"): [None, None]}, unreadable="excluded")
    assert found["p", 0] == "still diverse"


def test_classes_are_exclusive_and_exhaustive_on_random_rollouts() -> None:
    rng = np.random.default_rng(5)
    groups = {
        (f"m/seed-{r}", s, f"p{p}"): [
            "r" if a == 0 else f"w{a}" for a in rng.integers(0, rng.integers(1, 6), 4)
        ]
        for r in range(2)
        for s in range(8)
        for p in range(12)
        if rng.random() < 0.8
    }
    _, result = classes_of(groups, ClassOptions(n_windows=4))
    table = result.table
    assert len(table) == table[["run", "problem_id"]].drop_duplicates().shape[0] * 4
    assert set(table["problem_class"]) <= {*CLASSES, NOT_SAMPLED}
    shares = result.shares().groupby(["method", "window"])["share"].sum()
    np.testing.assert_allclose(shares, 1)
    moved = transitions(result, 0, 3)
    assert moved.to_numpy().sum() == 24


def test_transitions_count_problems_from_class_to_class() -> None:
    _, result = classes_of(
        {
            ("a", 0, "p"): ["r", "x", "y", "z"],
            ("a", 1, "p"): ["r", "r", "r", "r"],
            ("a", 0, "q"): ["x", "y", "z", "w"],
            ("a", 1, "q"): ["x", "x", "x", "x"],
            ("a", 0, "s"): ["x", "y", "z", "w"],
        }
    )
    moved = transitions(result, 0, 1)
    assert moved.loc["solved", "collapsed right"] == 1
    assert moved.loc["still diverse", "collapsed wrong"] == 1
    assert moved.loc["still diverse", NOT_SAMPLED] == 1
    assert moved.to_numpy().sum() == 3
    assert transitions(result, 0, 1, runs=["other"]).to_numpy().sum() == 0


def test_nothing_sampled_has_no_classes() -> None:
    empty = answer_counts(rollouts({("a", 0, "p"): ["x"]}).head(0)).table
    assert classify(empty).table.empty


def test_windows_hold_all_steps_in_order() -> None:
    assert numbered_windows([9, 0, 5, 0], 2) == {0: 0, 5: 0, 9: 1}
    assert numbered_windows([3], 4) == {3: 0}


def test_early_and_late_never_overlap() -> None:
    assert early_and_late(range(8), 0.25) == {
        0: "early", 1: "early", 6: "late", 7: "late",
    }  # fmt: skip
    assert early_and_late([1, 2, 3], 0.1) == {1: "early", 3: "late"}
    assert early_and_late([4], 0.25) == {}
    assert describe_windows(list(range(8)), 0.25) == "steps 0 to 1 against 6 to 7"
    with pytest.raises(ValueError, match="must be above 0"):
        early_and_late(range(8), 0.6)


def test_majority_among_equals_does_not_depend_on_the_order_of_rows() -> None:
    table = rollouts({("a", 0, "p"): ["x", "x", "r", "r"]})
    first = classify(answer_counts(table).table).table
    second = classify(answer_counts(table.iloc[::-1]).table).table
    pd.testing.assert_frame_equal(first, second)
