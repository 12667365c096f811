"""Dots with intervals, and an estimate in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.labs.compare.tidy import estimate_columns
from core.stats import Estimate


def in_words(row: Mapping[str, Any], *, break_with: str = ", ") -> str:
    """Value, interval and n of a row with the estimate's columns."""
    value = "no value" if np.isnan(row["value"]) else f"{row['value']:.3f}"
    ends = row["low"], row["high"]
    interval = "no interval" if np.isnan(ends).any() else f"{ends[0]:.3f} to {ends[1]:.3f}"
    n = f"n = {row['n']:,}"
    if row["n_prompts"] != row["n"]:
        n += f" of {row['n_prompts']:,} prompts"
    return break_with.join([value, interval, n])


def add_intervals(
    figure: go.Figure,
    estimates: Sequence[Estimate | Mapping[str, Any]],
    places: Sequence[float],
    colour: str,
    *,
    name: str = "",
    notes: Sequence[str] = (),
    hollow: Sequence[bool] = (),
) -> None:
    """Adds horizontal dots with their intervals; an estimate without a value leaves a gap.

    Args:
        figure: what to add to.
        estimates: as estimates or as rows with an estimate's columns.
        places: the height of each on the y axis.
        colour: of dots and lines.
        name: of the series in the legend, escaped.
        notes: more to say of each on hovering; shown as they are, so escape users' texts.
        hollow: which dots stand on too little to be judged.
    """
    rows = [estimate_columns(e) if isinstance(e, Estimate) else e for e in estimates]
    values = np.array([row["value"] for row in rows], dtype=np.float64)
    low, high = (np.array([row[end] for row in rows], dtype=np.float64) for end in ("low", "high"))
    open_dots = list(hollow) or [False] * len(rows)
    extra = list(notes) or [""] * len(rows)
    figure.add_scatter(
        x=values,
        y=list(places),
        mode="markers",
        name=name,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": np.nan_to_num(high - values),
            "arrayminus": np.nan_to_num(values - low),
            "color": colour,
            "thickness": 1.5,
        },
        marker={
            "color": colour,
            "size": 9,
            "symbol": ["circle-open" if is_open else "circle" for is_open in open_dots],
        },
        customdata=[
            "<br>".join(part for part in (name, in_words(row), note) if part)
            for row, note in zip(rows, extra, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
