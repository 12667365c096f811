"""Retention, slope, flips and their errors: the hand-checked vector and brute force."""

import math

import numpy as np
import pytest

from core.labs.prompt_awareness.measures import (
    GapTable,
    flip_shares,
    mean_of,
    measure,
    ratio_difference,
    ratio_of,
    win_credit,
)

OWN = np.array([2.0, 1.0, -0.5, 3.0])
SWAPPED = np.array([1.8, -0.2, -0.4, 2.1])


def table(own: np.ndarray, swapped: np.ndarray, prompts: list[str] | None = None) -> GapTable:
    flips = np.array([flip_shares(o, np.array([s])) for o, s in zip(own, swapped, strict=True)])
    names = prompts or [str(at) for at in range(len(own))]
    return GapTable(own, swapped, flips, win_credit(swapped), names)


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def test_published_vector() -> None:
    found = measure(table(OWN, SWAPPED), rng=generator())
    values = {name: measured.estimate.value for name, measured in found.items()}
    assert values["retention"] == pytest.approx(0.6, abs=5e-5)
    assert values["slope"] == pytest.approx(0.6947, abs=5e-5)
    assert values["flip_rate"] == 0.25
    assert values["correlation"] == pytest.approx(0.9158, abs=5e-5)
    assert (values["own_accuracy"], values["swapped_accuracy"]) == (0.75, 0.5)
    assert values["accuracy_drop"] == 0.25


def test_values_equal_plain_formulas_on_random_gaps() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        own, swapped = rng.normal(1, 1, 15), rng.normal(0.5, 1, 15)
        found = measure(table(own, swapped), rng=generator())
        assert found.retention.estimate.value == pytest.approx(sum(swapped) / sum(own))
        slope = np.linalg.lstsq(own[:, None], swapped, rcond=None)[0][0]
        assert found.slope.estimate.value == pytest.approx(slope)
        assert found.correlation.estimate.value == pytest.approx(np.corrcoef(own, swapped)[0, 1])


def test_smallest_effect_rests_on_the_standard_error_of_the_statistic() -> None:
    # The linearised error of each ratio and correlation against the spread over fresh samples.
    rng = np.random.default_rng(1)
    errors: dict[str, list[float]] = {name: [] for name in ("retention", "slope", "correlation")}
    values: dict[str, list[float]] = {name: [] for name in errors}
    for _ in range(300):
        own = rng.normal(1, 0.7, 80)
        found = _without_draws(own, 0.6 * own + rng.normal(0, 0.5, 80))
        for name, (value, smallest) in found.items():
            values[name].append(value)
            errors[name].append(smallest / (1.959964 + 0.841621))
    for name, found_errors in errors.items():
        assert np.mean(found_errors) == pytest.approx(np.std(values[name]), rel=0.12)


def _without_draws(own: np.ndarray, swapped: np.ndarray) -> dict[str, tuple[float, float]]:
    """Value and smallest effect of the three, from one prompt a cluster of the cheapest kind."""
    from core.labs.prompt_awareness import measures as m

    prompts = [str(at) for at in range(len(own))]
    weights = np.ones(len(own))
    kinds = {
        "retention": (m.ratio_of_sums(own, swapped), m._ratio_influence(own, swapped)),
        "slope": (m._slope(own, swapped), m._slope_influence(own, swapped)),
        "correlation": (m._correlation(own, swapped), m._correlation_influence(own, swapped)),
    }
    return {
        name: (statistic(weights), m._detectable(influence, prompts, 0.95))
        for name, (statistic, influence) in kinds.items()
    }


def test_interval_of_retention_resamples_prompts_not_pairs() -> None:
    rng = np.random.default_rng(5)
    own = rng.normal(1, 0.4, 15)
    swapped = 0.5 * own + rng.normal(0, 0.4, 15)
    many = 10
    apart = measure(table(own, swapped), rng=generator()).retention.estimate
    copied = table(
        np.repeat(own, many), np.repeat(swapped, many), [str(i // many) for i in range(150)]
    )
    together = measure(copied, rng=generator()).retention.estimate
    assert (together.n, together.n_prompts) == (150, 15)
    assert together.high - together.low == pytest.approx(apart.high - apart.low, rel=0.1)


def test_gap_of_zero_has_nothing_to_flip_and_a_swapped_zero_counts_half() -> None:
    assert math.isnan(flip_shares(0.0, np.array([1.0])))
    assert flip_shares(-1.0, np.array([0.0, 1.0, -2.0])) == 0.5
    found = measure(table(np.array([0.0, 1.0, 1.0]), np.array([1.0, 1.0, -1.0])), rng=generator())
    assert found.flip_rate.estimate.value == 0.5
    assert found.flip_rate.estimate.left_out == {"own gap is zero": 1}


def test_nothing_to_measure_gives_no_numbers_and_no_error() -> None:
    nothing = np.array([])
    found = measure(table(nothing, nothing), rng=generator(), left_out={"no gap": 4})
    for _, measured in found.items():
        assert math.isnan(measured.estimate.value)
        assert measured.estimate.n == 0
        assert measured.estimate.left_out == {"no gap": 4}


def test_one_prompt_has_values_but_no_interval_of_its_ratios() -> None:
    found = measure(table(np.array([2.0]), np.array([1.0])), rng=generator())
    assert found.retention.estimate.value == 0.5
    assert math.isnan(found.retention.estimate.low)
    assert math.isnan(found.retention.smallest_detectable)


def test_retention_is_undefined_where_own_gaps_cancel() -> None:
    found = ratio_of(np.array([1.0, -1.0]), np.array([1.0, 1.0]), ["a", "b"], generator(), 0.95, {})
    assert math.isnan(found.estimate.value)


def test_correlation_with_a_constant_column_is_undefined() -> None:
    own = np.full(5, 0.1)
    found = measure(table(own, np.arange(5.0)), rng=generator())
    assert math.isnan(found.correlation.estimate.value)


def test_paired_difference_is_narrower_than_two_models_apart() -> None:
    rng = np.random.default_rng(2)
    own = rng.normal(1, 0.5, 60)
    shared = rng.normal(0, 0.6, 60)
    first = table(own, 0.9 * own + shared)
    second = table(own, 0.7 * own + shared)
    difference = ratio_difference(first, second, generator(), 0.95, {})
    assert difference.estimate.value == pytest.approx(-0.2)
    assert difference.estimate.high < 0
    apart = measure(first, rng=generator()).retention.estimate
    assert difference.estimate.high - difference.estimate.low < 0.1 * (apart.high - apart.low)


def test_mean_counts_what_has_no_number() -> None:
    found = mean_of(np.array([1.0, np.nan, 3.0]), ["a", "b", "c"], generator(), 0.95, {"x": 1})
    assert found.estimate.value == 2
    assert found.estimate.left_out == {"x": 1, "no number": 1}


def test_a_share_that_does_not_vary_could_still_have_missed_something() -> None:
    found = measure(table(np.ones(20), np.ones(20)), rng=generator()).flip_rate
    assert found.estimate.value == 0
    assert found.estimate.high > 0.1
    assert found.smallest_detectable > 0.1
