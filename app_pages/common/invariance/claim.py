"""What the papers report on the question, and what would show that they do not hold here."""

import pandas as pd
import streamlit as st

REPORTED = pd.DataFrame(
    [
        ("Flattery: prompts with all 50 replies flattering, %", "92.67", "19.78", "62.64"),
        ("Concept, Yelp-Price: bias of the accuracy", "18.88", "0.52", "6.86"),
        ("Concept, Yelp-Service: bias of the accuracy", "−15.54", "−0.61", "–"),
        ("Concept, Yelp-Food: bias of the accuracy", "7.31", "0.71", "–"),
        ("Concept, IMDB-Music: bias of the accuracy", "13.49", "2.86", "9.52"),
        ("Discrimination: overall coefficient", "0.121", "0.084", "0.058"),
    ],
    columns=["experiment", "plain", "conditional penalty", "unconditional penalty"],
)
CLAIMS = (
    "**Reported by the paper** · arXiv 2501.09620 (tables 1 and 2, and its Discrim-Eval "
    "results): a "
    "penalty on the MMD between the bins of an attribute makes reward models, and what is "
    "trained on "
    "them, depend less on it. Lower is better, 0 is no bias. A dash: not recorded here.",
    "**Its own caution** · Independence is necessary for invariance, not sufficient, and the "
    "attribute must be known and binned. On IMDB-Music the conditional penalty cost accuracy: "
    "55.73 % on texts with the concept, 73.98 % without a penalty.",
    "**RATE** · arXiv 2410.11348 compares rewrites with rewrites of rewrites, since one rewrite "
    "leaves marks of its own.",
)
FALSIFIED = (
    "**What would falsify this?** For a model trained with the penalty: edits of that attribute "
    "that "
    "still pay after correction, an MMD that is not at least halved against the plain model, or an "
    "accuracy that falls more than the bias does. For a head on this page: a held-out MMD that "
    "stays "
    "where it was while λ grows, or a reward that still rises when the bias alone is added."
)
CAUTION = (
    "**With care** · The edits are rules: they can miss, and some change a little more than they "
    "say. “Cannot say” means that these pairs are too few, not that all is well. Here λ weighs the "
    "sum over unordered pairs of bins; the paper prints ordered ones, so its λ is half of this."
)


def claim() -> None:
    """The static reference, folded."""
    with st.expander(
        "What the papers claim, and what would falsify it", icon=":material/menu_book:"
    ):
        st.markdown(CLAIMS[0])
        st.dataframe(REPORTED, hide_index=True, key="invariance-reported")
        for text in (*CLAIMS[1:], FALSIFIED, CAUTION):
            st.markdown(text)
