"""Figures of the verifier-free lab, drawn from its tables so that reports can draw them again."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import BAND, CHOSEN, LINE, NEUTRAL, REJECTED, SERIES, frame, literal

_ROW = 26


def method_bars(side_by_side: pd.DataFrame, *, value: str = "advantage") -> go.Figure:
    """What each method gives each trace of one group, a panel each; right green, wrong red.

    Args:
        side_by_side: of `rewards.side_by_side`.
        value: "advantage" or "reward".
    """
    methods = list(dict.fromkeys(side_by_side["method"]))
    figure = frame("", "", "", height=300)
    step = 1 / max(1, len(methods))
    for number, method in enumerate(methods):
        rows = side_by_side.loc[side_by_side["method"] == method]
        axis = "" if number == 0 else str(number + 1)
        figure.add_bar(
            x=literal([str(name) for name in rows["trace_id"]], width=12),
            y=rows[value].tolist(),
            marker_color=[_colour(label) for label in rows["correct"]],
            customdata=np.column_stack([rows["reward"], [_said(x) for x in rows["correct"]]]),
            hovertemplate=method
            + ", trace %{x}<br>reward %{customdata[0]:.4f}, %{customdata[1]}<br>"
            + value
            + " %{y:.4f}<extra></extra>",
            name=method,
            xaxis=f"x{axis}",
            yaxis=f"y{axis}",
        )
        # Rewards of different methods are on different scales.
        figure.update_layout(
            {
                f"xaxis{axis}": {
                    "domain": [number * step + 0.04, (number + 1) * step - 0.01],
                    "anchor": f"y{axis}",
                    "title": {"text": f"{method}: trace"},
                    "type": "category",
                    "showgrid": False,
                },
                f"yaxis{axis}": {
                    "anchor": f"x{axis}",
                    "title": {"text": value if number == 0 else ""},
                    "zeroline": True,
                    "zerolinecolor": NEUTRAL,
                    "nticks": 6,
                },
            }
        )
    return figure


def filter_lines(steps: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Mean spread of each step's groups, the moving average, and the bound that decides."""
    figure = frame(title, "step", "standard deviation of the rewards", height=320, legend=True)
    for name, column, style in (
        ("mean of the step", "mean_std", {"color": NEUTRAL, "width": 1}),
        ("moving average", "average", {"color": LINE, "width": 2}),
        ("bound, β times it", "bound", {"color": REJECTED, "dash": "dash", "width": 2}),
    ):
        figure.add_scatter(
            x=steps["step"],
            y=steps[column],
            mode="lines",
            line=style,
            name=name,
            hovertemplate="step %{x}: %{y:.4f}<extra>%{fullData.name}</extra>",
        )
    return figure


