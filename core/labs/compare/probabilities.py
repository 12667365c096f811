"""Margins read as probabilities: confidence, Brier score, calibration error and temperature."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from core.stats import FloatArray, cluster_codes


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
    place, n_bins = bin_of(sure, edges)
    total = float(counted.sum())
    if not total:
        return float("nan")
    gaps = np.bincount(place, counted * (sure - right), minlength=n_bins)
    return float(np.abs(gaps).sum()) / total


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
    used = np.isfinite(values) & (values != 0) & (counted > 0)
    values, counted = values[used], counted[used]
    if not len(values):
        return float("nan")
    if (values > 0).all():
        return 0.0
    if float(counted @ values) <= 0:
        return float("inf")

    def slope(inverse: float) -> float:
        return float(counted @ (values * special.expit(-inverse * values)))

    upper = 1.0 / float(np.abs(values).max())
    while slope(upper) > 0:
        upper *= 2
    return 1.0 / float(optimize.brentq(slope, 0.0, upper, xtol=1e-12 * upper, rtol=1e-10))


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
