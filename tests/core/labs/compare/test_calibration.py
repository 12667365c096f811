"""Calibration against the reference vectors, closed forms and simulated truth."""

import itertools
import math

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit

from core.labs.compare import (
    CompareOptions,
    brier_scores,
    expected_calibration_error,
    fit_temperature,
    measure_calibration,
    read_scores,
    rlcr_rewards,
)
from core.labs.compare.calibration import (
    AS_GIVEN,
    BRIER,
    CALIBRATED,
    ECE,
    ECE_CHANCE,
    RLCR,
    calibration_error,
)
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.probabilities import (
    confidences,
    correctness,
    cross_fitted,
    fit_temperatures,
    tempered,
)
from tests.core.labs.compare.tables import long_table, random_table

FAST = CompareOptions(n_resamples=300)


def calibrated_margins(n, rng, temperature=1.0):
    """Margins whose sigma is the truth, then multiplied by the temperature."""
    logits = rng.normal(0, 1.5, n)
    return np.where(rng.random(n) < expit(logits), logits, -logits) * temperature


def test_calibration_error_of_the_reference_vector():
    found = expected_calibration_error([0.9, 0.8, 0.3, 0.6], [1, 0, 0, 1], [0, 0.5, 1])
    # Bin (.5, 1]: confidences average 23/30, accuracy 2/3, three of four
    # rows; bin [0, .5]: confidence .3, accuracy 0.
    assert found == pytest.approx(0.75 * 0.1 + 0.25 * 0.3)
    assert found == pytest.approx(0.15)


def test_rlcr_reward_of_the_reference_vector():
    assert rlcr_rewards([0.8, 0.8], [1, 0]).tolist() == pytest.approx([0.96, -0.64])


def test_a_bin_includes_its_upper_edge_and_the_first_its_lower():
    edges = [0.5, 0.75, 1.0]
    # .5 and .75 share the first bin, so one over and one under confidence cancel there.
    assert expected_calibration_error([0.5, 0.75], [0.75, 0.5], edges) == pytest.approx(0)
    assert expected_calibration_error([0.75, 0.76], [1.0, 0.51], edges) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="outside"):
        expected_calibration_error([0.4], [1.0], edges)
    assert math.isnan(expected_calibration_error([], [], edges))


@pytest.mark.parametrize("seed", range(5))
def test_calibration_error_equals_a_loop_over_bins_and_weights_repeat_rows(seed):
    rng = np.random.default_rng(seed)
    confidence, correct = rng.uniform(0.5, 1, 40), rng.integers(0, 2, 40).astype(float)
    weights = rng.integers(0, 4, 40)
    edges = np.linspace(0.5, 1, 6)
    rows = np.repeat(np.arange(40), weights)
    c, y = confidence[rows], correct[rows]
    expected = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (c > low) & (c <= high)
        if inside.any():
            expected += inside.mean() * abs(c[inside].mean() - y[inside].mean())
    found = expected_calibration_error(confidence, correct, edges, weights)
    assert found == pytest.approx(expected)


def test_brier_score_is_the_same_seen_from_the_pair_and_from_the_verdict():
    margins = np.array([2.0, -1.0, 0.3, -4.0])
    from_verdict = (confidences(margins) - correctness(margins)) ** 2
    assert brier_scores(margins) == pytest.approx(from_verdict)
    assert brier_scores([0.0, np.inf, -np.inf]).tolist() == [0.25, 0.0, 1.0]


def test_temperature_of_two_margins_has_a_closed_form():
    # One wrong of k + 1 equal margins: sigma(m / T) = k / (k + 1), so T = m / log k.
    margins = [2.0] * 4 + [-2.0]
    assert fit_temperature(margins) == pytest.approx(2 / math.log(4))


@pytest.mark.parametrize("seed", range(5))
def test_temperature_minimises_the_log_loss(seed):
    rng = np.random.default_rng(seed)
    margins = rng.normal(0.7, 1.5, 60) * 10.0 ** rng.integers(-3, 4)
    weights = rng.integers(0, 3, 60)

    def loss(log_temperature):
        return float(weights @ np.logaddexp(0, -margins / math.exp(log_temperature)))

    best = optimize.minimize_scalar(
        loss, bounds=(-12, 12), method="bounded", options={"xatol": 1e-9}
    )
    assert math.log(fit_temperature(margins, weights)) == pytest.approx(best.x, abs=1e-4)


