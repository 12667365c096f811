"""Margins read as probabilities: confidence, Brier score, calibration error and temperature."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from core.stats import FloatArray, cluster_codes

_MAX_STEPS = 200
_STEP_TOLERANCE = 1e-7  # the step after it is taken too, and squares what is left


def confidences(margins: npt.ArrayLike) -> FloatArray:
    """(n,) max(p, 1 - p) for p = sigma(margin): how sure the model is of its verdict, 0.5 to 1."""
    return np.asarray(special.expit(np.abs(np.asarray(margins, dtype=np.float64))))


def correctness(margins: npt.ArrayLike) -> FloatArray:
    """(n,) 1 where the chosen response has more reward, 0 where less, 0.5 for a tie."""
    return np.asarray((np.sign(np.asarray(margins, dtype=np.float64)) + 1) / 2)


def expected_calibration_error(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    edges: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> float:
    """The mean gap between confidence and accuracy over bins, each weighted by its rows.

    With few rows a bin it is above zero even for perfect confidences; compare it with what chance
    gives.

    Args:
        confidence: (n,) from the first to the last edge.
        correct: (n,) from 0 to 1.
        edges: (k + 1,) increasing; a bin includes its upper edge, the first also its lower.
        weights: (n,) how often each row counts; by default once.

    Returns:
        From 0 to 1; NaN without rows.

    Raises:
        ValueError: a confidence is outside the edges.

    Source: Naeini et al. 2015, AAAI, with the bins stated.
    """
    sure, right = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    counted = np.ones_like(sure) if weights is None else np.asarray(weights, np.float64)
    return float(calibration_errors(sure, right, edges, counted[None])[0])


def calibration_errors(
    confidence: FloatArray, correct: FloatArray, edges: npt.ArrayLike, weights: FloatArray
) -> FloatArray:
    """(m,) `expected_calibration_error` under each of (m, n) weights."""
    place, n_bins = bin_of(confidence, edges)
    gaps = np.zeros((len(confidence), n_bins))
    gaps[np.arange(len(confidence)), place] = confidence - correct
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))


def bin_of(confidence: FloatArray, edges: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], int]:
    """The bin of each confidence, from 0, and the number of bins.

    Raises:
        ValueError: a confidence is outside the edges.
    """
    limits = np.asarray(edges, dtype=np.float64)
    if len(confidence) and not (limits[0] <= confidence.min() and confidence.max() <= limits[-1]):
        raise ValueError(f"A confidence is outside {limits[0]} to {limits[-1]}.")
    place = np.searchsorted(limits, confidence, side="left") - 1
    return np.maximum(place, 0).astype(np.int64), len(limits) - 1


def brier_scores(margins: npt.ArrayLike) -> FloatArray:
    """(n,) squared gap between sigma(margin) and 1, the label of every pair: 0 best, 1 worst.

    Source: Brier 1950, Monthly Weather Review 78, in its form for two outcomes.
    """
    return special.expit(-np.asarray(margins, dtype=np.float64)) ** 2


def rlcr_rewards(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> FloatArray:
    """(n,) correctness minus the squared gap between confidence and correctness, from -1 to 1.

    Source: Damani et al. 2025 (arXiv 2507.16806), the reward for answers with a stated confidence.
    """
    right = np.asarray(correct, dtype=np.float64)
    return right - (np.asarray(confidence, dtype=np.float64) - right) ** 2


def fit_temperature(margins: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The T that makes sigma(margin / T) most likely, when the chosen response is always better.

    The likelihood's slope in 1 / T is monotone, so its root is the maximum.

    Args:
        margins: (n,) without NaN; infinite ones are left out, as no temperature moves them.
        weights: (n,) how often each counts; by default once.

    Returns:
        T above 0; 0 where no verdict is wrong (the likelihood grows for ever as T falls), infinite
        where the mean margin is not positive (T = infinity, p = 0.5, is as good as any), NaN
        without a margin other than zero.

    Source: Guo et al. 2017 (arXiv 1706.04599), section 4.2, for two outcomes.
    """
    values = np.asarray(margins, dtype=np.float64)
    counted = np.ones_like(values) if weights is None else np.asarray(weights, np.float64)
    return float(fit_temperatures(values, counted[None])[0])


