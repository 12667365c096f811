"""What was found as tables that a saved run or a report keeps."""

from collections.abc import Mapping

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


def trap_table(trap: NoToolTrap) -> pd.DataFrame:
    """Meetings of right rollouts without and with tool calls."""
    named = {"lower penalty": trap.wins, "equal": trap.ties, "higher penalty": trap.losses}
    table = pd.DataFrame([_numbers(found) for found in named.values()])
    table.insert(0, "without a tool call", list(named))
    return table


def _numbers(estimate: Estimate) -> dict[str, float | int | str]:
    return {
        "value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n,
        "n_problems": estimate.n_prompts, "left_out": sum(estimate.left_out.values()),
        "method": estimate.method,
    }  # fmt: skip
