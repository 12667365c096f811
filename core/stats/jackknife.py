"""Intervals by leaving out one prompt at a time, for statistics that are dear to resample."""

from collections.abc import Mapping

import numpy as np
from scipy import stats as scipy_stats

from core.stats.clusters import Estimate, FloatArray


def jackknife_correlation(
    value: float,
    leave_one_out: FloatArray,
    *,
    n: int,
    confidence: float = 0.95,
    left_out: Mapping[str, int] | None = None,
) -> Estimate:
    """A coefficient between -1 and 1 with its interval from leaving out each prompt once.

    The jackknife's standard error is carried to Fisher's scale (the inverse hyperbolic tangent),
    where the interval is symmetric with Student's quantile, and back, so it stays within -1 to 1.

    Args:
        value: the coefficient over all rows; NaN where it does not exist.
        leave_one_out: (n_prompts,) the coefficient without each prompt. Those that do not exist
            (NaN) are left out of the error and counted in `method`.
        n: rows.
        confidence: coverage of the interval, between 0 and 1.
        left_out: rows the caller could not use, by reason; passed on.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, eq. 11.5; Fisher 1921 for
    the scale.
    """
    n_prompts, nan = len(leave_one_out), float("nan")
    kept = dict(left_out or {})
    usable = leave_one_out[np.isfinite(leave_one_out)]
    method = "jackknife over prompts"
    if len(usable) < n_prompts:
        method += f", {n_prompts - len(usable):,} of {n_prompts:,} without a value"
    if np.isnan(value) or len(usable) < 2:
        return Estimate(value, nan, nan, confidence, n, n_prompts, f"no interval: {method}", kept)
    n_usable = len(usable)
    spread = float(((usable - usable.mean()) ** 2).sum())
    error = float(np.sqrt((n_usable - 1) / n_usable * spread))
    if error == 0 or abs(value) >= 1:
        method = f"no width, as leaving out a prompt does not change it: {method}"
        return Estimate(value, value, value, confidence, n, n_prompts, method, kept)
    reach = float(scipy_stats.t.ppf((1 + confidence) / 2, n_usable - 1)) * error / (1 - value**2)
    centre = float(np.arctanh(value))
    low, high = float(np.tanh(centre - reach)), float(np.tanh(centre + reach))
    return Estimate(value, low, high, confidence, n, n_prompts, method, kept)
