"""Figures of the tool errors lab: a result in, a figure out."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import CHOSEN, NEUTRAL, REJECTED, SERIES, frame, literal
from core.labs.trajectories.rates import STATUSES, ErrorRates, Measure, Side
from core.labs.trajectories.updates import MOST_ERRORS, GroupUpdate, Weighing

FADED = 0.28
MEASURE_TITLES: dict[str, str] = {
    "micro": "failed tool calls / tool calls",
    "macro": "mean failed share of a rollout",
    "no tool": "share without a tool call",
    "right": "share of right rollouts",
}


def rate_lines(
    rates: ErrorRates, side: Side, measure: Measure, *, title: str, height: int = 340
) -> go.Figure:
    """One measure of one side over training, a line a method or run, with its interval."""
    rows = rates.rates
    chosen = rows.loc[(rows["side"] == side) & (rows["measure"] == measure)] if len(rows) else rows
    figure = _lines(chosen, "line", title, MEASURE_TITLES[measure], height)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def status_lines(rates: ErrorRates, line: str, *, title: str) -> go.Figure:
    """Share of groups that are mixed, all right and all wrong over training, for one line."""
    rows = rates.groups.loc[rates.groups["line"] == line]
    figure = frame(title, "training step", "share of groups", height=300, legend=True)
    for status, colour in zip(STATUSES, (SERIES[0], CHOSEN, REJECTED), strict=True):
        of_status = rows.loc[rows["status"] == status]
        figure.add_scatter(
            x=of_status["step"], y=of_status["value"], name=status, mode="lines",
            line={"color": colour}, stackgroup="all",
            customdata=_intervals(of_status),
            hovertemplate="step %{x:.0f}: %{y:.0%} %{customdata}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", range=[0, 1])
    return figure


def length_lines(rates: ErrorRates, side: Side, *, title: str) -> go.Figure:
    """Mean length of one side's rollouts over training."""
    rows = rates.lengths.loc[rates.lengths["side"] == side]
    return _lines(rows, "line", title, f"mean {rates.length_unit}", 300)


def penalty_bars(update: GroupUpdate, *, title: str) -> go.Figure:
    """p_err and p_format of every rollout of a group; dropped ones are faded."""
    rows = ordered(update)
    names = rollout_names(rows)
    figure = frame(title, "", "penalty", height=300, legend=True)
    opacity = np.where(rows["kept"], 1.0, FADED).tolist()
    for column, colour in (("p_err", REJECTED), ("p_format", SERIES[1])):
        figure.add_bar(
            x=names, y=rows[column], name=column, marker={"color": colour, "opacity": opacity},
            customdata=literal([str(why) for why in rows["why"]]),
            hovertemplate="%{x}: %{y:.2f}<br>%{customdata}<extra>" + column + "</extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack")
    figure.update_xaxes(type="category", tickangle=-60)
    return figure


def weight_bars(update: GroupUpdate, *, title: str) -> go.Figure:
    """What each rollout weighs in the update, before and after the choice."""
    rows = ordered(update)
    names = rollout_names(rows)
    figure = frame(title, "", "advantage / rollouts in the update", height=300, legend=True)
    for when, colour in (("before", NEUTRAL), ("after", SERIES[0])):
        figure.add_bar(
            x=names, y=rows[f"weight_{when}"], name=when, marker={"color": colour},
            customdata=rows[f"advantage_{when}"],
            hovertemplate="%{x}: weight %{y:.3f}, advantage %{customdata:.2f}<extra>"
            + when
            + "</extra>",
        )  # fmt: skip
    figure.update_layout(barmode="group")
    figure.update_xaxes(type="category", tickangle=-60)
    return figure


