"""Figures of the reasoning lab: voting curves, orders, adaptive votes, tournaments, budgets."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import BAND, LINE, NEUTRAL, REJECTED, SERIES, frame, literal
from core.stats import FloatArray

AGGREGATION_NAMES = {
    "majority": "majority",
    "sum": "sum of scores",
    "mean": "mean of scores",
    "z-sum": "sum of z-scores",
    "filtered": "filtered",
}
RULE_NAMES = {
    "fixed": "always k",
    "settled": "settled",
    "order": "order settled",
    "majority": "P(majority right)",
    "ahead": "P(leader ahead)",
    "stays": "P(leader stays)",
}
_COLOURS = dict(zip(AGGREGATION_NAMES, SERIES, strict=False))
_RULE_COLOURS = {
    "fixed": NEUTRAL, "settled": SERIES[1], "order": SERIES[3], "majority": SERIES[0],
    "ahead": SERIES[0], "stays": SERIES[2],
}  # fmt: skip
_ROW = 30
_CELLS = [[0.0, "#e9edf9"], [1.0, "#8fa4f0"]]
_CELL_TEXT = {"color": "#141a2e"}
"""Opaque and light throughout, so that one dark text is easy to read on every cell of any page."""

_SYMBOLS = ("circle-open", "diamond-open", "x-thin-open", "square")
"""Ways that take as many judgements lie over each other: all can be seen."""

_MEETINGS = {
    ("A", "A"): "same winner",
    ("B", "B"): "same winner",
    ("A", "B"): "first both times",
    ("B", "A"): "second both times",
    ("tie", "tie"): "tie both times",
}
"""What a cell of the order matrix is; the others have a tie or an unread judgement on one side."""


def voting_curves(
    curves: pd.DataFrame,
    *,
    reference: pd.DataFrame | None = None,
    shown: str = "majority",
    title: str = "",
) -> go.Figure:
    """Accuracy by number of judgements, a line a way of adding up.

    Args:
        curves: as in `VotingCurves.table`.
        reference: k and value of the formula for independent votes.
        shown: the aggregation whose intervals are drawn: the grey band resamples items, the blue
            one is the choice of the judgements.
        title: of the figure.
    """
    figure = frame(title, "judgements of an item, k", "accuracy", height=420, legend=True)
    banded = curves.loc[curves["aggregation"] == shown].sort_values("k")
    for low, high, name, colour in (
        ("low", "high", "95 % over items", BAND),
        ("subset_low", "subset_high", "choice of the k", "rgba(91,124,250,0.22)"),
    ):
        if len(banded):
            ks = banded["k"].tolist()
            figure.add_scatter(
                x=ks + ks[::-1],
                y=banded[high].tolist() + banded[low].tolist()[::-1],
                fill="toself", fillcolor=colour, line={"width": 0}, mode="lines", name=name,
                hoverinfo="skip",
            )  # fmt: skip
    if reference is not None and len(reference):
        figure.add_scatter(
            x=reference["k"].tolist(), y=reference["value"].tolist(), mode="lines",
            name="if votes were independent",
            line={"color": NEUTRAL, "dash": "dot", "width": 2},
            hovertemplate="independent, k = %{x}: %{y:.3f}<extra></extra>",
        )  # fmt: skip
    for aggregation, rows in curves.groupby("aggregation", sort=False):
        rows = rows.sort_values("k")  # noqa: PLW2901
        figure.add_scatter(
            x=rows["k"].tolist(), y=rows["value"].tolist(), mode="lines+markers",
            name=AGGREGATION_NAMES.get(str(aggregation), str(aggregation)),
            line={"color": _COLOURS.get(str(aggregation), LINE), "width": 2},
            marker={"size": 5},
            customdata=rows[["low", "high", "n"]],
            hovertemplate="k = %{x}: %{y:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f}, "
            "%{customdata[2]} items)<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    figure.update_layout(legend={"y": -0.24, "yanchor": "top", "x": 0, "xanchor": "left"})
    return figure


def vote_histogram(votes: pd.DataFrame, *, title: str = "") -> go.Figure:
    """How many items have which share of right votes: left of one half voting makes it worse.

    Items without a vote are not there.

    Args:
        votes: as of `vote_table`.
        title: of the figure.
    """
    figure = frame(title, "share of an item's votes that are right", "items", height=300)
    shares = votes["share_right"].dropna().to_numpy(dtype=np.float64)
    edges = np.linspace(0, 1, 11)
    counts, _ = np.histogram(shares, edges)
    centres = (edges[:-1] + edges[1:]) / 2
    figure.add_bar(
        x=centres.tolist(), y=counts.tolist(), width=0.092,
        marker={"color": [REJECTED if centre < 0.5 else LINE for centre in centres]},
        hovertemplate="%{x:.0%}: %{y} items<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=0.5, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    return figure


def effective_votes(effective: pd.DataFrame, *, title: str = "") -> go.Figure:
    """What k correlated judgements are worth as independent ones.

    Args:
        effective: k, effective, low, high, as in `Dependence.effective`.
        title: of the figure.
    """
    figure = frame(title, "judgements, k", "independent judgements", height=300)
    ks = effective["k"].tolist()
    figure.add_scatter(
        x=ks + ks[::-1], y=effective["high"].tolist() + effective["low"].tolist()[::-1],
        fill="toself", fillcolor=BAND, line={"width": 0}, mode="lines", hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=ks, y=ks, mode="lines", line={"color": NEUTRAL, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=ks, y=effective["effective"].tolist(), mode="lines+markers",
        line={"color": LINE, "width": 2},
        hovertemplate="%{x} are worth %{y:.2f}<extra></extra>",
    )  # fmt: skip
    return figure


def order_matrix(matrix: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Outcome in the own order (down) against the outcome in the swapped order (across).

    Each cell says what it means: the same response both times, or the same place.

    Args:
        matrix: own, swapped, share, as in `OrderSwaps.matrix`.
        title: of the figure.
    """
    grid = matrix.pivot_table(index="own", columns="swapped", values="share", sort=False)
    empty = [name for name in grid.index if grid.loc[name].sum() + grid[name].sum() == 0]
    grid = grid.drop(index=empty, columns=empty)
    others = {"tie": "tie", "unread": "unread"}
    down = {"A": "A, shown first", "B": "B, shown second"} | others
    across = {"A": "A, shown second", "B": "B, shown first"} | others
    meanings = [
        [_MEETINGS.get((str(own), str(swapped)), "") for swapped in grid.columns]
        for own in grid.index
    ]
    figure = frame(title, "winner when shown as B, A", "winner when shown as A, B", height=360)
    figure.add_heatmap(
        z=grid.to_numpy(dtype=np.float64),
        x=[across.get(str(name), str(name)) for name in grid.columns],
        y=[down.get(str(name), str(name)) for name in grid.index],
        text=meanings,
        colorscale=_CELLS, zmin=0, showscale=False, texttemplate="%{z:.1%}<br>%{text}",
        textfont=_CELL_TEXT,
        hovertemplate="%{y} then %{x}: %{z:.1%}<extra></extra>", xgap=2, ygap=2,
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def position_shares(shares: pd.DataFrame, *, title: str = "") -> go.Figure:
    """How often each place wins, with what chance alone would give.

    Args:
        shares: as of `core.labs.reasoning.orders.position_shares`.
        title: of the figure.
    """
    figure = frame(title, "place in which it was shown", "share of wins", height=300, legend=True)
    for at, (size, rows) in enumerate(shares.groupby("n_candidates")):
        figure.add_bar(
            x=rows["position"].tolist(), y=rows["share"].tolist(), name=f"of {size}",
            marker={"color": SERIES[at % len(SERIES)]},
            customdata=rows[["wins", "n"]],
            hovertemplate="place %{x}: %{customdata[0]} of %{customdata[1]}<extra></extra>",
        )  # fmt: skip
        figure.add_hline(
            y=float(rows["even"].iloc[0]), line={"color": SERIES[at % len(SERIES)], "dash": "dot"}
        )
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(tickformat=".0%")
    return figure


def adaptive_budget(table: pd.DataFrame, *, tokens: bool = False, title: str = "") -> go.Figure:
    """Accuracy against judgements (or tokens) spent an item, a line a rule.

    Args:
        table: as in `AdaptiveCurves.table`.
        tokens: spend is told in tokens written.
        title: of the figure.
    """
    spent = "tokens" if tokens else "votes"
    unit = "tokens written an item, mean" if tokens else "judgements an item, mean"
    figure = frame(title, unit, "accuracy", height=380, legend=True)
    for rule, rows in table.groupby("rule", sort=False):
        rows = rows.sort_values(spent)  # noqa: PLW2901
        lone = len(rows) == 1
        figure.add_scatter(
            x=rows[spent].tolist(), y=rows["value"].tolist(),
            mode="markers" if lone else "lines+markers",
            name=RULE_NAMES.get(str(rule), str(rule)),
            line={"color": _RULE_COLOURS.get(str(rule), LINE), "width": 2,
                  "dash": "dot" if rule == "fixed" else "solid"},
            marker={"size": 11 if lone else 6, "symbol": "diamond" if lone else "circle"},
            customdata=rows[["threshold", "low", "high"]],
            hovertemplate="%{x:.2f} " + spent + ": %{y:.3f} (%{customdata[1]:.3f} to "
            "%{customdata[2]:.3f}), threshold %{customdata[0]}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    return figure


def item_needs(items: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Which items need more judgements: those whose votes are split.

    Args:
        items: share_right, votes, item_id, subset, as of `adaptive_gain`.
        title: of the figure.
    """
    figure = frame(title, "share of right votes", "judgements until it stops", height=380,
                   legend=True)  # fmt: skip
    for at, (subset, rows) in enumerate(items.groupby("subset", sort=True)):
        figure.add_scatter(
            x=rows["share_right"].tolist(), y=rows["votes"].tolist(), mode="markers",
            name=literal([str(subset)], width=24)[0],
            marker={"color": SERIES[at % len(SERIES)], "size": 8, "opacity": 0.75},
            customdata=literal([str(name) for name in rows["item_id"]], width=40),
            hovertemplate="%{customdata}: %{y:.2f} judgements<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", range=[-0.02, 1.02])
    # Many subsets take several rows, which would run into a title above.
    figure.update_layout(
        legend={"yanchor": "top", "y": -0.22, "x": 0.0, "xanchor": "left"}, margin={"b": 84}
    )
    return figure


def win_chances(chances: FloatArray, names: Sequence[str], *, title: str = "") -> go.Figure:
    """How often the row's candidate beats the column's; empty where they never met."""
    shown = np.array(chances, dtype=np.float64)
    np.fill_diagonal(shown, np.nan)
    figure = frame(title, "", "", height=330)
    labels = literal(list(names), width=16)
    figure.add_heatmap(
        z=shown, x=labels, y=labels, colorscale=_CELLS, zmin=0, zmax=1, showscale=False,
        texttemplate="%{z:.2f}", textfont=_CELL_TEXT, xgap=2, ygap=2, hoverongaps=False,
        hovertemplate="%{y} beats %{x}: %{z:.2f}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def elo_spread(
    ratings: FloatArray, fitted: FloatArray, names: Sequence[str], *, title: str = ""
) -> go.Figure:
    """Elo ratings of the same comparisons in many orders, with the Bradley-Terry fit.

    Args:
        ratings: (n_orders, n).
        fitted: (n,) on Elo's scale, NaN where there is no fit.
        names: of the candidates.
        title: of the figure.
    """
    figure = frame(title, "rating", "", height=110 + 45 * len(names), legend=True)
    labels = literal(list(names), width=16)
    for at, label in enumerate(labels):
        figure.add_box(
            x=ratings[:, at], y=[label] * len(ratings), orientation="h", boxpoints=False,
            marker={"color": LINE}, name="Elo, any order", legendgroup="elo",
            showlegend=at == 0,
        )  # fmt: skip
    figure.add_scatter(
        x=list(fitted), y=labels, mode="markers", name="Bradley-Terry fit",
        marker={"color": SERIES[1], "size": 11, "symbol": "diamond"},
        hovertemplate="%{y}: %{x:.0f}<extra>fit</extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    return figure


def tournament_costs(methods: pd.DataFrame, *, title: str = "") -> go.Figure:
    """How often each way finds the best, against the comparisons it takes.

    Args:
        methods: method, comparisons, found, error, as of `methods_table`.
        title: of the figure.
    """
    figure = frame(title, "judgements it takes", "finds the best", height=330, legend=True)
    for at, row in enumerate(methods.to_dict("records")):
        figure.add_scatter(
            x=[row["comparisons"]], y=[row["found"]], mode="markers", name=str(row["method"]),
            marker={
                "size": 12, "color": SERIES[at % len(SERIES)],
                "symbol": _SYMBOLS[at % len(_SYMBOLS)], "line": {"width": 2},
            },
            error_y={"array": [1.96 * row["error"]], "color": NEUTRAL},
            hovertemplate="%{x} judgements: %{y:.1%}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(rangemode="tozero")
    return figure


def token_budget(
    budget: pd.DataFrame, *, scalar: float | None = None, title: str = ""
) -> go.Figure:
    """Accuracy by tokens written an item, with a scalar model that writes none.

    Args:
        budget: as of `budget_curve`.
        scalar: accuracy of the scalar model.
        title: of the figure.
    """
    figure = frame(title, "tokens written an item, mean", "accuracy", height=340)
    figure.add_scatter(
        x=budget["tokens"].tolist() + budget["tokens"].tolist()[::-1],
        y=budget["high"].tolist() + budget["low"].tolist()[::-1],
        fill="toself", fillcolor=BAND, line={"width": 0}, mode="lines", hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=budget["tokens"].tolist(), y=budget["value"].tolist(), mode="lines+markers",
        line={"color": LINE, "width": 2}, customdata=budget[["votes", "n"]],
        hovertemplate="%{x:.0f} tokens, %{customdata[0]:.1f} judgements: %{y:.3f}<extra></extra>",
    )  # fmt: skip
    if scalar is not None and np.isfinite(scalar):
        figure.add_hline(
            y=scalar, line={"color": SERIES[1], "dash": "dash"},
            annotation_text=f"scalar model {scalar:.3f}, writes nothing",
            annotation_position="bottom right",
        )  # fmt: skip
    return figure


def scalar_differences(table: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Accuracy of the judge minus that of the scalar model, by subset, with intervals.

    Args:
        table: as in `ScalarAgainst.table`.
        title: of the figure.
    """
    figure = frame(title, "judge minus scalar model", "", height=140 + _ROW * len(table))
    labels = [
        f"{name}  (n = {n})"
        for name, n in zip(literal(list(table["subset"]), width=28), table["n"], strict=True)
    ]
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    figure.add_scatter(
        x=table["difference"].tolist(), y=list(range(len(table))), mode="markers",
        marker={"size": 10, "color": LINE},
        error_x={
            "array": (table["high"] - table["difference"]).fillna(0).tolist(),
            "arrayminus": (table["difference"] - table["low"]).fillna(0).tolist(),
            "symmetric": False, "color": NEUTRAL, "thickness": 1.5,
        },
        customdata=table[["judge", "scalar"]],
        hovertemplate="judge %{customdata[0]:.3f}, scalar %{customdata[1]:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(tickvals=list(range(len(table))), ticktext=labels, autorange="reversed")
    return figure


def reported_accuracies(table: pd.DataFrame, *, title: str = "") -> go.Figure:
    """What papers and repositories report, a row a benchmark, scalar models against judges.

    Args:
        table: as of `counter_evidence`.
        title: of the figure.
    """
    figure = frame(title, "reported accuracy, %", "", height=320, legend=True)
    looks: Mapping[str, tuple[str, str]] = {
        "scalar": (SERIES[1], "diamond"),
        "reasoning judge": (LINE, "circle"),
        "general model as judge": (NEUTRAL, "square"),
    }
    for kind, (colour, symbol) in looks.items():
        rows = table.loc[table["kind"] == kind]
        figure.add_scatter(
            x=rows["value"].tolist(), y=rows["benchmark"].tolist(), mode="markers", name=kind,
            marker={"color": colour, "symbol": symbol, "size": 11, "opacity": 0.8},
            customdata=rows[["system", "samples", "known"]],
            hovertemplate="%{customdata[0]} %{customdata[1]}: %{x} (%{customdata[2]})"
            "<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    return figure
