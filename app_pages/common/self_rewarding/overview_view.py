"""Tab: the pairs that the runs trained on, iteration by iteration, and what DPO made of them."""

from collections.abc import Sequence

import streamlit as st

from app_pages.common.choices import choice_key
from app_pages.common.section_view import draw_table
from app_pages.common.self_rewarding.parts import LINES, bullets, left_out_note, pick_row, show_pair
from app_pages.common.self_rewarding.setup import NAME, Setup, one_of
from app_pages.common.self_rewarding.work import recorded_of
from core.figures.self_rewarding import over_iterations, score_ridges, slot_bars
from core.labs.self_rewarding import in_words, iterations
from core.labs.self_rewarding.bound import bound_check
from core.labs.self_rewarding.dpo import BETA
from core.labs.self_rewarding.iterations import IterationResult

AFTER, DURING, BEFORE = "after", "during", "before"
MOMENTS = {
    AFTER: ("loss_after", "weight_after", "gradient_after"),
    DURING: ("loss", "weight"),
    BEFORE: ("loss_before", "weight_before", "gradient_before"),
}
MOMENT_HELP = (
    "Before an iteration's updates policy and reference are one model: the margin is 0, the loss "
    "log 2 = 0.693 and the weight β / 2 for every pair, so only the distance of the two sides "
    "matters. During: the mean over the times the updates read a pair. After: what is left."
)
PAIR_COLUMNS = (
    "run", "iteration", "problem_id", "gap", "outside_gap", "cosine", "gradient_norm",
    "loss_after", "weight_after", "chosen_source", "rejected_source", "chosen", "rejected",
)  # fmt: skip


def overview_view(setup: Setup) -> None:
    """The whole tab."""
    result = recorded_of(setup)
    if result is None:
        return
    _gap(setup, result)
    _learning(result)
    if len(result.slots):
        _slots(result)
    _pairs(setup, result)


def _gap(setup: Setup, result: IterationResult) -> None:
    st.markdown("##### Does the gap between chosen and rejected close?")
    bullets(in_words.gap_sentences(result.estimates, result.changes))
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Gap: judge's score of the chosen minus that of the rejected**")
        st.plotly_chart(over_iterations(result.estimates, "gap"), key=f"{NAME}-gap")
        st.caption(f"{LINES} {in_words.kept_sentence(result.estimates)}")
    with right:
        methods = setup.methods
        # Read before it is drawn: the control stands below the heading that names its choice.
        st.markdown("**The judge's scores of both sides, the first iteration on top**")
        field = choice_key(NAME, "ridges", methods)
        method = st.session_state.get(field) or methods[0]
        of_method = result.pairs.loc[result.pairs["method"] == method]
        st.plotly_chart(score_ridges(of_method), key=f"{NAME}-ridges-figure")
        one_of("Method", methods, "ridges", hint="Whose pairs the ridges show.")
        st.caption("Kernel densities with their means; a gap closes where they slide together.")
    left_out_note(result.left_out)


def _learning(result: IterationResult) -> None:
    st.markdown("##### How much is left to learn from a pair?")
    st.caption(
        "DPO's gradient is a weight, β (1 − σ(margin)), times the difference of two gradients. It "
        "dies when the two sides become alike, and also when they are so easy to tell apart that "
        "the margin saturates: a wide gap alone is not quality."
    )
    first = [name for name in ("cosine", "gradient_norm") if name in result.measures]
    if first:
        _row(result, first)
        bound = bound_check(result.pairs)
        if bound is not None:
            bullets([in_words.bound_sentence(bound)])
            st.caption(
                "The bound, weight times distance of the states up to a constant, is the paper's; "
                "holding it against the measured gradient is our own check."
            )
    there = {
        name: [each for each in measures if each in result.measures]
        for name, measures in MOMENTS.items()
    }
    moments = [name for name, measures in there.items() if measures]
    if not moments:
        st.info(
            "Loss and weight need the log-probabilities of both sides under policy and reference, "
            "which these rollouts do not have.",
            icon=":material/info:",
        )
        return
    moment = one_of("Loss and weight, measured", moments, "moment", hint=MOMENT_HELP)
    _row(result, there[moment])
    st.caption(f"Dotted: β / 2 = {BETA / 2:g}, the weight at the start of an update. {LINES}")


def _row(result: IterationResult, measures: Sequence[str]) -> None:
    for column, name in zip(st.columns(len(measures), gap="medium"), measures, strict=True):
        label, meaning = iterations.MEASURES[name]
        with column:
            st.markdown(f"**{label}**", help=meaning)
            level = BETA / 2 if name.startswith("weight") else None
            st.plotly_chart(
                over_iterations(result.estimates, name, level=level), key=f"{NAME}-{name}"
            )
            bullets(in_words.change_sentences(result.estimates, result.changes, name))


def _slots(result: IterationResult) -> None:
    st.markdown("##### Whose samples became the pairs?")
    bullets(in_words.slot_sentences(result.slots))
    for column, slot in zip(st.columns(2, gap="large"), ("rejected", "chosen"), strict=True):
        with column:
            st.markdown(f"**Who wrote the {slot}**")
            st.plotly_chart(slot_bars(result.slots, slot), key=f"{NAME}-slots-{slot}")


def _pairs(setup: Setup, result: IterationResult) -> None:
    with st.expander("Read the pairs", icon=":material/compare:"):
        st.caption("Click a row to read both responses. Columns sort by a click on their head.")
        row = pick_row(result.pairs, PAIR_COLUMNS, f"{NAME}-pairs-{setup.key}")
        if row is not None:
            prompt = setup.prompts.get(str(row["problem_id"]))
            show_pair(prompt, row.get("chosen"), row.get("rejected"), "recorded")
    draw_table("All measures, with their intervals", result.estimates, f"{NAME}-estimates")
