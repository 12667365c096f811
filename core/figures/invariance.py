"""Figures of the counterfactual invariance lab; each shows one reward model.

Forest and dose lines of the battery, MMD matrix, densities and scatter of an attribute, effects of
rewriting, and the frontier of accuracy against MMD.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import (
    BAND,
    CHOSEN,
    LINE,
    NEUTRAL,
    REJECTED,
    SEQUENTIAL,
    SERIES,
    frame,
    literal,
)
from core.labs.invariance.battery import BatteryResult
from core.labs.invariance.densities import DensityResult
from core.labs.invariance.dependence import DependenceResult
from core.labs.invariance.frontier import FrontierResult
from core.labs.invariance.mmd import ALL, MmdResult
from core.labs.invariance.rate import RateResult
from core.labs.invariance.tables import GROUP_TITLES
from core.labs.pairs import SIDE, SIDES
from core.labs.plan import REWARD
from core.perturbations import GROUPS
from core.stats import Estimate

_STANDINGS = (
    ("as it should", CHOSEN, "circle"),
    ("not as it should", REJECTED, "x"),
    ("cannot say", NEUTRAL, "circle-open"),
)
_SIDE_COLOURS = dict(zip(SIDES, (CHOSEN, REJECTED), strict=True))
_ROW_HEIGHT = 22
_LABEL_WIDTH, _LABEL_HEIGHT = 0.1, 0.08
"""Of a short text, in parts of a figure."""


def battery_forest(result: BatteryResult, *, all_doses: bool = False) -> go.Figure:
    """Change of reward under each edit with its interval, by group; colour and mark are verdicts.

    The band is the noise floor, the dotted lines are the smallest change that matters.

    Args:
        result: of the battery.
        all_doses: show every dose, not only the one that stands for its perturbation.
    """
    effects = result.effects if all_doses else result.effects[result.effects["primary"]]
    made = effects[effects["n"] > 0]
    places, labels = _forest_rows(made, all_doses)
    n_left = len(effects) - len(made)
    title = f"Change of reward under {len(made)} edits"
    title += f" ({n_left} applied to no response)" if n_left else ""
    height = 110 + _ROW_HEIGHT * len(labels)
    figure = frame(title, "reward(edited) − reward(unedited)", "", height=height, legend=True)
    _add_threshold(figure, result.options.noise_floor, result.relevant_change)
    for (name, colour, symbol), chosen in zip(
        _STANDINGS, _by_standing(made["as_it_should"]), strict=True
    ):
        rows = made[chosen]
        figure.add_scatter(
            x=rows["change"],
            y=places[chosen],
            error_x=_error(rows["change"], rows["low"], rows["high"]),
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 9},
            customdata=_forest_notes(rows),
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
    return figure


def dose_lines(result: BatteryResult, perturbations: Sequence[str] = ()) -> go.Figure:
    """Change of reward over the dose of each edit that comes in doses, with intervals.

    Args:
        result: of the battery.
        perturbations: names to show; empty for all that have a slope.
    """
    shown = result.doses
    if perturbations:
        shown = shown[shown["perturbation"].isin(list(perturbations))]
    figure = frame("Change of reward by dose", "dose", "change of reward", legend=True)
    # One long line an edit: below each other, where the house's row of names would not hold them.
    figure.update_layout(
        height=320 + _ROW_HEIGHT * len(shown),
        legend={"orientation": "v", "yanchor": "top", "y": -0.2, "xanchor": "left", "x": 0},
    )
    _add_zero(figure)
    for at, row in enumerate(shown.itertuples(index=False)):
        effects = result.effects[result.effects["perturbation"] == row.perturbation]
        effects = effects.sort_values("dose")
        title = str(row.title)
        slope = f"{title}: {row.slope:+.3f} [{row.low:+.3f}, {row.high:+.3f}] a dose"
        figure.add_scatter(
            x=[0, *effects["dose"]],
            y=[0.0, *effects["change"]],
            error_y=_error(
                pd.Series([0.0, *effects["change"]]),
                pd.Series([0.0, *effects["low"]]),
                pd.Series([0.0, *effects["high"]]),
            ),
            mode="lines+markers",
            name=literal([slope])[0],
            line={"color": SERIES[at % len(SERIES)], "width": 2},
            customdata=[f"n = {row.n}", *(f"n = {n}" for n in effects["n"])],
            hovertemplate="dose %{x}: %{y:+.3f}, %{customdata}<extra></extra>",
        )
    return figure


def mmd_heatmap(result: MmdResult, *, condition: str = ALL) -> go.Figure:
    """Squared MMD between the bins of an attribute, with p-values in the cells.

    Args:
        result: of the MMD analysis.
        condition: `all`, or `chosen` or `rejected` of a conditional analysis.
    """
    kind = result.options.estimator
    used = result.bins[(result.bins["condition"] == condition) & result.bins["used"]]
    names = [str(name) for name in used["bin"]]
    rows = result.matrix[result.matrix["condition"] == condition]
    values = np.full((len(names), len(names)), np.nan)
    texts = np.full(values.shape, "", dtype=object)
    for row in rows.itertuples(index=False):
        at = names.index(str(row.bin_a)), names.index(str(row.bin_b))
        values[at] = getattr(row, kind)
        texts[at] = f"{getattr(row, kind):.3f}<br>p = {row.p_adjusted:.2g}"
    sums = result.sums[result.sums["condition"] == condition]
    p_value = float(sums["p_value"].iloc[0]) if len(sums) else float("nan")
    title = f"Squared MMD between bins, {condition}: p = {p_value:.2g} of {result.test.n} responses"
    figure = frame(title, "", "", height=140 + 48 * max(2, len(names)))
    shown = literal([f"{name} (n = {n})" for name, n in zip(names, used["n"], strict=True)])
    figure.add_heatmap(
        # Negative values of the unbiased estimate say "no distance seen": the palest colour.
        z=np.maximum(values, 0.0),
        x=shown,
        y=shown,
        text=texts,
        texttemplate="%{text}",
        hovertemplate="%{y} and %{x}: %{text}<extra></extra>",
        colorscale=SEQUENTIAL,
        zmin=0.0,
        showscale=False,
    )
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category", autorange="reversed")
    return figure


def reward_densities(result: DensityResult) -> go.Figure:
    """Density of the reward in each bin of an attribute, with the bins' means."""
    figure = frame("Reward by bin", "reward", "density", legend=True)
    for at, row in enumerate(result.bins.itertuples(index=False)):
        curve = result.curves[result.curves["bin"] == row.bin]
        colour = SERIES[at % len(SERIES)]
        name, note = str(row.bin), str(row.note)
        note = f", {note}" if note else ""
        figure.add_scatter(
            x=curve["reward"],
            y=curve["density"],
            mode="lines",
            name=literal([f"{name} (n = {row.n}{note})"])[0],
            line={"color": colour, "width": 2},
            hovertemplate="reward %{x:.3f}<extra></extra>",
            # A bin without a curve stays in the list of names, with the reason.
            visible=True if len(curve) else "legendonly",
        )
        figure.add_vline(x=row.mean, line={"color": colour, "width": 1, "dash": "dot"})
    return figure


