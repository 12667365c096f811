"""What was found as tables: enough, with its estimates, to draw a report of a saved run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from core.labs.reasoning.adaptive import AdaptiveCurves
from core.labs.reasoning.ballots import Ballots
from core.labs.reasoning.brackets import Method
from core.labs.reasoning.budget import ScalarAgainst
from core.labs.reasoning.curves import Dependence, VotingCurves
from core.labs.reasoning.orders import OrderSwaps
from core.stats import Estimate


@dataclass(frozen=True)
class Findings:
    """All that a visitor looked at.

    Attributes:
        ballots: the votes.
        curves: accuracy by k.
        dependence: how alike judgements of one item are.
        votes: of each item.
        swaps: both orders, None where there is one only.
        adaptive: stopping early.
        budget: accuracy by tokens.
        against: a scalar model on the same items.
        methods: ways of finding the best of several.
        left_out: rows that could not be read, by reason.
    """

    ballots: Ballots
    curves: VotingCurves
    dependence: Dependence
    votes: pd.DataFrame
    swaps: OrderSwaps | None = None
    adaptive: AdaptiveCurves | None = None
    budget: pd.DataFrame | None = None
    against: ScalarAgainst | None = None
    methods: tuple[Method, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def to_tables(found: Findings) -> dict[str, pd.DataFrame]:
    """The tables by name; those of parts that were not looked at are left out."""
    tables = {
        "curves": found.curves.table,
        "reference": found.dependence.reference,
        "effective": found.dependence.effective,
        "votes": found.votes,
    }
    if found.swaps is not None and len(found.swaps.items):
        tables["orders"] = found.swaps.matrix
        tables["order_items"] = found.swaps.items
    if found.adaptive is not None and len(found.adaptive.table):
        tables["adaptive"] = found.adaptive.table
    if found.budget is not None and len(found.budget):
        tables["budget"] = found.budget
    if found.against is not None:
        tables["against"] = found.against.table
    if found.methods:
        tables["tournaments"] = methods_table(found.methods)
    left_out = _left_out(found)
    if len(left_out):
        tables["left_out"] = left_out
    return tables


def estimates_of(found: Findings) -> dict[str, Estimate]:
    """The aggregates by what they are."""
    told = {
        "Accuracy of one judgement": found.dependence.single,
        "Correlation of judgements of one item": found.dependence.correlation,
        "Items where the right one leads": found.dependence.ceiling,
        "Items where the wrong one leads": found.dependence.below_half,
    }
    for aggregation, gain in found.curves.gain.items():
        told[f"Gain of {found.curves.ks[-1]} over 1, {aggregation}"] = gain
    if found.swaps is not None and len(found.swaps.items):
        told |= found.swaps.estimates()
    if found.against is not None:
        told |= {
            "Scalar model": found.against.scalar,
            "Judge, same items": found.against.judge,
            "Judge minus scalar model": found.against.difference,
        }
    return told


def methods_table(methods: tuple[Method, ...]) -> pd.DataFrame:
    """One row a way of finding the best: method, comparisons, found, error."""
    return pd.DataFrame(
        [
            {
                "method": each.name,
                "comparisons": each.comparisons,
                "found": each.found,
                "error": each.error,
            }
            for each in methods
        ]
    )


def _left_out(found: Findings) -> pd.DataFrame:
    parts = {
        "rows": found.left_out,
        "votes": found.ballots.left_out,
        "voting curves": found.curves.left_out,
        "orders": found.swaps.left_out if found.swaps else {},
        "adaptive": found.adaptive.left_out if found.adaptive else {},
        "scalar model": found.against.left_out if found.against else {},
    }
    rows = [
        {"part": part, "reason": reason, "n": n}
        for part, reasons in parts.items()
        for reason, n in reasons.items()
    ]
    unread, ties = found.ballots.n_unread, found.ballots.n_ties
    for reason, n in (("unread: vote for nobody", unread), ("ties: vote for nobody", ties)):
        if n:
            rows.append({"part": "votes", "reason": reason, "n": n})
    return pd.DataFrame(rows, columns=["part", "reason", "n"])
