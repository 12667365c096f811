"""Methods over their budget, over k and over steps, with bands over problems."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from core.figures.style import LEGEND_BELOW, NEUTRAL, SERIES, frame, literal
from core.labs.collapse.counts import methods_of
from core.labs.collapse.coverage import BASE, BASE_SAME, ITSELF
from core.stats import Estimate

MOST_BANDS = 3
"""Of more methods than this the bands hide each other: the intervals are then in the hover texts
alone."""

_MEASURES = {
    "distinct": "distinct answers so far, mean of problems",
    "solved": "share of problems solved at least once",
    "pass": "pass@k",
    "entropy": "entropy of answers (nats)",
    "majority_share": "share of the most frequent answer",
}


def colours(methods: Sequence[str]) -> dict[str, str]:
    """One colour a method, the base in grey; the same wherever the same methods are drawn, in
    whatever order."""
    others = sorted({name for name in methods if name != BASE})
    found = {name: SERIES[place % len(SERIES)] for place, name in enumerate(others)}
    return found | {BASE: NEUTRAL}


def cumulative(
    curves: pd.DataFrame,
    *,
    cohort: str = "all",
    measure: str = "distinct",
    methods: Sequence[str] | None = None,
    title: str = "",
) -> go.Figure:
    """What was ever given or solved against samples of a problem; dotted, the base on the same
    problems.

    Args:
        curves: `Curves.table`.
        cohort: which problems.
        measure: "distinct" or "solved".
        methods: which are drawn; all by default.
        title: of the figure.
    """
    figure = _lines(title, "samples of each problem so far", _MEASURES[measure])
    rows = curves.loc[(curves["cohort"] == cohort) & (curves["measure"] == measure)]
    shown = list(methods) if methods is not None else list(dict.fromkeys(rows["method"]))
    colour = colours(list(dict.fromkeys(curves["method"])))
    band = len(shown) <= MOST_BANDS
    for method in shown:
        own = rows.loc[(rows["method"] == method) & (rows["compared"] == ITSELF)]
        _line(figure, own, "budget", method, colour.get(method, NEUTRAL), band=band)
        same = rows.loc[(rows["method"] == method) & (rows["compared"] == BASE_SAME)]
        if len(same) and cohort != "all":
            name = f"base on the problems of {method}"
            _line(figure, same, "budget", name, colour[method], dash="dot", band=False)
    if measure == "solved":
        figure.update_yaxes(tickformat=".0%")
    return figure


def spread_bars(
    effects: Mapping[str, Estimate], base: Mapping[str, Estimate], *, title: str = ""
) -> go.Figure:
    """Effect of each method with its interval; grey, the base's own change, where 0 is expected."""
    height = 150 + 44 * max(1, len(effects))
    figure = frame(title, "change in distinct answers", "", height=height, legend=True)
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    colour = colours(list(effects))
    for name, estimates, symbol in (
        ("run minus base", effects, "circle"),
        ("base alone", base, "circle-open"),
    ):
        kept = [method for method in effects if method in estimates]
        found = [estimates[method] for method in kept]
        figure.add_scatter(
            x=[each.value for each in found],
            y=literal(kept),
            mode="markers",
            name=name,
            marker={
                "size": 10 if symbol == "circle" else 8,
                "symbol": symbol,
                "color": [colour[method] for method in kept] if symbol == "circle" else NEUTRAL,
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [each.high - each.value for each in found],
                "arrayminus": [each.value - each.low for each in found],
                "thickness": 1.5 if symbol == "circle" else 1,
                "color": NEUTRAL,
            },
            customdata=[
                f"{_interval(each)}, n = {each.n}, {each.n_prompts} problems" for each in found
            ],
            hovertemplate=f"{name} %{{x:.2f}}<br>%{{customdata}}<extra>%{{y}}</extra>",
        )
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def at_k_curves(
    table: pd.DataFrame,
    *,
    measure: str = "pass",
    group: str = "all",
    methods: Sequence[str] | None = None,
    title: str = "",
) -> go.Figure:
    """pass@k or distinct@k over k, on a logarithmic axis of k.

    Args:
        table: `AtK.table`.
        measure: "pass" or "distinct".
        group: "all", "solved" or "unsolved" problems.
        methods: which are drawn; all by default.
        title: of the figure.
    """
    words = "pass@k" if measure == "pass" else f"distinct answers among k, {group} problems"
    figure = _lines(title, "k samples of a problem", words)
    rows = table.loc[(table["measure"] == measure) & (table["group"] == group)]
    colour = colours(list(dict.fromkeys(table["method"])))
    shown = list(methods) if methods is not None else list(dict.fromkeys(rows["method"]))
    band = len(shown) <= MOST_BANDS
    for method in shown:
        part = rows.loc[rows["method"] == method]
        _line(figure, part, "k", method, colour.get(method, NEUTRAL), band=band)
    _powers(figure, rows["k"])
    return figure


