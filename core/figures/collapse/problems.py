"""Problems one by one: how many answers each has had, when it was first solved, what it became."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import NEUTRAL, SEQUENTIAL, SERIES, frame, literal
from core.labs.collapse.classes import CLASSES, NOT_SAMPLED, ClassResult

MOST_STEPS = 40
"""Columns of the map; more steps are thinned to so many, each showing its last step."""

CLASS_COLOURS = {
    "solved": SERIES[2],
    "collapsed right": SERIES[5],
    "collapsed wrong": SERIES[4],
    "lost": SERIES[1],
    "still diverse": SERIES[0],
    NOT_SAMPLED: NEUTRAL,
}


def problem_map(
    progress: pd.DataFrame,
    problems: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    shown: str = "distinct_so_far",
    title: str = "",
) -> go.Figure:
    """Problems (down) by steps (across); colour is the distinct answers, a star the first solve.

    Every cell carries a point with `customdata` [problem_id, step], which a click returns.

    Args:
        progress: of one run, `core.labs.collapse.coverage.progress`.
        problems: ids, in the order in which they stand from the top.
        names: what the rows are called; the ids by default.
        shown: "distinct_so_far", or "distinct" for the answers of the step's group alone.
        title: of the figure.
    """
    rows = progress.loc[progress["problem_id"].isin(list(problems))]
    steps = _thinned(rows["step"].unique())
    wide = rows.pivot(index="problem_id", columns="step", values=shown)
    wide = wide.reindex(index=list(problems))
    filled = wide.ffill(axis=1) if shown == "distinct_so_far" else wide
    grid = filled.reindex(columns=steps)
    height = 130 + 16 * max(6, len(problems))
    figure = frame(title, "training step", "", height=height)
    ticks = literal([str(name) for name in (names or problems)], width=26)
    words = "distinct answers so far" if shown == "distinct_so_far" else "distinct answers"
    figure.add_heatmap(
        z=grid.to_numpy(dtype=float),
        x=steps,
        y=list(range(len(problems))),
        colorscale=SEQUENTIAL,
        zmin=0,
        colorbar={"title": {"text": "answers"}, "thickness": 12},
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )
    _clickable(figure, grid, list(problems), ticks, words)
    _first_solves(figure, rows, list(problems), steps)
    figure.update_xaxes(type="linear", range=_ends(steps))
    figure.update_yaxes(
        tickvals=list(range(len(problems))),
        ticktext=ticks,
        range=[len(problems) - 0.5, -0.5],
        tickfont={"size": 10},
        showgrid=False,
    )
    return figure


def class_shares(result: ClassResult, method: str, *, title: str = "") -> go.Figure:
    """What share of a method's problems is in each class, window by window."""
    shares = result.shares()
    rows = shares.loc[shares["method"] == method]
    figure = frame(title, "", "share of problems", height=340, legend=True)
    for name in CLASSES:
        part = rows.loc[rows["problem_class"] == name].set_index("window")
        part = part.reindex(range(len(result.windows))).fillna({"share": 0.0, "n": 0})
        figure.add_bar(
            x=list(result.windows),
            y=part["share"],
            name=name,
            marker={"color": CLASS_COLOURS[name]},
            customdata=part["n"],
            hovertemplate=f"{name}: %{{y:.0%}}, n = %{{customdata}}<extra></extra>",
        )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(tickformat=".0%", range=[0, 1])
    return figure


def class_flow(moved: pd.DataFrame, names: tuple[str, str], *, title: str = "") -> go.Figure:
    """From which class to which problems went, as flows.

    Args:
        moved: of `core.labs.collapse.classes.transitions`.
        names: of the two windows.
        title: of the figure.
    """
    order = [*CLASSES, NOT_SAMPLED]
    flows = [
        (order.index(str(start)), len(order) + order.index(str(end)), int(n))
        for start, row in moved.iterrows()
        for end, n in row.items()
        if n
    ]
    colours = [CLASS_COLOURS[name] for name in order]
    figure = frame(title, "", "", height=380)
    figure.add_sankey(
        # The default shadow blurs small labels on a light ground.
        textfont={"shadow": "none", "size": 11},
        node={
            "label": [f"{name} · {names[0]}" for name in order]
            + [f"{name} · {names[1]}" for name in order],
            "color": colours * 2,
            "pad": 14,
            "thickness": 14,
        },
        link={
            "source": [start for start, _, _ in flows],
            "target": [end for _, end, _ in flows],
            "value": [n for _, _, n in flows],
            "color": ["rgba(128,138,160,0.28)"] * len(flows),
        },
    )
    return figure


def _clickable(
    figure: go.Figure, grid: pd.DataFrame, problems: list[str], names: list[str], words: str
) -> None:
    """Points over the cells: a heat-map's own cells cannot be selected."""
    cells = [
        (step, place, float(value))
        for place, row in enumerate(grid.to_numpy(dtype=float))
        for step, value in zip(grid.columns, row, strict=True)
        if np.isfinite(value)
    ]
    figure.add_scatter(
        x=[step for step, _, _ in cells],
        y=[place for _, place, _ in cells],
        mode="markers",
        marker={"symbol": "square", "size": 13, "opacity": 0.01, "color": NEUTRAL},
        selected={"marker": {"opacity": 0.6}},
        unselected={"marker": {"opacity": 0.01}},
        customdata=[[problems[place], int(step)] for step, place, _ in cells],
        text=[names[place] for _, place, _ in cells],
        hovertemplate=[
            f"%{{text}}<br>step %{{x}}: {value:g} {words}<extra></extra>" for _, _, value in cells
        ],
        showlegend=False,
    )


def _first_solves(
    figure: go.Figure, rows: pd.DataFrame, problems: list[str], steps: list[int]
) -> None:
    solves = rows.loc[rows["first_solve"]]
    # A thinned step stands for those after the one before it.
    shown = [min((s for s in steps if s >= step), default=steps[-1]) for step in solves["step"]]
    figure.add_scatter(
        x=shown,
        y=[problems.index(name) for name in solves["problem_id"]],
        mode="markers",
        marker={"symbol": "star", "size": 9, "color": SERIES[1], "line": {"width": 0}},
        name="first solve",
        hoverinfo="skip",
        showlegend=False,
    )


def _thinned(steps: "np.typing.ArrayLike") -> list[int]:
    ordered = np.sort(np.asarray(steps, dtype=np.int64))
    if len(ordered) <= MOST_STEPS:
        return [int(step) for step in ordered]
    places = np.linspace(0, len(ordered) - 1, MOST_STEPS).round().astype(int)
    return [int(ordered[place]) for place in np.unique(places)]


def _ends(steps: Sequence[int]) -> list[float]:
    if not steps:
        return [-0.5, 0.5]
    half = (steps[-1] - steps[0]) / max(1, len(steps) - 1) / 2 or 0.5
    return [steps[0] - half, steps[-1] + half]
