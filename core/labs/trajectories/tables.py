"""What was found as tables that a saved run or a report keeps."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.labs.trajectories.no_tool import NoToolTrap
from core.labs.trajectories.rates import ErrorRates
from core.labs.trajectories.updates import GroupUpdate, Weighing
from core.stats import Estimate


def to_tables(
    rates: ErrorRates | None,
    weighings: Mapping[str, Weighing],
    trap: NoToolTrap | None,
    update: GroupUpdate | None,
) -> dict[str, pd.DataFrame]:
    """One table a kind of finding; a part that was not computed has none."""
    tables: dict[str, pd.DataFrame] = {}
    if rates is not None:
        tables |= {"rates": rates.rates, "groups": rates.groups}
        if len(rates.lengths):
            tables["lengths"] = rates.lengths
    if weighings:
        tables["messy_weight"] = messy_table(weighings)
        tables["acceptance"] = pd.concat(
            [each.acceptance.assign(strategy=name) for name, each in weighings.items()],
            ignore_index=True,
        )
    if trap is not None:
        tables["no_tool"] = trap_table(trap)
    if update is not None:
        hidden = {"response", "prompt", "messages"}
        tables["group"] = update.rows[[c for c in update.rows.columns if c not in hidden]]
    left_out = dict(rates.left_out) if rates is not None else {}
    if left_out:
        tables["left_out"] = pd.DataFrame(left_out.items(), columns=["reason", "rollouts"])
    return tables


def messy_table(weighings: Mapping[str, Weighing]) -> pd.DataFrame:
    """Share of positive weight on right but messy rollouts: before, after and change."""
    rows = [
        {"strategy": name, "what": what}
        | _numbers(getattr(found, what))
        | {"groups": found.n_groups}
        for name, found in weighings.items()
        for what in ("before", "after", "change")
    ]
    return pd.DataFrame(rows)


def weighings_of(
    messy_weight: pd.DataFrame, acceptance: pd.DataFrame | None = None
) -> dict[str, Weighing]:
    """The way back from `messy_table`, by strategy, for drawing a saved result again.

    Args:
        messy_weight: of `messy_table`.
        acceptance: the table of that name of `to_tables`; without it no chances are drawn.
    """
    found = {}
    for strategy, rows in messy_weight.groupby("strategy", sort=False):
        by_what = {str(row["what"]): row for row in rows.to_dict("records")}
        before, after, change = (_estimate(by_what[what]) for what in ("before", "after", "change"))
        chances = pd.DataFrame() if acceptance is None else acceptance
        if len(chances):
            chances = chances.loc[chances["strategy"] == strategy].drop(columns="strategy")
        n_groups = int(by_what["before"]["groups"])
        found[str(strategy)] = Weighing(before, after, change, chances, {}, n_groups)
    return found


def trap_table(trap: NoToolTrap) -> pd.DataFrame:
    """Meetings of right rollouts without and with tool calls."""
    named = {"lower penalty": trap.wins, "equal": trap.ties, "higher penalty": trap.losses}
    table = pd.DataFrame([_numbers(found) for found in named.values()])
    table.insert(0, "without a tool call", list(named))
    return table


def _numbers(estimate: Estimate) -> dict[str, float | int | str]:
    return {
        "value": estimate.value, "low": estimate.low, "high": estimate.high,
        "confidence": estimate.confidence, "n": estimate.n, "n_problems": estimate.n_prompts,
        "left_out": sum(estimate.left_out.values()), "method": estimate.method,
    }  # fmt: skip


def _estimate(row: Mapping[Any, Any]) -> Estimate:
    left_out = {"left out": int(row["left_out"])} if row["left_out"] else {}
    return Estimate(
        float(row["value"]), float(row["low"]), float(row["high"]), float(row["confidence"]),
        int(row["n"]), int(row["n_problems"]), str(row["method"]), left_out,
    )  # fmt: skip
