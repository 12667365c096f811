"""The whole comparison: every part, the baseline, the same numbers from the same seed."""

from dataclasses import replace

import pytest

from core.labs.compare import CompareError, CompareOptions, Comparison, run
from tests.core.labs.compare.tables import long_table, random_table

FAST = CompareOptions(n_resamples=200, n_permutations=500)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return run(random_table(40, ["a", "b", "c"]), FAST)


def test_the_others_are_held_against_the_baseline(comparison):
    assert comparison.baseline == "a"
    assert [one.candidate for one in comparison.paired] == ["b", "c"]
    assert [one.candidate for one in comparison.changed] == ["b", "c"]
    other = run(random_table(40, ["a", "b", "c"]), replace(FAST, baseline="b"))
    assert [one.candidate for one in other.paired] == ["a", "c"]


def test_the_overview_counts_wins_ties_and_losses():
    table = long_table({"a": [1, 0, -1, 2], "b": [1, 1, 1, 1]})
    table.loc[3, "error"] = "failed"
    row = run(table, FAST).overview.set_index("model").loc["a"]
    assert (row["n_wins"], row["n_ties"], row["n_losses"], row["n"]) == (1, 1, 1, 3)
    assert row["value"] == 0.5
    assert row["left_out"] == "failed: 1"


def test_the_parts_agree_with_each_other(comparison):
    accuracy = comparison.overview.set_index("model")["value"]
    difference = comparison.paired[0].accuracy_difference.value
    assert difference == pytest.approx(accuracy["b"] - accuracy["a"])
    counts = comparison.changed[0].counts
    assert difference == pytest.approx((counts["won"] - counts["lost"]) / 40)


def test_the_same_seed_gives_the_same_numbers(comparison):
    again = run(random_table(40, ["a", "b", "c"]), FAST)
    assert again.overview.equals(comparison.overview)
    assert again.agreement.table.equals(comparison.agreement.table)
    assert again.calibration.table.equals(comparison.calibration.table)
    other = run(random_table(40, ["a", "b", "c"]), replace(FAST, seed=1))
    assert not other.overview["low"].equals(comparison.overview["low"]) or not other.overview[
        "high"
    ].equals(comparison.overview["high"])


def test_names_that_are_not_in_the_table_are_refused():
    table = random_table(6, ["a", "b"])
    for bad in ({"baseline": "z"}, {"noise_floors": {"z": 0.1}}):
        with pytest.raises(CompareError, match="no model 'z'"):
            run(table, replace(FAST, **bad))


def test_a_table_in_which_nothing_was_scored_is_reported_not_refused():
    table = random_table(6, ["a", "b"]).assign(error="offline")
    found = run(table, FAST)
    assert (found.overview["n"] == 0).all()
    assert (found.overview["left_out"] == "offline: 6").all()
    assert found.paired[0].left_out == {"offline": 6}
    assert (found.agreement.table["n"] == 0).all()


def test_one_prompt_is_compared_without_a_verdict():
    found = run(long_table({"a": [1, -1, 2], "b": [2, 1, -1]}, prompts="ppp"), FAST)
    assert (found.overview["n_prompts"] == 1).all()
    assert found.paired[0].tests["sign flip of accuracy"].p_value == 1.0
