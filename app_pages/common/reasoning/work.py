"""What the tabs share: results that are computed once, in the background, for the chosen votes."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.background import look_again, tasks
from app_pages.common.lab_run import is_there
from app_pages.common.reasoning.setup import NAME, Setup
from core.labs.reasoning.adaptive import AdaptiveCurves, adaptive_curves
from core.labs.reasoning.ballots import Ballots
from core.labs.reasoning.budget import budget_curve
from core.labs.reasoning.curves import (
    Dependence,
    VotingCurves,
    VotingOptions,
    dependence,
    vote_table,
    voting_curves,
)
from core.labs.reasoning.orders import OrderSwaps, order_swaps
from core.labs.reasoning.score_stops import SCORE_RULES, ScoreRule, ScoreScale, score_curves
from core.labs.reasoning.voting import AGGREGATIONS, Aggregation


@dataclass(frozen=True)
class Voted:
    """Voting curves and what goes with them."""

    curves: VotingCurves
    dependence: Dependence
    votes: pd.DataFrame


def aggregations_of(ballots: Ballots) -> tuple[Aggregation, ...]:
    """The ways of adding up that these votes allow."""
    return tuple(
        name
        for name in AGGREGATIONS
        if name == "majority"
        or (name == "filtered" and ballots.has_weights)
        or (name in ("sum", "mean", "z-sum") and ballots.has_scores)
    )


def voted_of(setup: Setup, *, quiet: bool = False) -> Voted | None:
    """The voting curves; None while they are computed, or without votes.

    Args:
        setup: the choices.
        quiet: says nothing while they are computed.
    """
    ballots, options = setup.ballots, setup.options
    if ballots is None:
        return None
    outcome = tasks().outcome(("reasoning-votes", setup.key), lambda: _vote(ballots, options))
    if quiet and outcome.state != "done":
        if outcome.state == "running":
            look_again()
        return None
    return outcome.value if is_there(outcome, "Counting votes …") else None


def _vote(ballots: Ballots, options: VotingOptions) -> Voted:
    return Voted(
        voting_curves(ballots, aggregations_of(ballots), options),
        dependence(ballots, options),
        vote_table(ballots, options),
    )


def swaps_of(setup: Setup) -> OrderSwaps | None:
    """Both orders compared; None while they are."""
    judgements = setup.judgements
    outcome = tasks().outcome(("reasoning-orders", setup.key), lambda: order_swaps(judgements))
    return outcome.value if is_there(outcome, "Comparing the orders …") else None


def adaptive_of(setup: Setup, most: int) -> AdaptiveCurves | None:
    """Rules of stopping compared; None while they are, or without votes."""
    ballots, options = setup.ballots, setup.options
    if ballots is None:
        return None
    outcome = tasks().outcome(
        ("reasoning-adaptive", setup.key, most),
        lambda: adaptive_curves(ballots, most=most, options=options),
    )
    return outcome.value if is_there(outcome, "Replaying votes …") else None


def sums_of(setup: Setup, most: int, scale: ScoreScale) -> AdaptiveCurves | None:
    """The same for sums of scores."""
    ballots, options = setup.ballots, setup.options
    if ballots is None:
        return None
    outcome = tasks().outcome(
        ("reasoning-sums", setup.key, most, repr(scale)),
        lambda: score_curves(ballots, scale, score_rules(ballots), most=most, options=options),
    )
    return outcome.value if is_there(outcome, "Replaying scores …") else None


def score_rules(ballots: Ballots) -> tuple[ScoreRule, ...]:
    """The rules worth telling apart: of two sums the order is the leader."""
    return tuple(
        rule for rule in SCORE_RULES
        if rule != "fixed" and (rule != "order" or ballots.n_candidates > 2)
    )  # fmt: skip


def budget_of(setup: Setup, aggregation: Aggregation) -> pd.DataFrame | None:
    """Accuracy by tokens; None while it is computed, or without votes."""
    ballots, options = setup.ballots, setup.options
    if ballots is None:
        return None
    outcome = tasks().outcome(
        ("reasoning-budget", setup.key, aggregation),
        lambda: budget_curve(ballots, aggregation, options=options),
    )
    return outcome.value if is_there(outcome, "Counting tokens …") else None


def keep(part: str, setup: Setup, value: Any) -> Any:
    """Remembers a part's latest result for these choices, to take it along."""
    st.session_state[f"{NAME}-kept-{part}"] = (setup.key, value)
    return value


def kept(part: str, setup: Setup) -> Any:
    """A part's result, or None where it was not looked at with these choices."""
    known, value = st.session_state.get(f"{NAME}-kept-{part}", ("", None))
    return value if known == setup.key else None
