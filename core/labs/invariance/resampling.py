"""Intervals and tests of many columns at once, on shared draws of prompts.

A battery asks the same question of dozens of perturbations. Columns whose values come from the same
prompts share their draws, which makes the whole battery a few matrix products. A column alone gets
what `core.stats.clustered_mean`, `clustered_share` and `sign_flip_test` would give it.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from core.stats import Estimate, FloatArray, TestResult, cluster_codes, wilson_interval

_MOST_CELLS = 4_000_000


def clustered_means(
    values: FloatArray,
    clusters: Sequence[object],
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 2_000,
    shares: bool = False,
    left_out: Sequence[Mapping[str, int]] | None = None,
) -> list[Estimate]:
    """The mean of each column, with a percentile bootstrap interval over clusters.

    Args:
        values: (n, columns); NaN and infinite values are no values.
        clusters: (n,) what each row belongs to (its prompt).
        rng: the source of the resampling.
        confidence: coverage of the intervals, between 0 and 1.
        n_resamples: bootstrap draws.
        shares: values lie between 0 and 1, so that the Wilson interval over clusters stands in
            where resampling cannot vary; otherwise such a column has an interval without width, and
            one of a single cluster has none (NaN).
        left_out: (columns,) what the caller could not use; passed on.
    """
    sums, counts = _by_cluster(values, clusters)
    reasons = left_out if left_out is not None else [{} for _ in range(values.shape[1])]
    found: dict[int, Estimate] = {}
    for rows, columns in _patterns(counts):
        totals, sizes = sums[np.ix_(rows, columns)], counts[np.ix_(rows, columns)]
        low, high = _bootstrap(totals, sizes, rng, confidence, n_resamples)
        for at, column in enumerate(columns.tolist()):
            value = _divide(totals[:, at].sum(), sizes[:, at].sum())
            bounds = (float(low[at]), float(high[at]))
            method = f"percentile bootstrap over prompts, {n_resamples:,} draws"
            if not _varies(totals[:, at], sizes[:, at]):
                bounds, method = _without_variation(value, len(rows), confidence, shares)
            n = int(sizes[:, at].sum())
            found[column] = Estimate(
                value, *bounds, confidence, n, len(rows), method, dict(reasons[column])
            )
    return [found[column] for column in range(values.shape[1])]


def sign_flip_tests(
    values: FloatArray,
    clusters: Sequence[object],
    *,
    rng: np.random.Generator,
    n_permutations: int = 10_000,
) -> list[TestResult]:
    """Whether the mean of each column is zero: as `core.stats.sign_flip_test`, on shared signs.

    Args:
        values: (n, columns) differences; NaN and infinite values are no values.
        clusters: (n,) what each row belongs to (its prompt); its rows flip together.
        rng: the source of the signs; unused where all patterns of signs are enumerated.
        n_permutations: patterns at most.
    """
    sums, counts = _by_cluster(values, clusters)
    found: dict[int, TestResult] = {}
    for rows, columns in _patterns(counts):
        totals, n = sums[np.ix_(rows, columns)], counts[:, columns].sum(axis=0)
        exact = len(rows) < 62 and 2 ** len(rows) <= n_permutations
        reached, n_patterns = np.zeros(len(columns)), 0
        threshold = np.abs(totals.sum(axis=0)) - 1e-9 * np.abs(totals).sum(axis=0)
        for signs in _all_signs(len(rows)) if exact else _signs(len(rows), n_permutations, rng):
            reached += (np.abs(signs @ totals) >= threshold).sum(axis=0)
            n_patterns += len(signs)
        p_values = reached / n_patterns if exact else (1 + reached) / (1 + n_patterns)
        kind = f"all {n_patterns:,}" if exact else f"{n_patterns:,} random"
        method = f"sign flip over prompts, {kind} patterns"
        for at, column in enumerate(columns.tolist()):
            mean = _divide(totals[:, at].sum(), n[at])
            p_value = float(p_values[at]) if len(rows) else float("nan")
            method = method if len(rows) else "sign flip: nothing to test"
            found[column] = TestResult(mean, p_value, int(n[at]), len(rows), method)
    return [found[column] for column in range(values.shape[1])]


def clustered_standard_errors(values: FloatArray, clusters: Sequence[object]) -> FloatArray:
    """Standard error of each column's mean: as `core.stats.clustered_standard_error`.

    Args:
        values: (n, columns); NaN and infinite values are no values.
        clusters: (n,) what each row belongs to (its prompt).

    Returns:
        (columns,); NaN for fewer than two clusters.
    """
    sums, counts = _by_cluster(values, clusters)
    n, n_clusters = counts.sum(axis=0), (counts > 0).sum(axis=0).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = sums - counts * (sums.sum(axis=0) / n)
        factor = np.where(n_clusters > 1, n_clusters / (n_clusters - 1), np.nan)
        return np.asarray(np.sqrt((residual**2).sum(axis=0) * factor) / n)


def _by_cluster(values: FloatArray, clusters: Sequence[object]) -> tuple[FloatArray, FloatArray]:
    """Sum and number of each cluster's values: both (clusters, columns)."""
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} rows but {len(clusters)} clusters.")
    codes = cluster_codes(clusters)
    present = np.isfinite(values)
    size = (int(codes.max(initial=-1)) + 1, values.shape[1])
    sums, counts = np.zeros(size), np.zeros(size)
    np.add.at(sums, codes, np.where(present, values, 0.0))
    np.add.at(counts, codes, present.astype(np.float64))
    return sums, counts


