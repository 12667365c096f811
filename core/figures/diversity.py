"""Figures of the diversity lab: the map, a group's classes, DARLING's reward, the frontier."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import BAND, LINE, NEUTRAL, SERIES, frame, literal
from core.labs.diversity.classes import Classes, IntArray, Linking
from core.labs.diversity.darling import Rule, darling_reward
from core.labs.diversity.semantic_map import COLOURS
from core.labs.groups import FloatArray

DENSE = 50_000
"""Above so many points the map shows how many lie where instead of each of them."""

MOST_TEXTS = 5_000
"""Of more points the texts would be most of what is sent to the browser."""

Texts = npt.NDArray[np.object_]

CELLS = 90
"""Of the density, in each direction."""

DOTS = 1_500
"""Points that are drawn on a density all the same."""

MANY = 12
"""More kinds than this are drawn as one colour scale or in grey, not one colour each."""

SCALE = [[0.0, "#e08e2b"], [0.5, "#b9bdc9"], [1.0, "#3d5bd9"]]
"""Rewards from low to high."""

_TRUTH = {True: "right", False: "wrong"}


def semantic_map(
    points: pd.DataFrame,
    colour: str,
    *,
    texts: Sequence[str] | None = None,
    title: str = "",
    height: int = 520,
) -> go.Figure:
    """Responses on a plane, near each other where their embeddings are.

    Args:
        points: of `core.labs.diversity.semantic_map.map_table`; its row number is each point's
            customdata.
        colour: the column that colours them.
        texts: (n,) whose beginning is shown on hovering; of up to 5,000 points.
        title: of the figure.
        height: in pixels.
    """
    figure = frame(title, "", "", height=height, legend=True)
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False, showgrid=False)
    if len(points) > DENSE:
        return _density(figure, points)
    values = points[colour]
    shown = texts if texts is not None and len(points) <= MOST_TEXTS else [""] * len(points)
    told = np.array(literal([" ".join(text.split()) for text in shown], width=110), dtype=object)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        _numbers(figure, points, values, COLOURS.get(colour, colour), told)
    else:
        _kinds(figure, points, values, told)
    figure.update_layout(dragmode="lasso")
    return figure


def similarity_graph(
    similarity: npt.ArrayLike,
    same: npt.ArrayLike,
    classes: Classes,
    texts: Sequence[str],
    quality: npt.ArrayLike,
    *,
    title: str = "",
) -> go.Figure:
    """One group: a point a response, a line between those that say the same, a colour a class.

    Args:
        similarity: (n, n); near points are alike (classical scaling of 1 - similarity).
        same: (n, n) which pairs say the same.
        classes: of the group.
        texts: (n,) shown on hovering.
        quality: (n,) shown on hovering.
        title: of the figure.
    """
    kernel, linked = np.asarray(similarity, dtype=np.float64), np.asarray(same, dtype=bool)
    place = spread_apart(classical_scaling(1.0 - kernel))
    figure = frame(title, "", "", height=400, legend=True)
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False, showgrid=False)
    lines: list[list[float | None]] = [[], []]
    for i, j in zip(*np.nonzero(np.triu(linked, 1)), strict=True):
        for axis in (0, 1):
            lines[axis] += [float(place[i, axis]), float(place[j, axis]), None]
    figure.add_scatter(
        x=lines[0], y=lines[1], mode="lines", line={"color": NEUTRAL, "width": 1},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    shown = literal(list(texts), width=140)
    values = np.asarray(quality, dtype=np.float64)
    for k in range(classes.n_classes):
        at = np.flatnonzero(classes.labels == k)
        name = f"class {k + 1} ({len(at)})" + (", chained" if k in classes.chained else "")
        figure.add_scatter(
            x=place[at, 0], y=place[at, 1], mode="markers+text", name=name,
            text=[str(i + 1) for i in at], textposition="top center",
            marker={"size": 15, "color": SERIES[k % len(SERIES)],
                    "symbol": "diamond" if k in classes.chained else "circle"},
            customdata=[[i, values[i], shown[i]] for i in at],
            hovertemplate="response %{text}, quality %{customdata[1]:.3f}<br>%{customdata[2]}"
            "<extra></extra>",
        )  # fmt: skip
    return figure


def class_counts(
    thresholds: npt.ArrayLike,
    counts: Mapping[Linking, IntArray],
    *,
    threshold: float,
    title: str = "",
) -> go.Figure:
    """Number of classes of a group at each threshold, by linking rule; the chosen one is marked."""
    figure = frame(title, "threshold", "classes", height=280, legend=True)
    for number, (linking, found) in enumerate(counts.items()):
        figure.add_scatter(
            x=np.asarray(thresholds), y=found, mode="lines", name=linking,
            line={"color": SERIES[number], "shape": "vh"},
            hovertemplate="at %{x:.2f}: %{y} classes<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=threshold, line={"color": NEUTRAL, "dash": "dot"})
    figure.update_yaxes(rangemode="tozero")
    return figure


def quality_and_diversity(
    responses: pd.DataFrame,
    *,
    rule: Rule = "multiply",
    floor: float = 0.1,
    weight: float = 1.0,
    title: str = "",
) -> go.Figure:
    """Each response's quality and diversity, with lines of equal reward where the rule has them.

    Args:
        responses: of `core.labs.diversity.groups.run`.
        rule: which lines are drawn; ranks and shifted or normalised rewards have none.
        floor: the least that diversity counts for.
        weight: of diversity under "add".
        title: of the figure.
    """
    figure = frame(title, "quality", "Div: share of siblings that say something else", height=380)
    if rule in ("multiply", "add") and len(responses):
        _equal_rewards(figure, responses["quality"].to_numpy(float), rule, floor, weight)
    moved = responses["rank_change"].to_numpy(float)
    most = max(1.0, float(np.abs(moved).max(initial=0)))
    figure.add_scattergl(
        x=responses["quality"], y=_jittered(responses["diversity"].to_numpy(float)),
        mode="markers",
        marker={"size": 7, "color": moved, "colorscale": SCALE, "cmin": -most, "cmax": most,
                "colorbar": {"title": "places<br>gained", "thickness": 12},
                "line": {"width": 0.5, "color": NEUTRAL}},
        customdata=np.column_stack([responses["diversity"], responses["reward"], moved]),
        hovertemplate="quality %{x:.3f}, Div %{customdata[0]:.2f}<br>reward %{customdata[1]:.3f}, "
        "%{customdata[2]:+g} places<extra></extra>",
    )  # fmt: skip
    return figure


def rank_changes(group: pd.DataFrame, *, title: str = "") -> go.Figure:
    """One group's responses in order of quality and of DARLING's reward, the best on top.

    Args:
        group: the rows of one group.
        title: of the figure.
    """
    figure = frame(title, "", "rank", height=320)
    for number, row in enumerate(group.to_dict("records")):
        change = float(row["rank_change"])
        colour = LINE if change > 0 else "#d9534f" if change < 0 else NEUTRAL
        figure.add_scatter(
            x=["by quality", "by DARLING's reward"], y=[row["quality_rank"], row["rank"]],
            mode="lines+markers", line={"color": colour, "width": 2}, marker={"size": 8},
            hovertemplate=f"response {number + 1}, class {int(row['class_id']) + 1}<br>"
            f"quality {row['quality']:.3f}, Div {row['diversity']:.2f}, reward {row['reward']:.3f}"
            "<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(autorange="reversed", dtick=1)
    return figure


def frontier(
    points: pd.DataFrame, measure: str, measure_name: str, by: str, *, title: str = ""
) -> go.Figure:
    """Mean quality against a measure of diversity, one point a level, both with intervals.

    Args:
        points: of `core.labs.diversity.frontier.Frontier`.
        measure: the measure of diversity.
        measure_name: what it is called.
        by: what the levels are of.
        title: of the figure.
    """
    figure = frame(title, measure_name, "mean reward", height=400)
    quality = points.loc[points["measure"] == "quality"].set_index("level")
    diversity = points.loc[points["measure"] == measure].set_index("level").loc[quality.index]
    names = [f"{each:g}" if isinstance(each, int | float) else str(each) for each in quality.index]
    ordered = len(names) > 1 and pd.api.types.is_numeric_dtype(quality.index.dtype)
    figure.add_scatter(
        x=diversity["value"], y=quality["value"],
        mode="lines+markers+text" if ordered else "markers+text",
        text=literal(names), textposition="top right",
        line={"color": BAND, "width": 2}, marker={"size": 10, "color": LINE},
        error_x=_bars(diversity), error_y=_bars(quality),
        customdata=np.column_stack([quality["n_prompts"], quality["n"]]),
        hovertemplate=f"{literal([by])[0]} %{{text}}<br>{measure_name} %{{x:.3f}}, "
        "reward %{y:.3f}<br>%{customdata[0]} problems, %{customdata[1]} groups<extra></extra>",
    )  # fmt: skip
    return figure


def calibration_bars(calibration: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Area under the ROC curve of each method with its interval; 0.5 is guessing.

    Args:
        calibration: one row a method: `method`, `auc`, `low`, `high`.
        title: of the figure.
    """
    rows = calibration.iloc[::-1]
    figure = frame(title, "ROC AUC on the validation pairs", "", height=110 + 34 * len(rows))
    figure.add_scatter(
        x=rows["auc"], y=literal(list(rows["method"])), mode="markers",
        marker={"size": 10, "color": LINE},
        error_x={"array": rows["high"] - rows["auc"], "arrayminus": rows["auc"] - rows["low"],
                 "color": NEUTRAL},
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=0.5, line={"color": NEUTRAL, "dash": "dot"})
    return figure


