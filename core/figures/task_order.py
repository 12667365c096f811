"""Figures of the task order lab, drawn from its tables so that reports can draw them again."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import BAND, DIVERGING, LINE, NEUTRAL, SERIES, frame, literal
from core.labs.task_order.entropy import softmax_entropy

MOST_BARS = 24
"""Orders that are drawn one a row; beyond, they are one curve."""

_ROW = 24
_COLOURS = {"best": SERIES[2], "worst": SERIES[4]}


def transfer_heat_map(effects: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Effect of training on the row's task on the score of the column's.

    Args:
        effects: columns `trained`, `task`, `effect`, as in `tables.transfer_table`; a `change` in
            the place of `effect` draws changes of entropy, with their diagonal.
        title: of the figure.
    """
    value = "effect" if "effect" in effects.columns else "change"
    tasks = list(dict.fromkeys([*effects["trained"], *effects["task"]]))
    grid = effects.pivot(index="trained", columns="task", values=value)
    grid = grid.reindex(index=tasks, columns=tasks)
    values = grid.to_numpy(dtype=np.float64)
    names = literal([str(task) for task in tasks], width=24)
    figure = frame(title, "tested on", "trained on", height=120 + 46 * len(tasks))
    figure.add_heatmap(
        z=values,
        x=list(range(len(tasks))),
        y=list(range(len(tasks))),
        colorscale=DIVERGING,
        zmid=0,
        text=[["" if np.isnan(cell) else f"{cell:+.3f}" for cell in row] for row in values],
        texttemplate="%{text}",
        customdata=[[f"{a} → {b}" for b in names] for a in names],
        hovertemplate="%{customdata}: %{z:+.3f}<extra></extra>",
        hoverongaps=False,
        showscale=False,
    )
    figure.update_xaxes(tickvals=list(range(len(tasks))), ticktext=names)
    figure.update_yaxes(tickvals=list(range(len(tasks))), ticktext=names, autorange="reversed")
    return figure


def order_bars(
    orders: pd.DataFrame, *, joint: float | None = None, title: str = "", unit: str = "mean score"
) -> go.Figure:
    """Predicted mean of every order, the best on top, with its interval where there is one.

    Args:
        orders: as in `tables.orders_table`, best first.
        joint: mean of joint training, drawn as a line.
        title: of the figure.
        unit: of the mean.
    """
    figure = (
        _each_order(orders, title, unit)
        if len(orders) <= MOST_BARS
        else _order_curve(orders, title, unit)
    )
    if joint is not None and np.isfinite(joint):
        add = figure.add_vline if len(orders) <= MOST_BARS else figure.add_hline
        add(
            joint,
            line={"color": NEUTRAL, "dash": "dash"},
            annotation_text=f"joint training {joint:.3f}",
            annotation_position="bottom right",
        )
    return figure


