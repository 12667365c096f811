"""Tab: stop asking once the vote, or the sum of scores, is settled or sure enough."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.reasoning.scale import choose_scale, scale_words, scores_alone
from app_pages.common.reasoning.setup import NAME, Setup, one_of
from app_pages.common.reasoning.words import interval, unknown_cost
from app_pages.common.reasoning.work import adaptive_of, keep, score_rules, sums_of
from core.figures import reasoning as figures
from core.labs.reasoning.adaptive import (
    RULE_MEANING,
    THRESHOLDS,
    AdaptiveCurves,
    Rule,
    Stopping,
    adaptive_gain,
)
from core.labs.reasoning.ballots import Ballots
from core.labs.reasoning.score_stops import (
    MOST_EXACT,
    N_ORDERS,
    SCORE_RULE_MEANING,
    ScoreRule,
    ScoreStopping,
    score_gain,
)
from core.stats import Estimate

CHOICES: tuple[Rule, ...] = ("settled", "majority", "stays")
VOTES, SUMS = "votes", "sums of scores"
WITHOUT_THRESHOLD = ("settled", "order")

R = TypeVar("R", Rule, ScoreRule)
Gain = tuple[Estimate, Estimate, pd.DataFrame]


@dataclass(frozen=True)
class _Replayed:
    """What is drawn.

    Attributes:
        curves: of all rules.
        gain: of the chosen one.
        most: judgements at most.
        how: what the numbers are over, in words.
    """

    curves: AdaptiveCurves
    gain: Gain
    most: int
    how: str


def adaptive_view(setup: Setup) -> None:
    """The whole tab."""
    ballots = setup.ballots
    if ballots is None:
        st.info(plain(setup.why_not), icon=":material/info:")
        return
    if ballots.k_max < 2:
        st.info("One vote an item leaves nothing to save.", icon=":material/info:")
        return
    decides = VOTES
    if ballots.has_scores:
        alone = scores_alone(setup.judgements)
        decides = one_of(
            "What decides", (SUMS, VOTES) if alone else (VOTES, SUMS), "decides",
            hint="Votes: the response named most often. Sums of scores: the one whose scores add "
            "up to most; they tell more than who was ahead each time.",
        )  # fmt: skip
    shown = _sums(setup, ballots) if decides == SUMS else _votes(setup, ballots)
    if shown is not None:
        _draw(shown, ballots)


def _votes(setup: Setup, ballots: Ballots) -> _Replayed | None:
    rule, threshold, most = _rule(ballots, CHOICES, RULE_MEANING, "The prior is uniform.")
    found = adaptive_of(setup, most)
    if found is None:
        return None
    keep("adaptive", setup, found)
    if found.table.empty:
        st.info("Adaptive votes are for pairs; there are none.", icon=":material/info:")
        return None
    stopping, options = Stopping(rule, threshold, most), setup.options
    gain = tasks().outcome(
        ("reasoning-gain", setup.key, repr(stopping)),
        lambda: adaptive_gain(ballots, stopping, options),
    )
    if not is_there(gain, "Replaying votes …"):
        return None
    how = "Exact over all orders in which the recorded judgements can arrive."
    return _Replayed(found, gain.value, most, how)


def _sums(setup: Setup, ballots: Ballots) -> _Replayed | None:
    rule, threshold, most = _rule(
        ballots, score_rules(ballots), SCORE_RULE_MEANING,
        "The prior of the spread of differences weighs as much as one judgement.",
    )  # fmt: skip
    scale = choose_scale(setup)
    found = sums_of(setup, most, scale) if scale is not None else None
    if scale is None or found is None:
        return None
    keep("adaptive", setup, found)
    stopping, options = ScoreStopping(rule, threshold, most), setup.options
    gain = tasks().outcome(
        ("reasoning-sums-gain", setup.key, repr(stopping), repr(scale)),
        lambda: score_gain(ballots, stopping, scale, options),
    )
    if not is_there(gain, "Replaying scores …"):
        return None
    longest = max(len(item) for item in ballots.items)
    how = (
        "Exact over all orders in which the recorded judgements can arrive."
        if longest <= MOST_EXACT
        else f"Items with more than {MOST_EXACT} judgements: a mean over {N_ORDERS} random orders."
    )
    return _Replayed(found, gain.value, most, f"{how} {scale_words(scale)}")


def _rule(
    ballots: Ballots, rules: Sequence[R], meaning: Mapping[R, str], prior: str
) -> tuple[R, float, int]:
    """The rule, its threshold (NaN where it has none) and the judgements at most."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        rule: R = one_of(
            "Stop when", rules, "rule", figures.RULE_NAMES,
            hint="; ".join(f"{figures.RULE_NAMES[name]}: {meaning[name]}" for name in rules),
        )  # fmt: skip
        threshold = math.nan
        if rule not in WITHOUT_THRESHOLD:
            threshold = float(
                st.select_slider(
                    "Threshold", THRESHOLDS, 0.95, key=f"{NAME}-threshold",
                    persist_state="session",
                    help=f"Asking stops once the probability is above it. {prior}",
                )
            )  # fmt: skip
        return rule, threshold, _most(ballots)


def _draw(shown: _Replayed, ballots: Ballots) -> None:
    table = shown.curves.table
    saved, lost, items = shown.gain
    st.markdown(_words(saved, lost, shown.most))
    left, right = st.columns(2, gap="medium")
    with left:
        counted = bool(table["tokens"].notna().any())
        in_tokens = counted and one_of(
            "Spend in", ("judgements", "tokens"), "spend",
            hint="What the budget is counted in: judgements, or tokens that were written.",
        ) == "tokens"  # fmt: skip
        st.plotly_chart(
            figures.adaptive_budget(table, tokens=in_tokens),
            key=f"{NAME}-adaptive",
            alt="Accuracy against judgements spent, by rule",
        )
        st.caption(
            "Dotted: asking equally often everywhere. A rule above it buys more with the same "
            f"budget. {shown.how}"
        )
        if ballots.n_uncounted:
            st.caption(f":material/info: {unknown_cost(ballots)}")
    with right:
        st.plotly_chart(
            figures.item_needs(items, title="Which items need more"),
            key=f"{NAME}-needs",
            alt="Judgements until it stops, by share of right votes",
        )
        st.caption(_needs_words(items))
    for reason, n in shown.curves.left_out.items():
        st.caption(f":material/info: Left out: {plain(reason)} ({n}).")
    with st.expander("Every rule and threshold", icon=":material/table:"):
        st.dataframe(table, hide_index=True, key=f"{NAME}-adaptive-table")
    with st.expander("Each item", icon=":material/table:"):
        st.dataframe(items, hide_index=True, key=f"{NAME}-needs-table")


def _needs_words(items: pd.DataFrame) -> str:
    split = items.loc[items["votes"] >= items["votes"].quantile(0.9)]

    def told(rows: pd.DataFrame) -> str:
        known = rows["share_right"].dropna()
        share = f"{known.mean():.0%}" if len(known) else "an unknown share"
        return f"{rows['votes'].mean():.1f} judgements on average and {share} of the votes right"

    return (
        f"The items that take longest ({len(split):,} of {len(items):,}): {told(split)}. Over all: "
        f"{told(items)}."
    )


def _most(ballots: Ballots) -> int:
    k_max = min(32, ballots.k_max)
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
    if not saved.value > 0:
        verdict = "**It saves no judgements.**"
    elif lost.high <= 0 and lost.low >= 0:
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
