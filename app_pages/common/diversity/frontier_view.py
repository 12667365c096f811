"""Quality against diversity over temperatures, methods or steps."""

import streamlit as st

from app_pages.common.diversity.parts import left_out_note
from app_pages.common.diversity.setup import NAME, Setup, one_of
from app_pages.common.diversity.work import trade_off
from app_pages.common.section_view import readable
from core.exports import figure_config
from core.figures import diversity as figures
from core.labs.diversity.classes import has_texts
from core.labs.diversity.frontier import MEASURES, levels
from core.labs.diversity.readings import frontier_reading


def frontier_view(setup: Setup) -> None:
    """The frontier over the column that the visitor picks."""
    over = list(levels(setup.table))
    if not over:
        st.info(
            "A frontier needs something to go over: rollouts of several temperatures (a column "
            "`temperature`), runs, or steps. Choose all steps above, or rollouts of several runs.",
            icon=":material/info:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = one_of("Over", over, "by", hint="Each value is one point of the frontier.")
        measures = [m for m in MEASURES if m != "distinct_2" or has_texts(setup.method)]
        measure = one_of(
            "Diversity", measures, "measure", MEASURES,
            hint="Different responses among k: classes at the threshold above, expected among k "
            "samples. The Vendi score and the mean distance need no threshold.",
        )  # fmt: skip
    found = trade_off(setup, by)
    if found is None:
        return
    name = MEASURES[measure].replace("among k", f"among {found.k}")
    st.text(frontier_reading(found, measure))
    st.plotly_chart(
        figures.frontier(found.points, measure, name, by),
        key=f"{NAME}-frontier",
        config=figure_config("frontier"),
        alt="Mean reward against diversity, one point each, with intervals over problems",
    )
    groups = found.groups
    smallest, largest = groups["n"].min(), groups["n"].max()
    size = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
    st.caption(
        f"{len(groups):,} groups of {size} responses, "
        f"{groups['problem_id'].nunique():,} problems. Bars are 95% intervals from resampling "
        "problems; differences are paired by problem, so they can be clear where bars overlap."
    )
    left_out_note(found.left_out)
    with st.expander("Differences from the first, paired by problem", icon=":material/table:"):
        st.dataframe(readable(found.differences), hide_index=True, key=f"{NAME}-differences")
    with st.expander("All points", icon=":material/table:"):
        st.dataframe(readable(found.points), hide_index=True, key=f"{NAME}-points")
