"""Many means at once with intervals over problems: one draw of problems serves a whole curve."""

import numpy as np
import pandas as pd

from core.stats import FloatArray

ONE = "no interval: one problem"
SAME = "no width, as all problems have the same mean"


ESTIMATE_COLUMNS = ("value", "low", "high", "n", "n_prompts", "method_of_interval")


def mean_bands(
    rows: pd.DataFrame,
    value: str,
    along: str,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 1_000,
) -> pd.DataFrame:
    """The mean at each place of a curve, with percentile bootstrap intervals over problems.

    As in `core.stats.clustered_mean`, whole problems are drawn and the mean goes over all their
    rows; here the same draws serve all places, so the whole curve moves together.

    Args:
        rows: `problem_id`, `value` and `along`; values that are not finite are left out.
        value: column of the numbers.
        along: column of the places.
        rng: source of the resampling.
        confidence: coverage of the intervals.
        n_resamples: draws.

    Returns:
        A row a place, in order: along, value, low, high, n, n_prompts, method_of_interval.
    """
    numbers = rows[value].astype("float64")
    usable = rows.loc[np.isfinite(numbers)].assign(**{value: numbers})
    grouped = usable.groupby(["problem_id", along], sort=True, observed=True)[value]
    sums = grouped.sum().unstack(along).fillna(0.0)
    sizes = grouped.size().unstack(along).fillna(0.0)
    if not len(sums):
        return pd.DataFrame(columns=[along, *ESTIMATE_COLUMNS])
    totals, n = sums.to_numpy().sum(axis=0), sizes.to_numpy().sum(axis=0)
    low, high = _interval(sums.to_numpy(), sizes.to_numpy(), rng, confidence, n_resamples)
    n_problems = (sizes.to_numpy() > 0).sum(axis=0)
    low, high = np.where(n_problems > 1, low, np.nan), np.where(n_problems > 1, high, np.nan)
    method = f"percentile bootstrap over prompts, {n_resamples:,} draws"
    words = [
        ONE if k == 1 else SAME if a == b else method
        for k, a, b in zip(n_problems, low, high, strict=True)
    ]
    return pd.DataFrame(
        {
            along: list(sums.columns),
            "value": totals / n,
            "low": low,
            "high": high,
            "n": n.astype("int64"),
            "n_prompts": n_problems,
            "method_of_interval": words,
        }
    )


def problem_draws(n_problems: int, n_resamples: int, rng: np.random.Generator) -> FloatArray:
    """(draws, problems) how often each problem is drawn when as many are drawn as there are."""
    shares = np.full(n_problems, 1.0 / n_problems)
    return rng.multinomial(n_problems, shares, size=n_resamples).astype(np.float64)


def _interval(
    sums: FloatArray,
    sizes: FloatArray,
    rng: np.random.Generator,
    confidence: float,
    n_resamples: int,
) -> tuple[FloatArray, FloatArray]:
    weights = problem_draws(len(sums), n_resamples, rng)
    drawn_n = weights @ sizes
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(drawn_n > 0, (weights @ sums) / drawn_n, np.nan)
    ends = [(1.0 - confidence) / 2, (1.0 + confidence) / 2]
    low, high = np.nanquantile(means, ends, axis=0)
    return low, high