def kept_bars(steps: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Groups kept and dropped at each step."""
    figure = frame(title, "step", "groups", height=320, legend=True)
    figure.add_bar(x=steps["step"], y=steps["n_kept"], name="kept", marker_color=LINE)
    figure.add_bar(
        x=steps["step"],
        y=steps["n_groups"] - steps["n_kept"],
        name="dropped",
        marker_color=BAND,
    )
    figure.update_layout(barmode="stack")
    return figure


def area_dots(
    areas: pd.DataFrame,
    *,
    title: str = "",
    label: str = "score",
    limits: tuple[float, float] | None = None,
) -> go.Figure:
    """Area under the ROC curve of each row with its interval, chance as a line.

    Args:
        areas: of `quality.quality_table`, the rows to draw.
        title: of the figure.
        label: the column that names a row.
        limits: of the axis, so that figures beside each other can be compared.
    """
    figure = frame(title, "area under the ROC curve", "", height=110 + _ROW * len(areas))
    values = areas["auc"].to_numpy(dtype=np.float64)
    figure.add_scatter(
        x=values,
        y=list(range(len(areas))),
        mode="markers",
        marker={"size": 10, "color": LINE},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": np.nan_to_num(areas["high"].to_numpy(dtype=np.float64) - values),
            "arrayminus": np.nan_to_num(values - areas["low"].to_numpy(dtype=np.float64)),
            "color": NEUTRAL,
        },
        customdata=areas[["low", "high", "n", "n_problems"]].to_numpy(),
        hovertemplate="%{x:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f}), "
        "%{customdata[2]} scores of %{customdata[3]} problems<extra></extra>",
    )
    figure.add_vline(x=0.5, line={"color": NEUTRAL, "dash": "dot"})
    names = literal([str(name) for name in areas[label]], width=40)
    figure.update_yaxes(tickvals=list(range(len(areas))), ticktext=names, autorange="reversed")
    if limits is not None:
        figure.update_xaxes(range=limits)
    return figure


def roc_lines(curves: pd.DataFrame, *, title: str = "") -> go.Figure:
    """ROC curves: share of wrong traces above a threshold against share of right ones.

    Args:
        curves: of `quality.roc_curve`, with a column `score` that names the curve.
        title: of the figure.
    """
    figure = frame(title, "wrong traces above", "right traces above", height=380, legend=True)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": NEUTRAL, "dash": "dot"},
        showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    for number, (name, rows) in enumerate(curves.groupby("score", sort=False)):
        figure.add_scatter(
            x=rows["false_positive"],
            y=rows["true_positive"],
            mode="lines",
            line={"color": SERIES[number % len(SERIES)], "width": 2},
            name=literal([str(name)])[0],
            hovertemplate="%{x:.2f}, %{y:.2f}<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(legend={"y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left"})
    return figure


def reward_scatter(
    table: pd.DataFrame, rewards: npt.ArrayLike, against: str, *, title: str = ""
) -> go.Figure:
    """Reward of each trace against its length or entropy.

    Args:
        table: rows of the reference.
        rewards: (n,) of these rows.
        against: "n_trace_tokens" or "entropy".
        title: of the figure.
    """
    what = "tokens of the trace" if against == "n_trace_tokens" else "entropy, nats per token"
    figure = frame(title, what, "reward", height=340, legend=True)
    values = np.asarray(rewards, dtype=np.float64)
    for label in (True, False, None):
        rows = np.array([flag is label for flag in table["correct"]], dtype=bool)
        if not rows.any():
            continue
        names = [
            f"{a}, trace {b}"
            for a, b in zip(table["problem_id"][rows], table["trace_id"][rows], strict=True)
        ]
        figure.add_scatter(
            x=table[against][rows],
            y=values[rows],
            mode="markers",
            marker={"size": 7, "color": _colour(label), "opacity": 0.75},
            name=_said(label),
            customdata=literal(names),
            hovertemplate="%{customdata}: %{y:.4f}<extra></extra>",
        )
    return figure


def paraphrase_bars(problems: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Variance over wordings against variance between traces, one point a problem."""
    figure = frame(title, "variance between traces", "variance over wordings", height=360)
    both = problems[["between", "within"]].to_numpy(dtype=np.float64)
    top = float(both.max()) if both.size else 1.0
    figure.add_scatter(
        x=[0, top], y=[0, top], mode="lines", line={"color": NEUTRAL, "dash": "dot"},
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=both[:, 0],
        y=both[:, 1],
        mode="markers",
        marker={"size": 8, "color": LINE, "opacity": 0.75},
        customdata=literal([str(name) for name in problems["problem_id"]]),
        hovertemplate="%{customdata}: %{y:.4f} over wordings, %{x:.4f} between traces"
        "<extra></extra>",
    )
    figure.update_layout(showlegend=False)
    return figure


def variance_dots(table: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Monte-Carlo variance of both estimators on a log scale; a diamond where a formula is known.

    A variance of 0 has no place on the scale and is left away.
    """
    figure = frame(title, "", "variance of the estimate", height=340, legend=True)
    for name, colour in (("VeriFree", LINE), ("sampled answer", SERIES[1])):
        rows = table.loc[(table["estimator"] == name) & (table["variance"] > 0)]
        figure.add_scatter(
            x=rows["quantity"],
            y=rows["variance"],
            error_y={"type": "data", "array": 2 * rows["error"].to_numpy(dtype=np.float64)},
            mode="markers",
            marker={"size": 9, "color": colour},
            name=f"{name}, drawn",
            hovertemplate="%{y:.3g}<extra>%{fullData.name}</extra>",
        )
        known = rows.dropna(subset=["analytic_variance"])
        figure.add_scatter(
            x=known["quantity"],
            y=known["analytic_variance"],
            mode="markers",
            marker={
                "symbol": "diamond-open", "size": 17, "color": colour, "line": {"width": 1.5},
            },
            name=f"{name}, by formula",
            hovertemplate="%{y:.3g}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    figure.update_yaxes(type="log", exponentformat="power", dtick=1)
    figure.update_layout(legend={"y": -0.15, "yanchor": "top", "x": 0, "xanchor": "left"})
    return figure


def _colour(label: object) -> str:
    return CHOSEN if label is True else REJECTED if label is False else NEUTRAL


def _said(label: object) -> str:
    return "right" if label is True else "wrong" if label is False else "not labelled"
