"""Tab: one group, who is kept, and what each rollout weighs before and after."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app_pages.common.choices import one_of
from app_pages.common.markup import plain
from app_pages.common.trajectories.count_rules import count_rules_form
from app_pages.common.trajectories.setup import NAME, Setup
from core.figures.trajectories import ordered, penalty_bars, rollout_names, weight_bars
from core.labs.trajectories.penalties import GROUP
from core.labs.trajectories.updates import (
    STRATEGY_MEANING,
    GroupUpdate,
    Strategy,
    UpdateOptions,
    weigh_group,
)

MOST_GROUPS = 400
UPDATE = f"{NAME}-group-update"
CHOICES: tuple[Strategy, ...] = (
    "roc-code", "roc-paper", "positives uniform", "penalty in the reward", "none",
)  # fmt: skip
"""The first shown drops something and needs no luck."""


def update_options() -> UpdateOptions:
    """The settings of the choice, shared by the tabs that use it."""
    state = st.session_state
    return UpdateOptions(
        keep=float(state.get(f"{NAME}-keep", 0.5)),
        epsilon=float(state.get(f"{NAME}-epsilon", 0.1)),
        min_right=int(state.get(f"{NAME}-minimum", 2)),
        min_wrong=int(state.get(f"{NAME}-minimum", 2)),
        reward_penalty=float(state.get(f"{NAME}-reward-penalty", 0.5)),
        seed=int(state.get(f"{NAME}-seed", 0)),
    )


def settings() -> None:
    """The controls of the choice."""
    with st.popover("Settings of the choice", icon=":material/tune:", key=f"{NAME}-settings"):
        controls = (
            ("Share kept", 0.25, 1.0, 0.5, 0.05, "keep", "The paper keeps half: 16 of 32."),
            ("ε", 0.0, 1.0, 0.1, 0.05, "epsilon", "Added to a penalty before it is inverted (paper "
             "rule). The paper names none, but 1/0 needs one."),
            ("Minimum of right and of wrong", 0, 8, 2, 1, "minimum", "Released rule only: each "
             "side gets at least so many."),
            ("Penalty in the reward", 0.0, 2.0, 0.5, 0.1, "reward-penalty", "Reward = right − this "
             "times penalty, for the strategy of that name."),
            ("Seed", 0, 50, 0, 1, "seed", "Of the random choices."),
        )  # fmt: skip
        for label, low, high, value, step, key, hint in controls:
            st.slider(
                label, low, high, value, step,
                key=f"{NAME}-{key}", persist_state="session", help=hint,
            )  # fmt: skip


def inspector_view(setup: Setup) -> None:
    """The whole tab."""
    groups = interesting_groups(setup.penalised.table, setup.chosen.base_runs)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        strategy = one_of(
            NAME, "Choice", list(CHOICES), "strategy",
            hint="; ".join(f"{name}: {STRATEGY_MEANING[name]}" for name in CHOICES) + ".",
        )  # fmt: skip
        settings()
    number = st.selectbox(
        "Group",
        groups.index.tolist(),
        format_func=lambda group: str(groups.loc[group, "label"]),
        key=f"{NAME}-group-{setup.chosen.key}",
        help="All rollouts of one problem at one step. Groups with many right rollouts that differ "
        "in cleanness come first: there the choice matters most.",
    )
    options = update_options()
    rows = setup.penalised.table.loc[setup.penalised.table[GROUP] == number]
    chosen = UpdateOptions(**{**options.__dict__, "strategy": strategy})
    update = weigh_group(rows, chosen, rng=chosen.seed)
    st.session_state[UPDATE] = (setup.key, update)
    st.markdown(told(update, strategy))
    left, right = st.columns(2)
    with left:
        title = "Penalties; dropped rollouts are faded"
        st.plotly_chart(penalty_bars(update, title=title), key=f"{NAME}-penalties")
    with right:
        title = "Weight in the update, before and after"
        st.plotly_chart(weight_bars(update, title=title), key=f"{NAME}-weights")
    st.caption(
        "✓ right, ✗ wrong, with the sample's number; cleanest first. Weight: advantage over the "
        "number of rollouts in the update; before: over the whole group, after: over the kept ones."
    )
    _cards(update)
    count_rules_form(options.min_right)


def interesting_groups(table: pd.DataFrame, base_runs: Sequence[str] = ()) -> pd.DataFrame:
    """Groups in the order in which the choice among their right rollouts matters.

    Mixed groups whose right rollouts are clean in part come first, then by how far penalties of the
    right ones lie apart. Runs that were not trained come last.
    """
    right = table.loc[table["correct"]]
    spread = right.groupby(GROUP).agg(std=("penalty", "std"), messy=("messy", "mean"))
    of_group = table.groupby(GROUP, sort=False).agg(
        n=("correct", "size"), right=("correct", "sum"), problem=("problem_id", "first")
    )
    for name in ("run", "step"):
        of_group[name] = table.groupby(GROUP, sort=False)[name].first() if name in table else ""
    mixed = (of_group["right"] > 0) & (of_group["right"] < of_group["n"])
    spread = spread.reindex(of_group.index)
    both = (spread["messy"] > 0) & (spread["messy"] < 1)
    of_group["order"] = (both.astype(float) + spread["std"].fillna(0)) * mixed
    of_group["order"] -= 10.0 * of_group["run"].isin(list(base_runs))
    of_group["label"] = [
        f"{row.run} · step {row.step} · {row.problem} · {row.right} of {row.n} right"
        for row in of_group.itertuples()
    ]
    return of_group.sort_values("order", ascending=False, kind="stable").head(MOST_GROUPS)


def told(update: GroupUpdate, strategy: str) -> str:
    """What happened to the group, in a sentence or two."""
    rows = update.rows
    n_right = int(rows["correct"].sum())
    text = f"**{n_right} right and {len(rows) - n_right} wrong; {plain(update.status)}.** "
    if update.message:
        return text + plain(update.message)
    kept = rows.loc[rows["kept"]]
    n_kept = int(kept["correct"].sum())
    text += f"{n_kept} right and {len(kept) - n_kept} wrong enter the update. "
    before, after = update.messy_share("before"), update.messy_share("after")
    if before != before:
        return text + "All rewards are equal, so no rollout has any weight."
    tail = f"{after:.0%} under “{plain(strategy)}”" if after == after else "none after it"
    return text + (
        f"Of all positive weight, {before:.0%} lies on right but messy rollouts when every rollout "
        f"enters, and {tail}."
    )


def _cards(update: GroupUpdate) -> None:
    rows = ordered(update)
    shown = rows.assign(rollout=rollout_names(rows))
    columns = [
        "rollout", "kept", "why", "tool_calls", "tool_errors", "answer_tags", "turns", "p_err",
        "p_format", "advantage_before", "advantage_after", "weight_before", "weight_after",
    ]  # fmt: skip
    event = st.dataframe(
        shown[columns], hide_index=True, key=f"{NAME}-cards", height=280,
        on_select="rerun", selection_mode="single-row",
    )  # fmt: skip
    if "response" not in rows.columns or not rows["response"].notna().any():
        st.caption("The texts of the rollouts are not in this table.")
        return
    picked = event["selection"]["rows"]
    place = picked[0] if picked and picked[0] < len(rows) else 0
    row = shown.iloc[place]
    st.caption(f"Rollout {row['rollout']}, {row['why']}. Click another row to read it.")
    st.code(str(row["response"]), language=None, wrap_lines=True)
