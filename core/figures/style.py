"""How all figures look: colours that read on light and dark ground, one frame, literal texts."""

import html
from collections.abc import Sequence

import plotly.graph_objects as go

LINE = "#5b7cfa"
CHOSEN = "#2a9d6f"
REJECTED = "#d9534f"
NEUTRAL = "rgba(128,138,160,0.9)"
BAND = "rgba(128,138,160,0.18)"
SERIES = (LINE, "#e08e2b", "#2a9d6f", "#b35cc7", "#d9534f", "#1aa3b8", "#8a7a52", "#7a86a3")
"""One colour a model or series, told apart also by people who see few colours."""

DIVERGING = [[0.0, "#d9534f"], [0.5, "rgba(128,138,160,0.12)"], [1.0, "#5b7cfa"]]
"""Around zero: red below, blue above."""

SEQUENTIAL = [[0.0, "rgba(91,124,250,0.06)"], [1.0, "#3d5bd9"]]
"""From little to much."""


LEGEND_BELOW = 50
"""Pixels from an axis to a legend below it."""


def frame(
    title: str, x_title: str, y_title: str, *, height: int = 320, legend: bool = False
) -> go.Figure:
    """An empty figure with the house's margins and titles; the ground is the page's own."""
    figure = go.Figure()
    figure.update_layout(
        title={"text": html.escape(title), "font": {"size": 14}, "x": 0, "xanchor": "left"},
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        showlegend=legend,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        xaxis={"title": x_title, "showgrid": False, "automargin": True},
        yaxis={"title": y_title, "automargin": True},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    return figure


def literal(texts: Sequence[str], *, width: int = 0) -> list[str]:
    """Texts that Plotly, which reads some HTML, shows as they are; cut after `width` characters."""
    cut = [text if not width or len(text) <= width else text[: width - 1] + "…" for text in texts]
    return [html.escape(text) for text in cut]
