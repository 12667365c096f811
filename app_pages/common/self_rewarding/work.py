"""What the page computes in the background, and the choices of the pair builder."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.self_rewarding.setup import NAME, Setup
from core.embeddings import Embedded, default_embedder
from core.labs.self_rewarding import drift, iterations
from core.labs.self_rewarding.dpo import BETA
from core.labs.self_rewarding.generations import Alteration
from core.labs.self_rewarding.iterations import IterationResult, PairRule, rebuild
from core.labs.self_rewarding.pairs import Ties

T = TypeVar("T")

FEW_DRAWS = 500
"""Resampling draws of what is computed anew with every move of a control."""

RULES = {
    "classic": PairRule(),
    "anchored": PairRule(anchored=True),
    "future": PairRule(future=True),
    "anchored and future": PairRule(anchored=True, future=True),
}
"""The four rules by what they are called."""


@dataclass(frozen=True)
class Building:
    """What is chosen in the pair builder."""

    rule: PairRule
    change: Alteration
    embeds: bool

    @property
    def name(self) -> str:
        """What the rule is called."""
        alike = replace(self.rule, ties="drop")
        return next(name for name, rule in RULES.items() if rule == alike)

    @property
    def words(self) -> str:
        """The choices in a sentence."""
        change = self.change
        samples = "all samples" if change.most_samples is None else f"{change.most_samples} samples"
        points = ", scores in whole points" if change.whole_points else ""
        return (
            f"Rule: {self.name}; {samples} of each source; judge's noise {change.noise:g} standard "
            f"deviations{points}; ties: {self.rule.ties}; seed {change.seed}."
        )


def building() -> Building:
    """The builder's choices as they stand, also while it is not on screen."""
    state: Any = st.session_state
    ties: Ties = state.get(f"{NAME}-ties") or "drop"
    rule = PairRule(
        bool(state.get(f"{NAME}-anchored", True)),
        bool(state.get(f"{NAME}-future", True)),
        ties if ties in get_args(Ties) else "drop",
    )
    most = state.get(f"{NAME}-k")
    change = Alteration(
        most_samples=None if most in (None, "all") else int(most),
        noise=float(state.get(f"{NAME}-noise") or 0.0),
        whole_points=bool(state.get(f"{NAME}-points", False)),
        seed=int(state.get(f"{NAME}-seed") or 0),
    )
    return Building(rule, change, bool(state.get(f"{NAME}-embeds", False)))


def recorded_of(setup: Setup) -> IterationResult | None:
    """The runs' own pairs over iterations; built by the classic rule where none were recorded."""
    return computed(
        ("recorded", setup.key),
        lambda: _recorded(setup),
        "Measuring the pairs …",
    )


def _recorded(setup: Setup) -> IterationResult:
    samples = setup.before_updates
    if setup.recorded is None:
        return rebuild(samples, PairRule(), n_draws=FEW_DRAWS)
    problems = samples.table[["run", "iteration", "problem_id"]].drop_duplicates()
    return iterations.run(setup.recorded, problems=problems, beta=BETA)


def drift_of(setup: Setup) -> drift.DriftResult | None:
    """Judge and outside model; None while it is computed."""
    table = setup.generations.table
    return computed(("drift", setup.key), lambda: drift.run(table), "Comparing the two judges …")


def rebuilt_of(setup: Setup, chosen: Building) -> IterationResult | None:
    """The pairs of all runs by the builder's choices; None while they are computed."""
    embedded = embeddings_of(setup) if chosen.embeds else None
    if chosen.embeds and embedded is None:
        return None
    vectors = None if embedded is None else embedded.vectors
    return computed(
        ("rebuilt", setup.key, chosen),
        lambda: rebuild(
            setup.before_updates, chosen.rule, chosen.change, embeddings=vectors, n_draws=FEW_DRAWS
        ),
        "Building the pairs again …",
    )


def embeddings_of(setup: Setup) -> Embedded | None:
    """Sentence embeddings of all samples; None while they are made."""
    texts = [str(text) for text in setup.before_updates.table["response"].fillna("")]
    return computed(
        ("embeddings", setup.key),
        lambda: default_embedder().embed(texts),
        f"Reading {len(set(texts)):,} responses with the embedding model …",
    )


def computed(key: Hashable, compute: Callable[[], T], waiting: str) -> T | None:
    """A value computed once in the background; None (and a note) while it is not there."""
    outcome = tasks().outcome((NAME, key), compute)
    return outcome.value if is_there(outcome, waiting) else None
