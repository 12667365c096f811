"""Tab: exploration bonuses on recorded groups; move the controls and see the ranking move."""

import math

import pandas as pd
import streamlit as st

from app_pages.common.choices import one_of
from app_pages.common.collapse.setup import NAME, Setup, problem_names
from app_pages.common.markup import plain
from app_pages.common.section_view import readable
from core.errors import WorkbenchError
from core.figures.collapse import advantage_slopes, decay
from core.labs.collapse.analysis import TRAIN
from core.labs.collapse.bonus import SCHEMES, Scheme
from core.labs.collapse.explorer import (
    BonusOptions,
    Exploration,
    bonus_decay,
    explore,
    group_index,
    history_before,
)

SCHEME_MEANING: dict[Scheme, str] = {
    "none": "no bonus: plain GRPO",
    "ucb": "min(1, 1/√N): rarely given answers are paid, none is charged",
    "ucb-mean": "UCB minus the mean of the group's other samples: pays the rarer, charges the rest",
    "ucb-con": "UCB minus b0: answers given more than 1/b0² times before are charged",
    "batch": "minus the share of the group that repeats the answer; history plays no part",
}
SHOWN = (
    "sample", "answer", "correct", "reward", "seen_before", "bonus", "advantage",
    "advantage_with_bonus", "rank_before", "rank_after", "moved",
)  # fmt: skip


def bonus_view(setup: Setup) -> None:
    """Group, scheme, and what the bonus makes of the advantages."""
    st.markdown(
        "Choose a group that a run really drew, then move scheme, c, b0 and n: bonuses and "
        "advantages are computed again from the answers and from N, how often the run had given "
        "each answer before that step."
    )
    group = _choose_group(setup)
    if group.empty:
        st.info("This run has no such group.", icon=":material/info:")
        return
    options = _choose_bonus(setup, len(group))
    first = group.iloc[0]
    history = history_before(
        setup.result.counts.of(split=TRAIN), first["run"], first["problem_id"], int(first["step"])
    )
    try:
        found = explore(group, history, options)
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    _draw(found)


