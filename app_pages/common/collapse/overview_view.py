"""Tab: the answer in one figure, and the cumulative curves behind it."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from app_pages.common.choices import one_of
from app_pages.common.collapse.setup import NAME, Setup, choose_methods
from app_pages.common.collapse.words import (
    curves_sentence,
    flags_sentence,
    sizes,
    spread_sentence,
)
from app_pages.common.markup import plain
from app_pages.common.section_view import draw_table
from core.figures.collapse import MOST_BANDS, cumulative, flag_plane, over_steps, spread_bars
from core.labs.collapse.analysis import HELD_OUT_PROBLEMS, UNSOLVED_PROBLEMS
from core.labs.collapse.coverage import COHORT_MEANING, COHORTS
from core.labs.collapse.spread import SCALES, Spread
from core.report import estimates_table

PROBLEMS_HELP = (
    "Never solved in training: no sample of the run was right; its change is held against the base "
    "at the same steps. Never trained on: the held-out problems, first against last checkpoint; "
    "nobody picked them by what came out."
)


def overview_view(setup: Setup) -> None:
    """Spread, cumulative curves, the flag and the entropy."""
    _spread(setup)
    st.divider()
    methods = choose_methods(setup)
    _curves(setup, methods)
    left, right = st.columns(2, gap="large")
    with left:
        _flag(setup)
    with right:
        _over_steps(setup, methods)


def _spread(setup: Setup) -> None:
    result = setup.result
    kinds = {UNSOLVED_PROBLEMS: result.spreads, HELD_OUT_PROBLEMS: result.held_out}
    there = [name for name, found in kinds.items() if found]
    # What can be estimated comes first.
    there.sort(key=lambda name: not _has_effect(kinds[name][SCALES[0]]))
    st.markdown("##### Does the loss of answers reach problems that were never rewarded?")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        which = one_of(NAME, "Problems", there, "spread-problems", hint=PROBLEMS_HELP)
        scale = one_of(
            NAME,
            "Scale",
            SCALES,
            "spread-scale",
            hint="Difference: distinct answers, late minus early. Log ratio: log of late over "
            "early, which weighs a fall from 4 to 2 like one from 2 to 1.",
        )
    found = _ordered(kinds[which][scale], setup.methods)
    st.markdown(plain(spread_sentence(found)))
    st.plotly_chart(spread_bars(found.effects, found.base), key=f"{NAME}-spread")
    st.caption(
        plain(
            f"Change in rarefied distinct answers among up to {setup.options.spread.k} samples, "
            f"{found.windows}, minus the same change of the base runs (rings, 0 expected). "
            f"{sizes(found.effects)}."
        )
    )
    draw_table("The estimates", estimates_table(found.effects), f"{NAME}-estimates")
    draw_table("Problem by problem", found.problems, f"{NAME}-spread-problems")
    if found.left_out:
        reasons = "; ".join(f"{why} ({n:,})" for why, n in found.left_out.items())
        st.caption(f":material/info: Left out: {plain(reasons)}.")


def _ordered(found: Spread, methods: Sequence[str]) -> Spread:
    """The same estimates in the order of the rollouts."""
    return replace(
        found, effects={name: found.effects[name] for name in methods if name in found.effects}
    )


def _has_effect(found: Spread) -> bool:
    return any(each.n_prompts > 1 for each in found.effects.values())


def _curves(setup: Setup, methods: list[str]) -> None:
    curves = setup.result.curves
    st.markdown("##### Solved and answered so far, at equal samples")
    if curves.table.empty:
        st.info(plain(" ".join(curves.notes)), icon=":material/info:")
        return
    cohort = one_of(
        NAME, "Problems of the right-hand figure", COHORTS, "cohort", hint="Which problems are "
        "counted. Dotted: the base runs on the very same problems.",
    )  # fmt: skip
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Problems solved at least once**")
        st.plotly_chart(
            cumulative(curves.table, measure="solved", methods=methods), key=f"{NAME}-solved"
        )
    with right:
        st.markdown(f"**Distinct answers ever given, {cohort}**")
        st.plotly_chart(
            cumulative(curves.table, cohort=cohort, measure="distinct", methods=methods),
            key=f"{NAME}-distinct",
        )
    st.markdown(plain(curves_sentence(curves.table, curves.budget, cohort, methods)))
    notes = [
        f"{curves.n_problems} problems, {curves.budget} samples of each in every run; bands (drawn "
        f"for up to {MOST_BANDS} methods, else under the pointer): "
        f"{setup.options.confidence:.0%} over problems (how problems differ; the spread above is "
        "paired), means over seeds",
        f"{cohort}: {COHORT_MEANING[cohort]}",
        *curves.notes,
    ]
    if cohort == "unsolved at end":
        notes.append(
            "the base may have right answers on these problems, a run that never solved them has "
            "none"
        )
    st.caption(plain(" · ".join(notes)) + ".")


def _flag(setup: Setup) -> None:
    found = setup.result.flags
    st.markdown("##### Reward up while pass@k goes down?")
    st.markdown(plain(flags_sentence(found)))
    if not found.runs:
        return
    st.plotly_chart(flag_plane(found.table(), found.k), key=f"{NAME}-flags")
    st.caption(
        plain(
            f"One point a run, {found.windows}. Flagged (diamond) when reward rose, pass@{found.k} "
            "fell, and sign-flip tests over problems bear out both at 5 %. One problem alone "
            "cannot do this while the reward is correctness: its pass@k rises with its share right."
        )
    )


def _over_steps(setup: Setup, methods: list[str]) -> None:
    st.markdown("##### How concentrated the answers are")
    measure = one_of(
        NAME, "Measure", ("entropy", "majority_share", "distinct"), "over-steps",
        {"entropy": "entropy", "majority_share": "majority share", "distinct": "distinct answers"},
        hint="Of each group of samples, mean of problems. Entropy is the plug-in estimate, which "
        "is too low for few samples.",
    )  # fmt: skip
    table = setup.result.over_steps
    st.plotly_chart(
        over_steps(table, measure=measure, methods=methods), key=f"{NAME}-steps-{measure}"
    )
    rows = table.loc[(table["measure"] == measure) & table["method"].isin(methods)]
    ends = rows.sort_values("step").groupby("method")["value"].agg(["first", "last"])
    told = "; ".join(
        f"{name} {ends.loc[name, 'first']:.2f} → {ends.loc[name, 'last']:.2f}"
        for name in methods
        if name in ends.index
    )
    st.caption(plain(f"First to last step: {told}."))