def attribute_scatter(
    result: DependenceResult, attribute: str, *, residual: bool = False
) -> go.Figure:
    """Reward of each response against an attribute, with the least-squares line.

    Args:
        result: of the dependence analysis.
        attribute: what the attribute is called.
        residual: show what is left of the reward without the line.
    """
    column = "residual" if residual else REWARD
    shown = result.residual_correlation if residual else result.correlation
    title = f"correlation {_interval(shown)}"
    title = title if residual else f"slope {_interval(result.slope)}, {title}"
    figure = frame(title, "", column, legend=True)
    figure.update_xaxes(title=literal([attribute])[0])
    for side in SIDES:
        points = result.points[result.points[SIDE] == side]
        figure.add_scatter(
            x=points["attribute"],
            y=points[column],
            mode="markers",
            name=side,
            marker={"color": _SIDE_COLOURS[side], "size": 6, "opacity": 0.7},
            customdata=literal([str(prompt) for prompt in points["prompt_id"]]),
            hovertemplate="%{customdata}<br>%{x:.3g}: %{y:.3f}<extra></extra>",
        )
    if len(result.points) and not residual and np.isfinite(result.slope.value):
        ends = result.points["attribute"].agg(["min", "max"]).to_numpy()
        heights = result.intercept + result.slope.value * ends
        figure.add_scatter(
            x=ends, y=heights, mode="lines", name="line", line={"color": LINE, "width": 2}
        )
    return figure


