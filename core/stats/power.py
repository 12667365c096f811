"""What a test could have seen, and how many of many tests are still believed."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from core.stats.clusters import FloatArray, cluster_codes, cluster_sums, usable_rows


def clustered_standard_error(values: npt.ArrayLike, clusters: Sequence[object]) -> float:
    """Standard error of the mean of values whose rows within a cluster are correlated.

    With one row a cluster it is the sample standard deviation over the root of n. Not finite values
    are left out. NaN for fewer than two clusters: one prompt says nothing about others.

    Args:
        values: (n,) any numbers.
        clusters: (n,) what each row belongs to (its prompt).

    Raises:
        ValueError: when the lengths differ.

    Source: Liang and Zeger 1986, Biometrika 73 (the sandwich for a mean), with the factor
    G / (G - 1) for G clusters.
    """
    usable, kept, _ = usable_rows(values, clusters, None)
    if not len(usable):
        return float("nan")
    residual_sums, _ = cluster_sums(usable - usable.mean(), cluster_codes(kept))
    n_clusters = len(residual_sums)
    if n_clusters < 2:
        return float("nan")
    total = float((residual_sums**2).sum()) * n_clusters / (n_clusters - 1)
    return float(np.sqrt(total)) / len(usable)


def smallest_detectable_effect(
    standard_error: float, *, confidence: float = 0.95, power: float = 0.8
) -> float:
    """The smallest true effect that a two-sided test would have found with the given power.

    Args:
        standard_error: of the estimate, in its own unit, at least 0; NaN gives NaN.
        confidence: 1 minus the test's level, between 0 and 1.
        power: the chance of finding it, between 0 and 1.

    Returns:
        (z of the level + z of the power) times the standard error; normal approximation.

    Raises:
        ValueError: when a number is out of range.

    Source: Bloom 1995, Evaluation Review 19 (minimum detectable effects).
    """
    if not (0 < confidence < 1 and 0 < power < 1) or standard_error < 0:
        raise ValueError(
            f"Out of range: standard error {standard_error}, confidence {confidence}, "
            f"power {power}."
        )
    level = float(scipy_stats.norm.ppf((1 + confidence) / 2))
    return (level + float(scipy_stats.norm.ppf(power))) * standard_error


def false_discovery(p_values: npt.ArrayLike) -> FloatArray:
    """p-values adjusted so that calling those below q significant keeps false discoveries under q.

    Args:
        p_values: any shape, each from 0 to 1. NaN (a test that could not be made) stays NaN and
            does not count as a test.

    Raises:
        ValueError: when a value is outside 0 to 1.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57.
    """
    given = np.asarray(p_values, dtype=np.float64)
    adjusted = given.copy()
    made = ~np.isnan(given)
    if made.any():
        adjusted[made] = scipy_stats.false_discovery_control(given[made], axis=None, method="bh")
    return adjusted
