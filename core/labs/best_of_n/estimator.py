"""What the favourite among n responses is worth, exactly, and how a proxy orders responses."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from core.stats import FloatArray

ALL_N_UP_TO = 16
"""Up to this largest n every n is shown, beyond it the powers of two and the largest."""


def expected_best(proxy: npt.ArrayLike, gold: npt.ArrayLike, ns: Sequence[int]) -> FloatArray:
    """Expected gold reward of the proxy's favourite among n responses drawn without replacement.

    Exact: the mean over all subsets of n, where responses with equal proxy reward are equally
    likely to be picked. With N responses in ascending order of proxy and no ties it is sum over i
    >= n of C(i - 1, n - 1) / C(N, n) * gold_i.

    Args:
        proxy: (N,) numbers to pick by; not NaN.
        gold: (N,) what a pick is worth.
        ns: sizes from 1 to N.

    Raises:
        ValueError: when lengths differ, a proxy reward is NaN, or an n is out of range.
    """
    picks, worth = np.asarray(proxy, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    sizes = np.asarray(ns, dtype=np.int64)
    if picks.shape != worth.shape or picks.ndim != 1:
        raise ValueError(f"{picks.size} proxy rewards but {worth.size} gold rewards.")
    if np.isnan(picks).any():
        raise ValueError("A proxy reward is not a number.")
    if len(sizes) and (sizes.min() < 1 or sizes.max() > len(picks)):
        raise ValueError(f"Every n must be from 1 to {len(picks)}.")
    _, place, counts = np.unique(picks, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=worth) / counts
    below = np.concatenate([[0], np.cumsum(counts)])
    # P(all n are among the lowest m) for each boundary m between groups of equal reward.
    within = _share_of_subsets(below[None, :], sizes[:, None], len(picks))
    return np.asarray(np.diff(within, axis=1) @ means)


def _share_of_subsets(m: npt.NDArray[np.int64], n: npt.NDArray[np.int64], total: int) -> FloatArray:
    """C(m, n) / C(total, n), 0 where m < n."""
    possible = m >= n
    safe = np.where(possible, m, n)
    log_share = (
        gammaln(safe + 1) - gammaln(safe - n + 1) - gammaln(total + 1) + gammaln(total - n + 1)
    )
    return np.asarray(np.where(possible, np.exp(log_share), 0.0))


def sizes_up_to(max_n: int) -> list[int]:
    """The n that are shown: all of few, else powers of two and the largest."""
    if max_n <= ALL_N_UP_TO:
        return list(range(1, max_n + 1))
    powers = [2**k for k in range(max_n.bit_length()) if 2**k <= max_n]
    return sorted({*powers, max_n})


def reward_variance(rewards: npt.ArrayLike, *, ddof: int = 0) -> float:
    """Variance of one prompt's rewards under the policy that wrote them; NaN for too few.

    Args:
        rewards: (n,) on a scale that is the same for all prompts (see `standardise`).
        ddof: 0 where the responses are all there are, 1 where they are a sample.

    Source: Razin et al. 2025, arXiv 2503.15477: a low variance makes optimisation slow, however
    accurate the model.
    """
    values = np.asarray(rewards, dtype=np.float64)
    return float(values.var(ddof=ddof)) if len(values) > ddof else float("nan")


def order_accuracy(proxy: npt.ArrayLike, gold: npt.ArrayLike) -> float:
    """Share of pairs of responses with different gold rewards that the proxy orders alike.

    A tie of the proxy counts as half; NaN where no two gold rewards differ.
    """
    first, second = np.asarray(proxy, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    i, j = np.triu_indices(len(first), 1)
    wanted = np.sign(second[i] - second[j])
    found = np.sign(first[i] - first[j])
    differ = wanted != 0
    if not differ.any():
        return float("nan")
    return float(((wanted * found)[differ] + 1).mean() / 2)
