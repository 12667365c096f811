"""Agreement: how far each two models order, decide and weigh the pairs alike."""

import streamlit as st

from app_pages.common.markup import plain
from app_pages.compare.columns import show_table
from app_pages.compare.results import Compared, Tables
from core.exports.figures import figure_config
from core.figures.compare import agreement_heatmap
from core.labs.compare import measure_agreement
from core.labs.compare.agreement import CORRELATION, KENDALL, MEASURES, SAME_WINNER
from core.labs.compare.in_words import agreement_words

MEANING = {
    SAME_WINNER: "The share of pairs on which both prefer the same response.",
    KENDALL: "Whether they order the pairs alike, from the clearest to the most wrong. Only the "
    "order counts, so the models' units do not.",
    CORRELATION: "Pearson's correlation of the margins: whether they are in proportion.",
}


def draw(ground: Compared) -> Tables:
    """Draws the matrix of one measure; returns the table of all three."""
    result = ground.part("agreement", lambda: measure_agreement(ground.scores, ground.options))
    if result is None:
        return {}
    measure = st.segmented_control(
        "Measure",
        [SAME_WINNER, *(name for name in MEASURES if name != SAME_WINNER)],
        default=SAME_WINNER,
        required=True,
        key="compare-measure",
        label_visibility="collapsed",
        persist_state="session",
    )
    st.markdown(plain(agreement_words(result, measure)))
    st.plotly_chart(
        agreement_heatmap(result, measure),
        key="compare-agreement",
        config=figure_config(f"agreement, {measure}"),
        width=min(1100, 260 + 200 * len(ground.models)),
    )
    st.caption(
        f"{MEANING[measure]} Each cell holds the value, its 95 % interval over prompts and n. "
        "Agreement is no accuracy: two models can agree on being wrong."
    )
    with st.expander("Table"):
        show_table(result.table, key="compare-agreement-table")
    return {"agreement": result.table}
