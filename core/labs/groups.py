"""What every lab on rollouts reads from a group: all samples of one problem at one step.

Advantages, unbiased pass@k, and the expected number of distinct answers among k samples.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

FloatArray = npt.NDArray[np.float64]

Scale = Literal["population", "sample", "none"]
"""What an advantage is divided by: the group's population or sample std, or nothing."""

GroupStatus = Literal["all wrong", "mixed", "all right"]

GROUP_KEYS = ("run", "split", "step", "problem_id")
"""Columns that name a group, those that are in the table."""


def group_advantages(
    rewards: npt.ArrayLike, *, scale: Scale = "population", epsilon: float = 1e-6
) -> FloatArray:
    """GRPO's advantage of each member of one group: (reward - mean) / (std + epsilon).

    A group whose rewards are all equal gets zeros, whatever float noise its spread holds; so does a
    group of one. Shao et al. 2024 (GRPO), eq. 3.3; `scale="none"` is Dr. GRPO's variant.

    Args:
        rewards: (n,) finite.
        scale: the standard deviation to divide by.
        epsilon: added to it.

    Raises:
        ValueError: when a reward is not finite.
    """
    values = np.asarray(rewards, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("A reward of the group is not a finite number.")
    if values.size < 2 or np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return np.zeros_like(values)
    centred: FloatArray = values - values.mean()
    if scale == "none":
        return centred
    scaled: FloatArray = centred / (values.std(ddof=1 if scale == "sample" else 0) + epsilon)
    return scaled


def leave_one_out_advantages(rewards: npt.ArrayLike) -> FloatArray:
    """RLOO: each reward minus the mean of the others, G/(G-1) times (reward - mean).

    Args:
        rewards: (n,) finite, n >= 2.

    Raises:
        ValueError: for a group of one, where there are no others.
    """
    values = np.asarray(rewards, dtype=np.float64)
    if values.size < 2:
        raise ValueError("A group of one has no others to compare with.")
    advantages: FloatArray = (values - values.mean()) * values.size / (values.size - 1)
    return advantages


def group_status(correct: npt.ArrayLike) -> GroupStatus:
    """Whether all, some or none of a group are right; GRPO learns from mixed groups only.

    Args:
        correct: (n,) truth values, n >= 1.
    """
    right = np.asarray(correct, dtype=bool)
    if right.all():
        return "all right"
    return "mixed" if right.any() else "all wrong"


def pass_at_k(n_samples: npt.ArrayLike, n_correct: npt.ArrayLike, k: int) -> FloatArray:
    """Unbiased chance that at least one of k samples is right: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021 (Codex), eq. 1. NaN where fewer than k samples are there.

    Args:
        n_samples: (m,) samples of each problem.
        n_correct: (m,) how many of them are right.
        k: how many are drawn, at least 1.

    Raises:
        ValueError: when k < 1, or a problem has more right samples than samples.
    """
    n, c = np.broadcast_arrays(
        np.asarray(n_samples, dtype=np.float64), np.asarray(n_correct, dtype=np.float64)
    )
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    if ((c < 0) | (c > n)).any():
        raise ValueError("The number of right samples must lie between 0 and all.")
    return 1.0 - _share_without(n, n - c, k)


def rarefied_distinct(counts: npt.ArrayLike, k: int) -> float:
    """Expected number of distinct answers among k of n samples drawn without replacement.

    Hurlbert 1971's rarefaction, sum over answers of 1 - C(n - n_a, k) / C(n, k): unbiased, unlike
    the plug-in 1 - (1 - p)^k. NaN where fewer than k samples are there.

    Args:
        counts: (m,) how often each answer was given.
        k: how many samples are drawn, at least 1.
    """
    given = np.asarray(counts, dtype=np.float64)
    total = np.full_like(given, given.sum())
    if k > given.sum():
        return float("nan")
    return float((1.0 - _share_without(total, total - given, k)).sum())


def expected_distinct(probabilities: npt.ArrayLike, k: int) -> float:
    """Expected number of distinct answers among k independent draws: sum of 1 - (1 - p)^k.

    Args:
        probabilities: (m,) of each answer; they sum to 1.
        k: how many are drawn.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    return float((1.0 - (1.0 - p) ** k).sum())


def answer_entropy(counts: Mapping[str, int] | npt.ArrayLike) -> float:
    """Plug-in entropy, in nats, of how often each answer was given; low-biased for few samples."""
    values = np.asarray(list(counts.values()) if isinstance(counts, Mapping) else counts, float)
    p = values[values > 0] / values.sum()
    return float(-(p * np.log(p)).sum()) + 0.0


def _share_without(n: FloatArray, others: FloatArray, k: int) -> FloatArray:
    """C(others, k) / C(n, k): the share of draws of k that miss what is not among the others."""
    n, others = np.atleast_1d(n), np.atleast_1d(others)
    share = np.zeros(n.shape)
    possible = others >= k
    share[possible] = np.exp(_log_choose(others[possible], k) - _log_choose(n[possible], k))
    share[n < k] = np.nan
    return share


def _log_choose(n: FloatArray, k: int) -> FloatArray:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), dtype=np.float64)
