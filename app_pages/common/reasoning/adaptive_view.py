"""Tab: stop asking once the vote is settled, or sure enough."""

import math

import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.reasoning.setup import NAME, Setup, one_of
from app_pages.common.reasoning.words import interval
from app_pages.common.reasoning.work import adaptive_of, keep
from core.figures import reasoning as figures
from core.labs.reasoning.adaptive import RULE_MEANING, THRESHOLDS, Rule, Stopping, adaptive_gain
from core.stats import Estimate

CHOICES: tuple[Rule, ...] = ("settled", "majority", "stays")


def adaptive_view(setup: Setup) -> None:
    """The whole tab."""
    if setup.ballots is None:
        st.info(plain(setup.why_not), icon=":material/info:")
        return
    if setup.ballots.k_max < 2:
        st.info("One vote an item leaves nothing to save.", icon=":material/info:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        rule: Rule = one_of(
            "Stop when", CHOICES, "rule", figures.RULE_NAMES,
            hint="; ".join(f"{figures.RULE_NAMES[name]}: {RULE_MEANING[name]}" for name in CHOICES),
        )  # fmt: skip
        threshold = 0.95
        if rule != "settled":
            threshold = float(
                st.select_slider(
                    "Threshold", THRESHOLDS, 0.95, key=f"{NAME}-threshold",
                    persist_state="session",
                    help="Asking stops once the probability is above it. The prior of the votes "
                    "is uniform.",
                )
            )  # fmt: skip
        most = _most(setup)
    found = adaptive_of(setup, most)
    if found is None:
        return
    keep("adaptive", setup, found)
    if found.table.empty:
        st.info("Adaptive votes are for pairs; there are none.", icon=":material/info:")
        return
    stopping = Stopping(rule, threshold if rule != "settled" else math.nan, most)
    ballots, options = setup.ballots, setup.options
    gain = tasks().outcome(
        ("reasoning-gain", setup.key, rule, threshold, most),
        lambda: adaptive_gain(ballots, stopping, options),
    )
    if not is_there(gain, "Replaying votes …"):
        return
    saved, lost, items = gain.value
    st.markdown(_words(saved, lost, most))
    left, right = st.columns(2, gap="medium")
    with left:
        in_tokens = setup.ballots.has_tokens and one_of(
            "Spend in", ("judgements", "tokens"), "spend",
            hint="What the budget is counted in: judgements, or tokens that were written.",
        ) == "tokens"  # fmt: skip
        st.plotly_chart(
            figures.adaptive_budget(found.table, tokens=in_tokens),
            key=f"{NAME}-adaptive",
            alt="Accuracy against judgements spent, by rule",
        )
        st.caption(
            "Dotted: asking equally often everywhere. A rule above it buys more with the same "
            "budget. Exact over all orders in which the recorded judgements can arrive."
        )
    with right:
        st.plotly_chart(
            figures.item_needs(items, title="Which items need more"),
            key=f"{NAME}-needs",
            alt="Judgements until it stops, by share of right votes",
        )
        split = items.loc[items["votes"] >= items["votes"].quantile(0.9)]
        st.caption(
            f"The tenth of the items that take longest ask for {split['votes'].mean():.1f} "
            f"judgements on average, and {split['share_right'].mean():.0%} of their votes are "
            f"right; over all items it is {items['votes'].mean():.1f} and "
            f"{items['share_right'].mean():.0%}."
        )
    for reason, n in found.left_out.items():
        st.caption(f":material/info: Left out: {plain(reason)} ({n}).")
    with st.expander("Every rule and threshold", icon=":material/table:"):
        st.dataframe(found.table, hide_index=True, key=f"{NAME}-adaptive-table")
    with st.expander("Each item", icon=":material/table:"):
        st.dataframe(items, hide_index=True, key=f"{NAME}-needs-table")


def _most(setup: Setup) -> int:
    k_max = min(32, setup.ballots.k_max if setup.ballots is not None else 1)
    if k_max <= 2:
        return k_max
    return int(
        st.slider(
            "Judgements at most", 2, k_max, k_max, key=f"{NAME}-most-{k_max}",
            persist_state="session",
            help="Where asking ends whatever the votes say; what adaptive votes are held against.",
        )
    )  # fmt: skip


def _words(saved: Estimate, lost: Estimate, most: int) -> str:
    if lost.high <= 0 and lost.low >= 0:
        verdict = "**It saves judgements and loses nothing.**"
    elif math.isfinite(lost.low) and lost.low > 0:
        verdict = "**It saves judgements and loses accuracy.**"
    elif math.isfinite(lost.high) and lost.high < 0:
        verdict = "**It saves judgements, and fewer of them are right more often here.**"
    else:
        verdict = "**It saves judgements; no loss of accuracy is shown.**"
    return (
        f"{verdict} Of {most} judgements an item {interval(saved, digits=2)} are not asked for; "
        f"accuracy lost {interval(lost, signed=True)}, {saved.n:,} items."
    )