def acceptance_lines(weighings: Mapping[str, Weighing], *, title: str) -> go.Figure:
    """Chance of a right rollout to be kept by its failed calls; diamonds: without a tool call."""
    figure = frame(title, "failed tool calls", "chance to be kept", height=340, legend=True)
    for place, (name, found) in enumerate(weighings.items()):
        colour = SERIES[place % len(SERIES)]
        for tools, symbol, mode in (
            ("used a tool", "circle", "lines+markers"),
            ("no tool", "diamond-open", "markers"),
        ):
            if found.acceptance.empty:
                continue
            rows = found.acceptance.loc[found.acceptance["tools"] == tools]
            if rows.empty:
                continue
            shown = literal([name if tools != "no tool" else f"{name}, no tool"])[0]
            offset = 0.0 if tools != "no tool" else -0.25 + 0.06 * place
            figure.add_scatter(
                x=rows["errors"] + offset, y=rows["value"], name=shown, mode=mode,
                marker={"symbol": symbol, "size": 9, "color": colour}, line={"color": colour},
                error_y=_arms(rows), customdata=_intervals(rows),
                hovertemplate="%{y:.0%} %{customdata}<extra>%{fullData.name}</extra>",
            )  # fmt: skip
    ticks = list(range(MOST_ERRORS + 1))
    labels = [*(str(tick) for tick in ticks[:-1]), f"{MOST_ERRORS}+"]
    figure.update_xaxes(tickvals=ticks, ticktext=labels)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.05])
    return figure


def messy_bars(weighings: Mapping[str, Weighing], *, title: str) -> go.Figure:
    """Share of all positive weight on right but messy rollouts, before and after each strategy."""
    figure = frame(title, "", "share of positive weight", height=300, legend=True)
    names = literal(list(weighings))
    for when, colour in (("before", NEUTRAL), ("after", SERIES[0])):
        estimates = [getattr(found, when) for found in weighings.values()]
        rows = pd.DataFrame(
            [(e.value, e.low, e.high, e.n_prompts) for e in estimates],
            columns=["value", "low", "high", "n_problems"],
        )
        figure.add_bar(
            x=names, y=rows["value"], name=when, marker={"color": colour}, error_y=_arms(rows),
            customdata=_intervals(rows),
            hovertemplate="%{x}: %{y:.1%} %{customdata}<extra>" + when + "</extra>",
        )  # fmt: skip
    figure.update_layout(barmode="group")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def ordered(update: GroupUpdate) -> pd.DataFrame:
    """The rollouts as the figures show them: right before wrong, cleanest first."""
    return update.rows.sort_values(["correct", "penalty"], ascending=[False, True], kind="stable")


def rollout_names(rows: pd.DataFrame) -> list[str]:
    """What each rollout is called on an axis: its sample number, and whether it is right."""
    samples = rows["sample"] if "sample" in rows.columns else pd.Series(range(len(rows)))
    return [
        f"{'✓' if right else '✗'} {sample}"
        for right, sample in zip(rows["correct"], samples, strict=True)
    ]


def _lines(rows: pd.DataFrame, by: str, title: str, y_title: str, height: int) -> go.Figure:
    figure = frame(title, "training step", y_title, height=height, legend=True)
    lines = list(dict.fromkeys(rows[by])) if len(rows) else []
    for place, line in enumerate(lines):
        of_line = rows.loc[rows[by] == line].sort_values("step")
        colour = SERIES[place % len(SERIES)]
        figure.add_scatter(
            x=of_line["step"], y=of_line["value"], name=literal([str(line)], width=40)[0],
            mode="lines+markers", line={"color": colour}, error_y=_arms(of_line, colour),
            customdata=_intervals(of_line),
            hovertemplate="step %{x:.0f}: %{y:.3f} %{customdata}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    return figure


def _arms(rows: pd.DataFrame, colour: str = NEUTRAL) -> dict[str, object]:
    """Arms of unequal length; none where there is no interval."""
    return {
        "array": (rows["high"] - rows["value"]).fillna(0).tolist(),
        "arrayminus": (rows["value"] - rows["low"]).fillna(0).tolist(),
        "symmetric": False, "color": colour, "thickness": 1,
    }  # fmt: skip


def _intervals(rows: pd.DataFrame) -> list[str]:
    return [
        f"(95%: {low:.3f} to {high:.3f}, {n} problems)" if np.isfinite(low) else "(no interval)"
        for low, high, n in zip(rows["low"], rows["high"], rows["n_problems"], strict=True)
    ]
