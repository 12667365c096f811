"""Benchmark results: scores with intervals, the style matrix, best-of-k against the oracle.

Scores are shares, so models may stand side by side; rewards appear nowhere. Every function takes
the tables of a result, so a result reopened from a file is drawn alike.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import BAND, DIVERGING, NEUTRAL, SERIES, frame, literal

ROW_HEIGHT = 26
"""Height of one named row of dots, in pixels."""

_SPREAD = 0.16
"""How far apart the dots of two models are within a row."""

METRIC_COLOURS = {"easy": SERIES[2], "normal": SERIES[0], "hard": SERIES[4], "average": SERIES[6]}


def score_dots(
    scores: Mapping[str, pd.DataFrame],
    *,
    levels: Sequence[str],
    metric: str,
    title: str,
    x_title: str = "accuracy",
) -> go.Figure:
    """One row a part of the benchmark, one dot a model with its interval over prompts.

    Args:
        scores: by model, its scores table.
        levels: which levels' rows to show, in this order ("overall", "section", ...).
        metric: which metric.
        title: of the figure.
        x_title: what the numbers are.
    """
    parts = {model: _rows(table, levels, metric) for model, table in scores.items()}
    names = list(dict.fromkeys(str(name) for part in parts.values() for name in part["name"]))
    several = len(parts) > 1
    height = 96 + ROW_HEIGHT * max(1, len(names)) * (1 if len(parts) < 3 else 2)
    figure = frame(title, x_title, "", height=height, legend=several)
    for place, (model, part) in enumerate(parts.items()):
        shift = _SPREAD * (place - (len(parts) - 1) / 2)
        _add_dots(figure, part, model, SERIES[place % len(SERIES)], names, shift)
    _chance_line(figure, metric)
    _name_axis(figure, names)
    return figure


def difficulty_dots(scores: pd.DataFrame, *, title: str) -> go.Figure:
    """Easy, normal and hard by domain for one model: how much style moves it.

    Args:
        scores: a scores table with the metrics easy, normal and hard.
        title: of the figure.
    """
    levels = ("overall", "domain", "subset")
    wanted = scores[scores["level"].isin(levels)]
    names = list(dict.fromkeys(map(str, wanted["name"])))
    height = 110 + 2 * ROW_HEIGHT * max(1, len(names))
    figure = frame(title, "share of wins", "", height=height, legend=True)
    for metric in ("easy", "normal", "hard"):
        part = _rows(scores, levels, metric)
        _add_dots(figure, part, metric, METRIC_COLOURS[metric], names)
    _chance_line(figure, "accuracy")
    _name_axis(figure, names)
    return figure


def style_matrix(matrix: pd.DataFrame, domain: str, *, title: str) -> go.Figure:
    """How often the chosen response in the row's style beats the rejected in the column's.

    Args:
        matrix: the matrix table of a result.
        domain: which domain's cells to show.
        title: of the figure.
    """
    part = matrix[matrix["domain"] == domain]
    rows = list(dict.fromkeys(part["chosen_style"]))
    columns = list(dict.fromkeys(part["rejected_style"]))
    cells = {(row["chosen_style"], row["rejected_style"]): row for row in part.to_dict("records")}
    values = np.array([[cells[r, c]["value"] for c in columns] for r in rows], dtype=np.float64)
    details = [[_cell_text(cells[r, c]) for c in columns] for r in rows]
    figure = frame(title, "style of the rejected response", "style of the chosen response")
    figure.add_heatmap(
        z=values,
        x=literal(columns),
        y=literal(rows),
        zmin=0,
        zmax=1,
        colorscale=DIVERGING,
        text=[["" if np.isnan(v) else f"{v:.0%}" for v in row] for row in values],
        texttemplate="%{text}",
        customdata=details,
        hovertemplate="%{customdata}<extra></extra>",
        colorbar={"title": "wins", "tickformat": ".0%", "thickness": 10},
    )
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(type="category")
    return figure


def best_of_k(curves: pd.DataFrame, subset: str, *, title: str) -> go.Figure:
    """What the pick among k samples is worth, with its interval, below the oracle's.

    Args:
        curves: the table "best_of_k" of a PPE result.
        subset: which set.
        title: of the figure.
    """
    part = curves[curves["subset"] == subset].sort_values("k")
    figure = frame(title, "samples to pick from (k)", "correct", legend=True)
    figure.add_scatter(
        x=part["k"],
        y=part["oracle"],
        name="oracle",
        mode="lines",
        line={"color": NEUTRAL, "dash": "dot"},
        hovertemplate="k = %{x}<br>oracle %{y:.3f}<extra></extra>",
    )
    bounds = [*part["high"], *part["low"][::-1]]
    if len(part) and np.isfinite(bounds).all():
        figure.add_scatter(
            x=[*part["k"], *part["k"][::-1]],
            y=bounds,
            fill="toself",
            fillcolor=BAND,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
    figure.add_scatter(
        x=part["k"],
        y=part["picked"],
        name="picked by reward",
        mode="lines+markers",
        line={"color": SERIES[0]},
        hovertemplate="k = %{x}<br>picked %{y:.3f}<extra></extra>",
    )
    figure.update_xaxes(type="log", dtick="D1")
    return figure


def _rows(scores: pd.DataFrame, levels: Sequence[str], metric: str) -> pd.DataFrame:
    wanted = scores[(scores["metric"] == metric) & scores["level"].isin(levels)]
    order = {level: place for place, level in enumerate(levels)}
    return wanted.sort_values("level", key=lambda level: level.map(order), kind="stable")


def _add_dots(
    figure: go.Figure,
    part: pd.DataFrame,
    series: str,
    colour: str,
    names: Sequence[str],
    shift: float = 0.0,
) -> None:
    shown = part[part["value"].notna()]
    model = literal([series])[0]
    details = [_dot_text(model, row) for row in shown.to_dict("records")]
    figure.add_scatter(
        x=shown["value"],
        y=[names.index(name) + shift for name in shown["name"]],
        name=model,
        mode="markers",
        marker={
            "color": colour,
            "size": 9,
            "symbol": ["circle" if official else "circle-open" for official in shown["official"]],
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (shown["high"] - shown["value"]).fillna(0.0),
            "arrayminus": (shown["value"] - shown["low"]).fillna(0.0),
            "color": colour,
            "thickness": 1.2,
            "width": 0,
        },
        customdata=details,
        hovertemplate="%{customdata}<extra></extra>",
    )


def _dot_text(model: str, row: Mapping[Hashable, Any]) -> str:
    lines = [
        f"{model}: {literal([str(row['name'])])[0]}",
        _share(row),
        f"n = {row['n']:,} of {row['n_prompts']:,} prompts",
    ]
    if row["n_left_out"]:
        lines.append(f"{row['n_left_out']:,} left out")
    if not row["official"]:
        lines.append("not the authors' own number")
    return "<br>".join(lines)


def _cell_text(cell: Mapping[Hashable, Any]) -> str:
    chosen, rejected = literal([str(cell["chosen_style"]), str(cell["rejected_style"])])
    return (
        f"chosen {chosen}, rejected {rejected}<br>{_share(cell)}<br>"
        f"n = {cell['n']:,}, ties {cell['ties']:.1%}"
    )


def _share(row: Mapping[Hashable, Any]) -> str:
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def _chance_line(figure: go.Figure, metric: str) -> None:
    if metric in ("accuracy", "average", "roc-auc"):
        figure.add_vline(x=0.5, line={"color": NEUTRAL, "width": 1, "dash": "dot"})


def _name_axis(figure: go.Figure, names: Sequence[str]) -> None:
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=literal(names, width=48),
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
