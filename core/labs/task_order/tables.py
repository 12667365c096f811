"""What was found as tables: enough to draw the figures again from a saved run."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from core.labs.task_order.assumptions import AssumptionCheck
from core.labs.task_order.classic import ClassicResult
from core.labs.task_order.comparison import Comparison
from core.labs.task_order.entropy import EntropyTraces
from core.labs.task_order.orders import OrderRanking
from core.labs.task_order.survival import Survival
from core.labs.task_order.transfer import Transfer, predicted_path
from core.stats import FloatArray

MOST_ORDERS = 5_040
"""Rows of the table of orders that are kept: the best and the worst where there are more."""


@dataclass(frozen=True)
class Findings:
    """All that a visitor looked at.

    Attributes:
        ranking: the orders.
        chosen: the order whose path is shown.
        joint: (K,) scores of joint training, NaN where unknown; None for none.
        survival: how firm the ranking is.
        comparison: predicted against observed.
        assumptions: first stages against later ones.
        classic: continual-learning numbers.
        entropies: entropies by stage.
        left_out: rows that could not be read, by reason.
    """

    ranking: OrderRanking
    chosen: tuple[int, ...]
    joint: FloatArray | None = None
    survival: Survival | None = None
    comparison: Comparison | None = None
    assumptions: AssumptionCheck | None = None
    classic: ClassicResult | None = None
    entropies: EntropyTraces | None = None
    left_out: dict[str, int] = field(default_factory=dict)


def transfer_table(transfer: Transfer) -> pd.DataFrame:
    """One row a pair of tasks: `trained`, `task`, `effect` (of training one on the other)."""
    rows = [
        {"trained": trained, "task": task, "effect": float(transfer.effects[j, i])}
        for j, trained in enumerate(transfer.tasks)
        for i, task in enumerate(transfer.tasks)
        if i != j
    ]
    return pd.DataFrame(rows, columns=["trained", "task", "effect"])


def levels_table(transfer: Transfer) -> pd.DataFrame:
    """One row a task: `task`, `before`, `saturated`, `gain`, and mean `outgoing`, `incoming`."""
    return pd.DataFrame(
        {
            "task": list(transfer.tasks),
            "before": transfer.before,
            "saturated": transfer.saturated,
            "gain": transfer.saturated - transfer.before,
            "outgoing": transfer.outgoing(),
            "incoming": transfer.incoming(),
        }
    )


def path_table(ranking: OrderRanking, order: tuple[int, ...]) -> pd.DataFrame:
    """One row a stage and task: `stage`, `trained` ("" before any), `task`, `score`."""
    tasks = ranking.transfer.tasks
    path, _ = predicted_path(ranking.transfer, order, ranking.departure)
    rows = [
        {
            "stage": stage,
            "trained": tasks[order[stage - 1]] if stage else "",
            "task": task,
            "score": float(scores[at]),
        }
        for stage, scores in enumerate(path)
        for at, task in enumerate(tasks)
    ]
    return pd.DataFrame(rows)


def marks(ranking: OrderRanking, chosen: tuple[int, ...] | None = None) -> dict[str, str]:
    """What orders with a name are called, by order: best, worst, greedy, chosen."""
    named = {
        "best": ranking.best,
        "worst": ranking.worst,
        "paper's greedy rule": ranking.greedy,
        "most helpful last": ranking.from_the_end,
        "chosen": chosen,
    }
    found: dict[str, str] = {}
    for mark, order in named.items():
        if order is not None:
            name = ranking.named(order)
            found[name] = f"{found[name]}, {mark}" if name in found else mark
    return found


def orders_table(
    ranking: OrderRanking, survival: Survival | None = None, chosen: tuple[int, ...] | None = None
) -> pd.DataFrame:
    """The ranking with intervals where there are any, and `mark` for orders with a name."""
    table = ranking.table
    if survival is not None:
        extra = survival.table.drop(columns=["order", "objective", "rank"])
        table = pd.concat([table, extra], axis=1)
    named = marks(ranking, chosen)
    return table.assign(mark=table["order"].map(named).fillna(""))


def to_tables(found: Findings) -> dict[str, pd.DataFrame]:
    """The tables by name; those of parts that were not looked at are left out."""
    orders = orders_table(found.ranking, found.survival, found.chosen)
    if len(orders) > MOST_ORDERS:
        half = MOST_ORDERS // 2
        middle = orders.iloc[half:-half]
        orders = pd.concat(
            [orders.iloc[:half], middle.loc[middle["mark"] != ""], orders.iloc[-half:]]
        )
    tables = {
        "transfer": transfer_table(found.ranking.transfer),
        "levels": levels_table(found.ranking.transfer),
        "orders": orders,
        "path": path_table(found.ranking, found.chosen),
    }
    if found.joint is not None and np.isfinite(found.joint).any():
        tasks = list(found.ranking.transfer.tasks)
        tables["joint"] = pd.DataFrame({"task": tasks, "score": found.joint})
    if found.survival is not None:
        tables["survival"] = _survival_row(found.survival)
    if found.comparison is not None:
        tables["observed"] = found.comparison.table
        tables["agreement"] = agreement_table(found.comparison)
    if found.assumptions is not None:
        tables["assumptions"] = found.assumptions.table
    if found.classic is not None:
        tables["classic"] = found.classic.table()
    if found.entropies is not None:
        tables["entropies"] = found.entropies.table
        tables["entropy_changes"] = found.entropies.changes
    left_out = _left_out(found)
    if len(left_out):
        tables["left_out"] = left_out
    return tables


def agreement_table(comparison: Comparison) -> pd.DataFrame:
    """One row a seed and their mean, with the correlation, its interval and its p-value."""
    rows = [
        {
            "seed": seed,
            "correlation": each.correlation.value,
            "low": each.correlation.low,
            "high": each.correlation.high,
            "p_value": each.p_value,
            "p_method": each.p_method,
            "error": each.error.value,
            "error_low": each.error.low,
            "error_high": each.error.high,
            "best_found": each.best_found,
            "n_orders": each.n_orders,
            "n_problems": each.correlation.n_prompts,
            "method": each.correlation.method,
        }
        for seed, each in comparison.agreements.items()
    ]
    return pd.DataFrame(rows)


def _survival_row(survival: Survival) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "best_stays": survival.best_stays,
                "best_beats_worst": survival.best_beats_worst,
                "n_draws": survival.n_draws,
                "n_problems": survival.n_problems,
                "n_orders": survival.n_orders,
                "confidence": survival.confidence,
                "method": survival.method,
            }
        ]
    )


def _left_out(found: Findings) -> pd.DataFrame:
    parts = {
        "rows": found.left_out,
        "survival": found.survival.left_out if found.survival else {},
        "predicted against observed": found.comparison.left_out if found.comparison else {},
        "assumptions": found.assumptions.left_out if found.assumptions else {},
        "classic numbers": found.classic.left_out if found.classic else {},
        "entropies": found.entropies.left_out if found.entropies else {},
    }
    rows = [
        {"part": part, "reason": reason, "n": n}
        for part, reasons in parts.items()
        for reason, n in reasons.items()
    ]
    return pd.DataFrame(rows, columns=["part", "reason", "n"])