def classical_scaling(distance: npt.ArrayLike) -> FloatArray:
    """Places on a plane whose distances come near the given ones (Torgerson 1952).

    Args:
        distance: (n, n) symmetric.

    Returns:
        (n, 2).
    """
    given = np.asarray(distance, dtype=np.float64)
    n = len(given)
    centre = np.eye(n) - 1.0 / max(n, 1)
    values, vectors = np.linalg.eigh(-0.5 * centre @ given**2 @ centre)
    place = np.zeros((n, 2))
    for axis, at in enumerate(range(n - 1, max(n - 3, -1), -1)):
        column = vectors[:, at] * np.sqrt(max(values[at], 0.0))
        # The sign of an eigenvector is arbitrary; this makes the same group look the same.
        largest = column[np.argmax(np.abs(column))]
        place[:, axis] = column if largest >= 0 else -column
    return place


def spread_apart(place: FloatArray) -> FloatArray:
    """The same places with those that coincide moved into a small ring, so that all can be seen."""
    moved = place.copy()
    size = float(np.ptp(place, axis=0).max(initial=0.0)) or 1.0
    _, kinds = np.unique(np.round(place / size, 3), axis=0, return_inverse=True)
    for kind in np.unique(kinds):
        at = np.flatnonzero(kinds.ravel() == kind)
        if len(at) > 1:
            turn = 2 * np.pi * np.arange(len(at)) / len(at)
            moved[at] += 0.05 * size * np.column_stack([np.cos(turn), np.sin(turn)])
    return moved