def test_temperature_of_many_calibrated_margins_is_one():
    rng = np.random.default_rng(1)
    assert fit_temperature(calibrated_margins(1_000_000, rng)) == pytest.approx(1.0, abs=0.005)
    assert fit_temperature(calibrated_margins(1_000_000, rng, 3.0)) == pytest.approx(3, abs=0.015)


def test_temperature_where_none_is_best():
    assert fit_temperature([1.0, 2.0]) == 0.0
    assert fit_temperature([1.0, -2.0]) == math.inf
    assert fit_temperature([1.0, -1.0]) == math.inf
    assert math.isnan(fit_temperature([0.0, 0.0]))
    assert math.isnan(fit_temperature([]))
    assert fit_temperature([2.0] * 4 + [-2.0, np.inf, 0.0]) == pytest.approx(2 / math.log(4))


def test_margins_over_a_limiting_temperature():
    margins = np.array([2.0, -1.0, 0.0, np.inf])
    assert tempered(margins, 2.0).tolist() == [1.0, -0.5, 0.0, np.inf]
    assert tempered(margins, 0.0).tolist() == [np.inf, -np.inf, 0.0, np.inf]
    assert tempered(margins, np.inf).tolist() == [0.0, 0.0, 0.0, np.inf]
    assert tempered(margins, np.nan).tolist() == margins.tolist()


def test_a_pairs_temperature_is_fitted_without_its_prompt():
    rng = np.random.default_rng(0)
    prompts = [f"p{i // 2}" for i in range(12)]
    margins = rng.normal(1, 2, 12)
    given = cross_fitted(margins, prompts, n_folds=6, rng=np.random.default_rng(1))
    for name in set(prompts):
        inside = np.array([prompt == name for prompt in prompts])
        expected = tempered(margins[inside], fit_temperature(margins[~inside]))
        assert given[inside] == pytest.approx(expected)
    with pytest.raises(ValueError, match="another"):
        cross_fitted(margins[:2], ["p", "p"], n_folds=2, rng=rng)


def measures(found, model, variant):
    rows = found.table[(found.table["model"] == model) & (found.table["variant"] == variant)]
    return rows.set_index("measure")


def test_a_known_temperature_is_found_and_taken_away():
    rng = np.random.default_rng(6)
    margins = {"good": calibrated_margins(2000, rng), "loud": calibrated_margins(2000, rng, 3.0)}
    found = measure_calibration(read_scores(long_table(margins)), CompareOptions(n_resamples=100))

    for model, truth in (("good", 1.0), ("loud", 3.0)):
        fitted = found.temperatures[model]
        assert fitted.low < truth < fitted.high
    loud, calmed = measures(found, "loud", AS_GIVEN), measures(found, "loud", CALIBRATED)
    assert loud.loc[ECE, "low"] > loud.loc[ECE_CHANCE, "high"]
    assert calmed.loc[ECE, "value"] < calmed.loc[ECE_CHANCE, "high"]
    assert calmed.loc[BRIER, "value"] < loud.loc[BRIER, "value"]
    good = measures(found, "good", AS_GIVEN)
    assert good.loc[ECE, "value"] < good.loc[ECE_CHANCE, "high"]
    assert good.loc[ECE, "low"] == 0


def test_interval_of_the_calibration_error_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(8)
    edges = np.linspace(0.5, 1, 11)
    many = calibrated_margins(1_000_000, rng, 2.0)
    truth = expected_calibration_error(confidences(many), correctness(many), edges)
    hits = 0
    for seed in range(100):
        margins = calibrated_margins(200, rng, 2.0)
        options = CompareOptions(n_resamples=200, seed=seed)
        over = OverPrompts([str(i) for i in range(200)], options, ("test",))
        found, _ = calibration_error(confidences(margins), correctness(margins), over, edges)
        hits += found.low <= truth <= found.high
    # Binomial(100, 0.95) is below 87 with probability 0.001.
    assert hits >= 87


