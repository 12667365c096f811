"""Figures of implicit, process and rubric rewards."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import DIVERGING, LINE, NEUTRAL, SEQUENTIAL, SERIES, frame, literal
from core.labs.process.aggregation import first_error

_TEXT = 90
_ROW = 26
_NAMED_STEPS = 6
"""Of more steps than these only the numbers stand below the bars."""
_STRIP = 78
"""Letters below the bars of a strip, all steps together."""


def step_strip(
    steps: Sequence[str],
    scores: npt.ArrayLike,
    *,
    title: str = "",
    threshold: float | None = None,
    label: int | None = None,
) -> go.Figure:
    """Score of each step, in order; below the threshold a step counts as an error.

    Args:
        steps: their texts.
        scores: (n,) in [0, 1].
        title: of the figure.
        threshold: drawn as a line; the first step below it is framed.
        label: position of the step that is known to be wrong, -1 for none; None where nobody knows.
    """
    values = np.asarray(scores, dtype=np.float64)
    numbers = np.arange(1, len(values) + 1)
    named = len(values) <= _NAMED_STEPS
    figure = frame(title, "" if named else "step", "score", height=180)
    # An outline, for a bar in the middle of the scale has next to no colour.
    edges, widths = [NEUTRAL] * len(values), [1] * len(values)
    if threshold is not None and first_error(values, threshold) >= 0:
        place = first_error(values, threshold)
        edges[place], widths[place] = SERIES[4], 2
    figure.add_bar(
        x=numbers,
        y=values,
        marker={
            "color": values,
            "colorscale": DIVERGING,
            "cmin": 0,
            "cmax": 1,
            "line": {"color": edges, "width": widths},
        },
        text=[f"{value:.2f}" for value in values],
        textposition="outside",
        cliponaxis=False,
        customdata=literal(steps, width=_TEXT),
        hovertemplate="step %{x}: %{y:.3f}<br>%{customdata}<extra></extra>",
    )
    if threshold is not None:
        figure.add_hline(y=threshold, line={"color": NEUTRAL, "dash": "dot", "width": 1})
    if label is not None and label >= 0:
        figure.add_annotation(
            x=label + 1, y=1.1, text="wrong", showarrow=False, font={"color": SERIES[4]}
        )
    figure.update_xaxes(tickmode="array", tickvals=numbers)
    if named:
        width = _STRIP // max(1, len(values))
        begun = literal([" ".join(each.split()) for each in steps], width=width)
        # A step that names its own number needs no other.
        told = [
            text if re.match(rf"(step )?{n}[.:)]", text, re.IGNORECASE) else f"{n} · {text}"
            for n, text in zip(numbers, begun, strict=True)
        ]
        figure.update_xaxes(ticktext=told, tickangle=0)
    # Without lines, which would cross the values above the bars.
    figure.update_yaxes(range=[0, 1.18], tickvals=[0, 0.5, 1], showgrid=False)
    return figure


def token_bars(pieces: Sequence[str], ratios: npt.ArrayLike, *, title: str = "") -> go.Figure:
    """Log-ratio of each token of a response: what the sum is made of."""
    values = np.asarray(ratios, dtype=np.float64)
    figure = frame(title, "token", "log-ratio, nats", height=260)
    shown = [repr(piece)[1:-1] for piece in pieces]
    figure.add_bar(
        x=np.arange(1, len(values) + 1),
        y=values,
        marker={"color": np.where(values >= 0, LINE, SERIES[4])},
        customdata=literal(shown, width=_TEXT),
        hovertemplate="token %{x}: “%{customdata}”<br>%{y:+.3f} nats<extra></extra>",
        name="each token",
    )
    figure.add_scatter(
        x=np.arange(1, len(values) + 1),
        y=values.cumsum(),
        mode="lines",
        line={"color": NEUTRAL, "width": 1.5, "dash": "dot"},
        name="sum so far",
        hovertemplate="sum up to token %{x}: %{y:+.3f} nats<extra></extra>",
    )
    return figure


def length_scatter(table: pd.DataFrame, rule: str, *, title: str = "") -> go.Figure:
    """Reward against length, both as differences from their prompt's mean.

    Args:
        table: columns prompt_id, response, n_tokens and the rule's.
        rule: "sum" or "mean".
        title: of the figure.
    """
    groups = table.groupby("prompt_id")
    x = table["n_tokens"] - groups["n_tokens"].transform("mean")
    y = table[rule] - groups[rule].transform("mean")
    figure = frame(
        title, "tokens more than the prompt's mean", "reward above the prompt's mean", legend=True
    )
    for name, colour in (("chosen", SERIES[2]), ("rejected", SERIES[4])):
        own = (table["response"] == name).to_numpy()
        figure.add_scatter(
            x=x[own],
            y=y[own],
            mode="markers",
            name=name,
            marker={"color": colour, "size": 5, "opacity": 0.65},
            customdata=literal([str(each) for each in table.loc[own, "prompt_id"]]),
            hovertemplate="%{customdata}<br>%{x:+.0f} tokens, %{y:+.3f}<extra></extra>",
        )
    spread = float((x * x).sum())
    if spread > 0:
        ends = np.array([x.min(), x.max()])
        slope = float((x * y).sum()) / spread
        figure.add_scatter(
            x=ends,
            y=slope * ends,
            mode="lines",
            name="slope",
            line={"color": NEUTRAL, "dash": "dot"},
            hoverinfo="skip",
        )
    return figure


def criteria_map(
    yes: npt.ArrayLike, criteria: Sequence[str], responses: Sequence[str], *, title: str = ""
) -> go.Figure:
    """Probability that each criterion (across) holds of each response (down)."""
    figure = frame(title, "", "", height=120 + _ROW * len(responses))
    figure.add_heatmap(
        z=np.asarray(yes, dtype=np.float64),
        x=literal(criteria, width=24),
        y=[f"{number}. {text}" for number, text in enumerate(literal(responses, width=34), 1)],
        colorscale=SEQUENTIAL,
        zmin=0,
        zmax=1,
        texttemplate="%{z:.2f}",
        colorbar={"title": "P(Yes)", "thickness": 12},
        hovertemplate="%{y}<br>%{x}: %{z:.3f}<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed")
    return figure


def rank_slopes(
    table: pd.DataFrame, first: str, second: str, *, title: str = "", names: Sequence[str] = ()
) -> go.Figure:
    """The rank of each response by one reward and by the other, a line each.

    Args:
        table: of `core.labs.rubric.ranks.RankShift`: prompt_id, rank_first, rank_second.
        first: name of the first reward.
        second: of the second.
        title: of the figure.
        names: of the responses, for the hover.
    """
    figure = frame(title, "", "rank within its prompt", height=300)
    labels = literal(list(names) or [str(each) for each in table["prompt_id"]], width=_TEXT)
    rng = np.random.default_rng(0)
    wobble = rng.uniform(-0.12, 0.12, len(table))  # lines of the same ranks would hide each other
    ranks = zip(table["rank_first"], table["rank_second"], labels, wobble, strict=True)
    for one, two, label, aside in ranks:
        colour = NEUTRAL if one == two else (SERIES[2] if two < one else SERIES[4])
        figure.add_scatter(
            x=[0, 1],
            y=[one + aside, two + aside],
            mode="lines+markers",
            line={"color": colour, "width": 1.2},
            marker={"size": 5},
            opacity=0.75,
            hovertemplate=f"{label}<br>{one:g} → {two:g}<extra></extra>",
            showlegend=False,
        )
    figure.update_xaxes(
        tickvals=[0, 1], ticktext=literal([first, second], width=40), range=[-0.15, 1.15]
    )
    figure.update_yaxes(autorange="reversed", dtick=1)
    return figure
