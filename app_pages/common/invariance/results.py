"""What was run with the visitor's choices, kept for the other tabs and for taking along."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.invariance.setup import NAME, Setup
from app_pages.common.lab_run import run_lab
from app_pages.common.pair_choice import ChosenPairs
from app_pages.common.service import noise_floor
from core.labs.invariance import battery, rate
from core.labs.invariance.battery import BatteryOptions, BatteryResult
from core.labs.invariance.battery_changes import changed_responses
from core.labs.invariance.rate import RateResult
from core.labs.invariance.tables import Findings
from core.labs.pairs import SIDE, plan_pairs
from core.labs.plan import CONVERSATION, Plan
from core.schema import Conversation

Place = tuple[str, str, str, int]
"""Pair, side, edit ("" for none) and dose (0 for none): names one conversation of a battery."""


@dataclass(frozen=True)
class BatteryRun:
    """Results by model, each response's changes, and the conversations behind them."""

    results: Mapping[str, BatteryResult]
    changes: Mapping[str, pd.DataFrame]
    conversations: Mapping[Place, Conversation]


def run_battery(setup: Setup) -> BatteryRun | None:
    """The edits of the pairs: run controls, then the result."""
    options, pairs = setup.options, setup.chosen.pairs
    floors = {model: noise_floor(model) for model in setup.models}
    found = run_lab(
        f"{NAME}-battery",
        setup.models,
        setup.battery_inputs,
        plan=lambda: battery.plan(pairs, options),
        result=lambda scored: _battery_of(scored, options, floors),
        extra=[options.relevance, floors],
    )
    return keep("battery", setup.battery_key, found)


def _battery_of(
    scored: Mapping[str, pd.DataFrame], options: BatteryOptions, floors: Mapping[str, float]
) -> BatteryRun:
    first = next(iter(scored.values()))
    places = first[["pair_id", SIDE, "perturbation", "dose"]].itertuples(index=False, name=None)
    return BatteryRun(
        {
            model: battery.run(table, replace(options, noise_floor=floors[model]))
            for model, table in scored.items()
        },
        {model: changed_responses(table) for model, table in scored.items()},
        dict(zip(places, first[CONVERSATION], strict=True)),
    )


def score_pairs(setup: Setup, chosen: ChosenPairs) -> Mapping[str, pd.DataFrame] | None:
    """The pairs as they are: run controls, then each model's scored table."""
    return run_lab(
        f"{NAME}-pairs",
        setup.models,
        [chosen.key],
        plan=lambda: plan_pairs(chosen.pairs),
        result=dict,
    )


def run_rates(
    setup: Setup, inputs: object, plan: "Plan | Any", seed: int
) -> Mapping[str, RateResult] | None:
    """Rewrites and rewrites of rewrites: run controls, then the result.

    Args:
        setup: the choices above the tabs.
        inputs: changes whenever the plan does.
        plan: makes the plan.
        seed: of the intervals.
    """
    found = run_lab(
        f"{NAME}-rate",
        setup.models,
        inputs,
        plan=plan,
        result=lambda scored: {
            model: rate.run(table, rate.RateOptions(seed=seed)) for model, table in scored.items()
        },
    )
    return keep("rates", setup.source_key, found)


def keep(part: str, key: str, value: Any) -> Any:
    """Remembers a part's latest result for these choices; None forgets it."""
    st.session_state[f"{NAME}-kept-{part}"] = (key, value)
    return value


def forget(setup: Setup, *parts: str) -> None:
    """Drops what a tab that waits to be run had found with other choices."""
    for part in parts:
        keep(part, setup.source_key, None)


def kept(part: str, key: str) -> Any:
    """A part's result, or None where these choices were not run."""
    known_key, value = st.session_state.get(f"{NAME}-kept-{part}", ("", None))
    return value if known_key == key else None


def findings(setup: Setup) -> Findings:
    """All that was run with these choices, for the tables and the report."""
    source = setup.source_key
    run: BatteryRun | None = kept("battery", setup.battery_key)
    return Findings(
        batteries=run.results if run else {},
        changes=run.changes if run else {},
        scans=kept("scans", source) or {},
        planted=kept("planted", source) or {},
        attributes=kept("attributes", source) or {},
        rates=kept("rates", source) or {},
        heads=kept("heads", source) or {},
        biased_heads=kept("biased-heads", source) or {},
    )
