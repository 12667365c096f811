"""The lines of Python that give the page's numbers again."""

from app_pages.common.task_order.setup import COLLECTION, RECORDED, TABLE, UPLOAD, Setup
from core.labs.task_order.orders import OrderRanking


def as_python(setup: Setup, ranking: OrderRanking) -> str:
    """A script with the same scores, changes and choices.

    Args:
        setup: the choices above the tabs.
        ranking: for the names of the orders.
    """
    parts = [
        "import numpy as np",
        "",
        "from core.labs.task_order import comparison, evaluations, measured, orders, survival",
        "from core.labs.task_order.transfer import Departure, Transfer",
    ]
    if setup.source == RECORDED:
        parts += [
            "from core.rollouts.recorded import read_table",
            "",
            f"scores = evaluations.read_evaluations(read_table({COLLECTION!r}, {TABLE!r}))",
        ]
    elif setup.source == UPLOAD:
        parts += [
            "import pandas as pd",
            "",
            'scores = evaluations.read_evaluations(pd.read_csv("scores.csv"))  # your table',
        ]
    measured = setup.evaluations is not None and not setup.edited
    parts += ["", *([_measured(setup)] if measured else _typed(setup))]
    parts += [
        f"ranking = orders.rank_orders(transfer, scale={setup.scale!r})",
        "print(ranking.table)",
        f'print("greedy:", ranking.named(ranking.greedy))  # {ranking.named(ranking.greedy)}',
        "broken = Departure(interaction=0.5, saturation=0.8)",
        f"print(orders.rank_orders(transfer, scale={setup.scale!r}, departure=broken).table)",
    ]
    if setup.evaluations is not None and setup.evaluations.has_items:
        parts += [
            f"draws = survival.drawn_transfer(scores, {setup.stages!r}, seed=0)",
            "print(survival.survival(ranking, draws).best_stays)",
        ]
    if setup.evaluations is not None and len(setup.evaluations.full_orders) > 2:
        parts += [
            f"seen = comparison.compare(scores, stages={setup.stages!r}, scale={setup.scale!r})",
            "print(seen.agreements)",
        ]
    return "\n".join(parts)


def _measured(setup: Setup) -> str:
    return f"transfer = measured.transfer_of(scores, {setup.stages!r})"


def _typed(setup: Setup) -> list[str]:
    transfer = setup.transfer
    effects = [[round(float(cell), 6) for cell in row] for row in transfer.effects]
    for at, row in enumerate(effects):
        row[at] = 0.0  # a task's own cell is not used, and may be empty
    return [
        "transfer = Transfer(",
        f"    {transfer.tasks!r},",
        f"    np.array({[round(float(value), 6) for value in transfer.before]}),",
        f"    np.array({[round(float(value), 6) for value in transfer.saturated]}),",
        f"    np.array({effects}),",
        f"    {transfer.bounds!r},",
        ")",
    ]