def _patterns(
    counts: FloatArray,
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Columns that have values in the same clusters, with these clusters."""
    columns_of: dict[bytes, list[int]] = {}
    for column in range(counts.shape[1]):
        columns_of.setdefault((counts[:, column] > 0).tobytes(), []).append(column)
    for columns in columns_of.values():
        yield np.flatnonzero(counts[:, columns[0]] > 0), np.array(columns, dtype=np.int64)


def _bootstrap(
    totals: FloatArray,
    sizes: FloatArray,
    rng: np.random.Generator,
    confidence: float,
    n_resamples: int,
) -> tuple[FloatArray, FloatArray]:
    n_clusters, n_columns = totals.shape
    if n_clusters < 2:
        return np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    means = []
    step = max(1, _MOST_CELLS // n_clusters)
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        drawn = rng.integers(n_clusters, size=(size, n_clusters))
        drawn += n_clusters * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n_clusters).reshape(size, n_clusters)
        weights = times.astype(np.float64)
        means.append((weights @ totals) / (weights @ sizes))
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(np.concatenate(means), ends, axis=0)
    return low, high


def _signs(n: int, n_patterns: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    step = max(1, _MOST_CELLS // max(1, n))
    for start in range(0, n_patterns, step):
        size = min(step, n_patterns - start)
        yield np.asarray(rng.integers(0, 2, size=(size, n)) * 2 - 1, dtype=np.float64)


def _all_signs(n: int) -> Iterator[FloatArray]:
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    yield np.asarray(bits * 2 - 1, dtype=np.float64)


def _varies(totals: FloatArray, sizes: FloatArray) -> bool:
    if len(totals) < 2:
        return False
    means = totals / sizes
    return bool(np.ptp(means) > 1e-12 * max(1.0, float(np.abs(means).max())))


def _without_variation(
    value: float, n_clusters: int, confidence: float, shares: bool
) -> tuple[tuple[float, float], str]:
    nan = float("nan")
    if not n_clusters:
        return (nan, nan), "nothing to estimate"
    if shares:
        share = min(max(value, 0.0), 1.0)
        bounds = wilson_interval(share * n_clusters, n_clusters, confidence=confidence)
        return bounds, "Wilson over prompts, as resampling cannot vary"
    if n_clusters == 1:
        return (nan, nan), "no interval: one prompt"
    return (value, value), "no width, as all prompts have the same mean"


def _divide(total: float, n: float) -> float:
    return float(total / n) if n else float("nan")
