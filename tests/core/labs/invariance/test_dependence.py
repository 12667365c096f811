"""Reward against an attribute: slopes, correlations and what is left."""

import numpy as np
import pytest
from scipy import stats

from core.labs.invariance.dependence import (
    DependenceOptions,
    run,
    weighted_correlation,
    weighted_slope,
)

from .made import scored_pairs

FAST = DependenceOptions(n_resamples=300)


def test_vector() -> None:
    scored = scored_pairs(np.array([[1.0, 2.0], [2.0, 3.0]]))
    result = run(scored, [10, 20, 30, 40], FAST)
    assert result.correlation.value == pytest.approx(0.948683, abs=1e-6)
    assert 10 * result.slope.value == pytest.approx(0.6)
    assert result.intercept == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(4))
def test_statistics_agree_with_scipy_and_weights_with_repetition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 12))
    times = rng.integers(0, 4, size=12)
    again = np.repeat(x, times), np.repeat(y, times)
    fitted = stats.linregress(*again)
    weights = times.astype(float)
    assert weighted_slope(x, y, weights) == pytest.approx(fitted.slope)
    assert weighted_correlation(x, y, weights) == pytest.approx(fitted.rvalue)
    scored = scored_pairs(y.reshape(6, 2))
    result = run(scored, x, FAST)
    assert result.rank_correlation.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert result.intercept == pytest.approx(stats.linregress(x, y).intercept)


def test_slope_within_prompts_is_blind_to_what_prompts_do() -> None:
    rng = np.random.default_rng(0)
    level = rng.normal(size=(80, 1))
    attribute = 3 * level + rng.normal(size=(80, 2))
    scored = scored_pairs(5 * level - 0.5 * attribute + 0.1 * rng.normal(size=(80, 2)))
    result = run(scored, attribute.ravel(), FAST)
    assert result.slope.value > 0.5
    assert result.within_slope.value == pytest.approx(-0.5, abs=0.05)
    assert result.within_slope.low < -0.5 < result.within_slope.high


def test_within_slope_equals_the_regression_on_centred_values() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 10, 2))
    centred = [values - values.mean(axis=1, keepdims=True) for values in (x, y)]
    expected = (centred[0] * centred[1]).sum() / (centred[0] ** 2).sum()
    result = run(scored_pairs(y), x.ravel(), FAST)
    assert result.within_slope.value == pytest.approx(expected)


def test_residual_leaves_the_quality_and_takes_the_attribute_out() -> None:
    rng = np.random.default_rng(2)
    length = rng.normal(size=(150, 2))
    quality = rng.normal(loc=[1.0, 0.0], size=(150, 2))
    result = run(scored_pairs(quality + 2 * length), length.ravel(), FAST)
    assert abs(result.residual_correlation.value) < 0.1
    residual = result.accuracy["residual"].accuracy
    assert residual.value > result.accuracy["reward"].accuracy.high
    line = result.accuracy["attribute"].accuracy
    assert line.low < 0.5 < line.high


def test_residual_is_cross_fitted_over_prompts() -> None:
    rng = np.random.default_rng(3)
    scored, x = scored_pairs(rng.normal(size=(10, 2))), rng.normal(size=20)
    options = DependenceOptions(n_folds=10, n_resamples=50)
    points = run(scored, x, options).points
    own = points["prompt_id"] == "prompt-3"
    line = stats.linregress(points["attribute"][~own], points["reward"][~own])
    expected = line.intercept + line.slope * points["attribute"][own]
    np.testing.assert_allclose(points["fitted"][own], expected)


def test_interval_of_the_slope_covers_the_truth_and_detectable_matches_its_width() -> None:
    covered, widths, detectable = 0, [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(40, 1)) + rng.normal(size=(40, 2))
        y = rng.normal(size=(40, 1)) + rng.normal(size=(40, 2)) + 0.7 * x
        result = run(scored_pairs(y), x.ravel(), DependenceOptions(n_resamples=150))
        covered += result.slope.low <= 0.7 <= result.slope.high
        widths.append(result.slope.high - result.slope.low)
        detectable.append(result.detectable)
    assert covered >= 33  # of 40; fewer would be less than one in a hundred at 95 %
    # An interval is 2 x 1.96 standard errors wide, the detectable effect 2.80.
    assert np.mean(detectable) / np.mean(widths) == pytest.approx(2.80 / 3.92, rel=0.1)


@pytest.mark.parametrize(
    ("rewards", "attribute"),
    [(np.zeros((0, 2)), []), (np.array([[1.0, 2.0]]), [3.0, 3.0])],
)
def test_an_attribute_that_does_not_vary_has_no_slope(rewards, attribute) -> None:
    result = run(scored_pairs(rewards), attribute, FAST)
    assert np.isnan(result.slope.value)
    assert np.isnan(result.detectable)
    assert np.isnan(result.correlation.value)


def test_missing_values_are_counted() -> None:
    rewards = np.array([[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]])
    result = run(scored_pairs(rewards), [1.0, 2.0, np.inf, 4.0, 5.0, np.nan], FAST)
    assert result.left_out == {"no reward": 1, "no attribute": 2}
    assert result.slope.n == 3
    assert result.accuracy["residual"].accuracy.left_out["no margin"] >= 2