def test_bins_hold_every_pair_once_with_stated_edges():
    scores = read_scores(random_table(80, ["a", "b"]))
    found = measure_calibration(scores, FAST)
    assert found.edges == pytest.approx(np.linspace(0.5, 1, 11))
    counts = found.bins.groupby(["model", "variant"])["n"].sum()
    assert (counts == 80).all()
    part = found.bins[(found.bins["model"] == "a") & (found.bins["variant"] == AS_GIVEN)]
    gaps = part["n"] * (part["confidence_mean"] - part["value"])
    assert gaps.abs().sum() / 80 == pytest.approx(measures(found, "a", AS_GIVEN).loc[ECE, "value"])
    empty = found.bins[found.bins["n"] == 0]
    assert empty["value"].isna().all()


def test_temperature_does_not_change_the_verdicts():
    found = measure_calibration(read_scores(random_table(60, ["a", "b"])), FAST)
    bins = found.bins[found.bins["n"] > 0]
    right = (bins["value"] * bins["n"]).groupby([bins["model"], bins["variant"]]).sum()
    for model in ("a", "b"):
        assert right[model, AS_GIVEN] == pytest.approx(right[model, CALIBRATED])


def test_mean_rlcr_reward_is_accuracy_minus_brier_score():
    scores = read_scores(random_table(50, ["a", "b"]))
    table = measures(measure_calibration(scores, FAST), "a", AS_GIVEN)["value"]
    assert table[RLCR] == pytest.approx(scores.credits("a").mean() - table[BRIER])


def test_ties_are_half_right_at_confidence_one_half():
    found = measure_calibration(read_scores(long_table({"a": [0.0] * 4, "b": [1.0] * 4})), FAST)
    assert found.n_ties == {"a": 4, "b": 0}
    assert measures(found, "a", AS_GIVEN).loc[ECE, "value"] == 0
    assert math.isnan(found.temperatures["a"].value)
    assert found.temperatures["b"].value == 0.0


def test_one_prompt_has_no_calibrated_variant_and_says_why():
    scores = read_scores(long_table({"a": [1.0, -1.0, 2.0], "b": [1.0, 2.0, -1.0]}, prompts="ppp"))
    row = measures(measure_calibration(scores, FAST), "a", CALIBRATED).loc[BRIER]
    assert row["n"] == 0
    assert math.isnan(row["value"])
    assert row["left_out"] == "no other prompt to fit a temperature on: 3"


def test_a_model_that_scored_nothing_is_reported():
    table = long_table({"a": [1.0, -1.0], "b": [1.0, 2.0]})
    table.loc[:1, "error"] = "failed"
    found = measure_calibration(read_scores(table), FAST)
    row = measures(found, "a", AS_GIVEN).loc[BRIER]
    assert row["n"] == 0
    assert row["left_out"] == "failed: 2"


def by_search(margins, weights):
    """The temperature that maximises the likelihood, by golden section over its logarithm."""
    used = np.isfinite(margins)

    def loss(log_inverse):
        return float(weights[used] @ np.logaddexp(0, -np.exp(log_inverse) * margins[used]))

    found = optimize.minimize_scalar(
        loss, bounds=(-12, 12), method="bounded", options={"xatol": 1e-9}
    )
    return float(np.exp(-found.x))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e8])
def test_temperatures_of_many_weightings_at_once_are_those_of_a_search(scale):
    rng = np.random.default_rng(3)
    margins = np.append(rng.normal(0.7, 1.0, 60), [np.inf, 0.0])
    weights = rng.integers(0, 4, (50, len(margins))).astype(float)
    found = fit_temperatures(margins * scale, weights)
    expected = [by_search(margins, row) for row in weights]
    assert found / scale == pytest.approx(expected, rel=1e-5)
    alone = [fit_temperature(margins * scale, row) for row in weights]
    assert found == pytest.approx(alone, rel=1e-9)


def test_weightings_without_a_finite_temperature_keep_their_limits_among_others():
    margins = np.array([2.0, 1.0, -1.0, 0.0])
    weights = np.array(
        [[1, 1, 0, 5], [0, 0, 2, 0], [0, 0, 0, 3], [1, 1, 1, 0], [0, 1, 1, 0]], float
    )
    found = fit_temperatures(margins, weights)
    assert found[0] == 0.0
    assert found[1] == np.inf
    assert np.isnan(found[2])
    assert 0 < found[3] < np.inf
    assert found[4] == np.inf  # a mean margin of zero is not positive