def _each_order(orders: pd.DataFrame, title: str, unit: str) -> go.Figure:
    figure = frame(title, unit, "", height=110 + _ROW * len(orders))
    labels = [
        f"{name}  ({mark})" if mark else name
        for name, mark in zip(
            literal([str(name) for name in orders["order"]]), orders["mark"], strict=True
        )
    ]
    figure.add_scatter(
        x=orders["objective"].tolist(),
        y=list(range(len(orders))),
        mode="markers",
        marker={"size": 10, "color": _mark_colours(orders)},
        error_x=_arms(orders, "objective"),
        customdata=_order_hover(orders, labels),
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.update_yaxes(
        tickvals=list(range(len(orders))), ticktext=labels, autorange="reversed", showgrid=False
    )
    return figure


def _order_curve(orders: pd.DataFrame, title: str, unit: str) -> go.Figure:
    figure = frame(title, "orders, best first", unit, height=380)
    place = np.arange(1, len(orders) + 1)
    if "low" in orders.columns and orders["low"].notna().any():
        edge = {"width": 0}
        figure.add_scatter(x=place, y=orders["low"], mode="lines", line=edge, hoverinfo="skip")
        figure.add_scatter(
            x=place, y=orders["high"], mode="lines", line=edge, fill="tonexty", fillcolor=BAND,
            hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(
        x=place, y=orders["objective"], mode="lines", line={"color": LINE, "width": 2},
        hoverinfo="skip",
    )  # fmt: skip
    named = (orders["mark"] != "").to_numpy(dtype=bool)
    marked = orders.loc[named]
    names = literal([str(name) for name in marked["order"]])
    labels = [f"{name} ({mark})" for name, mark in zip(names, marked["mark"], strict=True)]
    figure.add_scatter(
        x=place[named],
        y=marked["objective"],
        mode="markers+text",
        text=list(marked["mark"]),
        textposition="top center",
        marker={"size": 10, "color": _mark_colours(marked)},
        customdata=_order_hover(marked, labels),
        hovertemplate="%{customdata}<extra></extra>",
    )
    return figure


def _mark_colours(orders: pd.DataFrame) -> list[str]:
    return [
        next((colour for word, colour in _COLOURS.items() if word in mark.split(", ")), LINE)
        if mark
        else NEUTRAL
        for mark in orders["mark"]
    ]


def _order_hover(orders: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    finals = [str(name) for name in orders.columns if str(name).startswith("final: ")]
    names = literal([name.removeprefix("final: ") for name in finals])
    told = []
    for label, row in zip(labels, orders.to_dict("records"), strict=True):
        lines = [label, f"{row['objective']:.4f}, rank {row['rank']}"]
        lines += [f"{name} {row[of]:.3f}" for name, of in zip(names, finals, strict=True)]
        told.append("<br>".join(lines))
    return told


def path_lines(path: pd.DataFrame, *, title: str = "", value: str = "score") -> go.Figure:
    """Each task's score, or entropy, before training and after each stage.

    Args:
        path: columns `stage`, `trained`, `task` and the value, with `low` and `high` where there
            is an interval.
        title: of the figure.
        value: "score" or "entropy".
    """
    unit = "score" if value == "score" else "entropy, nats per token"
    figure = frame(title, "", unit, height=330, legend=True)
    stages = path.drop_duplicates("stage").sort_values("stage")
    for at, (task, rows) in enumerate(path.groupby("task", sort=False)):
        rows = rows.sort_values("stage")  # noqa: PLW2901
        own = [str(trained) == str(task) for trained in rows["trained"]]
        figure.add_scatter(
            x=rows["stage"].tolist(),
            y=rows[value].tolist(),
            mode="lines+markers",
            name=literal([str(task)], width=30)[0],
            line={"color": SERIES[at % len(SERIES)], "width": 2},
            marker={
                "size": [12 if trained else 7 for trained in own],
                "symbol": ["star" if trained else "circle" for trained in own],
            },
            error_y=_arms(rows, value),
            hovertemplate="stage %{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    names = literal([str(trained) for trained in stages["trained"]], width=20)
    ticks = [f"{stage}. {name}" if name else "untrained" for stage, name in zip(
        stages["stage"], names, strict=True
    )]  # fmt: skip
    figure.update_xaxes(tickvals=list(stages["stage"]), ticktext=ticks)
    return figure


def predicted_against_observed(observed: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Predicted against observed mean of each recorded order, one colour a seed.

    Args:
        observed: columns `seed`, `order`, `predicted`, `observed`, as in `Comparison.table`.
        title: of the figure.
    """
    figure = frame(title, "predicted", "observed", height=400, legend=True)
    both = observed[["predicted", "observed"]].to_numpy(dtype=np.float64)
    if len(both):
        ends = [float(np.nanmin(both)), float(np.nanmax(both))]
        figure.add_scatter(
            x=ends, y=ends, mode="lines", line={"color": NEUTRAL, "dash": "dot"},
            name="predicted = observed", hoverinfo="skip",
        )  # fmt: skip
    groups = list(observed.groupby("seed", sort=False))
    for at, (seed, rows) in enumerate(groups):
        pooled = len(groups) > 1 and at == len(groups) - 1
        figure.add_scatter(
            x=rows["predicted"].tolist(),
            y=rows["observed"].tolist(),
            mode="markers",
            name=literal([str(seed)])[0],
            opacity=1.0 if pooled or len(groups) == 1 else 0.45,
            marker={
                "size": 11 if pooled else 8,
                "symbol": "diamond" if pooled else "circle",
                "color": SERIES[at % len(SERIES)],
            },
            customdata=literal([str(name) for name in rows["order"]]),
            hovertemplate="%{customdata}<br>predicted %{x:.3f}, observed %{y:.3f}<extra></extra>",
        )
    return figure


def assumption_differences(table: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Later minus first-stage number of each pair of tasks, with its interval.

    Args:
        table: as in `AssumptionCheck.table`.
        title: of the figure.
    """
    figure = frame(title, "later minus first stage", "", height=130 + _ROW * len(table))
    trained, task = (literal([str(name) for name in table[column]], width=24) for column in (
        "trained", "task"
    ))  # fmt: skip
    labels = [
        f"level of {a}" if which == 2 else f"{a} → {b}"
        for a, b, which in zip(trained, task, table["assumption"], strict=True)
    ]
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    figure.add_scatter(
        x=table["difference"].tolist(),
        y=list(range(len(table))),
        mode="markers",
        marker={
            "size": 9,
            "color": [SERIES[4] if differs else LINE for differs in table["differs"]],
        },
        error_x=_arms(table, "difference"),
        customdata=np.column_stack([table["first"], table["later"]]),
        hovertemplate="first %{customdata[0]:+.3f}, later %{customdata[1]:+.3f}<extra></extra>",
    )
    figure.update_yaxes(tickvals=list(range(len(table))), ticktext=labels, autorange="reversed")
    return figure


def rank_shift(
    kept: pd.DataFrame, broken: pd.DataFrame, *, title: str = "", unit: str = "mean score"
) -> go.Figure:
    """How the orders move from the assumptions kept (left) to the assumptions broken (right).

    Args:
        kept: ranking with both assumptions: `order`, `objective`.
        broken: the same orders without them.
        title: of the figure.
        unit: of the mean.
    """
    figure = frame(title, "", unit, height=380)
    joined = kept[["order", "objective"]].merge(
        broken[["order", "objective"]], on="order", suffixes=("_kept", "_broken")
    )
    if len(joined) > 2 * MOST_BARS:  # the best and worst on either side tell the story
        ends = [
            joined.nlargest(8, "objective_kept"),
            joined.nsmallest(8, "objective_kept"),
            joined.nlargest(8, "objective_broken"),
            joined.nsmallest(8, "objective_broken"),
        ]
        joined = pd.concat(ends).drop_duplicates("order")
    best = {joined["objective_kept"].idxmax(), joined["objective_broken"].idxmax()}
    for at, row in zip(joined.index, joined.to_dict("records"), strict=True):
        name = literal([str(row["order"])])[0]
        figure.add_scatter(
            x=[0, 1],
            y=[row["objective_kept"], row["objective_broken"]],
            mode="lines+markers+text" if at in best else "lines+markers",
            text=[name, name] if at in best else None,
            textposition=["middle left", "middle right"] if at in best else None,
            line={"color": SERIES[2] if at in best else BAND, "width": 3 if at in best else 1.5},
            marker={"size": 7, "color": SERIES[2] if at in best else NEUTRAL},
            hovertemplate=f"{name}: %{{y:.4f}}<extra></extra>",
        )
    figure.update_xaxes(
        tickvals=[0, 1], ticktext=["assumptions kept", "assumptions broken"], range=[-0.45, 1.45]
    )
    return figure


def temperature_curve(
    logits: npt.ArrayLike, *, target: float | None = None, found: float | None = None
) -> go.Figure:
    """Entropy of one distribution by temperature, with the temperature equivalent marked.

    Args:
        logits: of the distribution at temperature 1.
        target: the new entropy in nats.
        found: the temperature that gives it.
    """
    temperatures = np.geomspace(0.05, 20, 120)
    figure = frame("", "temperature", "entropy, nats", height=300)
    figure.add_scatter(
        x=temperatures,
        y=[softmax_entropy(logits, float(t)) for t in temperatures],
        mode="lines",
        line={"color": LINE, "width": 2},
        hovertemplate="T %{x:.2f}: %{y:.3f} nats<extra></extra>",
    )
    figure.add_scatter(
        x=[1.0], y=[softmax_entropy(logits, 1.0)], mode="markers+text", text=["before"],
        textposition="bottom right", marker={"size": 10, "color": NEUTRAL},
    )  # fmt: skip
    if target is not None and found is not None:
        figure.add_scatter(
            x=[found], y=[target], mode="markers+text", text=[f"T = {found:.2f}"],
            textposition="top left", marker={"size": 11, "color": SERIES[1]},
        )  # fmt: skip
    figure.update_xaxes(type="log")
    return figure


def _arms(rows: pd.DataFrame, value: str) -> dict[str, object] | None:
    """Arms of unequal length; none where there is no interval."""
    if "low" not in rows.columns or not rows["low"].notna().any():
        return None
    return {
        "array": (rows["high"] - rows[value]).fillna(0).tolist(),
        "arrayminus": (rows[value] - rows["low"]).fillna(0).tolist(),
        "symmetric": False,
        "color": NEUTRAL,
        "thickness": 1.5,
    }
