"""The parts of the comparison as tabs."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from app_pages.compare import (
    agreement,
    calibration,
    changed,
    ensembles,
    head_to_head,
    overview,
    paired,
    slices,
    training_run,
)
from app_pages.compare.results import Compared, Tables

PARTS: dict[str, Callable[[Compared], Tables]] = {
    ":material/leaderboard: Overview": overview.draw,
    ":material/scatter_plot: Head to head": head_to_head.draw,
    ":material/swap_horiz: Changed minds": changed.draw,
    ":material/balance: Paired tests": paired.draw,
    ":material/handshake: Agreement": agreement.draw,
    ":material/target: Calibration": calibration.draw,
    ":material/table_rows: Slices": slices.draw,
    ":material/groups: Ensembles": ensembles.draw,
    ":material/timeline: Training run": training_run.draw,
}


def parts(ground: Compared) -> Tables:
    """The tabs; only the open one is drawn and computed. Returns all tables drawn so far."""
    kept = st.session_state.get("compare-tab-kept")
    if "compare-tab" not in st.session_state and kept in PARTS:
        st.session_state["compare-tab"] = kept
    tabs = st.tabs(list(PARTS), key="compare-tab", on_change="rerun")
    place = (ground.key, ground.baseline)
    if st.session_state.get("compare-drawn-of") != place:
        st.session_state["compare-drawn-of"] = place
        st.session_state["compare-drawn"] = {}
    drawn: dict[str, pd.DataFrame] = st.session_state["compare-drawn"]
    for tab, (name, draw) in zip(tabs, PARTS.items(), strict=True):
        if tab.open:
            st.session_state["compare-tab-kept"] = name
            with tab:
                drawn.update(draw(ground))
    return drawn
