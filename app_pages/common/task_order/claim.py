"""What the paper reports on the question, and what would show that it does not hold here."""

import streamlit as st

CLAIMS = (
    "**Reported by the paper, second-hand** · arXiv 2507.14783: with one policy trained by GRPO on "
    "coding, math, question answering and writing, ordering the tasks by backward transfer gained "
    "6.2 % over joint training and 12.4 % over merging models (an earlier version: 5.2 % and "
    "9.1 %). Structured tasks lower the entropy of the policy, open-ended ones raise it.",
    "**Our reading** · The paper states its result without a proof. From its two assumptions it "
    "follows that a task ends at the level after its own stage plus the effects of later tasks, so "
    "that what comes before a task's own stage is wiped out.",
    "**Our reading of the paper's rule** · Its greedy rule always trains the task after which the "
    "remaining ones score highest. Under its own assumptions it looks at what will be wiped "
    "out, and on the worked example it picks the worst order. Training the most helpful task last "
    "is the counterpart that the formula suggests.",
)
FALSIFIED = (
    "**What would falsify this?** Predicted and observed orders that do not correlate on runs that "
    "did not feed the prediction; effects that change sign when a task comes later; or observed "
    "orders that differ by less than seeds of one order do."
)
CAUTION = (
    "**With care** · A matrix from one seed is uncertain by one or two points. Scores near 0 or 1 "
    "cannot add up. Joint training sees another amount of each task, and a learning rate that "
    "falls along the sequence makes late stages weaker for reasons that have nothing to do with "
    "the tasks."
)


def claim() -> None:
    """The static reference, folded."""
    with st.expander(
        "What the paper claims, and what would falsify it", icon=":material/menu_book:"
    ):
        for text in (*CLAIMS, FALSIFIED, CAUTION):
            st.markdown(text)
