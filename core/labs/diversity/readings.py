"""What results show, each in a sentence or two made from their numbers."""

from typing import Any

import numpy as np

from core.labs.diversity.frontier import MEASURES, Frontier
from core.labs.diversity.groups import DarlingResult
from core.stats import Estimate


def frontier_reading(found: Frontier, measure: str = "distinct_at_k") -> str:
    """What happens to quality and diversity from the first level to the last."""
    if not len(found.differences):
        return "There is one level only, so nothing can be compared."
    last = found.differences["level"].iloc[-1]
    first = found.points["level"].iloc[0]
    rows = found.differences.loc[found.differences["level"] == last].set_index("measure")
    quality, diversity = rows.loc["quality"], rows.loc[measure]
    named = MEASURES[measure].replace("among k", f"among {found.k}")
    told = (
        f"From {found.by} {_level(first)} to {_level(last)}, on the same "
        f"{int(quality['n_prompts'])} problems, mean reward {_moves(quality)} and {named} "
        f"{_moves(diversity)}."
    )
    if measure == "distinct_at_k" and found.dominated:
        levels = ", ".join(_level(level) for level in found.dominated)
        told += f" By the means {levels} buys nothing: another point has no less of either."
    elif measure == "distinct_at_k":
        told += " By the means every point buys one with the other."
    return told


def darling_reading(found: DarlingResult) -> str:
    """How much of the order by quality the reward keeps."""
    if not found.estimates:
        return "No group has two responses with a reward."
    turned = found.estimates["pairs whose order turns round"]
    best = found.estimates["groups whose best response changes"]
    classes = found.estimates["classes in a group"]
    smallest, largest = found.groups["n"].min(), found.groups["n"].max()
    size = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
    return (
        f"A group of {size} holds {_with_interval(classes)} classes on average. The reward turns "
        f"round {_with_interval(turned, percent=True)} of the pairs of different quality, and in "
        f"{_with_interval(best, percent=True)} of the groups the best response by quality is no "
        "longer the best paid."
    )


def _moves(row: Any) -> str:
    value, low, high = float(row["value"]), float(row["low"]), float(row["high"])
    if not np.isfinite(low):
        return f"changes by {value:+.2f} (one problem, so no interval)"
    interval = f"({value:+.2f}, 95% interval {low:+.2f} to {high:+.2f})"
    if low > 0:
        return f"rises {interval}"
    if high < 0:
        return f"falls {interval}"
    return f"may not move at all {interval}"


def _level(level: Any) -> str:
    return f"{level:g}" if isinstance(level, int | float) else str(level)


def _with_interval(found: Estimate, *, percent: bool = False) -> str:
    if not np.isfinite(found.low):
        return f"{found.value:.0%}" if percent else f"{found.value:.2f}"
    if percent:
        return f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%})"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
