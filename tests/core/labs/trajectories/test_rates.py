"""Error rates over training against sums by hand."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.trajectories.penalties import DUPLICATE, NO_COUNTS, NOT_JUDGED, penalise
from core.labs.trajectories.rates import (
    NO_CALL,
    RateOptions,
    error_rates,
    macro_rate,
    method_of,
    micro_rate,
)
from tests.core.labs.trajectories.conftest import rollouts

FAST = RateOptions(n_resamples=100)


def test_micro_and_macro_of_the_worked_example() -> None:
    errors, calls, problems = [1, 0, 2], [4, 3, 5], ["a", "b", "c"]
    rng = np.random.default_rng(0)
    micro = micro_rate(errors, calls, problems, rng=rng)
    macro = macro_rate(errors, calls, problems, rng=rng)
    assert micro.value == pytest.approx(0.25)
    assert macro.value == pytest.approx(0.216667, abs=1e-6)
    assert (micro.n, micro.n_prompts) == (3, 3)
    assert micro.low <= micro.value <= micro.high


def test_rollouts_without_a_call_have_no_rate_and_are_counted() -> None:
    rng = np.random.default_rng(0)
    for rate in (micro_rate, macro_rate):
        found = rate([0, 1, 0], [0, 2, 0], ["a", "b", "c"], rng=rng)
        assert found.value == 0.5
        assert found.left_out == {NO_CALL: 2}
        empty = rate([0], [0], ["a"], rng=rng)
        assert np.isnan(empty.value)
        assert empty.left_out == {NO_CALL: 1}


def test_intervals_resample_problems_not_rollouts() -> None:
    rng = np.random.default_rng(0)
    problems = ["a"] * 500 + ["b"] * 500
    errors = [1] * 500 + [0] * 500
    found = micro_rate(errors, [1] * 1000, problems, rng=rng)
    assert (found.low, found.high) == (0.0, 1.0)


def of(table: pd.DataFrame, window: int, side: str) -> pd.DataFrame:
    return table.loc[(table["window"] == window) & (table["side"] == side)]


def test_rates_of_each_side_and_window_are_the_sums() -> None:
    table = rollouts(steps=(0, 1, 2, 3))
    found = error_rates(penalise(table), RateOptions(n_windows=2, n_resamples=100))
    assert found.length_unit == "tokens"
    for window, steps in ((0, (0, 1)), (1, (2, 3))):
        rows = table.loc[table["step"].isin(steps)]
        for side, chosen in (
            ("right", rows.loc[rows["correct"]]),
            ("wrong", rows.loc[~rows["correct"]]),
            ("all", rows),
        ):
            at = of(found.rates, window, side).set_index("measure")
            used = chosen.loc[chosen["tool_calls"] > 0]
            assert at.loc["micro", "value"] == pytest.approx(
                used["tool_errors"].sum() / used["tool_calls"].sum()
            )
            assert at.loc["macro", "value"] == pytest.approx(
                (used["tool_errors"] / used["tool_calls"]).mean()
            )
            assert at.loc["no tool", "value"] == pytest.approx((chosen["tool_calls"] == 0).mean())
            assert at.loc["micro", "left_out"] == (chosen["tool_calls"] == 0).sum()
            length = of(found.lengths, window, side)["value"].iloc[0]
            assert length == pytest.approx(chosen["tokens"].mean())
        overall = of(found.rates, window, "all").set_index("measure")
        assert overall.loc["right", "value"] == pytest.approx(rows["correct"].mean())
        assert set(overall["step"]) == {np.mean(steps)}


def test_statuses_of_groups_add_up_to_one() -> None:
    table = rollouts(n_problems=3, n_samples=2, steps=(0,))
    table["correct"] = pd.array([True, True, True, False, False, False], dtype="boolean")
    found = error_rates(penalise(table), FAST).groups.set_index("status")["value"]
    assert found.to_dict() == pytest.approx(
        {"mixed": 1 / 3, "all right": 1 / 3, "all wrong": 1 / 3}
    )


def test_runs_of_a_method_are_one_line_or_their_own() -> None:
    table = pd.concat([rollouts(run="a/seed-0"), rollouts(run="a/seed-1"), rollouts(run="b/s")])
    penalised = penalise(table)
    assert set(error_rates(penalised, FAST).rates["line"]) == {"a", "b"}
    by_run = error_rates(penalised, RateOptions(by="run", n_resamples=50))
    assert set(by_run.rates["line"]) == {"a/seed-0", "a/seed-1", "b/s"}
    assert method_of("alone") == "alone"


def test_damaged_rows_are_left_out_and_counted() -> None:
    table = rollouts(n_problems=2, n_samples=4, steps=(0,))
    table.loc[0, "correct"] = pd.NA
    table["tool_calls"] = table["tool_calls"].astype(float)
    table.loc[1, "tool_calls"] = np.nan
    table = pd.concat([table, table.iloc[[3]]], ignore_index=True)
    penalised = penalise(table)
    assert penalised.left_out == {NOT_JUDGED: 1, NO_COUNTS: 1, DUPLICATE: 1}
    assert len(penalised.table) == 6
    assert error_rates(penalised, FAST).left_out == penalised.left_out


def test_one_problem_has_a_rate_without_an_interval() -> None:
    found = error_rates(penalise(rollouts(n_problems=1, n_samples=12)), FAST).rates
    assert found["low"].isna().all()
    assert found.query("measure == 'micro'")["value"].notna().all()


def test_an_empty_table_gives_empty_results() -> None:
    found = error_rates(penalise(rollouts().iloc[:0]), FAST)
    assert found.rates.empty
    assert found.groups.empty


def test_a_table_that_was_not_read_says_so() -> None:
    with pytest.raises(TableError, match="tool_calls"):
        penalise(rollouts().drop(columns="tool_calls"))


def test_length_falls_back_to_characters_and_to_nothing() -> None:
    table = rollouts(n_problems=2, steps=(0,)).drop(columns="tokens")
    assert error_rates(penalise(table), FAST).length_unit == ""
    found = error_rates(penalise(table.assign(response="abc")), FAST)
    assert found.length_unit == "characters"
    assert set(found.lengths["value"]) == {3.0}
