"""Calibration: does a margin mean the probability that it claims?"""

import math
from collections.abc import Mapping

import streamlit as st

from app_pages.common.markup import plain, table_html
from app_pages.compare.choice import choose_one
from app_pages.compare.columns import show_table
from app_pages.compare.results import Compared, Tables
from core.exports.figures import figure_config
from core.figures.compare import reliability_diagram
from core.labs.compare import Calibration, measure_calibration
from core.labs.compare.calibration import AS_GIVEN, BRIER, CALIBRATED, ECE
from core.labs.compare.in_words import calibration_words, percent
from core.labs.compare.tidy import records

READING = (
    "Trained on preferences, a reward model says that the chosen response is better with "
    "probability σ(margin). On the diagonal it is right as often as it says; below, too sure. "
    "Bars: pairs in each bin. The second line divides the margins by a temperature fitted on "
    "other prompts. Our reading: a verdict counts as right where the chosen response wins."
)
BRIER_HELP = (
    "Brier score: mean squared distance of the stated probability from 1, the chosen response "
    "being better; 0 is best, 0.25 is what saying 50 % throughout gets."
)


def draw(ground: Compared) -> Tables:
    """Draws one model's reliability diagram and every model's numbers; returns both tables."""
    result = ground.part("calibration", lambda: measure_calibration(ground.scores, ground.options))
    if result is None:
        return {}
    model = choose_one(
        "Model", ground.models, key="compare-calibrated", default=ground.baseline, width=300
    )
    st.markdown(plain(calibration_words(result, model)))
    left, right = st.columns([0.55, 0.45], gap="medium")
    with left:
        st.plotly_chart(
            reliability_diagram(result, model),
            key="compare-reliability",
            config=figure_config(f"reliability of {model}"),
        )
        st.caption(READING)
    with right:
        st.html(table_html(_numbers(result, ground), ("Model", "", "Calibration error", "Brier")))
        st.caption(BRIER_HELP)
        ties = {model: n for model, n in result.n_ties.items() if n}
        if ties:
            told = ", ".join(f"{plain(model)} {n:,}" for model, n in ties.items())
            st.caption(f"Ties count as half right at 50 %: {told}.")
    with st.expander("Tables"):
        show_table(result.table, key="compare-calibration-table")
        st.caption("The bins of the diagram.")
        show_table(result.bins, key="compare-calibration-bins")
    return {"calibration": result.table, "calibration_bins": result.bins}


def _numbers(result: Calibration, ground: Compared) -> list[tuple[str, str, str, str]]:
    found = {(row["model"], row["variant"], row["measure"]): row for row in records(result.table)}
    return [
        (
            model if variant == AS_GIVEN else "",
            variant,
            percent(found[model, variant, ECE]),
            _brier(found[model, variant, BRIER]),
        )
        for model in ground.models
        for variant in (AS_GIVEN, CALIBRATED)
    ]


def _brier(row: Mapping[str, float]) -> str:
    if math.isnan(row["value"]):
        return "no value"
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