def coverage_beside_checkpoint(both: pd.DataFrame, method: str, *, title: str = "") -> go.Figure:
    """One method: the share ever solved in training, a point, and pass@k of its policies, lines.

    Args:
        both: of `core.labs.collapse.analysis.coverage_and_checkpoint`.
        method: which.
        title: of the figure.
    """
    figure = _lines(title, "samples of a problem", "share of problems")
    rows = both.loc[both["method"] == method]
    for place, what in enumerate(dict.fromkeys(rows["what"])):
        part = rows.loc[rows["what"] == what]
        if what.startswith("ever"):
            figure.add_scatter(
                x=part["k"],
                y=part["value"],
                mode="markers",
                name="ever solved in training (history)",
                marker={"symbol": "star", "size": 13, "color": SERIES[1]},
                error_y=_error(part),
                hovertemplate="ever solved within %{x} samples: %{y:.1%}<extra></extra>",
            )
        else:
            _line(figure, part, "k", what, SERIES[(0, 0, 2, 3, 5)[min(place, 4)]])
    _powers(figure, rows["k"])
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def over_steps(
    table: pd.DataFrame,
    *,
    measure: str = "entropy",
    methods: Sequence[str] | None = None,
    title: str = "",
) -> go.Figure:
    """Entropy, majority share or distinct answers of a group along training."""
    words = _MEASURES[measure] if measure != "distinct" else "distinct answers in a group"
    figure = _lines(title, "training step", words)
    rows = table.loc[table["measure"] == measure]
    colour = colours(list(dict.fromkeys(table["method"])))
    shown = list(methods) if methods is not None else list(dict.fromkeys(rows["method"]))
    band = len(shown) <= MOST_BANDS
    for method in shown:
        part = rows.loc[rows["method"] == method]
        _line(figure, part, "step", method, colour.get(method, NEUTRAL), band=band, markers=False)
    return figure


def flag_plane(runs: pd.DataFrame, k: int, *, title: str = "") -> go.Figure:
    """Change of pass@k against change of reward, a point a run; below right is the flag's corner.

    Args:
        runs: `FlagResult.table()`.
        k: samples of pass@k.
        title: of the figure.
    """
    figure = _lines(title, "change of mean reward, early to late", f"change of pass@{k}")
    figure.update_layout(hovermode="closest")
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1})
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    of_method = methods_of(runs["run"])
    colour = colours(list(dict.fromkeys(of_method)))
    for method, rows in runs.groupby(of_method, sort=False):
        (name,) = literal([str(method)])
        figure.add_scatter(
            x=rows["reward_change"],
            y=rows["pass_change"],
            mode="markers",
            name=name,
            marker={
                "size": [13 if each else 9 for each in rows["flagged"]],
                "color": colour[str(method)],
                "symbol": ["diamond" if each else "circle" for each in rows["flagged"]],
            },
            error_x=_error(rows, "reward_"),
            error_y=_error(rows, "pass_"),
            customdata=literal([str(run) for run in rows["run"]]),
            hovertemplate=f"%{{customdata}}<br>reward %{{x:+.3f}}, pass@{k} %{{y:+.3f}}"
            "<extra></extra>",
        )
    return figure


def _lines(title: str, x_title: str, y_title: str) -> go.Figure:
    figure = frame(title, x_title, y_title, height=410, legend=True)
    # Three rows of names fit below the axis: seven methods need two in half a page.
    figure.update_layout(
        legend={"orientation": "h", "yanchor": "bottom", "yref": "container", "y": 0.0, "x": 0.0,
                "xanchor": "left"},
        margin={"b": 2.6 * LEGEND_BELOW},
        hovermode="x unified",
    )  # fmt: skip
    return figure


def _line(
    figure: go.Figure,
    rows: pd.DataFrame,
    x: str,
    name: str,
    colour: str,
    *,
    dash: str = "solid",
    band: bool = True,
    markers: bool = True,
) -> None:
    """A line with its interval as a faint band of the same colour."""
    if rows.empty:
        return
    ordered = rows.sort_values(x)
    (shown,) = literal([name])
    if band and ordered["low"].notna().any():
        edges = pd.concat([ordered["high"], ordered["low"][::-1]])
        figure.add_scatter(
            x=pd.concat([ordered[x], ordered[x][::-1]]),
            y=edges,
            fill="toself",
            mode="lines",
            line={"width": 0},
            fillcolor=colour,
            opacity=0.14,
            hoverinfo="skip",
            showlegend=False,
            legendgroup=shown,
        )
    figure.add_scatter(
        x=ordered[x],
        y=ordered["value"],
        mode="lines+markers" if markers and dash == "solid" else "lines",
        name=shown,
        legendgroup=shown,
        line={"color": colour, "dash": dash, "width": 2},
        marker={"size": 5},
        customdata=ordered[["low", "high", "n_prompts"]].to_numpy(),
        hovertemplate="%{y:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f}, "
        "%{customdata[2]:.0f} problems)",
    )


def _interval(estimate: Estimate) -> str:
    if not math.isfinite(estimate.low):
        return estimate.method
    return f"{estimate.low:.2f} to {estimate.high:.2f}"


def _error(rows: pd.DataFrame, prefix: str = "") -> dict[str, object]:
    value = rows[f"{prefix}change"] if prefix else rows["value"]
    return {
        "type": "data",
        "symmetric": False,
        "array": rows[f"{prefix}high"] - value,
        "arrayminus": value - rows[f"{prefix}low"],
        "color": NEUTRAL,
        "thickness": 1,
    }


def _powers(figure: go.Figure, ks: "pd.Series[int]") -> None:
    marks = sorted({int(k) for k in ks})
    figure.update_xaxes(type="log", tickvals=marks, ticktext=[str(k) for k in marks])
