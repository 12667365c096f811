"""What every aggregate returns, and rows told apart by the prompt they belong to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NO_NUMBER = "no number"
NOT_FINITE = "infinite"


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


def cluster_codes(clusters: Sequence[object]) -> IntArray:
    """A number from 0 up for each row's cluster, in the order in which clusters first appear."""
    number_of: dict[object, int] = {}
    return np.array(
        [number_of.setdefault(cluster, len(number_of)) for cluster in clusters], dtype=np.int64
    )


def cluster_sums(values: FloatArray, codes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Sum of the values and number of rows of each cluster, both (n_clusters,)."""
    sums = np.bincount(codes, weights=values).astype(np.float64)
    return sums, np.bincount(codes).astype(np.float64)


def usable_rows(
    values: npt.ArrayLike, clusters: Sequence[object], left_out: Mapping[str, int] | None
) -> tuple[FloatArray, list[object], dict[str, int]]:
    """The finite values with their clusters, and why the others are left out.

    Raises:
        ValueError: when there are not as many values as clusters.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (len(clusters),):
        raise ValueError(f"{given.size} values but {len(clusters)} clusters.")
    finite = np.isfinite(given)
    counts = Counter(left_out or {})
    counts[NO_NUMBER] += int(np.isnan(given).sum())
    counts[NOT_FINITE] += int(np.isinf(given).sum())
    kept = [cluster for cluster, usable in zip(clusters, finite, strict=True) if usable]
    return given[finite], kept, {reason: count for reason, count in counts.items() if count}
