"""Does the ranking of the orders survive another sample of test problems?

Each draw predicts all orders anew. Counted is how often the order that is best on all problems
stays best, and between which ranks each order moves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.task_order.evaluations import Evaluations
from core.labs.task_order.measured import (
    Resampled,
    Stages,
    drawn_stage_means,
    seed_estimates,
    seed_weights,
)
from core.labs.task_order.orders import MOST_EXACT, OrderRanking
from core.labs.task_order.transfer import Draws, IntArray, walk
from core.stats import FloatArray

_MOST_CELLS = 4_000_000
_TIE = 1e-9


@dataclass(frozen=True)
class Survival:
    """How firm a ranking is.

    Attributes:
        table: one row an order, as in the ranking: `order`, `objective`, `low`, `high`, `rank`,
            `rank_low`, `rank_high`, `share_best` (share of draws in which it is the best, shared
            evenly among ties).
        best_stays: share of draws in which the best order stays best (ties shared).
        best_beats_worst: share of draws in which it ends above the worst one, ties half.
        n_draws: draws that count.
        left_out: draws that do not, by reason.
        confidence: coverage of the intervals.
        n_problems: smallest number of problems of a task; 0 where noise was typed in.
        method: how the draws were made.
        n_orders: orders that were compared.
    """

    table: pd.DataFrame
    best_stays: float
    best_beats_worst: float
    n_draws: int
    left_out: dict[str, int]
    confidence: float
    n_problems: int
    method: str
    n_orders: int


def drawn_transfer(
    evaluations: Evaluations,
    stages: Stages = "first",
    *,
    n_draws: int = 1_000,
    seed: int = 0,
    resampled: Resampled = "items",
    seeds: Sequence[str] | None = None,
) -> Draws:
    """The measured matrix under resampling.

    Args:
        evaluations: the scores.
        stages: which stages feed the matrix.
        n_draws: how many draws.
        seed: of the resampling.
        resampled: problems, or problems and seeds.
        seeds: only these runs' seeds; all where it is None.

    Raises:
        TableError: where there are no several problems a task.
    """
    rng = np.random.default_rng(seed)
    means = drawn_stage_means(evaluations, n_draws=n_draws, rng=rng, resampled=resampled)
    found = seed_estimates(evaluations, means, stages)
    return found.averaged(means.seed_weights * seed_weights(evaluations, seeds))


def survival(
    ranking: OrderRanking,
    draws: Draws,
    *,
    confidence: float = 0.95,
    n_problems: int = 0,
    method: str = "",
) -> Survival:
    """Predicts the orders of a ranking in every draw.

    The weights that bring tasks to one scale stay those of the ranking: they are part of the
    question. Beyond eight tasks only the orders that the search found are compared.

    Args:
        ranking: on all problems.
        draws: of the same tasks.
        confidence: coverage of the intervals.
        n_problems: for the record.
        method: for the record.
    """
    usable = draws.complete
    kept = Draws(draws.before[usable], draws.saturated[usable], draws.effects[usable])
    left_out = {"draws without a number for every task": int((~usable).sum())}
    values = _objectives(ranking, kept)
    n_draws, n_orders = values.shape
    table = ranking.table[["order", "objective", "rank"]].copy()
    if not n_draws:
        nothing = dict.fromkeys(("low", "high", "rank_low", "rank_high", "share_best"), np.nan)
        table = table.assign(**nothing)
        stays = beats = float("nan")
    else:
        tails = [(1 - confidence) / 2, (1 + confidence) / 2]
        low, high = np.quantile(values, tails, axis=0)
        ranks = _ranks(values)
        rank_low, rank_high = np.quantile(ranks, tails, axis=0, method="inverted_cdf")
        shares = _best_shares(values)
        stays = float(shares[0])
        ahead = values[:, 0] - values[:, -1]
        beats = float(np.where(np.abs(ahead) <= _TIE, 0.5, ahead > 0).mean())
        table = table.assign(
            low=low, high=high, rank_low=rank_low, rank_high=rank_high, share_best=shares
        )
    return Survival(
        table=table,
        best_stays=stays,
        best_beats_worst=beats,
        n_draws=n_draws,
        left_out={reason: n for reason, n in left_out.items() if n},
        confidence=confidence,
        n_problems=n_problems,
        method=method,
        n_orders=n_orders,
    )


def _objectives(ranking: OrderRanking, draws: Draws) -> FloatArray:
    """(D, O) objective of every order in every draw, in parts that fit into memory."""
    parts = [
        ranking.objective.of(
            walk(part, ranking.orders, ranking.transfer.bounds, ranking.departure).scores[:, :, -1]
        )
        for part in _parts(draws, ranking.orders)
    ]
    return np.concatenate(parts) if parts else np.empty((0, len(ranking.orders)))


def _parts(draws: Draws, orders: IntArray) -> Iterator[Draws]:
    k = orders.shape[1]
    step = max(1, _MOST_CELLS // (len(orders) * (k + 1) * k))
    for start in range(0, len(draws), step):
        part = slice(start, start + step)
        yield Draws(draws.before[part], draws.saturated[part], draws.effects[part])


def _ranks(values: FloatArray) -> IntArray:
    """(D, O) rank of each order in each draw, 1 is best; ties share the lower number."""
    rounded = -np.round(values, 9)
    ordered = np.sort(rounded, axis=1)
    return np.stack(
        [np.searchsorted(row, own) + 1 for row, own in zip(ordered, rounded, strict=True)]
    )


def _best_shares(values: FloatArray) -> FloatArray:
    """(O,) how often each order is best; equal ones share a draw."""
    best = values >= values.max(axis=1, keepdims=True) - _TIE
    return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def affordable_draws(n_tasks: int, wanted: int = 1_000) -> int:
    """Fewer draws where there are many orders, so that a page need not wait long."""
    if n_tasks <= MOST_EXACT - 2:
        return wanted
    return min(wanted, {7: 400, 8: 60}.get(n_tasks, wanted))