def _density(figure: go.Figure, points: pd.DataFrame) -> go.Figure:
    """How many responses lie where; a few of them as dots, which a lasso needs to work."""
    counts, across, up = np.histogram2d(points["x"], points["y"], bins=CELLS)
    figure.add_heatmap(
        x=(across[1:] + across[:-1]) / 2, y=(up[1:] + up[:-1]) / 2,
        z=np.where(counts > 0, counts, np.nan).T, hoverongaps=False,
        colorscale=[[0.0, "rgba(91,124,250,0.25)"], [1.0, "#3d5bd9"]],
        colorbar={"title": "responses", "thickness": 12},
        hovertemplate="%{z} responses<extra></extra>",
    )  # fmt: skip
    some = np.sort(np.random.default_rng(0).permutation(len(points))[:DOTS])
    figure.add_scattergl(
        x=points["x"].to_numpy(np.float32)[some], y=points["y"].to_numpy(np.float32)[some],
        mode="markers", customdata=some, hoverinfo="skip", showlegend=False,
        marker={"size": 3, "color": NEUTRAL, "opacity": 0.5},
    )  # fmt: skip
    figure.update_layout(dragmode="lasso", showlegend=False)
    return figure


def _numbers(
    figure: go.Figure, points: pd.DataFrame, values: "pd.Series[float]", name: str, told: Texts
) -> None:
    figure.add_scattergl(
        x=points["x"].to_numpy(np.float32), y=points["y"].to_numpy(np.float32), mode="markers",
        customdata=np.arange(len(points)), showlegend=False, text=told,
        marker={"size": 7, "color": values.to_numpy(np.float32, na_value=np.nan),
                "colorscale": SCALE, "opacity": 0.8,
                "colorbar": {"title": name, "thickness": 12}},
        hovertemplate=f"{name} %{{marker.color:.3f}}<br>%{{text}}<extra></extra>",
    )  # fmt: skip


