"""What a benchmark returns: scores with their intervals, what is missing, what was left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from core.labs.benchmarks.candidates import Item
from core.stats import Estimate, FloatArray, clustered_share, clustered_statistic

SCORE_COLUMNS = (
    "level",
    "name",
    "metric",
    "value",
    "low",
    "high",
    "confidence",
    "n",
    "n_prompts",
    "n_left_out",
    "official",
    "method",
)
"""Columns of a scores table. `level` is overall, section, domain, subset, slice or extra, and
`official` says whether this is the number the benchmark's authors give under this name."""


@dataclass(frozen=True)
class BenchmarkOptions:
    """How a benchmark is scored.

    Attributes:
        seed: of the resampling.
        confidence: coverage of the intervals.
        n_resamples: bootstrap draws for each interval.
    """

    seed: int = 0
    confidence: float = 0.95
    n_resamples: int = 2_000

    def rng(self) -> np.random.Generator:
        """A fresh generator: every number starts from the seed and depends on no other number."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True)
class BenchmarkResult:
    """The scores of one model on one benchmark.

    Attributes:
        benchmark: the benchmark's name.
        scores: one row a number, columns `SCORE_COLUMNS`.
        overall: the official overall score; None when the benchmark has none or is incomplete.
        missing: what the official score lacks, in words; empty when it is complete.
        items: one row a usable item: item_id, prompt_id, subset and what it contributed.
        tables: further tables by name ("matrix", "best_of_k", "models").
        notes: what a reader of the numbers has to know.
        left_out: items that could not be used, by reason.
    """

    benchmark: str
    scores: pd.DataFrame
    overall: Estimate | None
    missing: tuple[str, ...]
    items: pd.DataFrame
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def score_row(
    level: str, name: str, metric: str, estimate: Estimate, *, official: bool = True
) -> dict[str, Any]:
    """One row of a scores table."""
    return {
        "level": level,
        "name": name,
        "metric": metric,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "confidence": estimate.confidence,
        "n": estimate.n,
        "n_prompts": estimate.n_prompts,
        "n_left_out": sum(estimate.left_out.values()),
        "official": official,
        "method": estimate.method,
    }


def scores_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows made by `score_row` as a table."""
    return pd.DataFrame(list(rows), columns=list(SCORE_COLUMNS))


def split_usable(items: Sequence[Item]) -> tuple[list[Item], dict[str, int]]:
    """The items that can be used, and the others counted by reason."""
    left_out = Counter(item.reason for item in items if item.reason)
    return [item for item in items if not item.reason], dict(left_out)


def with_reason(item: Item, reason: str) -> Item:
    """The item with why it cannot be used; an earlier reason stays."""
    return item if item.reason else replace(item, reason=reason)


def left_out_of(items: Iterable[Item], subset: str) -> dict[str, int]:
    """The unusable items of one subset, by reason."""
    return dict(Counter(item.reason for item in items if item.reason and item.subset == subset))


def missing_parts(
    expected: Mapping[str, int | Sequence[int]], present: Mapping[str, int], unit: str = "prompts"
) -> tuple[str, ...]:
    """What a set of items lacks of the benchmark, one phrase a part.

    Args:
        expected: how many items each part has; several numbers where any of them is right.
        present: how many usable items of each part there are.
        unit: what is counted.
    """
    phrases = []
    for part, numbers in expected.items():
        allowed = [numbers] if isinstance(numbers, int) else list(numbers)
        have = present.get(part, 0)
        if have in allowed:
            continue
        if have == 0:
            phrases.append(f"{part}: none of its {allowed[0]:,} {unit}")
        elif have < min(allowed):
            phrases.append(f"{part}: {have:,} of its {allowed[0]:,} {unit}")
        else:
            phrases.append(f"{part}: {have:,} {unit} where the benchmark has {allowed[0]:,}")
    phrases += [f"{part}: not a part of the benchmark" for part in present if part not in expected]
    return tuple(phrases)


def share_of(
    values: FloatArray,
    items: Sequence[Item],
    options: BenchmarkOptions,
    left_out: Mapping[str, int] | None = None,
) -> Estimate:
    """The mean of one value from 0 to 1 an item, with its interval over prompts."""
    return clustered_share(
        values,
        [item.prompt_id for item in items],
        rng=options.rng(),
        confidence=options.confidence,
        n_resamples=options.n_resamples,
        left_out=left_out,
    )


def weighted_average(
    values: FloatArray,
    groups: Sequence[str],
    clusters: Sequence[object],
    weights: Mapping[str, float],
    options: BenchmarkOptions,
    left_out: Mapping[str, int] | None = None,
) -> Estimate:
    """The weighted average of the means of groups, with an interval over prompts.

    Prompts are drawn from all groups together, and each draw takes the means anew; a draw that
    misses a group has no value and is counted in `method`. Where no value differs from another,
    resampling would claim certainty, and the Wilson interval over prompts stands in.

    Args:
        values: (n,) from 0 to 1.
        groups: (n,) the group of each; rows of groups without a weight are not used.
        clusters: (n,) the prompt of each.
        weights: of the groups; they need not sum to one. A group without rows makes it NaN.
        options: seed, confidence and number of draws.
        left_out: items the caller could not use, by reason; passed on.
    """
    kept = [place for place, group in enumerate(groups) if group in weights]
    used = np.asarray(values, dtype=np.float64)[kept]
    names = list(weights)
    codes = np.array([names.index(groups[place]) for place in kept], dtype=np.int64)
    shares = np.array([weights[name] for name in names], dtype=np.float64)
    shares /= shares.sum()

    def average(times: FloatArray) -> float:
        sums = np.bincount(codes, weights=times * used, minlength=len(names))
        counts = np.bincount(codes, weights=times, minlength=len(names))
        return float((shares * sums / counts).sum()) if (counts > 0).all() else float("nan")

    prompts = [clusters[place] for place in kept]
    if len(used) and np.ptp(used) == 0 and np.isfinite(average(np.ones(len(used)))):
        return clustered_share(
            used,
            prompts,
            rng=options.rng(),
            confidence=options.confidence,
            n_resamples=options.n_resamples,
            left_out=left_out,
        )
    return clustered_statistic(
        average,
        prompts,
        rng=options.rng(),
        confidence=options.confidence,
        n_resamples=options.n_resamples,
        left_out=left_out,
    )
