"""Does style beat substance? Chosen against rejected responses in every combination of styles.

Each item has k chosen and k rejected responses, the same k styles in the same order, from the
plainest to the most decorated. The matrix says how often a chosen response in the row's style beats
the rejected one in the column's style.

Source: Liu et al. 2024 (RM-Bench, arXiv 2410.16184), section 3 and the function `compute_accuracy`
of the authors' repository THU-KEG/RM-Bench (README.md): a win is strictly higher; hard is the mean
of the cells above the diagonal, normal of the diagonal, easy of those below it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.benchmarks.candidates import Item, collect_items, plan_candidates
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

STYLES = ("concise", "detailed", "markdown")
"""RM-Bench's styles, in the order of its lists."""

LEVELS = ("easy", "normal", "hard")
METRICS = (*LEVELS, "average")


@dataclass(frozen=True)
class StyleMatrixOptions(BenchmarkOptions):
    """How the matrix is made.

    Attributes:
        styles: names of the styles, in the order of the responses, plainest first.
    """

    styles: tuple[str, ...] = STYLES


@dataclass(frozen=True)
class StyleWins:
    """Who beats whom in each item.

    Attributes:
        items: the usable items.
        wins: (n, k, k) 1 where the chosen response in the row's style has the higher reward.
        ties: (n, k, k) 1 where the rewards are equal; authors count these as lost.
    """

    items: list[Item]
    wins: FloatArray
    ties: FloatArray

    def values(self, metric: str) -> FloatArray:
        """(n,) each item's share of wins in the cells of easy, normal, hard or average.

        "average" is the mean of the three levels, as the authors take it; for three styles that is
        the mean of all nine cells.
        """
        if metric == "average":
            return np.asarray(np.mean([self.values(level) for level in LEVELS], axis=0))
        k = self.wins.shape[1]
        cells = {
            "hard": np.triu_indices(k, 1),
            "normal": np.diag_indices(k),
            "easy": np.tril_indices(k, -1),
        }[metric]
        return np.asarray(self.wins[:, cells[0], cells[1]].mean(axis=1))

    def part(self, keep: Sequence[bool]) -> "StyleWins":
        """The items for which `keep` is true."""
        mask = np.array(keep, dtype=bool)
        items = [item for item, kept in zip(self.items, keep, strict=True) if kept]
        return StyleWins(items, self.wins[mask], self.ties[mask])


def plan(table: pd.DataFrame, options: StyleMatrixOptions | None = None) -> Plan:
    """Every response of a candidates table; sides chosen and rejected, places in style order."""
    del options
    return plan_candidates(table)


def run(scored: pd.DataFrame, options: StyleMatrixOptions | None = None) -> BenchmarkResult:
    """The matrix of the user's own texts, overall and by subset.

    Args:
        scored: a plan of this lab with rewards.
        options: styles, seed and intervals.
    """
    chosen = options or StyleMatrixOptions()
    wins, left_out = style_wins(scored, chosen.styles)
    rows = []
    matrices = [matrix_table(wins, "all", chosen)]
    for metric in METRICS:
        estimate = share_of(wins.values(metric), wins.items, chosen, left_out)
        rows.append(score_row("overall", "all", metric, estimate, official=False))
    subsets = list(dict.fromkeys(item.subset for item in wins.items))
    for subset in subsets if len(subsets) > 1 else []:
        part = wins.part([item.subset == subset for item in wins.items])
        matrices.append(matrix_table(part, subset, chosen))
        for metric in METRICS:
            estimate = share_of(part.values(metric), part.items, chosen)
            rows.append(score_row("subset", subset, metric, estimate, official=False))
    return BenchmarkResult(
        "Style matrix",
        scores_table(rows),
        None,
        (),
        items_table(wins),
        {"matrix": pd.concat(matrices, ignore_index=True)},
        tie_notes(wins),
        left_out,
    )


def style_wins(scored: pd.DataFrame, styles: Sequence[str]) -> tuple[StyleWins, dict[str, int]]:
    """Compares every chosen with every rejected response of each item.

    Items without one response in each style on both sides are left out and counted.
    """
    k = len(styles)
    expected = f"not {k} chosen and {k} rejected responses"
    items = [
        item if len(item.chosen) == k and len(item.rejected) == k else with_reason(item, expected)
        for item in collect_items(scored)
    ]
    usable, left_out = split_usable(items)
    chosen = np.array([item.chosen for item in usable]).reshape(len(usable), k, 1)
    rejected = np.array([item.rejected for item in usable]).reshape(len(usable), 1, k)
    wins = StyleWins(
        usable, (chosen > rejected).astype(np.float64), (chosen == rejected).astype(np.float64)
    )
    return wins, left_out


def matrix_table(wins: StyleWins, domain: str, options: StyleMatrixOptions) -> pd.DataFrame:
    """One row a cell: domain, both styles, value, low, high, n, n_prompts and the share of ties."""
    rows = []
    for i, chosen_style in enumerate(options.styles):
        for j, rejected_style in enumerate(options.styles):
            estimate = share_of(wins.wins[:, i, j], wins.items, options)
            ties = float(wins.ties[:, i, j].mean()) if wins.items else float("nan")
            rows.append(
                {
                    "domain": domain,
                    "chosen_style": chosen_style,
                    "rejected_style": rejected_style,
                    "value": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "n": estimate.n,
                    "n_prompts": estimate.n_prompts,
                    "ties": ties,
                }
            )
    return pd.DataFrame(rows)


def items_table(wins: StyleWins) -> pd.DataFrame:
    """One row an item: its ids, subset and share of wins in each level."""
    columns: dict[str, object] = {
        "item_id": [item.item_id for item in wins.items],
        "prompt_id": [item.prompt_id for item in wins.items],
        "subset": [item.subset for item in wins.items],
    }
    return pd.DataFrame(columns | {metric: wins.values(metric) for metric in METRICS})


def tie_notes(wins: StyleWins) -> tuple[str, ...]:
    """How many comparisons are ties, which count as lost."""
    n_ties, n = int(wins.ties.sum()), wins.ties.size
    if not n_ties:
        return ()
    return (f"{n_ties:,} of {n:,} comparisons are ties; as with the authors, a tie is not a win.",)


def styles_of(scored: pd.DataFrame) -> tuple[str, ...]:
    """Names for the styles of a table: RM-Bench's for three, else numbered."""
    k = int(scored["place"].max()) + 1 if len(scored) else len(STYLES)
    return STYLES if k == len(STYLES) else tuple(f"style {place + 1}" for place in range(k))


def count_by_subset(items: Sequence[Item]) -> dict[str, int]:
    """How many items each subset has."""
    return dict(Counter(item.subset for item in items))
