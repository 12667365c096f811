"""How many right and wrong rollouts both rules keep, for numbers that the visitor types in."""

import streamlit as st

from app_pages.common.trajectories.setup import NAME
from core.labs.trajectories.resample import code_counts, paper_counts, resample_on_correct


def count_rules_form(minimum: int) -> None:
    """Three numbers to type in, and what both rules make of them.

    Args:
        minimum: of right and of wrong rollouts under the released rule.
    """
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
        st.markdown(count_rules(int(right), int(wrong), int(keep), minimum))


def count_rules(right: int, wrong: int, keep: int, minimum: int = 2) -> str:
    """What both rules do with such a group, in words."""
    low = {"min_right": minimum, "min_wrong": minimum}
    correct = [True] * right + [False] * wrong
    found = resample_on_correct(correct, [0.0] * len(correct), keep, mode="code", **low)
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
        counts = code_counts(right, wrong, keep, **low)
        code = f"keeps {counts[0]} right and {counts[1]} wrong"
    return f"- The paper's rule {paper}.\n- The released code {code}{'' if found.message else '.'}"
