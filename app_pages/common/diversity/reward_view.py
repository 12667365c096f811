"""DARLING's reward on the recorded groups: the controls, what it reorders, and its traps."""

import streamlit as st

from app_pages.common.diversity.parts import choose_group, left_out_note, metric
from app_pages.common.diversity.setup import NAME, Setup, one_of
from app_pages.common.diversity.work import darling, keep
from app_pages.common.section_view import readable
from core.exports import figure_config
from core.figures import diversity as figures
from core.labs.diversity.darling import NORMALISATIONS, RULES
from core.labs.diversity.groups import DarlingResult, Options
from core.labs.diversity.readings import darling_reading
from core.labs.diversity.traps import TRAP_MEANING, TRAPS
from core.labs.groups import GROUP_KEYS

RULE_NAMES = {
    "multiply": "multiply",
    "add": "add",
    "lexicographic": "quality first",
    "threshold": "good enough",
}
RULE_HELP = (
    "Multiply (the paper): quality × Div. Add (its ablation): quality + weight × Div, which pays "
    "for junk that differs. Quality first and good enough are our reading: ranks by quality with "
    "ties broken by Div, and Div paid only where quality reaches a threshold."
)


def reward_view(setup: Setup) -> None:
    """Controls, then the reward over all groups, then one group."""
    options = _options(setup)
    keep("options", options)
    found = darling(setup, options)
    if found is None:
        return
    st.text(darling_reading(found))
    left_out_note(found.left_out, found.notes)
    if not found.estimates:
        return
    _traps(found)
    _numbers(found)
    left, right = st.columns([0.58, 0.42], gap="medium")
    untouched = options.shift == "none" == options.normalisation and not options.correct_only
    with left:
        st.plotly_chart(
            figures.quality_and_diversity(
                found.responses,
                rule=options.rule if untouched else "lexicographic",
                floor=options.floor,
                weight=options.weight,
                title="Every response; lines join equal rewards",
            ),
            key=f"{NAME}-quality-diversity",
            config=figure_config("quality-and-diversity"),
            alt="Quality and diversity of every response, with lines of equal reward",
        )
    with right:
        _one_group(setup, found)
    with st.expander("All groups", icon=":material/table:"):
        st.dataframe(readable(found.groups), hide_index=True, key=f"{NAME}-groups")


def _options(setup: Setup) -> Options:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        rule = one_of("Combine", list(RULES), "rule", RULE_NAMES, hint=RULE_HELP)
        floor, weight, enough = 0.1, 1.0, 0.5
        if rule in ("multiply", "threshold"):
            floor = st.slider(
                "Floor of Div", 0.0, 1.0, 0.1, 0.05, key=f"{NAME}-floor", width=140,
                persist_state="session",
                help="The least that Div counts for; 0.1 in the paper's code, so that a group that "
                "all says the same still gets a tenth of its quality. At 1 only quality counts.",
            )  # fmt: skip
        if rule == "add":
            weight = st.number_input(
                "Weight of Div", 0.0, 100.0, 1.0, 0.1, key=f"{NAME}-weight", width=130,
                persist_state="session", help="In units of quality for a Div of 1.",
            )  # fmt: skip
        if rule == "threshold":
            enough = st.number_input(
                "Good enough from", value=0.5, key=f"{NAME}-enough", width=140,
                persist_state="session", help="The quality from which diversity is paid.",
            )  # fmt: skip
        normalisation = one_of(
            "Div", list(NORMALISATIONS), "normalisation",
            {"none": "as it is", "max": "÷ largest", "sigmoid": "sigmoid"},
            hint="What is done to Div first. Sigmoid is a variant in the paper's code: it lifts "
            "every Div to between 0.5 and 0.73, so little of the pressure is left.",
        )  # fmt: skip
        lifted = st.toggle(
            "Shift quality to 0", key=f"{NAME}-shift", persist_state="session",
            help="Subtracts each group's lowest quality, so that none is negative: a negative "
            "quality times Div punishes novelty.",
        )  # fmt: skip
        divided = st.toggle(
            "Divide by std", key=f"{NAME}-std", persist_state="session",
            help="GRPO's standardised advantage. The paper leaves it out: it blows up small "
            "differences in groups that say nearly the same.",
        )  # fmt: skip
        right_only = False
        if "correct" in setup.table.columns and setup.table["correct"].notna().any():
            right_only = st.toggle(
                "Right ones only", key=f"{NAME}-right-only", persist_state="session",
                help="A variant in the paper's code: right responses are compared with right ones, "
                "wrong ones get the floor.",
            )  # fmt: skip
    return Options(
        threshold=setup.threshold,
        linking=setup.linking,
        rule=rule,
        floor=float(floor),
        weight=float(weight),
        quality_threshold=float(enough),
        normalisation=normalisation,
        shift="minimum" if lifted else "none",
        correct_only=right_only,
        scale="population" if divided else "none",
    )


def _traps(found: DarlingResult) -> None:
    n = len(found.groups)
    for trap in TRAPS:
        if found.traps[trap]:
            st.warning(
                f"**{trap.capitalize()}: {found.traps[trap]:,} of {n:,} groups.** "
                f"{TRAP_MEANING[trap]}",
                icon=":material/warning:",
            )
    clear = [trap for trap in TRAPS if not found.traps[trap]]
    if clear:
        st.caption(f":material/check: Looked for and not found: {', '.join(clear)}.")


def _numbers(found: DarlingResult) -> None:
    columns = st.columns(4)
    named = found.estimates
    metric(
        columns[0], "Classes in a group", named["classes in a group"],
        about="How many different things a group says, at the threshold above.",
    )  # fmt: skip
    metric(
        columns[1], "Vendi score", named["Vendi score of a group"],
        about="Effective number of different responses, without a threshold.",
    )  # fmt: skip
    metric(
        columns[2], "Order turned round", named["pairs whose order turns round"], percent=True,
        about="Of the pairs of different quality in a group, the share whose order the reward "
        "reverses; a new tie counts half.",
    )  # fmt: skip
    metric(
        columns[3], "Another best", named["groups whose best response changes"], percent=True,
        about="Groups in which no best response by quality is among the best by reward.",
    )  # fmt: skip


def _one_group(setup: Setup, found: DarlingResult) -> None:
    keys = [name for name in GROUP_KEYS if name in found.responses.columns]
    prompts = setup.table.drop_duplicates("problem_id").set_index("problem_id")["prompt"]
    rows = found.responses.assign(prompt=found.responses["problem_id"].map(prompts))
    positions = choose_group(rows, "reward")
    if positions is None:
        return
    group = rows.iloc[positions]
    st.plotly_chart(
        figures.rank_changes(group, title="One group: blue gains, red loses"),
        key=f"{NAME}-ranks",
        config=figure_config("rank-changes"),
        alt="Ranks of one group's responses by quality and by DARLING's reward",
    )
    with st.expander("Its responses", icon=":material/table:"):
        shown = group.drop(columns=[*keys, "prompt", "place"])
        st.dataframe(readable(shown), hide_index=True, key=f"{NAME}-group-table")
