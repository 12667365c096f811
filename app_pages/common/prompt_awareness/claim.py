"""What the papers report on the question, and what would show that they do not hold here."""

import streamlit as st

CLAIMS = (
    "**Reported by the paper** · arXiv 2504.06020, figure 1 (left): for QRM-Llama3-8B on two of "
    "its own training sets, the gap under random other prompts (mean ± standard deviation) stays "
    "centred on the gap with the true prompt. Here that is a retention near 100 %.",
    "**Why, by the same paper** · Training only has to widen the gap inside each pair, and pairs "
    "seldom share responses: a model can do well from the responses alone. Its remedy trains more "
    "on pairs with a small prompt-free gap.",
    "**Second-hand, not checked by us** · arXiv 2502.14619: taking the question away hardly "
    "changes rewards, while altered numbers and broken reasoning change them much. The ablations "
    "put this to the test.",
)
FALSIFIED = (
    "**What would falsify this?** For a model tested here: a retention under random prompts whose "
    "whole interval is at or below 50 %, a swapped accuracy near 50 %, own responses that rank "
    "first in the matrix, and a question whose removal costs more than any edit of the response."
)
CAUTION = (
    "**With care** · A high retention is no defect by itself: fluency, tone and safety rightly "
    "need no prompt. Prompts on the same topic are the harder and fairer test; empty and shuffled "
    "ones are controls that no model was trained on."
)


def claim() -> None:
    """The static reference, folded."""
    with st.expander(
        "What the papers claim, and what would falsify it", icon=":material/menu_book:"
    ):
        for text in (*CLAIMS, FALSIFIED, CAUTION):
            st.markdown(text)
