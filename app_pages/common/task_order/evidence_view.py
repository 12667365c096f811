"""Tabs on recorded runs: predicted against observed, and whether the assumptions hold."""

import math
from typing import Any

import numpy as np
import streamlit as st
from scipy import stats

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.task_order.orders_view import resampled_by
from app_pages.common.task_order.setup import NAME, Setup, one_of
from core.figures.task_order import assumption_differences, predicted_against_observed
from core.labs.task_order.assumptions import AssumptionCheck, check_assumptions
from core.labs.task_order.classic import ClassicResult, recorded_classic
from core.labs.task_order.comparison import (
    FEWEST_ORDERS,
    POOLED,
    Agreement,
    Comparison,
    Feeding,
    compare,
)
from core.labs.task_order.evaluations import Evaluations
from core.labs.task_order.tables import agreement_table
from core.schema import content_id

NEEDS_RUNS = (
    "This needs the scores of real runs: choose the recorded ones, or upload a table with several "
    "orders."
)


def keep(part: str, key: str, value: Any) -> Any:
    """Remembers a part's latest result for these choices."""
    st.session_state[f"{NAME}-kept-{part}"] = (key, value)
    return value


def kept(part: str, key: str) -> Any:
    """A part's result, or None where it was not looked at with these choices."""
    known, value = st.session_state.get(f"{NAME}-kept-{part}", ("", None))
    return value if known == key else None


def result_key(setup: Setup) -> str:
    """Under which results of these choices are kept."""
    return content_id([setup.key, resampled_by()])


def observed_view(setup: Setup) -> None:
    """Tab: predicted against observed."""
    evaluations = setup.evaluations
    if evaluations is None or len(evaluations.full_orders) < FEWEST_ORDERS:
        st.info(NEEDS_RUNS, icon=":material/info:")
        return
    feeding: Feeding = one_of(
        "Each seed is predicted from",
        ("same seeds", "other seeds") if len(evaluations.seeds) > 1 else ("same seeds",),
        "feeding",
        {"same seeds": "its own runs", "other seeds": "the other seeds' runs"},
        hint="The other seeds' runs (leave one seed out) share no training with what is predicted.",
    )
    resampled = resampled_by()
    key = content_id([setup.key, feeding, resampled])
    outcome = tasks().outcome(
        ("task-order-comparison", key),
        lambda: compare(
            evaluations,
            stages=setup.stages,
            feeding=feeding,
            scale=setup.scale,
            resampled=resampled,
        ),
    )
    if not is_there(outcome, "Comparing with what was observed …"):
        return
    found: Comparison = keep("comparison", result_key(setup), outcome.value)
    _told(found)
    left, right = st.columns([0.6, 0.4], gap="medium")
    with left:
        st.plotly_chart(
            predicted_against_observed(found.table),
            key=f"{NAME}-observed",
            alt="Predicted against observed mean of each recorded order",
        )
    with right:
        st.dataframe(agreement_table(found), hide_index=True, key=f"{NAME}-agreement")
        if setup.edited:
            st.caption(":material/info: Numbers changed by hand have no part in this tab.")
        for reason, n in found.left_out.items():
            st.caption(f":material/info: Left out: {plain(reason)} ({n}).")
    with st.expander("Each order and task, predicted and observed", icon=":material/table:"):
        st.dataframe(found.table, hide_index=True, key=f"{NAME}-observed-table")
    _classic(evaluations, setup)


def _told(found: Comparison) -> None:
    """The result in a sentence, and what fed it."""
    name = POOLED if POOLED in found.agreements else next(iter(found.agreements), "")
    if not name:
        st.info("Too few orders have all their scores.", icon=":material/info:")
        return
    agreement = found.agreements[name]
    st.markdown(f"**{_verdict(agreement)}** {_evidence(agreement, name)}")
    signs = [each.correlation.value for each in found.agreements.values()]
    of_seeds = [value for value in signs if math.isfinite(value)]
    if len(of_seeds) > 1 and min(of_seeds) < 0 < max(of_seeds):
        st.caption(":material/info: The seeds disagree about the sign of the correlation.")
    if found.leaks:
        st.warning(
            "The matrix was read from the same final scores that it is compared with, so this "
            "agreement proves little. Choose first stages, or predict each seed from the others.",
            icon=":material/warning:",
        )


