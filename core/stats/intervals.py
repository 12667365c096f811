"""Intervals of shares, means and any statistic, by resampling prompts."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from core.stats.clusters import (
    Estimate,
    FloatArray,
    IntArray,
    cluster_codes,
    cluster_sums,
    usable_rows,
)

N_RESAMPLES = 10_000
_MIN_RESAMPLES = 1_000
_MAX_CELLS = 200_000_000
_MAX_CELLS_PER_BATCH = 4_000_000
_MAX_WEIGHTS_PER_BATCH = 250_000  # a few arrays of them fit the processor's cache

NOTHING = "nothing to estimate"
ONE_PROMPT = "no interval: one prompt"


def clustered_share(
    credit: npt.ArrayLike,
    clusters: Sequence[object],
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int | None = None,
    left_out: Mapping[str, int] | None = None,
) -> Estimate:
    """The mean of values between 0 and 1, with a percentile bootstrap interval over clusters.

    Whole clusters are drawn with replacement, as many as there are, and the mean over all their
    rows is taken, so a cluster with more rows weighs more, as it does in the estimate itself.
    Where all clusters have the same mean (or there is one), resampling would claim certainty; the
    Wilson interval over the clusters stands in.

    Args:
        credit: (n,) values from 0 to 1.
        clusters: (n,) what each row belongs to (its prompt).
        rng: the source of the resampling.
        confidence: coverage of the interval, between 0 and 1.
        n_resamples: bootstrap draws; by default 10,000, and fewer beyond 20,000 clusters, where
            the interval is narrow and each draw is dear.
        left_out: rows the caller could not use, by reason; passed on.

    Raises:
        ValueError: when the lengths differ, or a value is outside 0 to 1.
    """
    values = np.asarray(credit, dtype=np.float64)
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} clusters.")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("Every value must be between 0 and 1.")
    kept = dict(left_out or {})
    if not len(values):
        nan = float("nan")
        return Estimate(nan, nan, nan, confidence, 0, 0, "nothing to estimate", kept)
    sums, sizes = cluster_sums(values, cluster_codes(clusters))
    value, n_clusters = float(values.mean()), len(sums)
    means = sums / sizes
    if np.allclose(means, means[0], rtol=0, atol=1e-12):
        low, high = wilson_interval(value * n_clusters, n_clusters, confidence=confidence)
        method = "Wilson over prompts, as resampling cannot vary"
    else:
        draws = _draws(n_resamples, n_clusters)
        low, high = _bootstrap(sums, sizes, rng, confidence, draws)
        method = _described(draws)
    return Estimate(value, low, high, confidence, len(values), n_clusters, method, kept)


def clustered_mean(
    values: npt.ArrayLike,
    clusters: Sequence[object],
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int | None = None,
    left_out: Mapping[str, int] | None = None,
) -> Estimate:
    """The mean of real values, with a percentile bootstrap interval over clusters.

    As in `clustered_share`, whole clusters are drawn and the mean goes over all their rows. One
    cluster has no interval (NaN). Where all clusters have the same mean the interval has no width,
    and `method` says that this is for want of variation.

    Args:
        values: (n,) any numbers; NaN and infinite ones are left out and counted.
        clusters: (n,) what each row belongs to (its prompt).
        rng: the source of the resampling.
        confidence: coverage of the interval, between 0 and 1.
        n_resamples: bootstrap draws; by default as in `clustered_share`.
        left_out: rows the caller could not use, by reason; passed on.

    Raises:
        ValueError: when the lengths differ.
    """
    usable, kept, reasons = usable_rows(values, clusters, left_out)
    nan = float("nan")
    if not len(usable):
        return Estimate(nan, nan, nan, confidence, 0, 0, NOTHING, reasons)
    sums, sizes = cluster_sums(usable, cluster_codes(kept))
    value, n_clusters = float(usable.mean()), len(sums)
    if n_clusters == 1:
        return Estimate(value, nan, nan, confidence, len(usable), 1, ONE_PROMPT, reasons)
    means = sums / sizes
    if np.ptp(means) <= 1e-12 * max(1.0, float(np.abs(means).max())):
        low, high, method = value, value, "no width, as all prompts have the same mean"
    else:
        draws = _draws(n_resamples, n_clusters)
        low, high = _bootstrap(sums, sizes, rng, confidence, draws)
        method = _described(draws)
    return Estimate(value, low, high, confidence, len(usable), n_clusters, method, reasons)


def clustered_statistic(
    statistic: Callable[[FloatArray], float | FloatArray],
    clusters: Sequence[object],
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 2_000,
    left_out: Mapping[str, int] | None = None,
    vectorized: bool = False,
) -> Estimate:
    """Any statistic that can weigh rows, with a percentile bootstrap interval over clusters.

    Args:
        statistic: takes (n,) weights, how often each row counts, and returns the value. The
            estimate is its value with all weights 1.
        clusters: (n,) what each row belongs to (its prompt).
        rng: the source of the resampling.
        confidence: coverage of the interval, between 0 and 1.
        n_resamples: bootstrap draws. Draws on which the statistic is not a finite number are left
            out of the interval and counted in `method`; when they are more than half, there is no
            interval (NaN).
        left_out: rows the caller could not use, by reason; passed on.
        vectorized: the statistic takes (k, n) weights and returns (k,) values, for many draws at
            once. The draws, and so the interval, are the same.
    """
    kept = dict(left_out or {})
    nan, n = float("nan"), len(clusters)
    if not n:
        return Estimate(nan, nan, nan, confidence, 0, 0, NOTHING, kept)
    codes = cluster_codes(clusters)
    n_clusters = int(codes.max()) + 1
    of_rows = statistic if vectorized else _row_by_row(statistic)
    value = float(np.asarray(of_rows(np.ones((1, n))))[0])
    if n_clusters == 1:
        return Estimate(value, nan, nan, confidence, n, 1, ONE_PROMPT, kept)
    drawn = np.concatenate(
        [of_rows(weights) for weights in _drawn_weights(codes, n_clusters, rng, n_resamples)]
    )
    finite = drawn[np.isfinite(drawn)]
    n_without = n_resamples - len(finite)
    method = _described(n_resamples)
    if n_without:
        method += f", {n_without:,} of them without a value"
    if n_without * 2 > n_resamples:
        return Estimate(value, nan, nan, confidence, n, n_clusters, f"no interval: {method}", kept)
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(low), float(high), confidence, n, n_clusters, method, kept)


def _row_by_row(
    statistic: Callable[[FloatArray], float | FloatArray],
) -> Callable[[FloatArray], FloatArray]:
    return lambda weights: np.array([float(statistic(row)) for row in weights])


def _drawn_weights(
    codes: IntArray, n_clusters: int, rng: np.random.Generator, n_resamples: int
) -> Iterator[FloatArray]:
    """(k, n) how often each row counts in each of k draws, until there are `n_resamples`."""
    step = max(1, _MAX_WEIGHTS_PER_BATCH // len(codes))
    for start in range(0, n_resamples, step):
        k = min(step, n_resamples - start)
        drawn = rng.integers(n_clusters, size=(k, n_clusters))
        places = drawn + n_clusters * np.arange(k)[:, None]
        times = np.bincount(places.ravel(), minlength=k * n_clusters).reshape(k, n_clusters)
        yield times[:, codes].astype(np.float64)


def _draws(asked: int | None, n_clusters: int) -> int:
    """By default fewer draws beyond 20,000 clusters, where each is dear and all are alike."""
    affordable = max(_MIN_RESAMPLES, min(N_RESAMPLES, _MAX_CELLS // n_clusters))
    return affordable if asked is None else asked


def _described(n_draws: int) -> str:
    return f"percentile bootstrap over prompts, {n_draws:,} draws"


def _bootstrap(
    sums: FloatArray,
    sizes: FloatArray,
    rng: np.random.Generator,
    confidence: float,
    n_resamples: int,
) -> tuple[float, float]:
    def mean(totals: FloatArray, counts: FloatArray, axis: int = -1) -> FloatArray:
        return np.asarray(totals.sum(axis=axis) / counts.sum(axis=axis))

    result = scipy_stats.bootstrap(
        (sums, sizes),
        mean,
        paired=True,
        vectorized=True,
        method="percentile",
        confidence_level=confidence,
        n_resamples=n_resamples,
        batch=max(1, _MAX_CELLS_PER_BATCH // len(sums)),
        rng=rng,
    )
    interval = result.confidence_interval
    return float(interval.low), float(interval.high)


def wilson_interval(successes: float, n: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share: never empty, never outside 0 to 1.

    Args:
        successes: how many of `n`, from 0 to n; halves are allowed (ties).
        n: trials, above 0.
        confidence: coverage of the interval, between 0 and 1.

    Raises:
        ValueError: when the numbers are out of range.

    Source: E. B. Wilson, 1927, Journal of the American Statistical Association 22.
    """
    if not (n > 0 and 0 <= successes <= n and 0 < confidence < 1):
        raise ValueError(f"Out of range: {successes} of {n} at confidence {confidence}.")
    z = float(scipy_stats.norm.ppf((1 + confidence) / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    # At the ends the formula gives exactly 0 and 1, short of rounding.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high
