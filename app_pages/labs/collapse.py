"""The collapse page: does outcome-based RL's diversity loss spread across unsolved problems?"""

import streamlit as st

from app_pages.common.collapse.at_k_view import at_k_view
from app_pages.common.collapse.bonus_view import bonus_view
from app_pages.common.collapse.claim import claim, recorded_runs
from app_pages.common.collapse.overview_view import overview_view
from app_pages.common.collapse.problems_view import problems_view
from app_pages.common.collapse.python_view import as_python
from app_pages.common.collapse.setup import NAME, Setup, choose_setup
from app_pages.common.results_bar import results_bar
from core.labs.collapse.analysis import options_as_json, to_tables

TABS = {
    ":material/insights: Overview": overview_view,
    ":material/grid_on: Problems": problems_view,
    ":material/stacked_line_chart: pass@k": at_k_view,
    ":material/explore: Bonus explorer": bonus_view,
}


def tabs(setup: Setup) -> None:
    """The views of the question; only the open one is drawn."""
    drawn = st.tabs(list(TABS), key=f"{NAME}-tab", on_change="rerun")
    for tab, view in zip(drawn, TABS.values(), strict=True):
        if tab.open:
            with tab:
                view(setup)


def take_along(setup: Setup) -> None:
    """Saving, report, tables and Python of what is on screen."""
    result = setup.result
    results_bar(
        kind=NAME,
        title=f"Collapse, {setup.chosen.source}",
        tables=to_tables(result),
        options={
            **options_as_json(result.options),
            "rollouts": setup.chosen.source,
            "base_runs": list(result.base_runs),
            "budget": result.curves.budget,
            "windows": list(result.classes.windows),
        },
        models=(),
        python=as_python(setup),
        notes=[
            *setup.chosen.notes,
            *result.curves.notes,
            "The spread estimate and the classes are the workbench's own reading of the question "
            "of arXiv 2509.06941.",
        ],
    )


st.markdown("#### Does RL on outcomes lose answers on problems it never solved, too?")
st.caption(
    "Every final answer of a training run is counted, problem by problem, beside the untrained "
    "policy at the same number of samples. Start with the first figure, then open Problems and "
    "click a cell to read what was sampled."
)
setup = choose_setup()
if setup is not None:
    tabs(setup)
    recorded_runs(setup)
    claim()
    take_along(setup)
