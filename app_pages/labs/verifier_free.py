"""The verifier-free page: can reasoning improve without answer verification?"""

import pandas as pd
import streamlit as st

from app_pages.common.results_bar import results_bar
from app_pages.common.verifier_free.claim import claim
from app_pages.common.verifier_free.filter_view import filter_table, filter_view
from app_pages.common.verifier_free.group_view import group_view
from app_pages.common.verifier_free.python_view import as_python
from app_pages.common.verifier_free.quality_view import headline, kept, length_view, quality_view
from app_pages.common.verifier_free.setup import (
    FILE,
    NAME,
    RECORDED,
    Setup,
    choose_setup,
    options_key,
)
from app_pages.common.verifier_free.stress_view import estimator_view, paraphrase_view
from app_pages.common.verifier_free.tokens_view import tokens_view
from core.labs.verifier_free.rewards import side_by_side
from core.problem_scores import EMBEDDED, recorded_card

TABS = {
    ":material/format_color_text: Tokens": tokens_view,
    ":material/view_column: Three methods": group_view,
    ":material/check_circle: Right from wrong": quality_view,
    ":material/filter_alt: Filter": filter_view,
    ":material/straighten: Length and entropy": length_view,
    ":material/translate: Paraphrases": paraphrase_view,
    ":material/casino: Variance": estimator_view,
}


def tabs(setup: Setup) -> None:
    """The views of the question; only the open one is drawn and computes anything."""
    drawn = st.tabs(list(TABS), key=f"{NAME}-tab", on_change="rerun")
    for tab, view in zip(drawn, TABS.values(), strict=True):
        if tab.open:
            with tab:
                view(setup)


def take_along(setup: Setup) -> None:
    """Saving, report, tables and Python of what was looked at with these choices."""
    tables: dict[str, pd.DataFrame] = {"group": side_by_side(setup.group, setup.options)}
    if setup.many:
        tables["filter"] = filter_table(setup)
    parts = {
        "areas": kept("areas", setup.key),
        "correlations": kept("correlations", options_key(setup)),
    }
    tables |= {name: table for name, table in parts.items() if table is not None}
    stress = kept("paraphrases", options_key(setup))
    if stress is not None:
        tables["paraphrases"] = stress.problems
    drawn = kept("estimator", setup.problem.problem_id)
    if drawn is not None:
        tables["estimators"] = drawn.table
    results_bar(
        kind=NAME,
        title="Verifier-free rewards",
        tables=tables,
        options={
            "source": setup.words,
            "problem": setup.problem.problem_id,
            "score": setup.options.score,
            "part of the reference": repr(setup.part),
            "debias": repr(setup.options.debias),
            "advantage": setup.options.advantage or "each method's own",
            "scorer": "as in the file" if setup.source == FILE else EMBEDDED,
            "weights": recorded_card().get("weights", "") if setup.source == RECORDED else "",
            "seed": 0,
        },
        models=[],
        python=as_python(setup),
        notes=["Shapes of RLPR's code that are named and not described are our reading."],
    )


st.markdown("#### Can reasoning improve without a checker of answers?")
st.caption(
    "Instead of checking a final answer, reward a reasoning trace by how likely a language model "
    "finds the reference answer after it. Look at the coloured tokens of one problem first, then "
    "under Right from wrong at all of them; change the score and see what the reward prefers."
)
setup = choose_setup()
if setup is not None:
    headline(setup)
    tabs(setup)
    claim()
    take_along(setup)
