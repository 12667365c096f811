"""The semantic map: responses near each other where their meanings are; lasso, read, open."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.diversity.parts import open_button
from app_pages.common.diversity.setup import NAME, Setup, has_texts, one_of
from app_pages.common.diversity.work import (
    clustered,
    components,
    embeddings,
    keep,
    placed,
    projection,
)
from app_pages.common.section_view import readable
from core.exports import figure_config
from core.figures import diversity as figures
from core.labs.diversity.semantic_map import (
    COLOURS,
    cluster_rewards,
    colours,
    within,
)
from core.projection import Projection

LAYOUTS = ("UMAP", "principal components")
OPEN = "Open the best of them in the playground"
OPEN_HELP = (
    "The response with the highest reward in the selection, or the row you ticked, against the "
    "lowest-rewarded selected response to the same problem. Edit it and see what the reward sees."
)
OWN_STYLE = {
    "symbol": "star",
    "size": 18,
    "color": "#d9534f",
    "line": {"width": 1, "color": "#fff"},
}


def map_view(setup: Setup) -> None:
    """The map with its controls, and what was selected on it."""
    if not has_texts(setup.whole):
        st.info(
            "These rollouts have answers only; the map needs the texts of the responses. Choose "
            "the open prompts, or look at Classes and Frontier, which read answers.",
            icon=":material/info:",
        )
        return
    read = embeddings(setup, whole=True)
    if read is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        layout = one_of(
            "Layout", list(LAYOUTS), "layout",
            hint="UMAP keeps neighbours together, so groups show; principal components keep large "
            "distances. In neither do distances across the map mean much.",
        )  # fmt: skip
        k = st.slider(
            "Clusters", 2, 20, 8, key=f"{NAME}-clusters", persist_state="session", width=160,
            help="k-means on the embeddings themselves, each named by the words that set it apart.",
        )  # fmt: skip
        points = clustered(setup, read.vectors, k)
        if points is None:
            return
        colour = one_of("Colour", colours(points) or ["cluster"], "colour", COLOURS)
        own = st.text_input(
            "Place a text of your own", key=f"{NAME}-own", persist_state="session",
            placeholder="Type a response and press Enter", max_chars=2000,
            help="It is put where it belongs on this map; the map itself does not move.",
        )  # fmt: skip
    found = _laid_out(setup, read.vectors, layout)
    if found is None:
        return
    points["x"], points["y"] = found.coordinates[:, 0], found.coordinates[:, 1]
    keep("map", points)
    _chart(setup, points, colour, found, own or "")
    _reading(points, found, int(read.truncated.sum()))


def _laid_out(setup: Setup, vectors: Any, layout: str) -> Projection | None:
    if layout == LAYOUTS[0]:
        found = projection(setup, vectors)
        if found is not None:
            return found
    return components(setup, vectors)


def _chart(setup: Setup, points: pd.DataFrame, colour: str, found: Projection, own: str) -> None:
    texts = [str(text) for text in setup.whole["response"].fillna("")]
    figure = figures.semantic_map(points, colour, texts=texts)
    if own.strip():
        place = placed(setup, own.strip(), found)
        if place is not None:
            figure.add_scatter(
                x=place[:, 0], y=place[:, 1], mode="markers", name="your text", marker=OWN_STYLE,
                hovertemplate="your text<extra></extra>",
            )  # fmt: skip
    chosen = st.plotly_chart(
        figure,
        key=f"{NAME}-map-{setup.table_key}-{found.method}-{colour}",
        on_select="rerun",
        selection_mode=("lasso", "box", "points"),
        config=figure_config("semantic-map"),
        alt="Responses on a plane, near each other where their meanings are near",
    )
    selection = chosen["selection"]
    dense = len(points) > figures.DENSE
    _selected(setup, points, _enclosed(points, selection) if dense else _positions(selection))


def _enclosed(points: pd.DataFrame, selection: Any) -> list[int]:
    """The rows within the drawn shapes: of a density only some of its points are on screen."""
    shapes = [*(selection.get("lasso") or ()), *(_corners(b) for b in selection.get("box") or ())]
    chosen = np.zeros(len(points), dtype=bool)
    for shape in shapes:
        chosen |= within(points[["x", "y"]], np.column_stack([shape["x"], shape["y"]]))
    return np.flatnonzero(chosen).tolist()


def _corners(box: Any) -> dict[str, list[float]]:
    (left, right), (low, high) = box["x"], box["y"]
    return {"x": [left, right, right, left], "y": [low, low, high, high]}


def _positions(selection: Any) -> list[int]:
    """The rows of the selected points."""
    found = []
    for point in selection["points"]:
        data = point.get("customdata")
        value = data[0] if isinstance(data, list) else data
        if value is not None:
            found.append(int(value))
    return sorted(set(found))


def _selected(setup: Setup, points: pd.DataFrame, positions: list[int]) -> None:
    if not positions:
        st.caption(
            ":material/lasso_select: Draw a lasso round some points to read those responses here "
            "and open one in the playground."
        )
        return
    rows = setup.whole.iloc[positions].assign(cluster=points["cluster"].iloc[positions].to_numpy())
    rows = rows.sort_values("reward", ascending=False, kind="stable").reset_index(drop=True)
    others = points["reward"].drop(index=positions)
    beside = f", {others.mean():.3f} elsewhere on the map" if others.notna().any() else ""
    st.markdown(
        f"**{len(rows):,} responses selected** · mean reward {rows['reward'].mean():.3f}{beside}"
    )
    columns = [c for c in ("reward", "response", "prompt", "run", "cluster") if c in rows]
    event = st.dataframe(
        readable(rows[columns]), hide_index=True, height=240, key=f"{NAME}-selected",
        on_select="rerun", selection_mode="single-row",
    )  # fmt: skip
    ticked = event["selection"]["rows"]
    at = ticked[0] if ticked and ticked[0] < len(rows) else 0
    row = rows.iloc[at]
    same = rows.loc[(rows["problem_id"] == row["problem_id"]) & (rows.index != at)]
    baseline = same.iloc[-1] if len(same) else None
    label = "Open the ticked one in the playground" if ticked else OPEN
    open_button(row, baseline, "map", label, OPEN_HELP)


def _reading(points: pd.DataFrame, found: Projection, n_cut: int) -> None:
    table = cluster_rewards(points)
    told = (
        f"{len(points):,} responses, laid out by "
        f"{'UMAP' if found.method == 'umap' else 'principal components'}."
    )
    rewarded = table.dropna(subset=["mean_reward"])
    if len(rewarded) > 1:
        best = rewarded.loc[rewarded["mean_reward"].idxmax()]
        worst = rewarded.loc[rewarded["mean_reward"].idxmin()]
        told += (
            f" Mean reward is highest in cluster {best['cluster']} ({best['mean_reward']:.2f}, "
            f"n = {best['n']}, {best['problems']} problems) and lowest in {worst['cluster']} "
            f"({worst['mean_reward']:.2f}, n = {worst['n']}, {worst['problems']} problems)."
        )
    st.text(told)
    if found.method == "pca" and found.reason != "as asked":
        st.caption(f":material/info: Principal components, because {found.reason}.")
    if n_cut:
        st.caption(
            f":material/info: {n_cut:,} texts are longer than the embedding model reads (256 "
            "tokens): only their beginning counts here."
        )
    with st.expander("Clusters", icon=":material/table:"):
        st.dataframe(readable(table), hide_index=True, key=f"{NAME}-cluster-table")
