"""Paired tests: is a candidate better than the baseline, and what could have been seen?"""

import pandas as pd
import streamlit as st

from app_pages.common.markup import plain
from app_pages.compare.columns import show_table
from app_pages.compare.results import Compared, Tables
from core.exports.figures import figure_config
from core.figures.compare import paired_differences
from core.labs.compare import PairedComparison, compare_paired, outcomes_table
from core.labs.compare.in_words import outcome_p, paired_words
from core.labs.compare.tidy import estimate_columns

TESTS_HELP = (
    "**Sign flip**: would the mean difference be as large if each prompt's differences had "
    "their signs drawn by coin? It respects that pairs of one prompt go together. **McNemar**: "
    "the exact test on the pairs that only one of the two gets right; it takes pairs as "
    "independent and has no place for ties. p-values are corrected for the number of candidates "
    "(Benjamini-Hochberg), each test on its own."
)


def draw(ground: Compared) -> Tables:
    """Draws differences with intervals and the tests; returns both tables."""
    found = ground.part(
        "paired",
        lambda: [
            compare_paired(ground.scores, ground.baseline, candidate, ground.options)
            for candidate in ground.candidates
        ],
    )
    if found is None:
        return {}
    outcomes = outcomes_table(found)
    words = [paired_words(one, outcome_p(outcomes, one.candidate)) for one in found]
    st.markdown("\n".join("- " + plain(sentence) for sentence in words))
    st.plotly_chart(
        paired_differences(found), key="compare-paired", config=figure_config("paired differences")
    )
    st.caption(
        "Right of 0 the candidate is right more often. The grey band is the smallest true "
        "difference that 4 of 5 tables like this one would show: a dot within it settles nothing."
    )
    differences = differences_table(found)
    with st.expander("All tests", expanded=len(found) == 1):
        st.caption(TESTS_HELP)
        show_table(outcomes, key="compare-tests")
        st.caption("Differences, candidate - baseline, with their intervals.")
        show_table(differences, key="compare-differences")
    return {"tests": outcomes, "differences": differences}


def differences_table(found: list[PairedComparison]) -> pd.DataFrame:
    """One row a candidate and measure: the paired difference with the estimate's columns."""
    rows = []
    for one in found:
        names = {"baseline": one.baseline, "candidate": one.candidate}
        for measure, estimate, reach in (
            ("accuracy", one.accuracy_difference, one.detectable_accuracy),
            ("standardised margin", one.margin_difference, one.detectable_margin),
        ):
            columns = estimate_columns(estimate) | {"smallest_detectable": reach}
            rows.append(names | {"measure": measure} | columns)
    return pd.DataFrame(rows)
