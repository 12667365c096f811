"""Ensembles: all models as one, and their disagreement as a warning."""

from dataclasses import replace

import streamlit as st

from app_pages.common.markup import plain
from app_pages.compare.columns import show_table
from app_pages.compare.results import Compared, Tables
from core.exports.figures import figure_config
from core.figures.compare import disagreement_histogram, ensemble_ranges
from core.labs.compare import compare_ensembles
from core.labs.compare.in_words import ensemble_words

REPORTED = (
    "Reported by the paper (Coste et al. 2024, arXiv 2310.02743, their released code): "
    "mean, worst case and mean − λ · variance of several reward models, with λ = 0.5 for "
    "best-of-n and 0.1 for PPO."
)
FALSIFY = (
    "What would falsify it here? Disagreement that picks out errors in no more than 50 % of cases, "
    "or no better than a small margin of the mean alone does."
)


def draw(ground: Compared) -> Tables:
    """Draws the ensembles; returns accuracies and the pairs."""
    penalty = st.slider(
        "λ, the price of disagreement",
        0.0,
        2.0,
        0.5,
        0.1,
        key="compare-penalty",
        width=320,
        persist_state="session",
        help="The third ensemble is the mean minus λ times the variance over the models, each "
        "standardised over this table first: raw rewards of different models are never averaged.",
    )
    options = replace(ground.options, penalty=float(penalty))
    result = ground.part(
        "ensembles", lambda: compare_ensembles(ground.scores, options), float(penalty)
    )
    if result is None:
        return {}
    st.markdown(plain(ensemble_words(result)))
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            ensemble_ranges(result), key="compare-ensembles", config=figure_config("ensembles")
        )
        st.caption("Accuracy with 95 % intervals over prompts; grey alone, blue together.")
    with right:
        st.plotly_chart(
            disagreement_histogram(result),
            key="compare-disagreement",
            config=figure_config("disagreement"),
        )
        st.caption(
            "How far the models' standardised margins spread, on pairs that their mean gets right "
            "and wrong. The further red lies to the right of green, the better a warning it is."
        )
    st.caption(f"{REPORTED} {FALSIFY}")
    if result.left_out:
        reasons = "; ".join(f"{plain(why)} ({n:,})" for why, n in result.left_out.items())
        st.caption(f":material/info: Left out, without a finite reward somewhere: {reasons}.")
    with st.expander("Table"):
        show_table(result.accuracy, key="compare-ensemble-table")
    return {"ensembles": result.accuracy, "ensemble_pairs": result.pairs}
