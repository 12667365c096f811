"""Head to head: two models' margins, a point a pair; a lasso filters the table beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app_pages.common.markup import plain
from app_pages.compare.choice import choose_one
from app_pages.compare.examples import examples, pair_in_full
from app_pages.compare.results import Compared, Tables
from core.exports.figures import figure_config
from core.figures.compare import head_to_head_scatter
from core.labs.compare import HeadToHead, compare_head_to_head
from core.labs.compare.head_to_head import BOTH, NEITHER, ONLY_X, ONLY_Y, TIE
from core.labs.compare.in_words import head_to_head_words

READING = (
    "Each point is a pair; right of the vertical line the model across is right, above the "
    "horizontal line the model upwards is. Margins are in units of each model's own root mean "
    "square, so that their scales do not matter."
)


def draw(ground: Compared) -> Tables:
    """Draws scatter, table and the chosen pair; returns the points."""
    across, upwards = _two_models(ground)
    if across == upwards:
        st.caption("Choose two different models.")
        return {}
    result = ground.part(
        "head-to-head",
        lambda: compare_head_to_head(ground.scores, across, upwards),
        across,
        upwards,
    )
    if result is None:
        return {}
    st.markdown(plain(head_to_head_words(result)))
    kinds = _kinds(result)
    left, right = st.columns([0.52, 0.48], gap="medium")
    with left:
        selected = _scatter(ground, result)
    with right:
        rows = filtered(result, selected, kinds)
        _told(result, selected, rows)
        row = examples(ground, rows, [across, upwards], key="compare-h2h", height=400)
    _left_out(result)
    if row is None:
        st.caption(":material/ads_click: Click a row to read the pair.")
    else:
        pair_in_full(ground, row, [across, upwards], key="compare-h2h")
    return {"head_to_head": result.points}


def _two_models(ground: Compared) -> tuple[str, str]:
    left, right, _ = st.columns([0.26, 0.26, 0.48])
    with left:
        across = choose_one("Across", ground.models, key="compare-x", default=ground.baseline)
    with right:
        last = ground.candidates[-1]
        return across, choose_one("Upwards", ground.models, key="compare-y", default=last)


def _scatter(ground: Compared, result: HeadToHead) -> list[int]:
    """Draws the scatter; the pairs that are selected in it, none where nothing is."""
    prompts = [prompt[-1]["content"] if prompt else "" for prompt in ground.pairs["prompt"]]
    texts = [prompts[int(row)] for row in result.points["row"]]
    event = st.plotly_chart(
        head_to_head_scatter(result, texts=texts),
        key=scatter_key(result.x_model, result.y_model),
        on_select="rerun",
        selection_mode=("lasso", "box", "points"),
        config=figure_config("head to head"),
        alt=f"Margins of {result.x_model} against those of {result.y_model}, a point a pair",
    )
    st.caption(READING)
    return selected_rows(event)


def scatter_key(across: str, upwards: str) -> str:
    """Key of the scatter of two models."""
    return f"compare-scatter-{across}-{upwards}"


def selected_rows(event: Mapping[str, Any]) -> list[int]:
    """The pairs of the points in a selection, in no order; each once."""
    points = event["selection"]["points"]
    return list(dict.fromkeys(int(point["customdata"][0]) for point in points))


def _kinds(result: HeadToHead) -> Sequence[str]:
    """Which kinds of pair are listed: for those who cannot or will not draw a lasso."""
    names = {
        ONLY_X: f"only {plain(result.x_model)} right",
        ONLY_Y: f"only {plain(result.y_model)} right",
        NEITHER: "both wrong",
        BOTH: "both right",
        TIE: "tie",
    }
    there = [kind for kind in names if result.counts[kind]]
    chosen = st.pills(
        "Show",
        there,
        format_func=lambda kind: f"{names[kind]} ({result.counts[kind]:,})",
        selection_mode="multi",
        key="compare-kinds",
        label_visibility="collapsed",
        persist_state="session",
    )
    return [kind for kind in chosen if kind in there]


def filtered(result: HeadToHead, selected: Sequence[int], kinds: Sequence[str]) -> list[int]:
    """The pairs listed: within the lasso, of the chosen kinds; the greatest difference first."""
    points = result.points
    if selected:
        points = points[points["row"].isin(list(selected))]
    if kinds:
        points = points[points["kind"].isin(list(kinds))]
    apart = (points["x"] - points["y"]).abs().fillna(0.0)
    order = apart.sort_values(ascending=False, kind="stable").index
    return [int(row) for row in points.loc[order, "row"]]


def _told(result: HeadToHead, selected: Sequence[int], rows: Sequence[int]) -> None:
    total = len(result.points)
    if selected:
        st.caption(
            f"{len(rows):,} of {total:,} pairs: those in the selection, furthest apart first."
        )
    else:
        st.caption(
            f"{len(rows):,} of {total:,} pairs, furthest apart first. Draw a lasso around points "
            "to list only those; double-click in the figure to clear it."
        )


def _left_out(result: HeadToHead) -> None:
    if result.left_out:
        reasons = "; ".join(f"{plain(why)} ({n:,})" for why, n in result.left_out.items())
        st.caption(f":material/info: Left out, without a margin under one of the two: {reasons}.")
