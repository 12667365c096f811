"""Tab: which groups RLPR's filter would train on."""

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.verifier_free.setup import NAME, Setup
from core.figures.verifier_free import filter_lines, kept_bars
from core.labs.verifier_free.filter import PER_MODEL, FilterOptions, group_std, run_filter
from core.labs.verifier_free.rewards import rlpr_rewards


def filter_view(setup: Setup) -> None:
    """The whole tab."""
    if not setup.many:
        st.info(
            "The filter needs many groups: choose the authored problems or a file.",
            icon=":material/info:",
        )
        return
    st.caption(
        "A group whose traces all get nearly the same reward teaches nothing. RLPR drops a group "
        "whose standard deviation is below β times a moving average."
    )
    left, middle, right = st.columns(3, gap="medium")
    with left:
        st.slider(
            "β", 0.0, 2.0, 0.5, 0.05, key=f"{NAME}-beta", persist_state="session",
            help="A group stays where its standard deviation is at least β times the moving "
            "average. RLPR's scripts: "
            + ", ".join(f"{model} {beta}" for model, beta in PER_MODEL.items()),
        )  # fmt: skip
    with middle:
        st.slider(
            "Ratio of the moving average", 0.5, 0.999, 0.99, 0.001, key=f"{NAME}-ratio",
            persist_state="session", format="%.3f",
            help="0.99 in the code: the average takes in a hundredth of each step's mean.",
        )  # fmt: skip
    with right:
        st.slider(
            "Groups a step", 2, 16, 4, 1, key=f"{NAME}-per-step", persist_state="session",
            help="The problems come in a drawn order, so many at a time.",
        )  # fmt: skip
    steps = filter_table(setup)
    running = steps.loc[steps["bound"].notna()]
    if len(running):
        kept, of = int(running["n_kept"].sum()), int(running["n_groups"].sum())
        st.markdown(
            f"**The filter keeps {kept} of {of} groups** from step {int(running['step'].iloc[0])} "
            f"on; {int(steps['n_flat'].sum())} of {int(steps['n_groups'].sum())} groups have no "
            "spread at all."
        )
    else:
        st.info(
            f"There are {len(steps)} steps and the filter begins at the eleventh: put fewer groups "
            "in a step.",
            icon=":material/info:",
        )
    one, two = st.columns(2, gap="medium")
    with one:
        st.plotly_chart(filter_lines(steps), key=f"{NAME}-ema", alt="Spread, average and bound")
    with two:
        st.plotly_chart(kept_bars(steps), key=f"{NAME}-kept", alt="Groups kept and dropped")
    st.caption(
        "As in the code, spreads are collected from step 6 and filtered from step 11; two passes "
        "over the problems. Here the scorer never changes; in training the rewards would. The "
        "mean of a step goes over all its groups, dropped ones too."
    )


def filter_table(setup: Setup) -> pd.DataFrame:
    """The filter over two passes through the problems, in an order drawn with seed 0."""
    state = st.session_state
    options = FilterOptions(
        beta=float(state.get(f"{NAME}-beta", 0.5)), ratio=float(state.get(f"{NAME}-ratio", 0.99))
    )
    size = int(state.get(f"{NAME}-per-step", 4))
    table = setup.scores.references
    rewards = table.assign(reward=rlpr_rewards(table, setup.options))
    stds = {
        name: group_std(rows["reward"].to_numpy(dtype=np.float64))
        for name, rows in rewards.groupby("problem_id", sort=False)
    }
    rng = np.random.default_rng(0)
    order = [name for _ in range(2) for name in rng.permutation(list(stds))]
    steps = [[stds[name] for name in order[at : at + size]] for at in range(0, len(order), size)]
    return run_filter(steps, options)
