"""The kernel's features are the kernel, and its bandwidth is the median distance."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.labs.invariance import kernel
from core.labs.invariance.kernel import (
    BandwidthError,
    given_bandwidth,
    median_bandwidth,
    rbf_features,
    rbf_frequencies,
)

numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(numbers, min_size=1, max_size=20), st.floats(0.01, 100))
@settings(deadline=None)
def test_products_of_features_are_the_kernel(values: list[float], bandwidth: float) -> None:
    given_values = np.array(values)
    features = rbf_features(given_values, bandwidth)
    distances = given_values[:, None] - given_values
    expected = np.exp(-(distances**2) / (2 * bandwidth**2))
    np.testing.assert_allclose(features @ features.T, expected, atol=1e-10)


def test_an_outlier_costs_no_frequencies() -> None:
    near = rbf_features(np.linspace(0, 1, 20), 0.5).shape[1]
    far = rbf_features(np.append(np.linspace(0, 1, 20), 1e9), 0.5).shape[1]
    assert far < 4 * near


def test_frequencies_hold_up_to_the_spread_they_are_made_for() -> None:
    frequencies, weights = rbf_frequencies(30.0)
    distances = np.linspace(0, 30, 500)
    kernel_values = np.cos(np.outer(distances, frequencies)) @ weights
    np.testing.assert_allclose(kernel_values, np.exp(-(distances**2) / 2), atol=1e-13)


def test_bandwidth_is_the_median_of_all_distances() -> None:
    rewards = np.random.default_rng(0).normal(size=31)
    pairs = [abs(a - b) for a, b in itertools.combinations(rewards, 2)]
    assert median_bandwidth(rewards).value == pytest.approx(np.median(pairs))


def test_bandwidth_of_mostly_tied_rewards_is_the_median_of_the_positive_distances() -> None:
    # 45 pairs: 28 within the eight zeros, 8 at 1, 8 at 3 and 1 at 2 apart.
    found = median_bandwidth([0] * 8 + [1, 3])
    assert found.value == 2.0
    assert "tie" in found.rule


def test_equal_rewards_have_no_bandwidth_and_one_feature() -> None:
    assert median_bandwidth([2.5] * 5).value == 0.0
    features = rbf_features([2.5] * 5, 0.0)
    np.testing.assert_array_equal(features @ features.T, np.ones((5, 5)))


def test_bandwidth_zero_tells_equal_from_unequal() -> None:
    features = rbf_features([1.0, 2.0, 1.0], 0.0)
    np.testing.assert_array_equal(features @ features.T, [[1, 0, 1], [0, 1, 0], [1, 0, 1]])


def test_many_rewards_are_thinned_out_by_quantiles() -> None:
    rewards = np.random.default_rng(1).normal(size=6_000)
    found = median_bandwidth(rewards)
    assert "quantiles" in found.rule
    # The median distance of two normal draws is sqrt(2) times the third quartile of |z|, .6745.
    assert found.value == pytest.approx(2**0.5 * 0.6745, rel=0.03)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bandwidth_that_is_no_positive_number_is_an_error(value: float) -> None:
    with pytest.raises(BandwidthError, match="not a positive number"):
        given_bandwidth(value)


def test_a_bandwidth_too_small_for_the_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_MOST_CELLS", 10_000)
    with pytest.raises(BandwidthError, match="too small"):
        rbf_features(np.arange(200.0), 1e-3)
