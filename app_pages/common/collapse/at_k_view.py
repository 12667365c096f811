"""Tab: pass@k and distinct@k of policies, beside what a run has ever solved."""

import streamlit as st

from app_pages.common.choices import one_of
from app_pages.common.collapse.setup import NAME, Setup, choose_methods
from app_pages.common.collapse.words import at_k_sentence, coverage_sentence
from app_pages.common.markup import plain
from core.figures.collapse import MOST_BANDS, at_k_curves, coverage_beside_checkpoint
from core.labs.collapse.analysis import coverage_and_checkpoint

LATE = "late in training"


def at_k_view(setup: Setup) -> None:
    """The curves over k, and the two things that look alike."""
    result = setup.result
    st.warning(
        "Historical coverage is what a run has solved at any time in its past: it can only grow. "
        "pass@k is what one policy solves in k samples now: it can fall. A run can have covered "
        "a problem and lost it.",
        icon=":material/difference:",
    )
    looked = {LATE: result.training, **result.splits}
    which = one_of(
        NAME, "Policy", list(looked), "at-k-split",
        {"checkpoint": "last checkpoint, training problems", "held_out": "last checkpoint, "
         "problems never trained on", LATE: "late window of training"},
        hint="A checkpoint is one policy, sampled again. The late window of training pools the "
        "policies of its steps.",
    )  # fmt: skip
    found = looked[which]
    if found.table.empty:
        st.info("There are no samples here.", icon=":material/info:")
        return
    methods = choose_methods(setup)
    group = one_of(
        NAME, "Problems of the right-hand figure", ("all", "solved", "unsolved"), "at-k-group",
        hint="Solved: a sample in these rows was right.",
    )  # fmt: skip
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**pass@k, unbiased**")
        st.plotly_chart(at_k_curves(found.table, methods=methods), key=f"{NAME}-pass-{which}")
    with right:
        st.markdown(f"**Distinct answers among k, {group} problems**")
        st.plotly_chart(
            at_k_curves(found.table, measure="distinct", group=group, methods=methods),
            key=f"{NAME}-distinct-{which}-{group}",
        )
    st.markdown(plain(at_k_sentence(found.table, methods, group)))
    n = int(found.table["n_prompts"].max())
    out = "; ".join(f"{why} ({count})" for why, count in found.left_out.items())
    st.caption(
        plain(
            f"Means over seeds, {setup.options.confidence:.0%} intervals over {n} problems (bands "
            f"for up to {MOST_BANDS} methods, else under the pointer). pass@k is "
            "1 - C(n-c, k) / C(n, k) (Chen et al. 2021), distinct answers are rarefied (Hurlbert "
            f"1971).{f' Left out: {out}.' if out else ''}"
        )
    )
    _history(setup)


def _history(setup: Setup) -> None:
    both = coverage_and_checkpoint(setup.result)
    there = set(both["method"])
    methods = [name for name in setup.methods if name in there]
    st.markdown("##### History and policy, side by side")
    method = one_of(NAME, "Method", methods, "at-k-method", hint="Whose runs are drawn.")
    st.markdown(plain(coverage_sentence(both, method)))
    st.plotly_chart(coverage_beside_checkpoint(both, method), key=f"{NAME}-history-{method}")
