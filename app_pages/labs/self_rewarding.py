"""The self-rewarding page: why does self-rewarding training collapse?"""

from dataclasses import asdict

import streamlit as st

from app_pages.common.results_bar import results_bar
from app_pages.common.self_rewarding.audit_view import Audited, audit_view, embedding_model
from app_pages.common.self_rewarding.builder_view import builder_view
from app_pages.common.self_rewarding.claim import claim
from app_pages.common.self_rewarding.drift_view import drift_view, has_outside
from app_pages.common.self_rewarding.overview_view import overview_view
from app_pages.common.self_rewarding.python_view import audit_as_python, runs_as_python
from app_pages.common.self_rewarding.setup import (
    NAME,
    Setup,
    choose_runs,
    one_of,
    read_setup,
    recorded_runs,
)
from app_pages.common.self_rewarding.work import building, drift_of, rebuilt_of, recorded_of
from core.labs.self_rewarding.dpo import BETA
from core.labs.self_rewarding.tables import Findings, to_tables

RUNS, SET = "Training runs", "A preference set"
OVERVIEW, BUILDER, DRIFT = (
    ":material/trending_down: Pairs over iterations",
    ":material/construction: Build the pairs",
    ":material/balance: Judge against outsider",
)
TABS = {OVERVIEW: overview_view, BUILDER: builder_view, DRIFT: drift_view}
NOTES = (
    "The gradient scale, the check of its bound and the tie rule are the workbench's own reading "
    "of arXiv 2508.06026.",
)


def tabs(setup: Setup) -> str:
    """The views of the runs; only the open one is drawn and computes anything."""
    drawn = st.tabs(list(TABS), key=f"{NAME}-tab", on_change="rerun")
    shown = OVERVIEW
    for tab, (name, view) in zip(drawn, TABS.items(), strict=True):
        if tab.open:
            shown = name
            with tab:
                view(setup)
    return shown


def take_runs(setup: Setup, shown: str) -> None:
    """Saving, report, tables and Python of the runs' pairs and of what the open tab shows."""
    recorded = recorded_of(setup)
    if recorded is None:
        return
    built = building() if shown == BUILDER else None
    rebuilt = None if built is None else rebuilt_of(setup, built)
    drifted = drift_of(setup) if shown == DRIFT and has_outside(setup) else None
    results_bar(
        kind=NAME,
        title=f"Self-rewarding, {setup.chosen.source}",
        tables=to_tables(Findings(recorded, rebuilt, drifted)),
        options={
            "rollouts": setup.chosen.source,
            "beta": BETA,
            "rule": "" if built is None else built.words,
            "building": None if built is None else asdict(built),
            "seed": 0 if built is None else built.change.seed,
        },
        models=[],
        python=runs_as_python(setup, built, drifted=drifted is not None),
        notes=[*setup.notes, *NOTES],
    )


def take_audit(audited: Audited) -> None:
    """Saving, report, tables and Python of the audit."""
    source = audited.chosen.source
    results_bar(
        kind=NAME,
        title=f"Preference audit, {source.name}",
        tables=to_tables(Findings(audit=audited.result)),
        options={
            **asdict(audited.options),
            "pairs": source.name,
            "rewards": audited.model or list(audited.columns) or None,
            "embedding_model": embedding_model(audited),
        },
        models=[audited.model] if audited.model else [],
        python=audit_as_python(audited),
        notes=[
            *(f"{count:,} pairs left out: {reason}." for reason, count in source.left_out.items()),
            *NOTES,
        ],
    )


st.markdown("#### Why does training on one's own preferences run dry?")
st.caption(
    "A judge picks the best and the worst of a model's own responses, DPO trains on the pair, and "
    "so on. See whether chosen and rejected draw together and what that leaves to learn; then "
    "build the pairs by another rule, or audit a preference set of your own."
)
chosen = None
with st.container(horizontal=True, vertical_alignment="top", gap="large"):
    look = one_of(
        "Look at",
        (RUNS, SET),
        "look",
        hint="Training runs: pairs over iterations, recorded or from your own samples. A "
        "preference set: any file of pairs, read as DPO would read it.",
    )
    if look == RUNS:
        chosen = choose_runs()
if look == SET:
    audited = audit_view()
    claim()
    if audited is not None:
        take_audit(audited)
elif chosen is not None:
    setup = read_setup(chosen)
    if setup is not None:
        shown = tabs(setup)
        recorded_runs(setup)
        claim()
        take_runs(setup, shown)
