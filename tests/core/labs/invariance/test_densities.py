"""Densities by bin, with bins that have none."""

import numpy as np
import pandas as pd
import pytest

from core.labs.invariance.densities import DensityOptions, run

from .made import scored_pairs


def test_densities_integrate_to_one_on_one_common_axis() -> None:
    rng = np.random.default_rng(0)
    scored = scored_pairs(rng.normal(loc=[1.0, 0.0], size=(60, 2)))
    result = run(scored, scored["side"], DensityOptions(n_points=400))
    axes = []
    for _, curve in result.curves.groupby("bin", observed=True):
        assert np.trapezoid(curve["density"], curve["reward"]) == pytest.approx(1.0, abs=0.02)
        axes.append(curve["reward"].to_numpy())
    np.testing.assert_array_equal(axes[0], axes[1])


def test_means_carry_n_and_an_interval() -> None:
    rewards = np.arange(20.0).reshape(10, 2)
    bins = run(scored_pairs(rewards), ["a", "b"] * 10).bins.set_index("bin")
    assert bins.loc["a", "mean"] == rewards[:, 0].mean()
    assert bins.loc["a", "low"] < bins.loc["a", "mean"] < bins.loc["a", "high"]
    assert bins.loc["b", ["n", "n_prompts"]].tolist() == [10, 10]
    assert bins.loc["b", "sd"] == pytest.approx(rewards[:, 1].std(ddof=1))


def test_bins_without_a_curve_say_why() -> None:
    rewards = np.array([[1.0, 5.0], [1.0, 6.0], [1.0, np.nan], [2.0, 3.0]])
    bins = ["tied", "few"] * 3 + ["few", None]
    result = run(scored_pairs(rewards), bins)
    notes = result.bins.set_index("bin")["note"].to_dict()
    assert notes == {"tied": "all rewards are equal", "few": ""}
    assert result.left_out == {"no reward": 1, "no attribute": 1}
    alone = run(scored_pairs(rewards[:1]), ["x", "y"])
    assert set(alone.bins["note"]) == {"fewer than 3 responses"}
    assert alone.curves.empty


def test_nothing_given() -> None:
    result = run(scored_pairs(np.empty((0, 2))), [])
    assert result.bins.empty
    assert result.curves.empty


def test_order_of_a_categorical_is_kept() -> None:
    bins = pd.Series(pd.Categorical(["low", "high"] * 5, categories=["low", "high"]))
    assert run(scored_pairs(np.zeros((5, 2))), bins).bins["bin"].tolist() == ["low", "high"]
