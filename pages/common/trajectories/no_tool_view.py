"""Tab: what p_err 0.5 for no tool call does in this data, and the count rules by hand."""

import streamlit as st

from core.figures.trajectories import rate_lines
from core.labs.trajectories.no_tool import NoToolTrap, no_tool_trap
from core.labs.trajectories.resample import code_counts, paper_counts, resample_on_correct
from core.labs.trajectories.tables import trap_table
from pages.common.trajectories.rates_view import rates_of
from pages.common.trajectories.setup import NAME, Setup, computed, in_words


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
        f"of which more than {value:.0%} of the calls failed (a 60 % one, for example) and loses "
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
    _count_rules()


def _meetings(trap: NoToolTrap) -> None:
    st.markdown(
        f"**{trap.n_without:,} of {trap.n_right:,} right rollouts call no tool.** In "
        f"{trap.n_groups:,} groups they meet right ones that do."
    )
    if not trap.present:
        st.markdown("They never meet in one group, so the value decides nothing in this data.")
        return
    st.markdown(
        f"In these meetings the one without a call has the lower penalty in "
        f"{in_words(trap.wins)}, the same in {in_words(trap.ties)}, and the higher one in "
        f"{in_words(trap.losses)}. n counts pairs."
    )
    with st.expander("In numbers", icon=":material/table:"):
        st.dataframe(trap_table(trap), hide_index=True, key=f"{NAME}-trap-table")


def _count_rules() -> None:
    with st.expander("How many right and wrong ones are kept: try it", icon=":material/calculate:"):
        columns = st.columns(3)
        right = columns[0].number_input(
            "Right", 0, 64, 7, key=f"{NAME}-n-right", help="Right rollouts of a group."
        )
        wrong = columns[1].number_input(
            "Wrong", 0, 64, 25, key=f"{NAME}-n-wrong", help="Wrong rollouts of the group."
        )
        keep = columns[2].number_input(
            "To keep", 1, 64, 16, key=f"{NAME}-n-keep", help="Rollouts that enter the update."
        )
        st.markdown(count_rules(int(right), int(wrong), int(keep)))


def count_rules(right: int, wrong: int, keep: int) -> str:
    """What both rules do with such a group, in words."""
    correct = [True] * right + [False] * wrong
    found = resample_on_correct(correct, [0.0] * len(correct), keep, mode="code")
    if keep > right + wrong:
        paper = "cannot keep more rollouts than there are"
    else:
        kept = paper_counts(right, wrong, keep)
        paper = f"keeps {kept[0]} right and {kept[1]} wrong"
    if found.message:
        code = f"drops the group. {found.message}"
    elif found.status == "kept whole":
        code = f"keeps the whole group, {right} right and {wrong} wrong"
    else:
        counts = code_counts(right, wrong, keep)
        code = f"keeps {counts[0]} right and {counts[1]} wrong"
    return f"- The paper's rule {paper}.\n- The released code {code}{'' if found.message else '.'}"
