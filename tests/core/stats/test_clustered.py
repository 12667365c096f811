"""Means and any statistic over prompts: enumerated resamples, simulated coverage, damaged input."""

import itertools

import numpy as np
import pytest

from core.stats import (
    cluster_codes,
    clustered_mean,
    clustered_share,
    clustered_standard_error,
    clustered_statistic,
    smallest_detectable_effect,
)

GROUPS = [[2.0, -1.0, 0.5], [0.0, 7.5], [-3.0], [1.0, 1.0, 4.0, -2.0], [0.25]]


def generator() -> np.random.Generator:
    return np.random.default_rng(5)


def flat(groups: list[list[float]]) -> tuple[list[float], list[str]]:
    names = [f"p{index}" for index, group in enumerate(groups) for _ in group]
    return [value for group in groups for value in group], names


def every_resample(groups: list[list[float]]) -> np.ndarray:
    draws = itertools.product(range(len(groups)), repeat=len(groups))
    return np.array([np.mean([v for g in draw for v in groups[g]]) for draw in draws])


def weighted_mean_of(values: list[float]):
    return lambda weights: float(np.average(values, weights=weights))


@pytest.mark.parametrize("through_statistic", [False, True])
def test_interval_equals_quantiles_of_all_possible_resamples(through_statistic: bool) -> None:
    values, prompts = flat(GROUPS)
    options = {"rng": generator(), "confidence": 0.8, "n_resamples": 20_000}
    if through_statistic:
        found = clustered_statistic(weighted_mean_of(values), prompts, **options)
    else:
        found = clustered_mean(values, prompts, **options)

    exact = every_resample(GROUPS)
    assert found.value == pytest.approx(np.mean(values))
    for end, level in ((found.low, 0.1), (found.high, 0.9)):
        below, above = np.quantile(exact, [level - 0.015, level + 0.015])
        assert below - 1e-9 <= end <= above + 1e-9
    assert (found.n, found.n_prompts) == (11, 5)


def test_mean_of_shares_equals_the_share() -> None:
    credit, prompts = [1, 0, 0.5, 1, 0], list("aabcd")
    mean = clustered_mean(credit, prompts, rng=generator())
    share = clustered_share(credit, prompts, rng=generator())
    assert (mean.value, mean.low, mean.high) == (share.value, share.low, share.high)


def test_interval_of_a_mean_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(13)
    hits = 0
    for _ in range(200):
        values = (rng.normal(1.5, 1.0, size=(50, 1)) + rng.normal(0, 1, size=(50, 4))).ravel()
        found = clustered_mean(values, np.repeat(np.arange(50), 4).tolist(), rng=rng)
        hits += found.low <= 1.5 <= found.high
    # Binomial(200, 0.95) is below 180 with probability 0.002.
    assert hits >= 180


def test_interval_of_a_statistic_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(17)
    hits = 0
    for _ in range(100):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=80).T

        def correlation(weights: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> float:
            cov = np.cov(x, y, aweights=weights, ddof=0)
            return float(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]))

        found = clustered_statistic(correlation, list(range(80)), rng=rng, n_resamples=300)
        hits += found.low <= 0.5 <= found.high
    # Binomial(100, 0.95) is below 87 with probability 0.001.
    assert hits >= 87


def test_values_that_are_no_number_are_counted_beside_what_the_caller_left_out() -> None:
    found = clustered_mean(
        [1.0, np.nan, 3.0, np.inf, np.nan], list("abcde"), rng=generator(), left_out={"failed": 2}
    )
    assert found.value == 2.0
    assert (found.n, found.n_prompts) == (2, 2)
    assert found.left_out == {"failed": 2, "no number": 2, "infinite": 1}


def test_one_prompt_has_a_value_and_no_interval() -> None:
    for found in (
        clustered_mean([1.0, 3.0], ["only", "only"], rng=generator()),
        clustered_statistic(weighted_mean_of([1.0, 3.0]), ["only", "only"], rng=generator()),
    ):
        assert found.value == 2.0
        assert np.isnan([found.low, found.high]).all()
        assert found.method == "no interval: one prompt"


def test_nothing_to_estimate_is_nan() -> None:
    for found in (
        clustered_mean([np.nan], ["a"], rng=generator()),
        clustered_statistic(lambda weights: 0.0, [], rng=generator(), left_out={"no number": 1}),
    ):
        assert np.isnan([found.value, found.low, found.high]).all()
        assert (found.n, found.n_prompts) == (0, 0)
        assert found.left_out == {"no number": 1}


