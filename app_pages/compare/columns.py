"""Tables of results with every column explained."""

import pandas as pd
import streamlit as st

NAMES = {
    "n_prompts": "prompts",
    "p_value": "p",
    "p_adjusted": "p, corrected",
    "left_out": "left out",
    "smallest_detectable": "smallest detectable",
    "n_ties": "ties",
    "rest": "against the rest",
    "rest_low": "rest, low",
    "rest_high": "rest, high",
    "small": "too small to judge",
    "bin_low": "from",
    "bin_high": "to",
    "confidence_mean": "mean confidence",
    "difference_low": "difference, low",
    "difference_high": "difference, high",
}
HELP = {
    "value": "The estimate.",
    "low": "Lower end of its interval over prompts; empty where there is none.",
    "high": "Upper end of its interval over prompts; empty where there is none.",
    "confidence": "How often intervals made like this one hold the true value.",
    "n": "Rows it was computed from: pairs, or responses for drift and change.",
    "n_prompts": "Prompts they belong to; resampling is over these.",
    "method": "How the interval or test was made.",
    "left_out": "What could not be used, by reason.",
    "statistic": "McNemar: pairs that only one of the two gets right. Sign flip: mean difference.",
    "p_value": "Chance of a result at least as far from no difference, were there none.",
    "p_adjusted": "p after correction for the number of comparisons (Benjamini-Hochberg).",
    "smallest_detectable": "The smallest true difference that 4 of 5 tables like this would show.",
    "n_ties": "Pairs whose two rewards are equal; each counts as half.",
    "rest": "Accuracy inside the slice minus that of all other pairs.",
    "rest_low": "Lower end of its interval.",
    "rest_high": "Upper end of its interval.",
    "small": "Too few prompts to be called best or worst, and not tested.",
    "bin_low": "The bin holds confidences above this.",
    "bin_high": "The bin holds confidences up to this.",
    "confidence_mean": "Mean stated confidence of the pairs in the bin.",
    "difference": "Accuracy minus the baseline's, on the same pairs.",
    "measure": "What was measured.",
    "variant": "Margins as given, or divided by a temperature fitted on other prompts.",
}


def show_table(table: pd.DataFrame, *, key: str) -> None:
    """Draws a tidy table; a column's meaning stands behind its name."""
    st.dataframe(
        table,
        hide_index=True,
        key=key,
        column_config={
            name: st.column_config.Column(NAMES.get(name, name), help=HELP.get(name))
            for name in map(str, table.columns)
            if name in NAMES or name in HELP
        },
    )
