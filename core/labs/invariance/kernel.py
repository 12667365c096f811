"""The RBF kernel on rewards: its bandwidth, and exact features that make it linear in time.

Rewards are single numbers, and on the line a Gaussian kernel is a short sum of cosines. So a mean
over the kernel of all pairs of rewards is a mean over rewards; no matrix of pairs is ever built.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist

from core.errors import WorkbenchError
from core.stats import FloatArray

MOST_FOR_MEDIAN = 2_000
"""Beyond so many rewards the median distance is taken over as many evenly spaced quantiles."""

_REACH = 8.5
"""Distances in bandwidths at which the kernel is below 1e-15."""

_MOST_CELLS = 60_000_000


class BandwidthError(WorkbenchError):
    """A kernel bandwidth that is not positive, or too small for the rewards at hand."""


@dataclass(frozen=True)
class Bandwidth:
    """Width of the kernel exp(-(x - y)^2 / (2 width^2)).

    Attributes:
        value: in units of reward; 0 when all rewards are equal.
        rule: how it was found.
    """

    value: float
    rule: str


def median_bandwidth(rewards: npt.ArrayLike) -> Bandwidth:
    """The median heuristic: the median of |x_i - x_j| over all pairs i < j of the pooled rewards.

    Where more than half of the pairs tie the median is 0 and the kernel would only tell equal from
    unequal; the median of the positive distances stands in. All rewards equal: bandwidth 0.

    Args:
        rewards: (n,) finite.

    Source: Gretton et al. 2012, Journal of Machine Learning Research 13, section 8 (who use the
    median distance of the pooled sample); the rule for ties is ours.
    """
    values = np.sort(np.asarray(rewards, dtype=np.float64))
    sampled = ""
    if len(values) > MOST_FOR_MEDIAN:
        at = np.linspace(0, len(values) - 1, MOST_FOR_MEDIAN).round().astype(np.int64)
        values = values[at]
        sampled = f", over {MOST_FOR_MEDIAN:,} evenly spaced quantiles"
    if len(values) < 2 or values[0] == values[-1]:
        return Bandwidth(0.0, "none: all rewards are equal")
    distances = pdist(values[:, None], "cityblock")
    median = float(np.median(distances))
    if median > 0:
        return Bandwidth(median, f"median distance of all pairs{sampled}")
    positive = float(np.median(distances[distances > 0]))
    return Bandwidth(positive, f"median of the positive distances, as most rewards tie{sampled}")


def given_bandwidth(value: float) -> Bandwidth:
    """A bandwidth that the user sets.

    Raises:
        BandwidthError: it is not a positive number.
    """
    if not (np.isfinite(value) and value > 0):
        raise BandwidthError(
            f"The bandwidth {value} is not a positive number.",
            fix="Give the distance, in units of reward, at which two rewards count as different.",
        )
    return Bandwidth(float(value), "given")


def rbf_features(values: npt.ArrayLike, bandwidth: float) -> FloatArray:
    """Features whose inner products are the RBF kernel exp(-(x - y)^2 / (2 bandwidth^2)).

    The kernel is the Fourier transform of a Gaussian; the trapezoid rule on a regular grid of
    frequencies gives it to about 1e-14 where the grid's period exceeds the values' range by enough.
    Empty stretches wider than the kernel's reach are shortened first: across them it is 0 anyway,
    and an outlier costs no frequencies.

    Args:
        values: (n,) finite.
        bandwidth: at least 0; with 0 the kernel is 1 for equal values and 0 for others.

    Returns:
        (n, k): row i times row j is k(x_i, x_j).

    Raises:
        BandwidthError: so small that the features would not fit into memory.

    Source: Trefethen and Weideman 2014, SIAM Review 56, section 5 (the trapezoid rule on a
    Gaussian converges exponentially).
    """
    given = np.asarray(values, dtype=np.float64)
    unique, inverse = np.unique(given, return_inverse=True)
    if bandwidth == 0 or len(unique) < 2:
        _check_size(len(given), len(unique), bandwidth)
        return np.asarray(np.eye(len(unique))[inverse])
    steps = np.minimum(np.diff(unique) / bandwidth, _REACH)
    places = np.concatenate([[0.0], np.cumsum(steps)])
    frequencies, weights = rbf_frequencies(float(places[-1]))
    _check_size(len(given), 2 * len(frequencies), bandwidth)
    angles = places[:, None] * frequencies
    features = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    features *= np.sqrt(np.concatenate([weights, weights]))
    return np.asarray(features[inverse])


def rbf_frequencies(spread: float) -> tuple[FloatArray, FloatArray]:
    """Frequencies w and weights a with exp(-d^2 / 2) = sum of a cos(w d) for all |d| <= spread.

    Args:
        spread: the largest distance, in bandwidths.
    """
    step = 2 * np.pi / (spread + _REACH)
    frequencies = np.arange(0.0, _REACH + step, step)
    weights = step * np.sqrt(2 / np.pi) * np.exp(-(frequencies**2) / 2)
    weights[0] /= 2  # the grid runs over both signs; zero is there once
    return frequencies, weights


def _check_size(n_rows: int, n_columns: int, bandwidth: float) -> None:
    if n_rows * n_columns > _MOST_CELLS:
        raise BandwidthError(
            f"The bandwidth {bandwidth:g} is too small for {n_rows:,} rewards this far apart.",
            fix="Choose a larger one, or leave it to the median distance.",
        )
