"""The counterfactual invariance page: does the reward move when only the manner changes?"""

import streamlit as st

from app_pages.common.invariance.attributes_view import attributes_view
from app_pages.common.invariance.battery_view import battery_view
from app_pages.common.invariance.claim import claim
from app_pages.common.invariance.heads import N_FOLDS
from app_pages.common.invariance.heads_view import heads_view
from app_pages.common.invariance.python_view import as_python
from app_pages.common.invariance.rates_view import rates_view
from app_pages.common.invariance.results import findings
from app_pages.common.invariance.setup import NAME, Setup, choose_setup
from app_pages.common.results_bar import results_bar
from core.labs.invariance.tables import to_tables

TABS = {
    ":material/rule: Edits": battery_view,
    ":material/bar_chart: Attributes": attributes_view,
    ":material/autorenew: Rewriting": rates_view,
    ":material/build: Fix it here": heads_view,
}


def tabs(setup: Setup) -> None:
    """The views of the question; only the open one is drawn and computes anything."""
    drawn = st.tabs(list(TABS), key=f"{NAME}-tab", on_change="rerun")
    for tab, view in zip(drawn, TABS.values(), strict=True):
        if tab.open:
            with tab:
                view(setup)


def take_along(setup: Setup) -> None:
    """Saving, report, tables and Python of all that was run with these choices."""
    found = findings(setup)
    tables = to_tables(found)
    if not tables:
        return
    options = setup.options
    n_pairs = len(setup.chosen.pairs)
    results_bar(
        kind=NAME,
        title=f"Counterfactual invariance, {n_pairs} pairs",
        tables=tables,
        options={
            "perturbations": list(options.perturbations) if found.batteries else [],
            "doses": options.doses,
            "relevance": options.relevance,
            "seed": options.seed,
            "n_folds": N_FOLDS,
            "pairs": setup.chosen.source.name,
            "n_pairs": n_pairs,
        },
        models=setup.models,
        python=as_python(setup, found),
        notes=[
            "The edits are rules: what each should do to the reward is the workbench's own "
            "reading.",
            "Flattery, refusals and agreement are found by phrases; on texts unlike the authored "
            "pairs they miss more.",
        ],
    )


st.markdown("#### Does the reward move when only the manner changes?")
st.caption(
    "Responses are edited by rules of which it is known what they should do to the reward: some "
    "must "
    "not matter, some must cost, some must not pay. Press Run."
)
setup = choose_setup()
if setup is not None:
    tabs(setup)
    claim()
    take_along(setup)