def _choose_group(setup: Setup) -> pd.DataFrame:
    index = group_index(setup.result.counts.of(split=TRAIN))
    base = set(setup.result.base_runs)
    runs = [run for run in setup.chosen.runs if run in set(index["run"])]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        run = st.selectbox(
            "Run", sorted(runs, key=lambda run: run in base), key=f"{NAME}-bonus-run",
            help="The run that drew the group.",
        )  # fmt: skip
        rows = index.loc[index["run"] == run]
        status = st.selectbox(
            "Groups", ["mixed", "all wrong", "all right"], key=f"{NAME}-bonus-status",
            help="Plain GRPO learns from mixed groups only. A group that is right throughout is "
            "paid no bonus.",
        )  # fmt: skip
        rows = rows.loc[rows["status"] == status]
        if rows.empty:
            return pd.DataFrame()
        # Many such groups with many answers each: there is something to move through.
        by_problem = rows.groupby("problem_id")["distinct"].sum().sort_values(ascending=False)
        names = problem_names(setup.chosen.table, list(by_problem.index))
        problem = st.selectbox(
            "Problem", list(by_problem.index), key=f"{NAME}-bonus-problem-{run}-{status}",
            format_func=dict(zip(by_problem.index, names, strict=True)).get,
            help="Those with the most such groups, and the most answers in them, first.",
        )  # fmt: skip
        steps = list(rows.loc[rows["problem_id"] == problem, "step"])
        key = f"{NAME}-bonus-step-{run}-{status}-{problem}"
        step = (
            st.select_slider(
                "Step", steps, steps[len(steps) // 2], key=key,
                help="Steps at which the problem had such a group; N counts what came before.",
            )
            if len(steps) > 1
            else st.selectbox("Step", steps, key=key, help="The only step with such a group.")
        )  # fmt: skip
    table = setup.chosen.table
    chosen = table.loc[
        (table["run"] == run) & (table["problem_id"] == problem) & (table["step"] == step)
    ]
    return chosen.loc[chosen["split"].fillna(TRAIN) == TRAIN] if "split" in chosen else chosen


def _choose_bonus(setup: Setup, n_samples: int) -> BonusOptions:
    with st.container(border=True):
        scheme = one_of(
            NAME, "Scheme", ("ucb-con", *(s for s in SCHEMES if s != "ucb-con")), "scheme",
            hint="How exploration is paid (arXiv 2509.06941, second-hand).",
        )  # fmt: skip
        st.caption(plain(f"{scheme}: {SCHEME_MEANING[scheme]}."))
        first, second, third, fourth = st.columns(4, gap="medium")
        with first:
            c = st.slider(
                "c, weight of the bonus", 0.0, 2.0, 0.2, 0.05, key=f"{NAME}-c",
                help="The paper takes 0.2.",
            )  # fmt: skip
        with second:
            b0 = st.slider(
                "b0, what UCB-Con takes off", 0.0, 1.0, 0.5, 0.05, key=f"{NAME}-b0",
                disabled=scheme != "ucb-con",
                help="The paper takes 1 on its easy set and 0.5 on its medium one.",
            )  # fmt: skip
        with third:
            n = st.slider(
                "n, samples of the group", 2, n_samples, n_samples, key=f"{NAME}-n-{n_samples}",
                help="Only the first n recorded samples.",
            ) if n_samples > 2 else n_samples  # fmt: skip
        with fourth:
            place = st.selectbox(
                "Added to", ["advantage", "reward"], key=f"{NAME}-place",
                help="The paper's objective adds c × bonus to the advantage. Added to the reward "
                "instead it is divided by the group's spread, which makes it large where all "
                "rewards are equal.",
            )  # fmt: skip
            itself = st.checkbox(
                "N counts this group too", key=f"{NAME}-count-group",
                help="Our reading of N is what came before the group.",
            )  # fmt: skip
    return BonusOptions(
        scheme=scheme,
        c=float(c),
        b0=float(b0),
        n=int(n),
        place="reward" if place == "reward" else "advantage",
        count_group=bool(itself),
        unreadable=setup.options.unreadable,
    )


def _draw(found: Exploration) -> None:
    options = found.options
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Advantage of each sample, without and with the bonus**")
        st.plotly_chart(advantage_slopes(found), key=f"{NAME}-advantages")
    with right:
        st.metric(
            "Samples whose rank moved", f"{found.n_moved} of {len(found.table)}",
            help="Rank 1 is pushed up most; equal advantages share their mean rank.",
        )  # fmt: skip
        st.caption(plain(_sentence(found)))
        if options.scheme in ("ucb", "ucb-con", "ucb-mean"):
            st.markdown("**How a payment fades with N**")
            most = int(max(20, found.table["seen_before"].max() * 1.2))
            paid = bonus_decay(options.scheme, b0=options.b0, c=options.c, most=most)
            st.plotly_chart(decay(paid, found.table["seen_before"]), key=f"{NAME}-decay")
            if options.scheme == "ucb-mean":
                st.caption("Before the mean of the other samples is taken off.")
    for reason, count in found.left_out.items():
        st.caption(f":material/info: {count} samples left out: {plain(reason)}.")
    table = found.table.sort_values(["rank_after", "sample"], kind="stable")[list(SHOWN)]
    st.dataframe(readable(table), hide_index=True, key=f"{NAME}-bonus-table")


def _sentence(found: Exploration) -> str:
    paid = found.options.c * found.table["bonus"]
    status = f"The group is {found.status}"
    if found.status == "all right" and found.options.scheme != "none":
        return f"{status}: no bonus is paid."
    agreement = (
        f"Kendall's tau between the rankings is {found.agreement:.2f}."
        if math.isfinite(found.agreement)
        else "One of the two rankings has no order."
    )
    return f"{status}; c × bonus runs from {paid.min():+.3f} to {paid.max():+.3f}. {agreement}"
