"""All results of the lab as tables: what is exported, saved, and drawn again in a report."""

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from core.labs.diversity import calibrated
from core.labs.diversity.frontier import Frontier
from core.labs.diversity.groups import DarlingResult


def to_tables(
    darling: DarlingResult | None = None,
    frontier: Frontier | None = None,
    points: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Every table that has rows, by name.

    Returns:
        Of `responses`, `groups`, `traps`, `frontier`, `frontier_differences`, `frontier_groups`,
        `map`, `left_out` those that were made, and always `calibration` (the recorded one).
    """
    tables: dict[str, pd.DataFrame] = {}
    reasons: list[dict[str, object]] = []
    if darling is not None:
        tables |= {"responses": darling.responses, "groups": darling.groups}
        tables["traps"] = pd.DataFrame(
            [
                {"trap": trap, "groups": n, "of": len(darling.groups)}
                for trap, n in darling.traps.items()
            ]
        )
        reasons += _reasons("reward", darling.left_out)
    if frontier is not None:
        tables |= {
            "frontier": frontier.points,
            "frontier_differences": frontier.differences,
            "frontier_groups": frontier.groups,
        }
        reasons += _reasons("frontier", frontier.left_out)
    if points is not None:
        tables["map"] = points
    tables["left_out"] = pd.DataFrame(reasons, columns=["part", "reason", "count"])
    tables["calibration"] = recorded_calibration()
    return {name: table for name, table in tables.items() if len(table)}


def recorded_calibration() -> pd.DataFrame:
    """The recorded calibration, one row a method, the best first."""
    return pd.DataFrame([asdict(each) for each in calibrated.RECORDED])


def _reasons(part: str, left_out: Mapping[str, int]) -> list[dict[str, object]]:
    return [{"part": part, "reason": why, "count": n} for why, n in left_out.items()]
