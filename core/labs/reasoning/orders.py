"""What showing the candidates in the other order does: flips, position bias, consistency."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.reasoning.judgements import LETTERS, TIE, Judgements
from core.stats import Estimate, clustered_mean, clustered_share

OUTCOMES = ("A", "B", TIE, "unread")
"""Of a judgement of a pair, by the candidates' own letters."""


@dataclass(frozen=True)
class OrderSwaps:
    """Judgements of pairs in both orders.

    Each judgement in one order is held against each in the other order of the same item: all
    draws are independent given the item, so no pairing is better than another, and this is the
    mean over all.

    Attributes:
        matrix: columns own, swapped, share: how often the outcome in the own order (rows) meets
            the outcome in the swapped order (columns), as a mean over items.
        flip_rate: share of read verdicts for a candidate that name the other one in the other
            order; None of the two may be a tie or unread.
        consistency: same winner in both orders, of all meetings.
        bias: chance that the candidate shown first wins, minus one half; of judgements that name a
            winner.
        accuracy: chance that one judgement is right, over both orders.
        accuracy_own: in the own order.
        accuracy_swapped: in the swapped order.
        both: right in both orders (position-consistent accuracy).
        both_named: right in both orders, of meetings of two verdicts that name a winner.
        independent: what `both` would be if the orders were independent over all items: the
            product of the two accuracies.
        items: one row an item: item_id, subset, n_own, n_swapped, right_own, right_swapped, both,
            flips, first (share of winners shown first).
        left_out: items that cannot be used, by reason.
    """

    matrix: pd.DataFrame
    flip_rate: Estimate
    consistency: Estimate
    bias: Estimate
    accuracy: Estimate
    accuracy_own: Estimate
    accuracy_swapped: Estimate
    both: Estimate
    both_named: Estimate
    independent: float
    items: pd.DataFrame
    left_out: Mapping[str, int]

    def estimates(self) -> dict[str, Estimate]:
        """The aggregates by what they are."""
        return {
            "Flip rate": self.flip_rate,
            "Position bias (first wins, minus one half)": self.bias,
            "Same winner in both orders": self.consistency,
            "One judgement right (a tie or an unread one is not)": self.accuracy,
            "Accuracy, own order": self.accuracy_own,
            "Accuracy, swapped order": self.accuracy_swapped,
            "Right in both orders": self.both,
            "Right in both orders, where both name a winner": self.both_named,
        }


def order_swaps(
    judgements: Judgements, *, seed: int = 0, confidence: float = 0.95, n_resamples: int = 2_000
) -> OrderSwaps:
    """Compares the two orders of pairs.

    Accuracies need a known winner; items without one count in the matrix, the flips and the bias.
    A tie or an unread verdict is not right in any order.

    Source: position-consistent accuracy is J1's (arXiv 2505.10320); the flip rate and the bias are
    our reading of methods papers.
    """
    left_out: Counter[str] = Counter()
    rows = []
    sums = np.zeros((len(OUTCOMES), len(OUTCOMES)))
    table = judgements.table
    for item in judgements.items.to_dict("records"):
        if int(item["n_candidates"]) != 2:
            left_out["items that are not pairs"] += 1
            continue
        mine = table.loc[table["item_id"] == item["item_id"]]
        own, swapped = (_shares(mine.loc[mine["order"] == order]) for order in ("AB", "BA"))
        if own is None or swapped is None:
            left_out["items judged in one order only"] += 1
            continue
        grid = np.outer(own[0], swapped[0])
        sums += grid
        rows.append(_item_row(item, own, swapped, grid))
    found = pd.DataFrame(rows, columns=list(_ITEM_COLUMNS))
    return _summed(found, sums, left_out, seed, confidence, n_resamples)


_ITEM_COLUMNS = (
    "item_id", "subset", "n_own", "n_swapped", "right_own", "right_swapped", "both", "same",
    "flips", "named_both", "first", "first_n",
)  # fmt: skip


def _shares(rows: pd.DataFrame) -> tuple[np.ndarray, int] | None:
    """Shares of the outcomes and the number of judgements; None for none."""
    if rows.empty:
        return None
    named = [verdict if isinstance(verdict, str) else "unread" for verdict in rows["verdict"]]
    counts = np.array([named.count(outcome) for outcome in OUTCOMES], dtype=np.float64)
    return counts / counts.sum(), len(rows)


