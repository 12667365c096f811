"""The diversity page: can paying for diversity improve quality?"""

import streamlit as st

from app_pages.common.diversity.calibration_view import calibration_view
from app_pages.common.diversity.claim import claim
from app_pages.common.diversity.classes_view import classes_view
from app_pages.common.diversity.frontier_view import frontier_view
from app_pages.common.diversity.map_view import map_view
from app_pages.common.diversity.python_view import as_python
from app_pages.common.diversity.reward_view import reward_view
from app_pages.common.diversity.setup import NAME, Setup, choose_setup
from app_pages.common.diversity.work import forget_other, kept
from app_pages.common.recorded_card import recorded_card
from app_pages.common.results_bar import results_bar
from core.embeddings import MODEL
from core.labs.diversity.groups import Options
from core.labs.diversity.tables import to_tables
from core.schema import content_id

TABS = {
    ":material/moving: Frontier": frontier_view,
    ":material/scatter_plot: Map": map_view,
    ":material/hub: Classes": classes_view,
    ":material/percent: DARLING reward": reward_view,
    ":material/rule: Calibration": calibration_view,
}


def tabs(setup: Setup) -> None:
    """The views of the question; only the open one is drawn and computes anything."""
    drawn = st.tabs(list(TABS), key=f"{NAME}-tab", on_change="rerun")
    for tab, view in zip(drawn, TABS.values(), strict=True):
        if tab.open:
            with tab:
                view(setup)


def take_along(setup: Setup) -> None:
    """Saving, report, tables and Python of all that was made with these choices."""
    darling, found, points = kept("darling"), kept("frontier"), kept("map")
    if darling is None and found is None and points is None:
        return
    options = kept("options") or Options(threshold=setup.threshold, linking=setup.linking)
    results_bar(
        kind=NAME,
        title=f"Diversity, {setup.chosen.source}",
        tables=to_tables(darling, found, points),
        options={
            "rollouts": setup.chosen.source,
            "scope": list(setup.scope),
            "method": setup.method,
            "threshold": setup.threshold,
            "linking": setup.linking,
            "rule": options.rule,
            "floor": options.floor,
            "weight": options.weight,
            "normalisation": options.normalisation,
            "shift": options.shift,
            "scale": options.scale,
            "by": found.by if found is not None else None,
            "k": found.k if found is not None else None,
            "embedding_model": MODEL,
            "seed": options.seed,
        },
        models=[],
        python=as_python(setup, options, found.by if found is not None else None),
        notes=[
            "DARLING's reward after arXiv 2509.02534; the rules “quality first” and “good enough” "
            "and the trap “blown up” are our reading.",
            *setup.notes,
        ],
    )


st.markdown("#### Can paying for diversity improve quality?")
st.caption(
    "See what a group of responses has in common and what paying for difference would change. "
    "Start with the frontier below, then lasso responses on the map to read them."
)
setup = choose_setup()
if setup is not None:
    forget_other(content_id([setup.table_key, setup.method, setup.threshold, setup.linking]))
    tabs(setup)
    recorded_card(setup.chosen)
    claim()
    take_along(setup)
