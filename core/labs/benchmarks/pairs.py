"""Any pair table: how often the chosen response wins, in all and by slice.

A slice is one value of one column of the user's table. A tie counts as half a win, and is counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.labs.benchmarks.candidates import (
    SUBSET,
    Item,
    collect_items,
    pair_candidates,
    plan_candidates,
)
from core.labs.benchmarks.results import (
    BenchmarkOptions,
    BenchmarkResult,
    score_row,
    scores_table,
    share_of,
    split_usable,
    with_reason,
)
from core.labs.plan import Plan
from core.stats import FloatArray

NO_VALUE = "(none)"
"""Name of the slice of rows whose cell is empty."""


@dataclass(frozen=True)
class PairOptions(BenchmarkOptions):
    """How a pair table is scored.

    Attributes:
        slices: columns whose values are the slices.
        max_slices: a column with more values than this has no slices (it is told).
    """

    slices: tuple[str, ...] = ()
    max_slices: int = 50


def plan(pairs: pd.DataFrame, options: PairOptions | None = None) -> Plan:
    """Both sides of every pair.

    Args:
        pairs: pair_id, prompt_id, prompt, chosen, rejected and own columns; or a candidates table.
        options: not used in planning.
    """
    del options
    return plan_candidates(pairs if SUBSET in pairs.columns else pair_candidates(pairs))


def run(scored: pd.DataFrame, options: PairOptions | None = None) -> BenchmarkResult:
    """Accuracy in all and by slice.

    Args:
        scored: a plan of this lab with rewards.
        options: slices, seed and intervals.
    """
    chosen = options or PairOptions()
    items = pair_items(scored)
    usable, left_out = split_usable(items)
    credit = half_credit(usable)
    rows = [
        score_row(
            "overall", "all", "accuracy", share_of(credit, usable, chosen, left_out), official=False
        )
    ]
    notes = list(_tie_note(credit))
    for column in chosen.slices:
        found, note = _slices(items, column, chosen)
        rows += found
        notes += note
    return BenchmarkResult(
        "Pairs",
        scores_table(rows),
        None,
        (),
        pair_table(usable),
        {},
        tuple(notes),
        left_out,
    )


def pair_items(scored: pd.DataFrame) -> list[Item]:
    """The items of a scored table of pairs; those without one response a side get a reason."""
    return [
        item
        if len(item.chosen) == 1 and len(item.rejected) == 1
        else with_reason(item, "not one chosen and one rejected response")
        for item in collect_items(scored)
    ]


def margins(items: Sequence[Item]) -> FloatArray:
    """(n,) reward(chosen) - reward(rejected) of pairs."""
    return np.array([item.chosen[0] - item.rejected[0] for item in items], dtype=np.float64)


def half_credit(items: Sequence[Item]) -> FloatArray:
    """(n,) 1 where the chosen response has the higher reward, 0.5 where they tie, else 0."""
    return np.asarray((np.sign(margins(items)) + 1) / 2)


def strict_credit(items: Sequence[Item]) -> FloatArray:
    """(n,) 1 where the chosen response has the higher reward, else 0: a tie is lost."""
    return (margins(items) > 0).astype(np.float64)


def pair_table(items: Sequence[Item]) -> pd.DataFrame:
    """One row a pair: item_id, prompt_id, subset, reward_chosen, reward_rejected, margin."""
    return pd.DataFrame(
        {
            "item_id": [item.item_id for item in items],
            "prompt_id": [item.prompt_id for item in items],
            "subset": [item.subset for item in items],
            "reward_chosen": [float(item.chosen[0]) for item in items],
            "reward_rejected": [float(item.rejected[0]) for item in items],
            "margin": margins(items),
        }
    )


def _tie_note(credit: FloatArray) -> tuple[str, ...]:
    n_ties = int((credit == 0.5).sum())
    return (
        (f"{n_ties:,} of {len(credit):,} pairs are ties; a tie counts as half.",) if n_ties else ()
    )


def _slices(
    items: Sequence[Item], column: str, options: PairOptions
) -> tuple[list[dict[str, Any]], list[str]]:
    if not any(column in item.row for item in items):
        return [], [f"There is no column {column} to slice by."]
    names = [_slice_name(item.row.get(column)) for item in items]
    counts = Counter(names)
    if len(counts) > options.max_slices:
        return [], [f"Column {column} has {len(counts):,} values: too many for slices."]
    rows = []
    for name in counts:
        part = [item for item, found in zip(items, names, strict=True) if found == name]
        usable, left_out = split_usable(part)
        estimate = share_of(half_credit(usable), usable, options, left_out)
        rows.append(score_row("slice", f"{column} = {name}", "accuracy", estimate, official=False))
    return rows, []


def _slice_name(cell: Any) -> str:
    if cell is None or (isinstance(cell, float) and np.isnan(cell)) or cell is pd.NA:
        return NO_VALUE
    return str(cell)
