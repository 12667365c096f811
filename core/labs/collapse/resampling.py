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
    numbers = rows[value].to_numpy(dtype=np.float64, na_value=np.nan)
    usable = rows.loc[np.isfinite(numbers)]
    if not len(usable):
        return pd.DataFrame(columns=[along, *ESTIMATE_COLUMNS])
    places, sums, sizes = _sums(usable, numbers[np.isfinite(numbers)], along)
    totals, n = sums.sum(axis=0), sizes.sum(axis=0)
    low, high = _interval(sums, sizes, rng, confidence, n_resamples)
    n_problems = (sizes > 0).sum(axis=0)
    low, high = np.where(n_problems > 1, low, np.nan), np.where(n_problems > 1, high, np.nan)
    method = f"percentile bootstrap over prompts, {n_resamples:,} draws"
    words = [
        ONE if k == 1 else SAME if a == b else method
        for k, a, b in zip(n_problems, low, high, strict=True)
    ]
    return pd.DataFrame(
        {
            along: places,
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


def _sums(
    rows: pd.DataFrame, numbers: FloatArray, along: str
) -> tuple[list[object], FloatArray, FloatArray]:
    """The places in order; (problems, places) sum of the numbers, and how many there are."""
    # A bincount over codes: a group-by and a pivot of the same took most of the lab's time.
    problem, problems = pd.factorize(rows["problem_id"], sort=True)
    place, places = pd.factorize(rows[along], sort=True)
    shape = (len(problems), len(places))
    cell = problem * len(places) + place
    n_cells = len(problems) * len(places)
    sums = np.bincount(cell, weights=numbers, minlength=n_cells).reshape(shape)
    sizes = np.bincount(cell, minlength=n_cells).reshape(shape)
    return list(places), sums.astype(np.float64), sizes.astype(np.float64)


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
    # nanquantile walks over the columns one by one and is only needed where a draw missed a place.
    quantile = np.nanquantile if np.isnan(means).any() else np.quantile
    low, high = quantile(means, ends, axis=0)
    return low, high
