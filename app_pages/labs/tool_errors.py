"""The tool errors page: why do correct code trajectories teach models to tolerate errors?"""

from dataclasses import replace

import streamlit as st

from app_pages.common.recorded_card import recorded_card
from app_pages.common.results_bar import results_bar
from app_pages.common.trajectories.claim import claim
from app_pages.common.trajectories.inspector_view import UPDATE, inspector_view, update_options
from app_pages.common.trajectories.no_tool_view import no_tool_view, trap_of
from app_pages.common.trajectories.python_view import as_python
from app_pages.common.trajectories.rates_view import rates_of, rates_view, shown_measure
from app_pages.common.trajectories.setup import NAME, Setup, choose_setup
from app_pages.common.trajectories.weights_view import (
    MOST_GROUPS,
    REPEATS,
    weighings_of,
    weights_view,
)
from core.labs.trajectories.rates import RateOptions
from core.labs.trajectories.tables import to_tables

RATES, INSPECTOR, WEIGHTS, TRAP = (
    ":material/show_chart: Errors over training",
    ":material/search: One group",
    ":material/balance: What updates weigh",
    ":material/build: Without a tool",
)
TABS = {RATES: rates_view, INSPECTOR: inspector_view, WEIGHTS: weights_view, TRAP: no_tool_view}


def tabs(setup: Setup) -> str:
    """The views of the question; only the open one is drawn and computes anything."""
    drawn = st.tabs(list(TABS), key=f"{NAME}-tab", on_change="rerun")
    shown = RATES
    for tab, (name, view) in zip(drawn, TABS.items(), strict=True):
        if tab.open:
            shown = name
            with tab:
                view(setup)
    return shown


def take_along(setup: Setup, shown: str) -> None:
    """Saving, report, tables and Python of the rates and of what the open tab shows."""
    rates = rates_of(setup)
    if rates is None or rates.rates.empty:
        return
    weighings = weighings_of(setup) if shown == WEIGHTS else None
    trap = trap_of(setup) if shown == TRAP else None
    key, update = st.session_state.get(UPDATE, ("", None))
    group = update if shown == INSPECTOR and key == setup.key else None
    by = "run" if st.session_state.get(f"{NAME}-by") == "run" else "method"
    windows = int(st.session_state.get(f"{NAME}-windows") or 10)
    rate_options = RateOptions(by=by, n_windows=windows)
    options = replace(update_options(), most_groups=MOST_GROUPS, repeats=REPEATS)
    results_bar(
        kind=NAME,
        title=f"Tool errors, {len(setup.chosen.runs)} runs",
        tables=to_tables(rates, weighings or {}, trap, group),
        options={
            "rollouts": setup.chosen.source,
            "reading": setup.reading.__dict__,
            "penalties": setup.penalties.__dict__,
            "rates": rate_options.__dict__,
            "measure": shown_measure(),
            "update": options.__dict__,
            "seed": options.seed,
        },
        models=[],
        python=as_python(setup, rate_options, options),
        notes=["Rates, weights and meetings are the workbench's reading of arXiv 2508.20722."],
    )


st.markdown("#### Do right answers teach a model to live with failed tool calls?")
st.caption(
    "A reward for the outcome alone pays a rollout that stumbles over errors as much as a clean "
    "one. Look at the failed calls of right rollouts over training, then open one group to see "
    "which rollouts an update would keep."
)
setup = choose_setup()
if setup is not None:
    shown = tabs(setup)
    recorded_card(setup.chosen)
    claim()
    take_along(setup, shown)
