"""Prompt-free gaps: hand-checked vectors, brute force, saturation and weights."""

import math

import numpy as np
import pytest

from core.labs.prompt_awareness.prompt_free import (
    ESTIMATORS,
    effective_sample_size,
    policy_weights,
    prompt_free_gap,
    weighted_median,
)


def value(gaps: list[float], estimator: str, weights: list[float] | None = None) -> float:
    return prompt_free_gap(gaps, estimator, weights).value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gaps", "root", "matched", "mean"),
    [
        ([2, 2, 2], 2, 2, 2),
        ([0, 2, 4], 2, 1.3105, 2),
        ([1, 1, 4], 1.8394, 1.4809, 2),
        ([3, -1, 1], 1, 0.6228, 1),
    ],
)
def test_published_vectors(gaps: list[float], root: float, matched: float, mean: float) -> None:
    assert value(gaps, "zero-information") == pytest.approx(root, abs=5e-5)
    assert value(gaps, "marginal-matching") == pytest.approx(matched, abs=5e-5)
    assert value(gaps, "mean") == pytest.approx(mean)


def test_published_prompt_related_part_and_weighted_root() -> None:
    assert 3 - value([3, -1, 1], "zero-information") == pytest.approx(2)
    assert value([3, -1, 1], "zero-information", [0.6, 0.2, 0.2]) == pytest.approx(2.0115, abs=5e-5)


def test_root_agrees_with_a_fine_grid_on_random_gaps() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        gaps, weights = rng.normal(0, 3, 6), rng.random(6)
        grid = np.linspace(gaps.min(), gaps.max(), 200_001)
        sigmoids = 1 / (1 + np.exp(-(gaps[:, None] - grid)))
        best = grid[np.abs(weights @ sigmoids / weights.sum() - 0.5).argmin()]
        assert value(gaps, "zero-information", weights) == pytest.approx(best, abs=2e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_one_prompt_gives_its_gap(estimator: str) -> None:
    assert value([1.25], estimator) == pytest.approx(1.25)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimates_lie_between_the_gaps_and_shift_or_mirror_with_them(estimator: str) -> None:
    rng = np.random.default_rng(4)
    gaps = rng.normal(0, 2, 7)
    found = value(gaps, estimator)
    assert gaps.min() <= found <= gaps.max()
    assert value(-gaps, estimator) == pytest.approx(-found)
    if estimator != "marginal-matching":  # which looks at probabilities, not at distances
        assert value(gaps + 1.5, estimator) == pytest.approx(found + 1.5)


def test_symmetric_gaps_give_their_centre_by_every_distance_based_estimator() -> None:
    for estimator in ("zero-information", "mean", "median"):
        assert value([1 - 2, 1, 1 + 2], estimator) == pytest.approx(1)


def test_saturation_is_flagged_and_nothing_overflows() -> None:
    apart = prompt_free_gap([-2000.0, 2000.0], "zero-information")
    assert apart.saturated
    assert apart.value == pytest.approx(0, abs=1e-6)
    clipped = prompt_free_gap([40.0, 50.0], "marginal-matching")
    assert clipped.saturated
    assert clipped.value == pytest.approx(math.log((1 - 1e-6) / 1e-6))
    near = prompt_free_gap([3.0, -1.0, 1.0], "zero-information")
    assert not near.saturated
    assert not prompt_free_gap([3.0, -1.0, 1.0], "marginal-matching").saturated


def test_uneven_weights_decide_a_root_that_even_weights_leave_open() -> None:
    # 0.6 sigmoid(-d) + 0.4 = 0.5, so d = log 5.
    found = prompt_free_gap([0.0, 2000.0], "zero-information", [0.6, 0.4])
    assert found.value == pytest.approx(math.log(5))
    assert not found.saturated


def test_gaps_without_a_number_and_prompts_without_weight_are_not_used() -> None:
    assert value([1.0, math.nan, math.inf, 9.0], "mean", [1, 1, 1, 0]) == 1
    assert math.isnan(value([math.nan], "zero-information"))
    assert math.isnan(value([], "mean"))


def test_weighted_median_splits_the_weight_in_half() -> None:
    assert weighted_median(np.array([5.0, 1.0, 3.0]), np.full(3, 1 / 3)) == 3
    assert weighted_median(np.array([4.0, 1.0]), np.array([0.5, 0.5])) == 2.5
    assert weighted_median(np.array([4.0, 1.0]), np.array([0.6, 0.4])) == 4
    rng = np.random.default_rng(0)
    for n in (4, 7):
        values, counts = rng.normal(size=n), rng.integers(1, 5, n)
        expected = np.median(np.repeat(values, counts))
        assert weighted_median(values, counts / counts.sum()) == pytest.approx(expected)


def test_wrong_weights_and_unknown_estimators_are_refused() -> None:
    with pytest.raises(ValueError, match="2 gaps but 1 weights"):
        prompt_free_gap([1.0, 2.0], "mean", [1.0])
    with pytest.raises(ValueError, match="below zero"):
        prompt_free_gap([1.0, 2.0], "mean", [1.0, -1.0])
    with pytest.raises(ValueError, match="Unknown estimator"):
        prompt_free_gap([1.0, 2.0], "mode")  # type: ignore[arg-type]


def test_policy_weights_are_shares_of_likelihood_however_unlikely_all_are() -> None:
    weights, effective = policy_weights(np.log([0.5, 0.25, 0.25]))
    assert weights == pytest.approx([0.5, 0.25, 0.25])
    assert effective == pytest.approx(1 / 0.375)
    far, _ = policy_weights(np.log([0.5, 0.25, 0.25]) - 5000)
    assert far == pytest.approx(weights)
    assert policy_weights([800.0, 800.0])[0] == pytest.approx([0.5, 0.5])


def test_prompts_without_likelihood_weigh_nothing() -> None:
    weights, effective = policy_weights([0.0, -math.inf, math.nan])
    assert weights.tolist() == [1, 0, 0]
    assert effective == 1
    nothing, none = policy_weights([-math.inf, math.nan])
    assert nothing.tolist() == [0, 0]
    assert none == 0


def test_effective_sample_size_of_equal_weights_is_their_number() -> None:
    assert effective_sample_size([3.0] * 5) == pytest.approx(5)
