"""Tab: VeriFree, RLPR and NOVER on the traces of one problem."""

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.verifier_free.setup import NAME, Setup, one_of
from core.figures.verifier_free import method_bars
from core.labs.verifier_free.rewards import ADVANTAGE_MEANING, METHODS, side_by_side


def group_view(setup: Setup) -> None:
    """The whole tab."""
    value = one_of(
        "Shown",
        ("advantage", "reward"),
        "shown",
        hint="The reward of each trace, or what its log-probability is multiplied by in training.",
    )
    table = side_by_side(setup.group, setup.options)
    lines = []
    for method in METHODS:
        rows = table.loc[table["method"] == method]
        flat, kind = bool(rows["flat"].iloc[0]), str(rows["advantage_kind"].iloc[0])
        usable = rows.dropna(subset=["reward"])
        if flat:
            lines.append(f"- **{method}**: no spread, so no signal from this group.")
            continue
        best = usable.loc[usable["reward"].idxmax()]
        label = {True: "right", False: "wrong"}.get(best["correct"], "not labelled")
        lines.append(
            f"- **{method}** prefers trace {plain(str(best['trace_id']))} ({label}); advantage is "
            f"the {ADVANTAGE_MEANING[kind]}."  # type: ignore[index]
        )
    st.markdown("\n".join(lines))
    st.plotly_chart(
        method_bars(table, value=value), key=f"{NAME}-methods",
        alt=f"{value} of each trace by method",
    )  # fmt: skip
    st.caption(
        f"One group of {len(setup.group)} traces; green is right, red is wrong; each method has "
        "its own scale. VeriFree also weighs the log-likelihood of the reference itself by the "
        "same reward. The authored traces count as well formed, as they have no tags."
    )
    with st.expander("Numbers, with NOVER's ladder of ranks", icon=":material/table:"):
        st.dataframe(table, hide_index=True, key=f"{NAME}-methods-table")
