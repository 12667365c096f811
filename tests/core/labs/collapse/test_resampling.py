"""Means along a curve: plain group means, with intervals over problems."""

import numpy as np
import pandas as pd
import pytest

from core.labs.collapse.resampling import ONE, SAME, mean_bands


def rows(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "problem_id": [f"p{i}" for i in rng.integers(0, 8, n)],
            "step": rng.integers(0, 5, n),
            "value": rng.normal(size=n),
        }
    )
    table.loc[rng.choice(n, 20, replace=False), "value"] = [np.nan, np.inf] * 10
    return table


def test_means_and_sizes_are_those_of_the_finite_rows():
    table = rows()
    found = mean_bands(table, "value", "step", rng=np.random.default_rng(1)).set_index("step")
    finite = table.loc[np.isfinite(table["value"])].groupby("step")
    np.testing.assert_allclose(found["value"], finite["value"].mean())
    assert found["n"].tolist() == finite.size().tolist()
    assert found["n_prompts"].tolist() == finite["problem_id"].nunique().tolist()
    assert (found["low"] < found["value"]).all()
    assert (found["value"] < found["high"]).all()


def test_the_interval_is_a_bootstrap_over_whole_problems():
    # Eight problems, each with one value in all its rows: the mean of eight numbers.
    values = np.arange(8.0)
    table = pd.DataFrame({"problem_id": np.repeat(values, 50), "step": 0})
    table = table.assign(value=table["problem_id"])
    found = mean_bands(table, "value", "step", rng=np.random.default_rng(0), n_resamples=4_000)
    drawn = np.random.default_rng(1).choice(values, (4_000, 8)).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found["low"].iloc[0] == pytest.approx(low, abs=0.15)
    assert found["high"].iloc[0] == pytest.approx(high, abs=0.15)


def test_no_interval_is_made_up_where_there_is_none():
    table = pd.DataFrame(
        {"problem_id": ["a", "b", "a"], "step": [0, 0, 1], "value": [2.0, 2.0, 3.0]}
    )
    found = mean_bands(table, "value", "step", rng=np.random.default_rng(0))
    assert found["method_of_interval"].tolist() == [SAME, ONE]
    assert np.isnan(found["low"].iloc[1])


def test_nothing_finite_gives_an_empty_table():
    empty = mean_bands(rows().assign(value=np.nan), "value", "step", rng=np.random.default_rng(0))
    assert empty.empty
    assert list(empty.columns[:2]) == ["step", "value"]