def rate_bars(result: RateResult) -> go.Figure:
    """Effect of an attribute by naive difference, single and double rewrites, with intervals."""
    n = int(result.effects["n"].max()) if len(result.effects) else 0
    title = f"Effect of the attribute, {n} responses"
    figure = frame(title, "", "change of reward", legend=True)
    _add_zero(figure)
    for at, (name, rows) in enumerate(result.effects.groupby("estimator", sort=False)):
        figure.add_bar(
            x=rows["effect"],
            y=rows["value"],
            error_y=_error(rows["value"], rows["low"], rows["high"]),
            name=str(name),
            marker={"color": SERIES[at]},
            customdata=rows["n"],
            hovertemplate="%{x}: %{y:+.3f}, n = %{customdata}<extra></extra>",
        )
    figure.update_xaxes(categoryorder="array", categoryarray=["ATE", "ATT", "ATU"])
    return figure


def rewrite_sanity(result: RateResult) -> go.Figure:
    """Reward of the double rewrite minus reward of the original: should centre on 0."""
    figure = frame(
        "Mark of the rewriter: should centre on 0",
        "reward(double rewrite) − reward(original)",
        "responses",
        legend=True,
    )
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    for at, (has, name) in enumerate(((True, "with"), (False, "without"))):
        marks = result.responses.loc[result.responses["has_attribute"] == has, "rewrite_effect"]
        figure.add_histogram(
            x=marks,
            name=f"{name} the attribute (n = {len(marks)})",
            marker={"color": SERIES[at]},
            opacity=0.6,
            bingroup="marks",
        )
    found = result.sanity.set_index("has_attribute").loc["all"]
    if np.isfinite(found["low"]):
        figure.add_vrect(x0=found["low"], x1=found["high"], fillcolor=BAND, line_width=0)
    figure.update_layout(barmode="overlay")
    return figure


def accuracy_frontier(result: FrontierResult) -> go.Figure:
    """Held-out accuracy against held-out squared MMD, a point a coefficient, with intervals."""
    points = result.points
    n = int(points["n_pairs"].max()) if len(points) else 0
    figure = frame(f"Accuracy against MMD on {n} unseen pairs", "squared MMD", "accuracy")
    figure.add_scatter(
        x=points["mmd"],
        y=points["accuracy"],
        error_x=_error(points["mmd"], points["mmd_low"], points["mmd_high"]),
        error_y=_error(points["accuracy"], points["accuracy_low"], points["accuracy_high"]),
        mode="lines+markers+text",
        text=_told_apart(points),
        textposition="top right",
        line={"color": LINE, "width": 2},
        marker={"size": 9},
        customdata=points[["with_attribute", "against_attribute", "p_value", "coefficient"]],
        hovertemplate=(
            "λ = %{customdata[3]:g}<br>"
            "accuracy %{y:.3f}, MMD² %{x:.3f}, p = %{customdata[2]:.2g}<br>"
            "chosen has more of the attribute: %{customdata[0]:.3f}, "
            "less: %{customdata[1]:.3f}<extra></extra>"
        ),
    )
    return figure


