"""Tab: what p_err 0.5 for no tool call does in this data."""

import streamlit as st

from app_pages.common.trajectories.rates_view import rates_of
from app_pages.common.trajectories.setup import NAME, Setup, computed, in_words
from core.figures.trajectories import rate_lines
from core.labs.trajectories.no_tool import NoToolTrap, no_tool_trap
from core.labs.trajectories.tables import trap_table


def trap_of(setup: Setup) -> NoToolTrap | None:
    """The meetings of rollouts with and without calls; None while they are counted."""
    return computed(
        ("trap", setup.key), lambda: no_tool_trap(setup.penalised), "Counting meetings …"
    )


def no_tool_view(setup: Setup) -> None:
    """The whole tab."""
    value = setup.penalties.no_tool
    st.markdown(
        f"A rollout without a tool call gets p_err {value:g}. It therefore beats a right rollout "
        f"of which more than {value:.0%} of the calls failed (a 60% one, for example) and loses "
        "to a clean tool user, though it may be the simplest way to the answer."
        if value == 0.5
        else f"A rollout without a tool call gets p_err {value:g} here; the paper's value is 0.5."
    )
    trap = trap_of(setup)
    if trap is None:
        return
    left, right = st.columns(2)
    with left:
        _meetings(trap)
    with right:
        rates = rates_of(setup)
        if rates is not None:
            st.plotly_chart(
                rate_lines(rates, "right", "no tool", title="Right rollouts without a tool call"),
                key=f"{NAME}-without",
            )


def _meetings(trap: NoToolTrap) -> None:
    told = f"**{trap.n_without:,} of {trap.n_right:,} right rollouts call no tool.** "
    if not trap.present:
        met = "They meet none that do in one group" if trap.n_without else "There is none to judge"
        st.markdown(f"{told}{met}, so the value decides nothing in this data.")
        return
    groups = "group" if trap.n_groups == 1 else "groups"
    st.markdown(f"{told}In {trap.n_groups:,} {groups} they meet right ones that do.")
    st.markdown(
        f"In these meetings the one without a call has the lower penalty in "
        f"{in_words(trap.wins)}, the same in {in_words(trap.ties)}, and the higher one in "
        f"{in_words(trap.losses)}. n counts pairs."
    )
    with st.expander("In numbers", icon=":material/table:"):
        st.dataframe(trap_table(trap), hide_index=True, key=f"{NAME}-trap-table")
