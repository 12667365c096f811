"""Tab: what updates weigh over many groups, and which right rollouts are kept."""

from dataclasses import replace

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.trajectories.inspector_view import settings, update_options
from app_pages.common.trajectories.setup import NAME, Setup, computed, in_words
from core.figures.trajectories import acceptance_lines, messy_bars
from core.labs.trajectories.tables import messy_table
from core.labs.trajectories.updates import CHOOSING, STRATEGIES, Weighing, weigh

MOST_GROUPS = 300
REPEATS = 8


def weighings_of(setup: Setup) -> dict[str, Weighing] | None:
    """Every strategy on the same groups; None while they are computed."""
    options = replace(update_options(), most_groups=MOST_GROUPS, repeats=REPEATS)
    return computed(
        ("weigh", setup.key, options),
        lambda: {
            name: weigh(setup.penalised, replace(options, strategy=name)) for name in STRATEGIES
        },
        "Weighing groups under every strategy …",
    )


def weights_view(setup: Setup) -> None:
    """The whole tab."""
    settings()
    found = weighings_of(setup)
    if found is None:
        return
    left, right = st.columns(2)
    with left:
        st.plotly_chart(
            messy_bars(found, title="Positive weight on right but messy rollouts"),
            key=f"{NAME}-messy",
        )
    with right:
        choosing = {name: each for name, each in found.items() if name in CHOOSING}
        st.plotly_chart(
            acceptance_lines(choosing, title="Which right rollouts are kept"),
            key=f"{NAME}-acceptance",
        )
    first = next(iter(found.values()))
    st.markdown(
        f"With every rollout in the update, {in_words(first.before)} of the positive weight lies "
        "on right rollouts with a failed call or without exactly one answer."
    )
    for name in ("roc-paper", "roc-code", "positives uniform", "penalty in the reward"):
        change = found[name].change
        st.markdown(f"- **{plain(name)}** {_changed(change.value, change.low, change.high)}")
    skipped = sum(first.left_out.values())
    st.caption(
        f"{first.n_groups:,} groups drawn evenly from all steps and runs; {skipped:,} further "
        f"groups or rollouts not used. Random choices are repeated {REPEATS} times. Under “penalty "
        "in the reward” a wrong rollout can gain positive weight too. These are weights of "
        "recorded rollouts, not the result of training with them."
    )
    with st.expander("In numbers", icon=":material/table:"):
        st.dataframe(messy_table(found), hide_index=True, key=f"{NAME}-messy-table")


def _changed(value: float, low: float, high: float) -> str:
    """A change of the share in words, with what the interval allows to say."""
    if value != value:
        return "leaves nothing to compare: no group has positive weight."
    points = f"{100 * value:+.1f} points (95% interval {100 * low:+.1f} to {100 * high:+.1f})"
    if low > 0 or high < 0:
        return f"{'raises' if value > 0 else 'lowers'} it: {points}."
    return f"is not shown to change it: {points}."