def _told_apart(points: pd.DataFrame) -> list[str]:
    """The coefficient of each point; none where it would stand on that of an earlier point."""
    ends = {
        name: points[[f"{name}_low", f"{name}_high", name]].to_numpy(dtype=np.float64)
        for name in ("mmd", "accuracy")
    }
    wide = {name: float(np.nanmax(each) - np.nanmin(each)) or 1.0 for name, each in ends.items()}
    told: list[tuple[float, float]] = []
    labels = []
    for row in points.to_dict("records"):
        at = float(row["mmd"]) / wide["mmd"], float(row["accuracy"]) / wide["accuracy"]
        hidden = any(
            abs(at[0] - x) < _LABEL_WIDTH and abs(at[1] - y) < _LABEL_HEIGHT for x, y in told
        )
        if not hidden:
            told.append(at)
        labels.append("" if hidden else f"λ = {row['coefficient']:g}")
    return labels


def _by_standing(as_it_should: pd.Series) -> tuple[pd.Series, pd.Series, pd.Series]:
    unknown = as_it_should.isna()
    good = as_it_should.fillna(False).astype(bool)
    return good, ~good & ~unknown, unknown


def _forest_rows(made: pd.DataFrame, with_dose: bool) -> tuple[pd.Series, list[str]]:
    """The row of each effect, and the labels of all rows: by group, under a heading, by change."""
    places = pd.Series(0, index=made.index)
    labels: list[str] = []
    for group in GROUPS:
        rows = made[made["group"] == group].sort_values("change", kind="stable")
        if not len(rows):
            continue
        labels.append(f"<b>{GROUP_TITLES[group]}</b>")
        places[rows.index] = np.arange(len(labels), len(labels) + len(rows))
        labels += _edit_names(rows, with_dose)
    return places, labels


def _edit_names(rows: pd.DataFrame, with_dose: bool) -> list[str]:
    names = rows["title"].astype(str)
    if with_dose:
        names = names + " ×" + rows["dose"].astype(str)
    return literal(
        [f"{name} — {verdict}" for name, verdict in zip(names, rows["verdict"], strict=True)]
    )


def _forest_notes(rows: pd.DataFrame) -> list[str]:
    return [
        f"{literal([str(row.title)])[0]}, dose {row.dose}: {row.verdict}<br>"
        f"{row.change:+.3f} [{row.low:+.3f}, {row.high:+.3f}], {row.in_spreads:+.2f} spreads<br>"
        f"corrected p = {row.p_adjusted:.2g}, detectable {row.detectable:.3f}<br>"
        f"n = {row.n} responses of {row.n_prompts} prompts, applied to {row.n_applied} "
        f"of {row.n_planned}<br>"
        f"preference turned ({row.flip_edited} edited): {row.flip_share:.0%} of {row.n_flip}"
        for row in rows.itertuples(index=False)
    ]


def _add_threshold(figure: go.Figure, noise_floor: float, relevant: float) -> None:
    if noise_floor > 0:
        figure.add_vrect(x0=-noise_floor, x1=noise_floor, fillcolor=BAND, line_width=0)
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    if np.isfinite(relevant) and relevant > 0:
        for at in (-relevant, relevant):
            figure.add_vline(x=at, line={"color": NEUTRAL, "width": 1, "dash": "dot"})


def _add_zero(figure: go.Figure) -> None:
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1})


def _error(value: pd.Series, low: pd.Series, high: pd.Series) -> dict[str, object]:
    """Error bars from the ends of an interval; none where there is no interval."""
    above = (high.astype(float) - value.astype(float)).fillna(0.0)
    below = (value.astype(float) - low.astype(float)).fillna(0.0)
    return {
        "type": "data",
        "symmetric": False,
        "array": list(above),
        "arrayminus": list(below),
        "color": NEUTRAL,
        "thickness": 1.5,
    }


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]"
