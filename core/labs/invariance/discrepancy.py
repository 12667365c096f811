"""Squared maximum mean discrepancies between groups of rewards, from sums of kernel features."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from core.labs.invariance.exchange import IntArray
from core.labs.invariance.kernel import rbf_features
from core.stats import FloatArray

Estimator = Literal["unbiased", "biased"]


def squared_mmd(
    first: npt.ArrayLike, second: npt.ArrayLike, bandwidth: float, *, unbiased: bool = False
) -> float:
    """Squared MMD of two samples of rewards under the kernel exp(-(x - y)^2 / (2 bandwidth^2)).

    Args:
        first: (n,) finite rewards.
        second: (m,) finite rewards.
        bandwidth: in units of reward.
        unbiased: leave out each reward's kernel with itself; may be negative.

    Returns:
        At least 0 where biased; NaN where a sample is too small (none, or one for unbiased).

    Source: Gretton et al. 2012, Journal of Machine Learning Research 13, eq. 3 and 5.
    """
    samples = [np.asarray(sample, dtype=np.float64) for sample in (first, second)]
    labels = np.repeat([0, 1], [len(sample) for sample in samples])
    matrix = mmd_matrix(np.concatenate(samples), labels, bandwidth, unbiased=unbiased, n_bins=2)
    return float(matrix[0, 1])


def mmd_matrix(
    rewards: npt.ArrayLike,
    labels: npt.ArrayLike,
    bandwidth: float,
    *,
    unbiased: bool = False,
    n_bins: int | None = None,
) -> FloatArray:
    """Squared MMD between the rewards of every two bins: (bins, bins), zero on the diagonal.

    Args:
        rewards: (n,) finite.
        labels: (n,) number of each reward's bin, from 0 up.
        bandwidth: in units of reward.
        unbiased: as in `squared_mmd`.
        n_bins: how many bins there are; by default up to the largest label.
    """
    numbers = np.asarray(labels, dtype=np.int64)
    size = n_bins if n_bins is not None else int(numbers.max(initial=-1)) + 1
    sums, counts = group_sums(rbf_features(rewards, bandwidth), numbers[None], size)
    return np.asarray(squared_distances(sums, counts, "unbiased" if unbiased else "biased")[0])


def group_sums(
    features: FloatArray, labels: IntArray, n_groups: int
) -> tuple[FloatArray, FloatArray]:
    """Sums of features and numbers of members of each group, under many labellings at once.

    Args:
        features: (n, k).
        labels: (labellings, n) from 0 to n_groups - 1.
        n_groups: how many groups there are.

    Returns:
        Sums (labellings, groups, k) and counts (labellings, groups).
    """
    belongs = (labels[:, None, :] == np.arange(n_groups)[None, :, None]).astype(np.float64)
    flat = belongs.reshape(-1, labels.shape[1]) @ features
    return flat.reshape(len(labels), n_groups, features.shape[1]), belongs.sum(axis=2)


def squared_distances(sums: FloatArray, counts: FloatArray, estimator: Estimator) -> FloatArray:
    """Squared MMD of every two groups from their sums of features.

    Args:
        sums: (..., groups, k).
        counts: (..., groups).
        estimator: biased, or unbiased (each member's kernel with itself left out).

    Returns:
        (..., groups, groups), zero on the diagonal, NaN where a group is too small.
    """
    products = sums @ np.swapaxes(sums, -1, -2)
    own = np.diagonal(products, axis1=-2, axis2=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = products / (counts[..., :, None] * counts[..., None, :])
        # Every member's kernel with itself is 1, so `own` holds as many ones as there are members.
        within = own / counts**2
        if estimator == "unbiased":
            within = np.where(counts > 1, (own - counts) / (counts * (counts - 1)), np.nan)
    squared = within[..., :, None] + within[..., None, :] - 2 * means
    if estimator == "biased":
        squared = np.maximum(squared, 0.0)  # a squared length, short of rounding
    squared[..., np.arange(squared.shape[-1]), np.arange(squared.shape[-1])] = 0.0
    return np.asarray(squared)
