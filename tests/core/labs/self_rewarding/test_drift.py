"""The judge against an outside model, on samples where both are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from core.errors import TableError
from core.labs.self_rewarding import drift
from core.labs.self_rewarding.estimates import POOLED
from tests.core.labs.self_rewarding.made import generations
from tests.core.labs.self_rewarding.test_iterations import cell


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return generations().table


@pytest.fixture(scope="module")
def result(table: pd.DataFrame) -> drift.DriftResult:
    return drift.run(table, n_draws=300)


def test_scores_are_in_units_of_the_first_iteration(
    table: pd.DataFrame, result: drift.DriftResult
) -> None:
    current = table.query("source == 'Mi'")
    first = current.query("iteration == 0")
    for measure, column in ((drift.JUDGE, "judge_score"), (drift.OUTSIDE, "outside")):
        for step in range(4):
            rows = current.query("method == 'temporal' and iteration == @step")[column]
            expected = (rows.mean() - first[column].mean()) / first[column].std(ddof=0)
            found = cell(
                result.estimates, method="temporal", run=POOLED, iteration=step, measure=measure
            )
            assert found["value"] == pytest.approx(expected)
            assert found["n_prompts"] == 12


def test_judge_ahead_is_the_difference_of_the_two(result: drift.DriftResult) -> None:
    at = {"method": "classic", "run": POOLED, "iteration": 3}
    judge, outside, ahead = (
        cell(result.estimates, **at, measure=name)["value"]
        for name in (drift.JUDGE, drift.OUTSIDE, drift.AHEAD)
    )
    assert ahead == pytest.approx(judge - outside)
    change = cell(result.changes, method="classic", measure=drift.JUDGE)
    at["iteration"] = 0
    start = cell(result.estimates, **at, measure=drift.JUDGE)["value"]
    assert change["value"] == pytest.approx(judge - start)


def test_agreement_is_the_mean_rank_correlation_within_problems(
    table: pd.DataFrame, result: drift.DriftResult
) -> None:
    rows = table.query("source == 'Mi' and run == 'classic/seed-1' and iteration == 2")
    by_hand = [
        scipy_stats.spearmanr(group["judge_score"], group["outside"]).statistic
        for _, group in rows.groupby("problem_id")
    ]
    found = cell(result.estimates, run="classic/seed-1", iteration=2, measure=drift.AGREEMENT)
    assert found["value"] == pytest.approx(np.mean(by_hand))
    # Noise of a fixed size hides more of the order, the less the scores spread.
    end = cell(result.changes, method="classic", measure=drift.AGREEMENT)
    assert end["high"] < 0


def test_problems_without_an_order_are_left_out_and_counted(table: pd.DataFrame) -> None:
    one = table.query("run == 'classic/seed-0' and source == 'Mi'").reset_index(drop=True)
    one.loc[one["problem_id"] == "p0", "judge_score"] = 1.0
    one = one.query("not (problem_id == 'p1' and sample > 1)").reset_index(drop=True)
    one.loc[one["problem_id"] == "p2", "outside"] = np.nan

    found = drift.run(one, n_draws=50)
    row = cell(found.estimates, iteration=0, measure=drift.AGREEMENT)
    assert row["n"] == 12 - 3
    assert drift.CONSTANT in row["left_out"]
    assert drift.FEW in row["left_out"]
    assert found.unscored == 4 * 4


def test_without_an_outside_model_the_error_says_what_is_missing(table: pd.DataFrame) -> None:
    with pytest.raises(TableError, match="outside"):
        drift.run(table.drop(columns="outside"))
    with pytest.raises(TableError, match="score of the judge"):
        drift.run(table.assign(outside=np.nan))


def test_a_constant_model_has_no_unit(table: pd.DataFrame) -> None:
    found = drift.run(table.assign(outside=1.0), n_draws=50)
    outside = found.estimates.query("measure == 'outside'")
    assert outside["value"].isna().all()
    assert (outside["n"] == 0).all()
