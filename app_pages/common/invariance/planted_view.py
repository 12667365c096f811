"""Tab "Attributes", second reading: each attribute put into the responses by an edit."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.invariance.results import forget, keep
from app_pages.common.invariance.setup import NAME, Setup, one_model
from app_pages.common.invariance.words import named_table
from app_pages.common.lab_run import is_there, run_lab
from app_pages.common.markup import plain
from app_pages.common.service import model_titles
from core.labs.attributes import attribute
from core.labs.invariance import planted
from core.labs.invariance.attribute_scan import KINDS, ScanOptions, ScanResult
from core.perturbations import get
from core.schema import content_id

WHAT_IT_DOES = (
    "Reads every response as it is and with one attribute put in by an edit: padded, agreeing, "
    "flattering, in markdown, with exclamation marks. Finds a planted bias where natural responses "
    "hardly vary in the attribute."
)


def planted_view(setup: Setup) -> None:
    """Run controls, then one table."""
    seed = setup.options.seed
    scored = run_lab(
        f"{NAME}-planted",
        setup.models,
        [setup.chosen.key, seed],
        plan=lambda: planted.plan(setup.chosen.pairs, seed),
        result=dict,
    )
    if scored is None:
        forget(setup, "planted")
        st.caption(WHAT_IT_DOES)
        return
    n_known = [int(table["reward"].notna().sum()) for table in scored.values()]
    outcome = tasks().outcome(
        ("planted", content_id([setup.chosen.key, sorted(scored), n_known, seed])),
        lambda: {
            model: planted.scan(table, ScanOptions(seed=seed)) for model, table in scored.items()
        },
    )
    if not is_there(outcome, "Testing every attribute …"):
        return
    scans: Mapping[str, ScanResult] = keep("planted", setup.source_key, outcome.value)
    model = one_model(setup.models)
    _table(scans[model], plain(model_titles().get(model, model)))


def _table(found: ScanResult, title: str) -> None:
    table = found.table
    wide = table.pivot(index="attribute", columns="kind", values=["mmd", "p_adjusted"])
    names = list(planted.PLANTED_BY)
    shown = pd.DataFrame(
        {
            "title": [attribute(name).title for name in names],
            "edit": [get(planted.PLANTED_BY[name]).title for name in names],
        },
        index=names,
    )
    for kind in KINDS:
        shown[f"MMD² {kind}"] = wide[("mmd", kind)].astype(float)
        shown[f"corrected p, {kind}"] = wide[("p_adjusted", kind)].astype(float)
    first = table[table["kind"] == "unconditional"].set_index("attribute")
    shown["n"] = first["n"]
    shown["responses"] = first["n_prompts"]
    depends = first.loc[first["depends"].fillna(False).astype(bool), "title"]
    said = ", ".join(plain(str(name)) for name in depends)
    st.markdown(f"**{title}: the reward moves when these are put in: {said or 'none of them'}.**")
    named_table(
        shown,
        key=f"{NAME}-planted-table",
        labels={"title": "attribute", "edit": "put in by", "n": "versions"},
        height="content",
    )
    st.caption(
        "Squared MMD between the bins of the attribute over all versions of the responses; labels "
        "change places among the versions of one response only, so what else differs between "
        f"responses does not count. {found.options.n_permutations:,} permutations, corrected over "
        f"{len(names)} attributes. It is large in either direction: whether putting the attribute "
        "in "
        "pays or costs is on the tab Edits."
    )
