"""Many columns at once give what each column gives alone."""

import numpy as np
import pytest

from core.labs.invariance.resampling import (
    clustered_means,
    clustered_standard_errors,
    sign_flip_tests,
)
from core.stats import clustered_mean, clustered_share, clustered_standard_error, sign_flip_test


def columns(n: int = 60, seed: int = 0) -> tuple[np.ndarray, list[object]]:
    rng = np.random.default_rng(seed)
    clusters: list[object] = [f"p{at // 2}" for at in range(n)]
    values = rng.normal(size=(n, 5)) + np.repeat(rng.normal(size=(n // 2, 5)), 2, axis=0)
    values[:10, 1] = np.nan
    values[rng.random(n) < 0.3, 2] = np.nan
    values[:, 3] = np.nan
    values[5, 4] = np.inf
    return values, clusters


def test_means_and_intervals_agree_with_one_column_at_a_time() -> None:
    values, clusters = columns()
    found = clustered_means(values, clusters, rng=np.random.default_rng(0), n_resamples=20_000)
    for column, estimate in enumerate(found):
        alone = clustered_mean(values[:, column], clusters, rng=np.random.default_rng(1))
        assert estimate.n == alone.n
        assert estimate.n_prompts == alone.n_prompts
        np.testing.assert_allclose(
            [estimate.value, estimate.low, estimate.high],
            [alone.value, alone.low, alone.high],
            atol=0.02,
        )


def test_shares_without_variation_get_the_wilson_interval() -> None:
    values = np.zeros((10, 2))
    values[::2, 1] = 1.0
    clusters = list(range(10))
    found = clustered_means(values, clusters, rng=np.random.default_rng(0), shares=True)
    alone = clustered_share(values[:, 0], clusters, rng=np.random.default_rng(0))
    assert (found[0].low, found[0].high, found[0].method) == (alone.low, alone.high, alone.method)
    assert 0 < found[1].low < 0.5 < found[1].high < 1


def test_sign_flips_agree_with_one_column_at_a_time() -> None:
    values, clusters = columns()
    tests = sign_flip_tests(values, clusters, rng=np.random.default_rng(0))
    for column, test in enumerate(tests):
        alone = sign_flip_test(values[:, column], clusters, rng=np.random.default_rng(1))
        assert test.n == alone.n
        np.testing.assert_allclose(test.statistic, alone.statistic)
        np.testing.assert_allclose(test.p_value, alone.p_value, atol=0.02)


def test_few_clusters_are_enumerated_exactly() -> None:
    values = np.random.default_rng(2).normal(size=(8, 3))
    tests = sign_flip_tests(values, list(range(8)), rng=np.random.default_rng(0))
    for column, test in enumerate(tests):
        alone = sign_flip_test(values[:, column], list(range(8)), rng=np.random.default_rng(0))
        assert test.p_value == pytest.approx(alone.p_value, abs=1e-12)


def test_standard_errors_agree_with_one_column_at_a_time() -> None:
    values, clusters = columns()
    found = clustered_standard_errors(values, clusters)
    alone = [clustered_standard_error(values[:, column], clusters) for column in range(5)]
    np.testing.assert_allclose(found, alone)


def test_one_cluster_has_no_interval_and_no_error() -> None:
    values, clusters = np.array([[1.0], [3.0]]), ["p", "p"]
    (estimate,) = clustered_means(values, clusters, rng=np.random.default_rng(0))
    assert estimate.value == 2.0
    assert np.isnan(estimate.low)
    assert np.isnan(clustered_standard_errors(values, clusters)[0])
    assert sign_flip_tests(values, clusters, rng=np.random.default_rng(0))[0].p_value == 1.0


def test_no_columns_and_no_rows() -> None:
    rng = np.random.default_rng(0)
    assert clustered_means(np.empty((3, 0)), [1, 2, 3], rng=rng) == []
    (empty,) = clustered_means(np.empty((0, 1)), [], rng=rng)
    assert np.isnan(empty.value)
    assert empty.n == 0
    with pytest.raises(ValueError, match="clusters"):
        clustered_means(np.zeros((2, 1)), [1], rng=rng)
