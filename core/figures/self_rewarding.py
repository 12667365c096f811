"""Figures of the self-rewarding lab: pairs over iterations, who won the slots, the judge's drift,
and the audit of a preference set.
"""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import (
    CHOSEN,
    LINE,
    NEUTRAL,
    REJECTED,
    SERIES,
    frame,
    literal,
)
from core.labs.self_rewarding import audit, drift, iterations
from core.labs.self_rewarding.estimates import POOLED
from core.labs.self_rewarding.pairs import CURRENT, FIRST, FUTURE

SOURCE_NAMES = {
    FIRST: "first model (M0)",
    CURRENT: "current model (Mi)",
    FUTURE: "future model (Mf)",
}
_SOURCE_COLOURS = {FIRST: NEUTRAL, CURRENT: LINE, FUTURE: SERIES[1]}
_LABELS = {
    **{name: label for name, (label, _) in iterations.MEASURES.items()},
    **{name: label for name, (label, _) in drift.MEASURES.items()},
}
_RIDGE = 78
_SMALL_GROUP = 3
MOST_POINTS = 5_000
"""Points of a scatter; of more pairs a sample is drawn, always the same one."""


def over_iterations(
    estimates: pd.DataFrame,
    measure: str,
    *,
    title: str = "",
    axis: str = "",
    level: float | None = None,
) -> go.Figure:
    """One measure over iterations: a line a method with its interval, thin lines for its seeds.

    Args:
        estimates: `IterationResult.estimates` or `DriftResult.estimates`.
        measure: of `iterations.MEASURES` or `drift.MEASURES`.
        title: of the figure.
        axis: what the vertical axis says; by default the measure's name.
        level: drawn as a dotted line, such as beta / 2.
    """
    rows = estimates.loc[estimates["measure"] == measure]
    figure = frame(title, "iteration", axis or _LABELS.get(measure, measure), legend=True)
    for place, (method, group) in enumerate(rows.groupby("method", sort=False)):
        colour = SERIES[place % len(SERIES)]
        for run, of_run in group.loc[group["run"] != POOLED].groupby("run", sort=False):
            figure.add_scatter(
                x=of_run["iteration"],
                y=of_run["value"],
                mode="lines",
                line={"color": colour, "width": 1},
                opacity=0.4,
                showlegend=False,
                hovertemplate=f"{literal([str(run)])[0]}: %{{y:.3f}}<extra></extra>",
            )
        _pooled_line(figure, group.loc[group["run"] == POOLED], str(method), colour)
    if level is not None:
        figure.add_hline(y=level, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    _whole_iterations(figure, rows)
    return figure


def score_ridges(pairs: pd.DataFrame, *, title: str = "") -> go.Figure:
    """The judge's scores of the chosen and of the rejected, an iteration a row, the first on top.

    Each ridge is a kernel density with the same area; the tick in it is the mean.

    Args:
        pairs: of one method: columns iteration, judge_chosen, judge_rejected.
        title: of the figure.
    """
    steps = sorted({int(step) for step in pairs["iteration"]})
    figure = frame(
        title, "judge's score", "iteration", height=130 + _RIDGE * max(1, len(steps)), legend=True
    )
    for side, colour in (("rejected", REJECTED), ("chosen", CHOSEN)):
        for number, step in enumerate(steps):
            values = pairs.loc[pairs["iteration"] == step, f"judge_{side}"].to_numpy(np.float64)
            values = values[np.isfinite(values)]
            figure.add_violin(
                x=values,
                y=np.full(len(values), str(step)),
                name=side,
                legendgroup=side,
                showlegend=number == 0,
                orientation="h",
                side="positive",
                width=1.7,
                points="all" if len(values) <= _SMALL_GROUP else False,
                line={"color": colour, "width": 1.2},
                fillcolor=_faded(colour),
                meanline={"visible": True},
                scalemode="width",
                hoverinfo="skip",
            )
    figure.update_layout(violinmode="overlay")
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=[str(step) for step in reversed(steps)],
    )
    return figure


def slot_bars(slots: pd.DataFrame, slot: str, *, title: str = "") -> go.Figure:
    """Which model's sample became the chosen (or rejected): shares, a bar a method and iteration.

    Args:
        slots: `IterationResult.slots`.
        slot: "chosen" or "rejected".
        title: of the figure.
    """
    rows = slots.loc[(slots["slot"] == slot) & (slots["run"] == POOLED)]
    figure = frame(title, "iteration", f"share of {slot}", height=300, legend=True)
    methods = list(dict.fromkeys(rows["method"]))
    # Every trace has every bar, also those of height 0: the first trace decides their order.
    bars = rows[["method", "iteration"]].drop_duplicates()
    bars = bars.assign(place=bars["method"].map(methods.index))
    bars = bars.sort_values(["place", "iteration"]).drop(columns="place")
    for source, name in SOURCE_NAMES.items():
        if source not in set(rows["source"]):
            continue
        of_source = bars.merge(rows.loc[rows["source"] == source], how="left")
        of_source = of_source.fillna({"share": 0.0, "n": 0})
        steps = [str(step) for step in of_source["iteration"]]
        names = literal([str(method) for method in of_source["method"]])
        figure.add_bar(
            x=[names, steps] if len(methods) > 1 else steps,
            y=of_source["share"],
            name=name,
            marker={"color": _SOURCE_COLOURS[source]},
            customdata=of_source["n"],
            hovertemplate=f"{name}: %{{y:.0%}} (%{{customdata}} pairs)<extra></extra>",
        )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(range=[0, 1], tickformat=".0%")
    return figure