def test_prompts_that_do_not_differ_are_said_to_give_no_width() -> None:
    found = clustered_mean([2.0, 2.0, 2.0], list("abc"), rng=generator())
    assert (found.low, found.high) == (2.0, 2.0)
    assert "no width" in found.method


def test_draws_without_a_value_are_counted() -> None:
    def only_with_first(weights: np.ndarray) -> float:
        return 1.0 if weights[0] else float("nan")

    found = clustered_statistic(only_with_first, list("abc"), rng=generator(), n_resamples=1000)
    # The first of three prompts is missing from a draw with probability 8/27.
    n_without = int(found.method.split(", ")[-1].split(" ")[0])
    assert n_without == pytest.approx(296, abs=60)
    assert (found.low, found.high) == (1.0, 1.0)


def test_no_interval_when_most_draws_have_no_value() -> None:
    def only_plain(weights: np.ndarray) -> float:
        return 1.0 if (weights == 1).all() else float("nan")

    found = clustered_statistic(only_plain, list("abc"), rng=generator(), n_resamples=500)
    assert found.value == 1.0
    assert np.isnan([found.low, found.high]).all()
    assert found.method.startswith("no interval")


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="3 values but 2 clusters"):
        clustered_mean([1, 0, 1], ["a", "b"], rng=generator())


def test_clusters_are_numbered_as_they_appear() -> None:
    assert cluster_codes(["b", "a", "b", 3]).tolist() == [0, 1, 0, 2]
    assert cluster_codes([]).tolist() == []


def test_standard_error_with_a_row_a_prompt_is_the_textbook_one() -> None:
    values = np.array([1.0, 4.0, -2.0, 0.5])
    found = clustered_standard_error(values, list("abcd"))
    assert found == pytest.approx(values.std(ddof=1) / 2)


def test_standard_error_does_not_shrink_when_rows_are_copied() -> None:
    values = [1.0, 4.0, -2.0, 0.5]
    alone = clustered_standard_error(values, list("abcd"))
    copied = clustered_standard_error(np.repeat(values, 10), np.repeat(list("abcd"), 10).tolist())
    assert copied == pytest.approx(alone)


def test_standard_error_is_near_the_spread_of_enumerated_resamples() -> None:
    groups = [[float(i), float(i % 3)] for i in range(6)]
    values, prompts = flat(groups)
    # Equal sizes: the spread over all resamples is the error without its factor G / (G - 1).
    expected = every_resample(groups).std() * np.sqrt(6 / 5)
    assert clustered_standard_error(values, prompts) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [np.nan, 1.0]])
def test_standard_error_of_fewer_than_two_prompts_is_unknown(values: list[float]) -> None:
    assert np.isnan(clustered_standard_error(values, ["a"] * len(values)))


def test_smallest_detectable_effect_is_found_as_often_as_its_power_says() -> None:
    effect = smallest_detectable_effect(0.5)
    assert effect == pytest.approx(0.5 * (1.959964 + 0.841621), abs=1e-5)
    seen = generator().normal(effect, 0.5, size=20_000)
    assert np.mean(np.abs(seen) > 1.959964 * 0.5) == pytest.approx(0.8, abs=0.015)


def test_smallest_detectable_effect_of_an_unknown_error_is_unknown() -> None:
    assert np.isnan(smallest_detectable_effect(float("nan")))
    with pytest.raises(ValueError, match="Out of range"):
        smallest_detectable_effect(-1.0)
    with pytest.raises(ValueError, match="Out of range"):
        smallest_detectable_effect(1.0, power=1.0)


@pytest.mark.parametrize("n_clusters", [2, 7, 60])
def test_a_vectorized_statistic_gives_the_same_interval_from_the_same_draws(
    n_clusters: int,
) -> None:
    rng = np.random.default_rng(n_clusters)
    values = rng.normal(size=90)
    prompts = [int(number) for number in rng.integers(n_clusters, size=90)]
    common = {"confidence": 0.9, "n_resamples": 3_001}  # not a multiple of the batch

    def one(weights):
        return float(weights @ values / weights.sum()) if weights[0] else float("nan")

    def many(weights):
        return np.where(weights[:, 0] > 0, weights @ values / weights.sum(axis=1), np.nan)

    found = [
        clustered_statistic(
            statistic, prompts, rng=np.random.default_rng(5), vectorized=vectorized, **common
        )
        for statistic, vectorized in ((one, False), (many, True))
    ]
    assert found[0].method == found[1].method
    assert "of them without a value" in found[0].method
    for name in ("value", "low", "high"):
        assert getattr(found[0], name) == pytest.approx(getattr(found[1], name), abs=1e-12)
