"""Lines of reward: over the versions of an edited text, and along a response.

Each figure shows one model: rewards of different models have different scales and share no axis.
"""

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

LINE = "#5b7cfa"
BASELINE = "rgba(128,138,160,0.9)"
NOISE_BAND = "rgba(128,138,160,0.18)"
HEIGHT = 220


def version_line(
    names: Sequence[str],
    rewards: Sequence[float],
    *,
    title: str,
    labels: Sequence[str] = (),
    baseline: float | None = None,
    noise_floor: float = 0.0,
) -> go.Figure:
    """Reward of one model over the versions of a text, with the baseline and its noise band.

    Args:
        names: short name of each version, in order.
        rewards: (n,) reward of each version; NaN leaves a gap.
        title: name of the model.
        labels: what each version did, shown on hovering.
        baseline: reward of the pinned version.
        noise_floor: differences from the baseline below it mean nothing.
    """
    figure = _frame(title, "version")
    if baseline is not None and np.isfinite(baseline):
        _add_baseline(figure, baseline, noise_floor)
    figure.add_scatter(
        x=list(range(len(names))),
        y=list(rewards),
        mode="lines+markers",
        line={"color": LINE, "width": 2},
        marker={"size": 7},
        customdata=_literal(labels or names),
        hovertemplate="%{customdata}<br>reward %{y:.3f}<extra></extra>",
    )
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=list(names))
    return figure


def trace_line(
    ends: Sequence[str], rewards: Sequence[float], *, title: str, noise_floor: float = 0.0
) -> go.Figure:
    """Reward of one model after each part of a response.

    Args:
        ends: the last words of each part, shown on hovering.
        rewards: (n,) reward of the response up to and including each part.
        title: name of the model.
        noise_floor: drawn as a band around the whole response's reward.
    """
    figure = _frame(title, "sentences read")
    if len(rewards) and np.isfinite(rewards[-1]):
        _add_baseline(figure, float(rewards[-1]), noise_floor)
    figure.add_scatter(
        x=list(range(1, len(rewards) + 1)),
        y=list(rewards),
        mode="lines+markers",
        line={"color": LINE, "width": 2, "shape": "hv"},
        marker={"size": 7},
        customdata=_literal(ends),
        hovertemplate="… %{customdata}<br>reward so far %{y:.3f}<extra></extra>",
    )
    figure.update_xaxes(dtick=1 if len(rewards) <= 20 else None)
    return figure


def _frame(title: str, x_title: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        title={"text": html.escape(title), "font": {"size": 14}, "x": 0, "xanchor": "left"},
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        showlegend=False,
        xaxis={"title": x_title, "showgrid": False, "fixedrange": True},
        yaxis={"title": "reward", "fixedrange": True, "nticks": 5},
    )
    return figure


def _add_baseline(figure: go.Figure, reward: float, noise_floor: float) -> None:
    if noise_floor > 0:
        figure.add_hrect(
            y0=reward - noise_floor, y1=reward + noise_floor, fillcolor=NOISE_BAND, line_width=0
        )
    figure.add_hline(y=reward, line={"color": BASELINE, "width": 1, "dash": "dot"})


def _literal(texts: Sequence[str]) -> list[str]:
    """Texts that Plotly, which reads some HTML, shows as they are."""
    return [html.escape(text) for text in texts]