def judge_and_outside(estimates: pd.DataFrame, method: str, *, title: str = "") -> go.Figure:
    """Mean score by the judge and by the outside model, of one method, on one standardised axis.

    Args:
        estimates: `DriftResult.estimates`.
        method: whose seeds are pooled.
        title: of the figure.
    """
    rows = estimates.loc[(estimates["method"] == method) & (estimates["run"] == POOLED)]
    figure = frame(title, "iteration", "standard deviations of iteration 0", legend=True)
    named = ((drift.JUDGE, "judge", LINE), (drift.OUTSIDE, "outside model", SERIES[1]))
    for measure, name, colour in named:
        _pooled_line(figure, rows.loc[rows["measure"] == measure], name, colour)
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    _whole_iterations(figure, rows)
    return figure


def distribution(
    pairs: pd.DataFrame, measure: str, *, title: str = "", threshold: float | None = None
) -> go.Figure:
    """How one measure of a preference set is spread over its pairs.

    Args:
        pairs: `AuditResult.pairs`.
        measure: a column of it; NaN are left out.
        title: of the figure.
        threshold: drawn as a dotted line.
    """
    values = pairs[measure].to_numpy(np.float64)
    values = values[np.isfinite(values)]
    label = audit.MEASURES[measure][0].lower()
    figure = frame(title, label, "pairs", height=280)
    figure.add_histogram(
        x=values,
        nbinsx=40,
        marker={"color": LINE},
        hovertemplate=f"{label} %{{x}}: %{{y}} pairs<extra></extra>",
    )
    if threshold is not None:
        figure.add_vline(x=threshold, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    return figure


def gap_against_cosine(
    pairs: pd.DataFrame, *, title: str = "", parallel: float | None = None
) -> go.Figure:
    """Each pair by how alike its responses are and how far apart their rewards are.

    To the right the two gradients cancel; near the dotted level the reward model has no preference.
    `customdata` holds the pairs' ids.

    Args:
        pairs: `AuditResult.pairs` with gap and cosine.
        title: of the figure.
        parallel: the cosine from which pairs are near-parallel, drawn as a line.
    """
    usable = pairs.loc[np.isfinite(pairs[["gap", "cosine"]].to_numpy(np.float64)).all(axis=1)]
    if len(usable) > MOST_POINTS:
        usable = usable.sample(MOST_POINTS, random_state=0)
    figure = frame(title, "cosine of chosen and rejected", "gap", height=360)
    trace = go.Scattergl if len(usable) > 1_000 else go.Scatter
    figure.add_trace(
        trace(
            x=usable["cosine"],
            y=usable["gap"],
            mode="markers",
            marker={"color": LINE, "size": 6, "opacity": 0.7},
            customdata=literal([str(name) for name in usable["pair_id"]]),
            hovertemplate="%{customdata}<br>cosine %{x:.3f}, gap %{y:.3f}<extra></extra>",
        )
    )
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    if parallel is not None:
        figure.add_vline(x=parallel, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    return figure


def _pooled_line(figure: go.Figure, rows: pd.DataFrame, name: str, colour: str) -> None:
    """A line with arms as long as its interval; hovering tells n and what was left out."""
    figure.add_scatter(
        x=rows["iteration"],
        y=rows["value"],
        mode="lines+markers",
        name=literal([name], width=40)[0],
        line={"color": colour, "width": 2},
        error_y={
            "array": (rows["high"] - rows["value"]).fillna(0).tolist(),
            "arrayminus": (rows["value"] - rows["low"]).fillna(0).tolist(),
            "symmetric": False,
            "thickness": 1.2,
            "color": colour,
        },
        customdata=[_told(row) for row in rows.to_dict("records")],
        hovertemplate=f"{literal([name], width=40)[0]}: %{{y:.3f}}<br>%{{customdata}}"
        "<extra></extra>",
    )


def _told(row: Mapping[object, object]) -> str:
    left_out = sum(json.loads(str(row["left_out"])).values())
    interval = "no interval"
    if np.isfinite(float(str(row["low"]))):
        interval = f"{row['confidence']:.0%}: {row['low']:.3f} to {row['high']:.3f}"
    lost = f", {left_out:,} left out" if left_out else ""
    return f"{interval}; n = {row['n']:,} over {row['n_prompts']:,} problems{lost}"


def _whole_iterations(figure: go.Figure, rows: pd.DataFrame) -> None:
    figure.update_xaxes(tickvals=sorted({int(step) for step in rows["iteration"]}))


def _faded(colour: str) -> str:
    """The colour with most of its ground showing through."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.25)"