def fit_temperatures(margins: FloatArray, weights: FloatArray) -> FloatArray:
    """(m,) `fit_temperature` under each of (m, n) weights."""
    used = np.isfinite(margins) & (margins != 0)
    values, counted = margins[used], weights[:, used]
    found = np.full(len(weights), np.nan)
    there = counted.sum(axis=1) > 0
    all_right = counted @ (values < 0) == 0
    found[there] = np.inf
    found[there & all_right] = 0.0
    inside = there & ~all_right & (counted @ values > 0)
    if inside.any():
        # In units of the largest margin, so that no product overflows.
        largest = float(np.abs(values).max())
        scaled, rows = values / largest, counted[inside]
        # All weightings together are a good place to start from for each.
        start = _inverse_temperatures(scaled, rows.mean(axis=0, keepdims=True), 1.0)
        found[inside] = largest / _inverse_temperatures(scaled, rows, float(start[0]))
    return found


def _inverse_temperatures(values: FloatArray, weights: FloatArray, start: float) -> FloatArray:
    """(m,) where the likelihood's slope is zero: Newton's steps, kept between known signs."""
    weighted = weights * values
    below, above = np.zeros(len(weights)), np.full(len(weights), np.inf)
    guess = np.full(len(weights), start)
    moving = np.arange(len(weights))
    for _ in range(_MAX_STEPS):
        at = guess[moving]
        slope, bend = _slopes(values, weighted[moving], at)
        below[moving] = np.where(slope > 0, at, below[moving])
        above[moving] = np.where(slope < 0, at, above[moving])
        with np.errstate(divide="ignore", invalid="ignore"):
            step = at + slope / bend
        arrived = np.abs(step - at) <= _STEP_TOLERANCE * at
        # At most four times as far; where a step leaves the bracket, its middle.
        bracketed = np.isfinite(above[moving])
        furthest = np.where(bracketed, above[moving], 4 * at)
        instead = np.where(bracketed, (below[moving] + furthest) / 2, furthest)
        kept = arrived | ((step > below[moving]) & (step < furthest))
        guess[moving] = np.where(kept, step, instead)
        moving = moving[~arrived]
        if not len(moving):
            break
    return guess


def _slopes(
    values: FloatArray, weighted: FloatArray, inverse: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(m,) the likelihood's slope at each 1 / T, and how fast it falls."""
    wrong = special.expit(-inverse[:, None] * values)
    slope = np.einsum("mn,mn->m", weighted, wrong)
    wrong *= 1 - wrong
    return slope, np.einsum("mn,mn->m", weighted, values * wrong)


def tempered(margins: FloatArray, temperature: float) -> FloatArray:
    """Margins over a temperature, in the limit where it is 0 or infinite; NaN stays as given."""
    if np.isnan(temperature):
        return margins
    if temperature == 0:
        return np.where(margins == 0, 0.0, np.copysign(np.inf, margins))
    finite = np.isfinite(margins)
    return np.where(finite, np.where(finite, margins, 0.0) / temperature, margins)


def cross_fitted(
    margins: FloatArray, prompts: Sequence[str], *, n_folds: int, rng: np.random.Generator
) -> FloatArray:
    """Each margin over the temperature fitted on the other parts of the prompts.

    Args:
        margins: (n,) without NaN.
        prompts: (n,) the prompt of each, of at least two; a prompt is never split.
        n_folds: parts, at most as many as there are prompts.
        rng: deals the prompts to the parts.

    Raises:
        ValueError: there is only one prompt.
    """
    codes = cluster_codes(prompts)
    n_prompts = len(set(codes.tolist()))
    if n_prompts < 2:
        raise ValueError("A temperature for one prompt needs another to be fitted on.")
    fold = (rng.permutation(n_prompts) % n_folds)[codes]
    values = np.empty(len(margins))
    for part in np.unique(fold):
        held_out = fold == part
        values[held_out] = tempered(margins[held_out], fit_temperature(margins[~held_out]))
    return values
