"""Accuracies with their intervals: by model, by ensemble, by slice, and over training steps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.compare.intervals import add_intervals, in_words
from core.figures.style import BAND, LEGEND_BELOW, LINE, NEUTRAL, SERIES, frame, literal
from core.labs.compare.checkpoints import CHANGE, DRIFT, FLIPPED, MARGIN, NOISE, RunView
from core.labs.compare.ensembles import Ensembles
from core.labs.compare.slices import Slices
from core.labs.compare.tidy import records

_UNIT = "SD of the first checkpoint"
_UNITS = {MARGIN: _UNIT, DRIFT: _UNIT, CHANGE: _UNIT, NOISE: _UNIT, FLIPPED: "share of pairs"}
_ROW = 26
_LABEL_WIDTH = 34


def accuracy_ranges(overview: pd.DataFrame) -> go.Figure:
    """Accuracy of each model with its interval; half is chance."""
    rows = records(overview)
    labels = literal([str(row["model"]) for row in rows])
    notes = [f"{row['n_ties']:,} ties, each half" for row in rows]
    figure = _dots("accuracy", "share of pairs won", labels)
    add_intervals(figure, rows, list(range(len(rows))), LINE, notes=notes)
    return figure


def ensemble_ranges(result: Ensembles) -> go.Figure:
    """Accuracy of the models alone and of the ensembles, on the same pairs."""
    rows = records(result.accuracy)
    labels = literal(
        [_ensemble_name(row["name"], result.penalty) for row in rows], width=_LABEL_WIDTH
    )
    figure = _dots("one model or all of them", "share of pairs won", labels, legend=True)
    for kind, colour in (("model", NEUTRAL), ("ensemble", LINE)):
        places = [place for place, row in enumerate(rows) if row["kind"] == kind]
        part = [rows[place] for place in places]
        add_intervals(figure, part, places, colour, name=kind)
    return figure


def _ensemble_name(name: str, penalty: float) -> str:
    return name.replace("penalty", f"{penalty:g}") if name.startswith("mean - ") else name


def slice_ranges(result: Slices) -> go.Figure:
    """Accuracy of every model within each slice; hollow where there are too few prompts."""
    names = list(dict.fromkeys(result.accuracy["slice"]))
    title = f"accuracy by {result.column} (hollow: under {result.min_prompts} prompts)"
    return _sliced(result.accuracy, "model", names, title, "share of pairs won", 0.5)


def slice_difference_ranges(result: Slices) -> go.Figure:
    """Each candidate's paired difference to the baseline within each slice."""
    names = list(dict.fromkeys(result.accuracy["slice"]))
    baseline = str(result.differences["baseline"].iloc[0]) if len(result.differences) else ""
    title = f"difference in accuracy to {baseline} by {result.column}"
    return _sliced(result.differences, "candidate", names, title, "candidate - baseline", 0.0)


def _sliced(
    table: pd.DataFrame,
    by: str,
    names: Sequence[str],
    title: str,
    x_title: str,
    at: float,
) -> go.Figure:
    figure = _dots(title, x_title, literal(list(names), width=_LABEL_WIDTH), legend=True, at=at)
    models = list(dict.fromkeys(table[by])) if len(table) else []
    # Side by side within a slice, so that intervals do not hide each other.
    offsets = np.linspace(-0.3, 0.3, len(models)) if len(models) > 1 else np.zeros(1)
    for position, model in enumerate(models):
        rows = records(table[table[by] == model])
        add_intervals(
            figure,
            rows,
            [names.index(row["slice"]) + float(offsets[position]) for row in rows],
            SERIES[position % len(SERIES)],
            name=literal([str(model)])[0],
            hollow=[bool(row["small"]) for row in rows],
        )
    drawn = 60 + len(names) * max(_ROW, 14 * len(models))
    # Below the axis: beside the title there is no room for the names of eight models.
    below = {"y": -LEGEND_BELOW / drawn, "yanchor": "top", "x": 0, "xanchor": "left"}
    figure.update_layout(height=drawn + 140, legend=below)
    return figure


def run_line(view: RunView, measure: str) -> go.Figure:
    """One measure over training steps with its interval as a band, each checkpoint a point.

    Drift carries the noise floor of each checkpoint, where known, as a grey band around zero.
    """
    line = view.line(measure)
    figure = frame(measure, "training step", _UNITS.get(measure, ""), height=260)
    steps = line["step"].to_numpy(dtype=np.float64)
    low, high = (line[end].to_numpy(dtype=np.float64) for end in ("low", "high"))
    if measure in (DRIFT, CHANGE):
        _add_noise(figure, view)
    banded = np.isfinite(low) & np.isfinite(high)
    if banded.any():
        figure.add_scatter(
            x=np.concatenate([steps[banded], steps[banded][::-1]]),
            y=np.concatenate([high[banded], low[banded][::-1]]),
            mode="lines",
            fill="toself",
            fillcolor=BAND,
            line={"width": 0},
            hoverinfo="skip",
        )
    rows = records(line)
    names = literal([str(row["model"]) for row in rows])
    figure.add_scatter(
        x=steps,
        y=line["value"],
        mode="lines+markers",
        line={"color": LINE, "width": 2},
        marker={"size": 8},
        customdata=[f"{name}<br>{in_words(row)}" for name, row in zip(names, rows, strict=True)],
        hovertemplate="%{customdata}<extra></extra>",
    )
    return figure


def _add_noise(figure: go.Figure, view: RunView) -> None:
    noise = view.line(NOISE)
    floors = noise["value"].to_numpy(dtype=np.float64)
    steps = noise["step"].to_numpy(dtype=np.float64)
    if not np.isfinite(floors).any():
        return
    figure.add_scatter(
        x=np.concatenate([steps, steps[::-1]]),
        y=np.concatenate([floors, -floors[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=BAND,
        line={"color": NEUTRAL, "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )


def _dots(
    title: str, x_title: str, labels: Sequence[str], *, legend: bool = False, at: float = 0.5
) -> go.Figure:
    figure = frame(title, x_title, "", height=120 + _ROW * max(len(labels), 1), legend=legend)
    figure.add_vline(x=at, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_yaxes(
        tickvals=list(range(len(labels))), ticktext=list(labels), autorange="reversed"
    )
    figure.update_yaxes(zeroline=False, showgrid=False)
    figure.update_xaxes(tickformat=".0%")
    return figure