def _kinds(figure: go.Figure, points: pd.DataFrame, values: "pd.Series[str]", told: Texts) -> None:
    named = values.map(lambda value: _TRUTH.get(value, str(value)), na_action="ignore")
    named = named.astype(object).where(values.notna(), "unknown")
    for number, kind in enumerate(sorted(named.unique(), key=_natural)):
        at = np.flatnonzero((named == kind).to_numpy())
        colour = SERIES[number % len(SERIES)] if number < MANY else NEUTRAL
        figure.add_scattergl(
            x=points["x"].to_numpy(np.float32)[at], y=points["y"].to_numpy(np.float32)[at],
            mode="markers", name=literal([str(kind)], width=34)[0], customdata=at, text=told[at],
            marker={"size": 7, "color": colour, "opacity": 0.8,
                    "symbol": "circle" if number < len(SERIES) else "diamond"},
            hovertemplate="%{fullData.name}<br>%{text}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        legend={"orientation": "v", "x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top"}
    )


def _natural(kind: object) -> tuple[int, str]:
    text = str(kind)
    number = text.split(":", maxsplit=1)[0]
    return (int(number), text) if number.isdigit() else (10**9, text)


def _equal_rewards(
    figure: go.Figure, quality: FloatArray, rule: Rule, floor: float, weight: float
) -> None:
    low, high = float(quality.min()), float(quality.max())
    margin = 0.05 * (high - low) or 0.5
    across, up = np.linspace(low - margin, high + margin, 60), np.linspace(0, 1, 60)
    grid = np.array(
        [
            darling_reward(across, np.full(60, each), rule=rule, floor=floor, weight=weight)
            for each in up
        ]
    )
    figure.add_contour(
        x=across, y=up, z=grid, ncontours=12, showscale=False, hoverinfo="skip",
        contours={"coloring": "none"}, line={"color": BAND, "width": 1},
    )  # fmt: skip


def _jittered(values: FloatArray) -> FloatArray:
    """A little off, always alike: Div has few values and points would hide each other."""
    return values + np.random.default_rng(0).uniform(-0.012, 0.012, size=len(values))


def _bars(rows: pd.DataFrame) -> dict[str, object]:
    return {
        "array": (rows["high"] - rows["value"]).to_numpy(),
        "arrayminus": (rows["value"] - rows["low"]).to_numpy(),
        "color": NEUTRAL,
        "thickness": 1,
    }
