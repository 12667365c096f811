"""Intervals against enumerated resamples, simulated coverage and published values."""

import itertools

import numpy as np
import pytest

from core.stats import clustered_share, pair_accuracy, wilson_interval


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def every_resample(groups: list[list[float]]) -> np.ndarray:
    """The mean of each of the k**k equally likely draws of k groups."""
    means = []
    for draw in itertools.product(range(len(groups)), repeat=len(groups)):
        rows = [value for group in draw for value in groups[group]]
        means.append(sum(rows) / len(rows))
    return np.array(means)


def test_interval_equals_quantiles_of_all_possible_resamples_of_prompts() -> None:
    groups = [[1, 1, 0], [0, 0.5], [1], [0, 1, 1, 1], [0.5, 0.5]]
    values = [value for group in groups for value in group]
    prompts = [name for name, group in zip("abcde", groups, strict=True) for _ in group]
    exact = every_resample(groups)

    found = clustered_share(values, prompts, rng=generator(), confidence=0.8, n_resamples=40_000)

    assert found.value == pytest.approx(sum(values) / len(values))
    # The exact quantiles a little to each side bracket what 40,000 draws give.
    for end, level in ((found.low, 0.1), (found.high, 0.9)):
        below, above = np.quantile(exact, [level - 0.01, level + 0.01])
        assert below - 1e-9 <= end <= above + 1e-9
    assert (found.n, found.n_prompts) == (12, 5)


def test_rows_of_one_prompt_are_resampled_together() -> None:
    # 200 rows that are only 10 prompts: resampling rows would give an interval 4 times too narrow.
    credit = np.repeat([1, 0, 1, 1, 0, 1, 0, 1, 1, 0], 20)
    together = clustered_share(credit, np.repeat(np.arange(10), 20).tolist(), rng=generator())
    apart = clustered_share(credit, list(range(200)), rng=generator())

    assert together.value == apart.value == 0.6
    ratio = (together.high - together.low) / (apart.high - apart.low)
    assert ratio == pytest.approx(np.sqrt(20), rel=0.15)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        rates = rng.choice([0.5, 0.9], size=60)
        credit = (rng.random((60, 3)) < rates[:, None]).astype(float).ravel()
        prompts = np.repeat(np.arange(60), 3).tolist()
        found = clustered_share(credit, prompts, rng=rng, n_resamples=500)
        hits += found.low <= 0.7 <= found.high
    # Binomial(200, 0.95) is below 180 with probability 0.002.
    assert hits >= 180


def test_same_seed_gives_same_interval() -> None:
    credit, prompts = [1, 0, 1, 1, 0.5, 0], list("aabbcd")
    first = clustered_share(credit, prompts, rng=generator())
    second = clustered_share(credit, prompts, rng=generator())
    assert (first.low, first.high) == (second.low, second.high)


def test_order_of_rows_does_not_change_the_estimate() -> None:
    found = clustered_share([1, 0, 1], ["a", "b", "a"], rng=generator())
    assert found.value == pytest.approx(2 / 3)
    assert found.n_prompts == 2


def test_all_right_does_not_claim_certainty() -> None:
    found = clustered_share(np.ones(30), list(range(30)), rng=generator())
    assert found.value == found.high == 1
    # Wilson's lower end for 30 of 30 is n / (n + z^2).
    assert found.low == pytest.approx(30 / (30 + 1.959964**2), abs=1e-6)
    assert "Wilson" in found.method


def test_one_prompt_gets_a_wide_interval_whatever_its_rows() -> None:
    found = clustered_share([1] * 60 + [0] * 40, ["only"] * 100, rng=generator())
    assert found.n == 100
    assert found.n_prompts == 1
    assert found.high - found.low > 0.7


def test_prompts_with_equal_means_do_not_claim_certainty() -> None:
    found = clustered_share([1, 0] * 20, np.repeat(np.arange(20), 2).tolist(), rng=generator())
    assert found.value == 0.5
    # Wilson for 10 of 20.
    assert (found.low, found.high) == pytest.approx((0.2993, 0.7007), abs=1e-4)


def test_nothing_to_estimate_is_nan_with_the_reasons() -> None:
    found = pair_accuracy(
        [np.nan, np.nan], ["a", "b"], rng=generator(), reasons=["column chosen: bad", ""]
    ).accuracy
    assert np.isnan([found.value, found.low, found.high]).all()
    assert (found.n, found.n_prompts) == (0, 0)
    assert found.left_out == {"column chosen: bad": 1, "no margin": 1}


def test_accuracy_counts_a_tie_as_half_and_leaves_out_pairs_without_margin() -> None:
    margins = [2.0, -1.0, 0.0, 0.5, np.nan, 3.0]
    reasons = ["", "", "", "", "", "failed"]
    found = pair_accuracy(margins, list("abcdef"), rng=generator(), reasons=reasons)

    assert found.accuracy.value == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert (found.n_wins, found.n_ties, found.n_losses) == (2, 1, 1)
    assert found.accuracy.n == 4
    assert found.accuracy.left_out == {"no margin": 1, "failed": 1}
    assert found.accuracy.low <= found.accuracy.value <= found.accuracy.high


def test_infinite_margin_has_a_winner() -> None:
    found = pair_accuracy([np.inf, -np.inf, 1.0], list("abc"), rng=generator())
    assert (found.n_wins, found.n_losses) == (2, 1)


def test_values_outside_zero_to_one_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        clustered_share([1.5], ["a"], rng=generator())


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="3 values but 2 clusters"):
        clustered_share([1, 0, 1], ["a", "b"], rng=generator())


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17), table I, score method without correction.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_interval_equals_published_values(
    successes: int, n: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_interval_refuses_impossible_counts(successes: float, n: float) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        wilson_interval(successes, n)
