"""Which way of comparing two responses agrees with people, and where the thresholds come from."""

import streamlit as st

from app_pages.common.diversity.setup import METHOD_NAMES, NAME, Setup
from app_pages.common.section_view import readable
from core.exports import figure_config
from core.figures import diversity as figures
from core.labs.diversity import calibrated
from core.labs.diversity.calibration import CRITERION
from core.labs.diversity.tables import recorded_calibration

SHOWN = ["method", "auc", "low", "high", "threshold", "accuracy", "found", "false"]


def calibration_view(setup: Setup) -> None:
    """The recorded calibration, and where the visitor's threshold stands in it."""
    table = recorded_calibration()
    value, low, high = calibrated.LEAD_OVER_EMBEDDING
    other, other_low, other_high = calibrated.LEAD_OVER_CLASSIFIER
    best = calibrated.RECORDED[0]
    st.markdown(
        f"On human labels, **{METHOD_NAMES[best.method]}** tells responses that say the same from "
        f"others best: a pair that people call the same is the more similar one with a chance of "
        f"{best.auc:.0%} ({best.low:.0%} to {best.high:.0%}). It is the default. Its lead over "
        f"sentence embeddings is {value:.3f} ({low:.3f} to {high:.3f}, the same pairs): small, and "
        f"with 100 pairs hardly certain. A classifier trained on four of these similarities adds "
        f"nothing to it (lead {other:.3f}, {other_low:.3f} to {other_high:.3f}). No method here is "
        "a good judge of long texts."
    )
    left, right = st.columns([0.5, 0.5], gap="medium")
    # Here whole texts are compared: labelled pairs have no final answers.
    names = METHOD_NAMES | {"exact": "same text"}
    named = table.assign(method=[names[method] for method in table["method"]])
    with left:
        st.plotly_chart(
            figures.calibration_bars(named, title="0.5 is guessing"),
            key=f"{NAME}-auc",
            config=figure_config("calibration"),
            alt="Area under the ROC curve of each method, with intervals",
        )
    with right:
        st.dataframe(
            readable(named[SHOWN].round(3)),
            hide_index=True,
            key=f"{NAME}-calibration",
            column_config={
                "auc": st.column_config.NumberColumn(
                    "AUC", help="Area under the ROC curve on the validation pairs; 0.5 is guessing."
                ),
                "low": st.column_config.NumberColumn(
                    "from", help="Lower end of the AUC's 95% interval."
                ),
                "high": st.column_config.NumberColumn(
                    "to", help="Upper end of the AUC's 95% interval."
                ),
                "accuracy": st.column_config.NumberColumn(
                    "balanced accuracy", help="On the validation pairs; 0.5 is guessing."
                ),
                "found": st.column_config.NumberColumn(
                    help="Of the pairs that people call the same, the share found."
                ),
                "false": st.column_config.NumberColumn(
                    help="Of the other pairs, the share called the same wrongly."
                ),
            },
        )
        st.caption(f"You are using {METHOD_NAMES[setup.method]} at {setup.threshold:.3g}.")
    judged, right_ones = calibrated.SHORT_JUDGED
    st.caption(
        f"NoveltyBench's labelled pairs (arXiv 2504.05228), each of another prompt: "
        f"{calibrated.N_TRAINING:,} to choose the threshold ({calibrated.SIMILAR_TRAINING} called "
        f"the same), {calibrated.N_VALIDATION} to judge it ({calibrated.SIMILAR_VALIDATION}). "
        f"Threshold: {CRITERION}. Intervals: 95%, over prompts. The rule for short texts could "
        f"judge {judged} of all pairs and agreed with people on {right_ones} of them. The texts "
        "are long chat answers: for short ones, look at the similarity graph before you trust a "
        "threshold."
    )
