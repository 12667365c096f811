"""Intervals for aggregates of rewards. Each result says its n, its interval and what was left out.

Responses to one prompt are correlated, so resampling is over prompts and never over rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

FloatArray = npt.NDArray[np.float64]

N_RESAMPLES = 10_000
_MIN_RESAMPLES = 1_000
_MAX_CELLS = 200_000_000
_MAX_CELLS_PER_BATCH = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """An aggregate that carries its uncertainty.

    Attributes:
        value: the estimate; NaN when nothing could be used.
        low: lower end of the interval.
        high: upper end of the interval.
        confidence: coverage the interval aims at, for example 0.95.
        n: rows it is made of.
        n_prompts: distinct prompts among them: what the interval resamples.
        method: how the interval was made.
        left_out: rows that could not be used, counted by reason.
    """

    value: float
    low: float
    high: float
    confidence: float
    n: int
    n_prompts: int
    method: str
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PairAccuracy:
    """How often the chosen response has the higher reward; a tie counts as half.

    Attributes:
        accuracy: the share, with its interval over prompts.
        n_wins: pairs with a positive margin.
        n_ties: pairs with margin zero.
        n_losses: pairs with a negative margin.
    """

    accuracy: Estimate
    n_wins: int
    n_ties: int
    n_losses: int


def pair_accuracy(
    margins: npt.ArrayLike,
    prompt_ids: Sequence[object],
    *,
    rng: np.random.Generator,
    reasons: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> PairAccuracy:
    """Accuracy of pairs with an interval over prompts.

    Args:
        margins: (n,) reward(chosen) - reward(rejected). A pair without a number is left out.
        prompt_ids: (n,) the prompt of each pair.
        rng: the source of the resampling.
        reasons: (n,) why a pair has no margin ("" where it has one), to count them by.
        confidence: coverage of the interval.
    """
    values = np.asarray(margins, dtype=np.float64)
    given = list(reasons) if reasons is not None else [""] * len(values)
    # Two infinite rewards of one sign have no margin; an infinite margin still has a winner.
    usable = ~np.isnan(values) & np.array([not reason for reason in given], dtype=bool)
    left_out = Counter(
        reason or "no margin" for reason, kept in zip(given, usable, strict=True) if not kept
    )
    kept_values = values[usable]
    prompts = [prompt for prompt, kept in zip(prompt_ids, usable, strict=True) if kept]
    credit = (np.sign(kept_values) + 1) / 2
    accuracy = clustered_share(credit, prompts, rng=rng, confidence=confidence, left_out=left_out)
    return PairAccuracy(
        accuracy,
        n_wins=int((kept_values > 0).sum()),
        n_ties=int((kept_values == 0).sum()),
        n_losses=int((kept_values < 0).sum()),
    )


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
    number_of: dict[object, int] = {}
    codes = np.array([number_of.setdefault(cluster, len(number_of)) for cluster in clusters])
    sums: FloatArray = np.bincount(codes, weights=values).astype(np.float64)
    sizes: FloatArray = np.bincount(codes).astype(np.float64)
    value, n_clusters = float(values.mean()), len(sums)
    means = sums / sizes
    if np.allclose(means, means[0], rtol=0, atol=1e-12):
        low, high = wilson_interval(value * n_clusters, n_clusters, confidence=confidence)
        method = "Wilson over prompts, as resampling cannot vary"
    else:
        affordable = max(_MIN_RESAMPLES, min(N_RESAMPLES, _MAX_CELLS // n_clusters))
        draws = affordable if n_resamples is None else n_resamples
        low, high = _bootstrap(sums, sizes, rng, confidence, draws)
        method = f"percentile bootstrap over prompts, {draws:,} draws"
    return Estimate(value, low, high, confidence, len(values), n_clusters, method, kept)


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
