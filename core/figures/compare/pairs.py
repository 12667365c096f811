"""Two models over the same pairs: scatter, agreement, changed minds, tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.figures.compare.intervals import add_intervals, in_words
from core.figures.style import (
    CHOSEN,
    DIVERGING,
    LEGEND_BELOW,
    LINE,
    NEUTRAL,
    REJECTED,
    SERIES,
    frame,
    literal,
)
from core.labs.compare.agreement import SAME_WINNER, Agreement
from core.labs.compare.flips import FROM_TIE, LOST, TO_TIE, WON, ChangedMinds
from core.labs.compare.head_to_head import BOTH, NEITHER, ONLY_X, ONLY_Y, TIE, HeadToHead
from core.labs.compare.paired import ACCURACY_FLIP, PairedComparison
from core.labs.compare.tidy import records

_KIND_COLOURS = {BOTH: CHOSEN, ONLY_X: SERIES[1], ONLY_Y: LINE, NEITHER: REJECTED, TIE: NEUTRAL}
_FLIP_COLOURS = {WON: CHOSEN, LOST: REJECTED, TO_TIE: SERIES[1], FROM_TIE: SERIES[3]}
_TEXT_WIDTH = 90
_AROUND = 140
"""Pixels of a figure that its rows of 40 do not take."""


def head_to_head_scatter(result: HeadToHead, *, texts: Sequence[str] = ()) -> go.Figure:
    """Standardised margins of two models, a point a pair, ready for a lasso.

    Args:
        result: the points.
        texts: (n,) something to know each pair by on hovering (its prompt), in the order of
            `result.points`.

    Returns:
        The figure; the custom data of a point are the pair's row in the table, its id, its two
        margins in the models' own units, and its text.
    """
    x_name, y_name = literal([result.x_model, result.y_model])
    names = {BOTH: "both right", ONLY_X: f"only {x_name}", ONLY_Y: f"only {y_name}"}
    names |= {NEITHER: "both wrong", TIE: "tie"}
    title = f"margins of {len(result.points):,} pairs, each model in its own ruler"
    figure = frame(title, f"{x_name} →", f"{y_name} →", height=460, legend=True)
    points = result.points.assign(text=literal(list(texts), width=_TEXT_WIDTH) if texts else "")
    for kind, colour in _KIND_COLOURS.items():
        part = points[points["kind"] == kind]
        if part.empty:
            continue
        data = part[["row", "pair_id", "margin_x", "margin_y", "text"]].copy()
        data["pair_id"] = literal(list(data["pair_id"]))
        figure.add_scattergl(
            x=part["x"],
            y=part["y"],
            mode="markers",
            name=f"{names[kind]} ({len(part):,})",
            marker={"color": colour, "size": 7, "opacity": 0.75},
            customdata=data.to_numpy(dtype=object),
            hovertemplate="pair %{customdata[1]}<br>margins %{customdata[2]:.3f} and "
            "%{customdata[3]:.3f}<br>%{customdata[4]}<extra></extra>",
        )
    _add_diagonal(figure, points[["x", "y"]].to_numpy(dtype=np.float64))
    # Two names of models and their counts need the whole width, so the legend goes below.
    below = {"y": -0.16, "yanchor": "top", "x": 0, "xanchor": "left"}
    figure.update_layout(dragmode="lasso", legend=below)
    return figure


def _add_diagonal(figure: go.Figure, points: np.ndarray) -> None:
    finite = points[np.isfinite(points)]
    reach = float(np.abs(finite).max()) if len(finite) else 1.0
    dotted = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=-reach, y0=-reach, x1=reach, y1=reach, line=dotted)
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1})
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})


def agreement_heatmap(result: Agreement, measure: str) -> go.Figure:
    """One measure of agreement, models by models, with interval and n in each cell."""
    names = literal(list(result.models))
    values = result.matrix(measure)
    rows = result.table[result.table["measure"] == measure]
    words = {
        ends: in_words(row, break_with="<br>")
        for row in records(rows)
        for ends in ((row["first"], row["second"]), (row["second"], row["first"]))
    }
    texts = [[words.get((a, b), "") for b in result.models] for a in result.models]
    figure = frame(measure, "", "", height=120 + 64 * len(names))
    share = measure == SAME_WINNER
    figure.add_heatmap(
        x=names,
        y=names,
        z=values.to_numpy(dtype=np.float64),
        text=texts,
        zmin=0 if share else -1,
        zmax=1,
        zmid=0.5 if share else 0,
        colorscale=DIVERGING,
        opacity=0.45,  # pale, so that the page's text colour is read on every cell
        hovertemplate="%{y} and %{x}<br>%{text}<extra></extra>",
    )
    # Annotations take the colour of the page's text. A heatmap's own text takes black or white by
    # the cell's colour, without knowing what shines through it.
    for y, row in zip(names, texts, strict=True):
        for x, text in zip(names, row, strict=True):
            if text:
                figure.add_annotation(x=x, y=y, text=text, showarrow=False, font={"size": 11})
    figure.update_yaxes(autorange="reversed")
    return figure


def changed_minds_bars(results: Sequence[ChangedMinds]) -> go.Figure:
    """How many pairs each candidate won and lost, those within the noise floor pale."""
    baseline = results[0].baseline if results else ""
    figure = frame(
        f"changed their mind, against {baseline}", "pairs", "", height=_height(results), legend=True
    )
    candidates = literal([result.candidate for result in results])
    for kind, colour in _FLIP_COLOURS.items():
        clear = [result.counts_clear[kind] for result in results]
        noisy = [result.counts[kind] - result.counts_clear[kind] for result in results]
        for counts, name, opacity in ((clear, kind, 1.0), (noisy, f"{kind}, within noise", 0.35)):
            if not any(counts):
                continue
            figure.add_bar(
                x=counts,
                y=candidates,
                orientation="h",
                name=name,
                marker={"color": colour},
                # Of the whole trace: the legend does not show a marker's opacity.
                opacity=opacity,
                hovertemplate="%{y}<br>%{x} pairs: " + name + "<extra></extra>",
            )
    drawn = _height(results) - _AROUND
    below = {"y": -LEGEND_BELOW / drawn, "yanchor": "top", "x": 0, "xanchor": "left"}
    below["traceorder"] = "normal"
    figure.update_layout(barmode="stack", legend=below, height=_height(results) + LEGEND_BELOW)
    figure.update_xaxes(rangemode="tozero")
    if (
        max((sum(result.counts[kind] for kind in _FLIP_COLOURS) for result in results), default=0)
        < 10
    ):
        figure.update_xaxes(dtick=1)
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def changed_minds_lines(
    result: ChangedMinds, *, texts: Sequence[str] = (), most: int = 30
) -> go.Figure:
    """The pairs that changed most, each a line from the baseline's to the candidate's margin.

    Args:
        result: who changed their mind.
        texts: (n,) something to know each pair by, in the order of `result.changes`.
        most: pairs drawn; the title says of how many.
    """
    rows = records(result.changes.head(most))
    names = [str(row["pair_id"]) for row in rows] if not texts else list(texts[:most])
    title = f"{len(rows)} of {len(result.changes):,} changed pairs: "
    title += f"{result.baseline} (hollow) to {result.candidate}"
    figure = frame(title, "standardised margin", "", height=120 + 24 * max(len(rows), 1))
    labels = literal(names, width=40)
    for place, row in enumerate(rows):
        colour = NEUTRAL if row["within_noise"] else _FLIP_COLOURS[row["kind"]]
        figure.add_scatter(
            x=[row["standard_baseline"], row["standard_candidate"]],
            y=[place, place],
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 9, "symbol": ["circle-open", "circle"], "color": colour},
            customdata=[[int(row["row"]), labels[place], _told(row)]] * 2,
            hovertemplate="%{customdata[1]}<br>%{customdata[2]}<br>%{x:.2f}<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=labels, autorange="reversed", zeroline=False
    )
    return figure


def _told(row: Mapping[str, Any]) -> str:
    return f"{row['kind']}, within the noise floor" if row["within_noise"] else str(row["kind"])


def paired_differences(results: Sequence[PairedComparison]) -> go.Figure:
    """Each candidate's difference in accuracy, with its interval and what could have been seen."""
    baseline = results[0].baseline if results else ""
    title = f"difference in accuracy to {baseline}"
    figure = frame(title, "candidate - baseline", "", height=_height(results))
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    labels = literal([result.candidate for result in results])
    words = []
    for place, result in enumerate(results):
        reach = result.detectable_accuracy
        if np.isfinite(reach):
            band = {"type": "rect", "x0": -reach, "x1": reach, "line_width": 0}
            band |= {"y0": place - 0.3, "y1": place + 0.3}
            figure.add_shape(**band, fillcolor=NEUTRAL, opacity=0.2)
        p_value = result.tests[ACCURACY_FLIP].p_value
        seen = f"smallest detectable {reach:.3f}" if np.isfinite(reach) else "no difference varies"
        words.append(f"p = {p_value:.3g} (sign flip), {seen}")
    estimates = [result.accuracy_difference for result in results]
    # Bands do not stretch an axis by themselves.
    ends = [
        (one.low, one.high, result.detectable_accuracy)
        for one, result in zip(estimates, results, strict=True)
    ]
    finite = np.abs(np.array(ends, dtype=np.float64))
    reach = 1.08 * float(np.max(finite, initial=0.02, where=np.isfinite(finite)))
    figure.update_xaxes(range=[-reach, reach], tickformat="+.0%")
    add_intervals(figure, estimates, list(range(len(results))), LINE, notes=words)
    figure.update_yaxes(
        tickvals=list(range(len(results))), ticktext=labels, autorange="reversed", zeroline=False
    )
    return figure


def _height(results: Sequence[object]) -> int:
    return _AROUND + 40 * max(len(results), 1)
