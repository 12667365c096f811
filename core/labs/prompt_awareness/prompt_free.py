"""The part of a pair's reward gap that needs no prompt: three estimators from gaps over prompts.

The paper splits the gap into a prompt-free and a prompt-related part by conditions on mutual
information (arXiv 2504.06020). Its code is not public; the three estimators here are our reading of
it. They agree where gaps are symmetric about their centre and part where they are saturated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

from core.stats import FloatArray

Estimator = Literal["zero-information", "marginal-matching", "mean", "median"]
"""How the prompt-free gap is estimated; mean and median are the two robust forms of the third."""

ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)

ESTIMATOR_MEANING: dict[Estimator, str] = {
    "zero-information": "The gap that, taken away, leaves a fair coin over prompts (our reading).",
    "marginal-matching": "The gap whose preference equals the mean one over prompts (our reading).",
    "mean": "The mean gap over prompts (our reading, robust form).",
    "median": "The median gap over prompts (our reading, robust form).",
}

CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1 before their log-odds are taken."""

_FLAT = 1e-12
_WIDEST_ROOT = 1e-6


@dataclass(frozen=True)
class PromptFreeGap:
    """A prompt-free gap, in reward, and whether saturation left it undetermined.

    Attributes:
        value: the gap; NaN where there is none to estimate it from.
        saturated: zero-information: the sigmoids are so flat that many values fit as well, and
            `value` is their middle; marginal matching: the mean probability was clipped.
    """

    value: float
    saturated: bool = False


def prompt_free_gap(
    gaps: npt.ArrayLike, estimator: Estimator, weights: npt.ArrayLike | None = None
) -> PromptFreeGap:
    """The prompt-free gap of one pair.

    Args:
        gaps: (M,) reward(chosen) - reward(rejected) under each prompt. Not finite ones are not
            used. With one prompt every estimator gives its gap, marginal matching up to its clip.
        estimator: which one.
        weights: (M,) of the prompts, 0 or more, of any sum; equal by default.

    Raises:
        ValueError: unknown estimator, a negative weight, or lengths that differ.
    """
    values, shares = _usable(gaps, weights)
    if not len(values):
        return PromptFreeGap(float("nan"))
    if estimator == "marginal-matching":
        return marginal_matching_gap(values, shares)
    if np.ptp(values) == 0:  # known without a root, which rounding would move
        return PromptFreeGap(float(values[0]))
    if estimator == "zero-information":
        return zero_information_gap(values, shares)
    if estimator == "mean":
        return PromptFreeGap(float(shares @ values))
    if estimator == "median":
        return PromptFreeGap(weighted_median(values, shares))
    raise ValueError(f"Unknown estimator {estimator!r}; there are {', '.join(ESTIMATORS)}.")


def _usable(gaps: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """The finite gaps with a weight above zero, and their weights with sum 1."""
    values = np.asarray(gaps, dtype=np.float64)
    shares = np.ones(values.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or values.shape != shares.shape:
        raise ValueError(f"{values.size} gaps but {shares.size} weights.")
    if (shares < 0).any():
        raise ValueError("A weight is below zero.")
    kept = np.isfinite(values) & np.isfinite(shares) & (shares > 0)
    values, shares = values[kept], shares[kept]
    return values, shares / shares.sum() if len(shares) else shares


def zero_information_gap(gaps: FloatArray, weights: FloatArray) -> PromptFreeGap:
    """The d that solves sum_x w_x sigmoid(gap_x - d) = 1/2.

    The left side falls in d and is at least 1/2 at the smallest gap and at most 1/2 at the largest,
    so the root lies between. Where gaps lie far apart it can be flat at 1/2 in floating point: all
    values between the two ends of the flat part fit, and their middle is given.

    Args:
        gaps: (M,) finite.
        weights: (M,) with sum 1.
    """
    low, high = float(gaps.min()), float(gaps.max())

    def excess(shift: float) -> float:
        return float(weights @ expit(gaps - shift)) - 0.5

    first = _crossing(lambda shift: excess(shift) - _FLAT, low, high)
    last = _crossing(lambda shift: excess(shift) + _FLAT, low, high)
    return PromptFreeGap((first + last) / 2, saturated=last - first > _WIDEST_ROOT)


def _crossing(function: Callable[[float], float], low: float, high: float) -> float:
    if function(low) <= 0:
        return low
    if function(high) >= 0:
        return high
    return float(brentq(function, low, high, xtol=1e-13, rtol=1e-14))


def marginal_matching_gap(gaps: FloatArray, weights: FloatArray) -> PromptFreeGap:
    """The log-odds of the mean preference, logit(sum_x w_x sigmoid(gap_x)), clipped.

    Args:
        gaps: (M,) finite.
        weights: (M,) with sum 1.
    """
    chosen, rejected = float(weights @ expit(gaps)), float(weights @ expit(-gaps))
    saturated = min(chosen, rejected) < CLIP
    chosen, rejected = (min(max(p, CLIP), 1 - CLIP) for p in (chosen, rejected))
    return PromptFreeGap(float(np.log(chosen) - np.log(rejected)), saturated)


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """The value with half of the weight on each side; the middle of two where both split it so."""
    order = np.argsort(values, kind="stable")
    ordered, reached = values[order], np.cumsum(weights[order])
    at = int(np.searchsorted(reached, 0.5 - 1e-12))
    if abs(reached[at] - 0.5) <= 1e-12 and at + 1 < len(ordered):
        return float((ordered[at] + ordered[at + 1]) / 2)
    return float(ordered[at])


def policy_weights(log_probs: npt.ArrayLike) -> tuple[FloatArray, float]:
    """Weights of prompts in proportion to how likely a policy writes both responses to them.

    w_x = pi(y1|x) pi(y2|x) / sum over x, from log-probabilities that may be far below zero.

    Args:
        log_probs: (M,) log pi(y1|x) + log pi(y2|x) under each prompt. Minus infinity weighs
            nothing; NaN is unknown and weighs nothing either.

    Returns:
        (M,) weights with sum 1 (all zero where no prompt has one) and the effective sample size
        1 / sum w², from 1 to M: near 1, one prompt alone decides.

    Source: self-normalised importance sampling, as arXiv 2504.06020, appendix C.2, proposes it.
    """
    logs = np.asarray(log_probs, dtype=np.float64)
    logs = np.where(np.isnan(logs), -np.inf, logs)
    if not np.isfinite(logs).any():
        return np.zeros(logs.shape), 0.0
    weights = np.exp(logs - logsumexp(logs))
    return weights, effective_sample_size(weights)


def effective_sample_size(weights: npt.ArrayLike) -> float:
    """(sum w)² / sum w²: how many equal weights would vary as little; 0 for none."""
    values = np.asarray(weights, dtype=np.float64)
    total = float(values.sum())
    return total**2 / float((values**2).sum()) if total else 0.0
