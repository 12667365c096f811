"""Tab: the judge that picked the pairs against a reward model that only looked on."""

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.section_view import draw_table
from app_pages.common.self_rewarding.parts import LINES, bullets
from app_pages.common.self_rewarding.setup import NAME, Setup
from app_pages.common.self_rewarding.work import drift_of
from core.figures.self_rewarding import judge_and_outside, over_iterations
from core.labs.self_rewarding import drift, in_words


def drift_view(setup: Setup) -> None:
    """The whole tab."""
    st.markdown("##### Is it quality, or the judge's taste?")
    st.caption(
        "The judge picks the pairs, so its praise of the result proves little. The same samples of "
        "the current model are also scored by a fixed reward model that took no part in training. "
        "Each is in standard deviations of its own scores at the first iteration."
    )
    if not has_outside(setup):
        st.info(
            "These samples have no rewards of an outside model. Add a column outside with the "
            "rewards of a model that took no part in the training.",
            icon=":material/info:",
        )
        return
    found = drift_of(setup)
    if found is None:
        return
    bullets(in_words.drift_sentences(found.estimates, found.changes))
    methods = list(dict.fromkeys(found.estimates["method"]))
    for place in range(0, len(methods), 2):
        for column, method in zip(
            st.columns(2, gap="large"), methods[place : place + 2], strict=False
        ):
            with column:
                st.markdown(f"**{plain(method)}: mean score of the samples**")
                figure = judge_and_outside(found.estimates, method)
                st.plotly_chart(figure, key=f"{NAME}-judges-{method}")
    left, right = st.columns(2, gap="large")
    for column, name in ((left, drift.AHEAD), (right, drift.AGREEMENT)):
        label, meaning = drift.MEASURES[name]
        with column:
            st.markdown(f"**{label}**", help=meaning)
            st.plotly_chart(over_iterations(found.estimates, name), key=f"{NAME}-drift-{name}")
    bullets(in_words.change_sentences(found.estimates, found.changes, drift.AGREEMENT))
    st.caption(LINES.replace("pairs", "samples"))
    if found.unscored:
        st.caption(f":material/info: {found.unscored:,} samples without both scores left out.")
    draw_table("All measures, with their intervals", found.estimates, f"{NAME}-drift-table")


def has_outside(setup: Setup) -> bool:
    """Whether any sample has a reward of an outside model."""
    table = setup.generations.table
    return "outside" in table.columns and bool(table["outside"].notna().any())