def _item_row(
    item: Mapping[object, object],
    own: tuple[np.ndarray, int],
    swapped: tuple[np.ndarray, int],
    grid: np.ndarray,
) -> dict[str, object]:
    best = item["best"] if isinstance(item["best"], str) else None
    at = LETTERS.index(best) if best is not None else -1
    nan = float("nan")
    named = own[0][:2].sum() * own[1] + swapped[0][:2].sum() * swapped[1]
    # A stands first in the own order, B in the swapped one.
    first = own[0][0] * own[1] + swapped[0][1] * swapped[1]
    return {
        "item_id": item["item_id"],
        "subset": item["subset"],
        "n_own": own[1],
        "n_swapped": swapped[1],
        "right_own": own[0][at] if at >= 0 else nan,
        "right_swapped": swapped[0][at] if at >= 0 else nan,
        "both": grid[at, at] if at >= 0 else nan,
        "same": grid[0, 0] + grid[1, 1],
        "flips": grid[0, 1] + grid[1, 0],
        "named_both": grid[:2, :2].sum(),
        "first": first / named if named else nan,
        "first_n": named,
    }


def _summed(
    items: pd.DataFrame,
    sums: np.ndarray,
    left_out: Counter[str],
    seed: int,
    confidence: float,
    n_resamples: int,
) -> OrderSwaps:
    def share(values: pd.Series) -> Estimate:
        kept = values.to_numpy(dtype=np.float64)
        there = np.isfinite(kept)
        missing = {"items without a value": int((~there).sum())} if (~there).any() else {}
        ids = [name for name, keep in zip(items["item_id"], there, strict=True) if keep]
        return clustered_share(
            np.clip(kept[there], 0.0, 1.0), ids, rng=np.random.default_rng(seed),
            confidence=confidence, n_resamples=n_resamples, left_out=missing,
        )  # fmt: skip

    named_both = items["named_both"].where(items["named_both"] > 0)
    flips = items["flips"] / named_both
    bias = clustered_mean(
        items["first"].to_numpy(dtype=np.float64) - 0.5, list(items["item_id"]),
        rng=np.random.default_rng(seed), confidence=confidence, n_resamples=n_resamples,
    )  # fmt: skip
    own, swapped = share(items["right_own"]), share(items["right_swapped"])
    n = max(1, len(items))
    matrix = pd.DataFrame(
        [
            {"own": mine, "swapped": other, "share": float(sums[i, j]) / n}
            for i, mine in enumerate(OUTCOMES)
            for j, other in enumerate(OUTCOMES)
        ]
    )
    return OrderSwaps(
        matrix=matrix,
        flip_rate=share(flips),
        consistency=share(items["same"]),
        bias=bias,
        accuracy=share((items["right_own"] + items["right_swapped"]) / 2),
        accuracy_own=own,
        accuracy_swapped=swapped,
        both=share(items["both"]),
        both_named=share(items["both"] / named_both),
        independent=own.value * swapped.value,
        items=items.drop(columns=["named_both"]),
        left_out=dict(left_out),
    )


def position_shares(judgements: Judgements) -> pd.DataFrame:
    """How often each place wins, over all orders: for lists of candidates and for pairs.

    Columns: n_candidates (that were shown), position (1 is shown first), wins, n, share, even
    (1 / n_candidates).
    """
    wins: Counter[tuple[int, int]] = Counter()
    shown: Counter[int] = Counter()
    shown_orders = judgements.table[["order", "verdict"]]
    for order, verdict in shown_orders.itertuples(index=False, name=None):
        size = len(order)
        if not isinstance(verdict, str) or verdict == TIE or size < 2:
            continue
        shown[size] += 1
        wins[size, order.index(verdict)] += 1
    rows = [
        {
            "n_candidates": size,
            "position": at + 1,
            "wins": wins[size, at],
            "n": shown[size],
            "share": wins[size, at] / shown[size],
            "even": 1 / size,
        }
        for size in sorted(shown)
        for at in range(size)
    ]
    return pd.DataFrame(rows, columns=["n_candidates", "position", "wins", "n", "share", "even"])
