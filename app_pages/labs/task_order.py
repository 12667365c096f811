"""The task order page: does training order reshape how models handle task types?"""

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.results_bar import results_bar
from app_pages.common.task_order.break_view import break_view
from app_pages.common.task_order.claim import claim
from app_pages.common.task_order.entropy_view import entropy_view
from app_pages.common.task_order.evidence_view import (
    assumptions_view,
    kept,
    observed_view,
    result_key,
)
from app_pages.common.task_order.orders_view import (
    chosen_order,
    firmness,
    orders_view,
    ranking_of,
    resampled_by,
    resampling_control,
)
from app_pages.common.task_order.python_view import as_python
from app_pages.common.task_order.setup import COLLECTION, NAME, RECORDED, Setup, choose_setup
from core.labs.task_order.orders import SCALE_MEANING, OrderRanking
from core.labs.task_order.tables import Findings, to_tables
from core.rollouts.recorded import collection

TABS = {
    ":material/sort: Every order": orders_view,
    ":material/fact_check: Predicted against observed": observed_view,
    ":material/rule: Do the assumptions hold?": assumptions_view,
    ":material/tune: Break the assumptions": break_view,
    ":material/thermostat: Entropy": entropy_view,
}


def tabs(setup: Setup) -> None:
    """The views of the question; only the open one is drawn and computes anything."""
    drawn = st.tabs(list(TABS), key=f"{NAME}-tab", on_change="rerun")
    for tab, view in zip(drawn, TABS.values(), strict=True):
        if tab.open:
            with tab:
                view(setup)


def recorded_findings(setup: Setup) -> None:
    """What came out of the recorded runs, as their card tells it."""
    if setup.source != RECORDED:
        return
    card = collection(COLLECTION)
    with st.expander(f"The recorded runs: {plain(card.title)}", icon=":material/inventory_2:"):
        st.markdown(plain(card.description))
        for finding in card.findings:
            st.markdown(f"- {plain(finding)}")
        st.code(card.command, language="sh")


def take_along(setup: Setup, ranking: OrderRanking) -> None:
    """Saving, report, tables and Python of what was looked at with these choices."""
    chosen, key = chosen_order(setup, ranking), result_key(setup)
    left_out = dict(setup.evaluations.left_out) if setup.evaluations is not None else {}
    found = Findings(
        ranking=ranking,
        chosen=chosen,
        joint=setup.joint,
        survival=firmness(setup, ranking),
        comparison=kept("comparison", key),
        assumptions=kept("assumptions", key),
        classic=kept("classic", key),
        entropies=kept("entropies", key),
        left_out=left_out,
    )
    results_bar(
        kind=NAME,
        title=f"Task order, {setup.transfer.n_tasks} tasks",
        tables=to_tables(found),
        options={
            "source": setup.words + (" Changed by hand." if setup.edited else ""),
            "stages": setup.stages,
            "scale": setup.scale,
            "scale_meaning": f"Average: {SCALE_MEANING[setup.scale]}.",
            "unit": setup.unit,
            "chosen": ranking.named(chosen),
            "resampled": resampled_by(),
            "seed": 0,
        },
        models=[],
        python=as_python(setup, ranking),
        notes=[
            "The algebra of the prediction is the workbench's reading of arXiv 2507.14783, whose "
            "theory is stated without a proof.",
        ],
    )


st.markdown("#### Does the order of training reshape how a model handles its tasks?")
st.caption(
    "From what training on each task does to the others, every order's final scores are predicted "
    "and held against what was observed. Look at the best order first; then change a number, or "
    "choose an order of your own."
)
setup = choose_setup()
if setup is not None:
    resampling_control(setup)
    recorded_findings(setup)
    tabs(setup)
    claim()
    take_along(setup, ranking_of(setup))
