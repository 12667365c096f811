"""Slices: accuracy within the groups of any column, and where the candidates gained or lost."""

import streamlit as st

from app_pages.common.markup import plain
from app_pages.compare.choice import choose_one
from app_pages.compare.columns import show_table
from app_pages.compare.results import Compared, Tables
from core.exports.figures import figure_config
from core.figures.compare import slice_difference_ranges, slice_ranges
from core.labs.compare import slice_scores, sliceable
from core.labs.compare.in_words import slice_words
from core.labs.compare.pair_table import LONGER

READING = (
    "Dots with 95 % intervals over prompts, one colour a model; a hollow dot has too few prompts "
    "to be called best or worst. The best and worst of many slices look more extreme than they "
    "are, so differences from the rest are corrected for the number of slices."
)


def draw(ground: Compared) -> Tables:
    """Draws the slices of one column; returns both tables."""
    columns = sorted(sliceable(ground.scores), key=lambda name: name == LONGER)
    if not columns:
        st.caption("No column of these pairs has two values or more.")
        return {}
    column = choose_one("Column", columns, key="compare-column", width=300)
    result = ground.part(
        "slices", lambda: slice_scores(ground.scores, column, ground.options), column
    )
    if result is None:
        return {}
    if any(result.best.values()):
        st.markdown("\n".join("- " + plain(slice_words(result, name)) for name in ground.models))
    else:
        st.markdown(
            f"No slice has {result.min_prompts} prompts or more, so none is called best or worst."
        )
    for note in result.notes:
        st.caption(f":material/info: {plain(note)}")
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            slice_ranges(result),
            key="compare-slices",
            config=figure_config(f"accuracy by {column}"),
        )
    with right:
        st.plotly_chart(
            slice_difference_ranges(result),
            key="compare-slice-differences",
            config=figure_config(f"difference by {column}"),
        )
    st.caption(READING)
    with st.expander("Tables"):
        show_table(result.accuracy, key="compare-slice-table")
        st.caption("Candidate - baseline within each slice.")
        show_table(result.differences, key="compare-slice-difference-table")
    name = f"slices_{column}"
    return {name: result.accuracy, f"{name}_differences": result.differences}