def _verdict(agreement: Agreement) -> str:
    estimate = agreement.correlation
    if not math.isfinite(estimate.value):
        return "All orders tie on one side: there is no ranking to compare."
    if math.isfinite(estimate.low) and estimate.low > 0 and agreement.p_value <= 0.05:
        return "The prediction ranks the orders as they came out, better than by chance."
    if math.isfinite(estimate.high) and estimate.high < 0:
        return "The prediction ranks the orders the wrong way round."
    return "These runs do not show that the prediction ranks the orders."


def _evidence(agreement: Agreement, name: str) -> str:
    estimate = agreement.correlation
    interval = (
        f" ({estimate.confidence:.0%} interval {estimate.low:+.2f} to {estimate.high:+.2f})"
        if math.isfinite(estimate.low)
        else " (no interval)"
    )
    p = (
        f"p = {agreement.p_value:.3f} by {agreement.p_method}"
        if math.isfinite(agreement.p_value)
        else "no p-value"
    )
    found = "did" if agreement.best_found else "did not"
    return (
        f"Rank correlation {estimate.value:+.2f}{interval}, {p}; {plain(name)}, "
        f"{agreement.n_orders} orders, at least {estimate.n_prompts} problems a task. The order "
        f"predicted best {found} come out best; predictions are off by "
        f"{agreement.error.value:.3f} on average."
    )


def _classic(evaluations: Evaluations, setup: Setup) -> None:
    with st.expander("Backward transfer, forward transfer, forgetting", icon=":material/history:"):
        outcome = tasks().outcome(
            ("task-order-classic", setup.key), lambda: recorded_classic(evaluations)
        )
        if is_there(outcome, "Computing …"):
            found: ClassicResult = keep("classic", result_key(setup), outcome.value)
            st.caption(
                "Of each recorded order, as means over seeds. Backward: last score minus the score "
                "after a task's own stage. Forward: score just before that stage minus the "
                "untrained one. Forgetting: highest minus last score."
            )
            st.dataframe(found.table(), hide_index=True, key=f"{NAME}-classic")


def assumptions_view(setup: Setup) -> None:
    """Tab: first stages against later ones."""
    evaluations = setup.evaluations
    if evaluations is None:
        st.info(NEEDS_RUNS, icon=":material/info:")
        return
    resampled = resampled_by()
    outcome = tasks().outcome(
        ("task-order-assumptions", result_key(setup)),
        lambda: check_assumptions(evaluations, resampled=resampled),
    )
    if not is_there(outcome, "Comparing stages …"):
        return
    found: AssumptionCheck = keep("assumptions", result_key(setup), outcome.value)
    for reason, n in found.left_out.items():
        st.caption(f":material/info: Left out: {plain(reason)} ({n}).")
    table = found.table
    if table.empty:
        st.info("No task was trained both first and later.", icon=":material/info:")
        return
    parts = []
    for assumption, words in (
        (1, "effects on other tasks"),
        (2, "levels after a task's own stage"),
    ):
        rows = table.loc[table["assumption"] == assumption]
        n_differ = int(rows["differs"].sum())
        size = float(np.abs(rows["difference"]).mean()) if len(rows) else float("nan")
        parts.append(
            f"assumption {assumption}: {n_differ} of {len(rows)} {words} differ, by {size:.3f} on "
            "average over all"
        )
    st.markdown(f"**{_assumptions_verdict(found)}** · " + "; ".join(parts) + ".")
    st.plotly_chart(
        assumption_differences(table),
        key=f"{NAME}-assumptions-figure",
        alt="Later minus first-stage number of each pair, with intervals",
    )
    st.caption(
        f"Right of zero: larger where the task came later. Red: the {found.confidence:.0%} "
        f"interval leaves out zero ({plain(found.method)}, {table['n_problems'].min()} to "
        f"{table['n_problems'].max()} problems). Of {len(table)} intervals about "
        f"{(1 - found.confidence) * len(table):.1f} leave it out by chance alone."
    )
    with st.expander("As a table", icon=":material/table:"):
        st.dataframe(table, hide_index=True, key=f"{NAME}-assumptions-table")


def _assumptions_verdict(found: AssumptionCheck) -> str:
    """Whether more intervals leave out zero than so many would by chance."""
    n, n_differ = len(found.table), int(found.table["differs"].sum())
    if not n_differ:
        return "No departure is shown"
    # Intervals that share problems are not independent: a rough bar, not a test.
    if float(stats.binom.sf(n_differ - 1, n, 1 - found.confidence)) > 0.05:
        return "A departure is hinted at, but so few may differ by chance"
    return "The assumptions do not hold here"
