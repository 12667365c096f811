"""What papers report on the question, and what would show that it does not hold here."""

import streamlit as st

from core.labs.reasoning.counter_evidence import reported_gain

CLAIMS = (
    "**Reported by the paper** · DeepSeek-GRM (arXiv 2504.02495): 32 summed samples gain "
    "{plain:.1f} points over one in the mean of its benchmarks, and {filtered:.1f} with a "
    "second model that keeps the better half.",
    "**Reported, second-hand** · J1 (arXiv 2505.10320) counts a pair only if it is right in both "
    "orders. RRM (arXiv 2505.14674) lets two candidates play: Elo over a round-robin, or a "
    "knockout, each comparison decided by a majority.",
    "**From the authors' code** · RM-R1 reads its verdict in the last 80 characters; it accepts "
    "sloppy endings and refuses a verdict that more text follows.",
    "**Our reading** · The formula for independent votes, position bias as P(first wins) - 1/2, "
    "the posteriors that stop an adaptive vote or sum, accuracy for each 1,000 tokens.",
)
FALSIFIED = (
    "**What would falsify this?** A curve that stays flat or falls with k; a scalar model that is "
    "right more often on the same items for no written token; verdicts that follow the place."
)
CAUTION = (
    "**With care** · Voting makes systematic errors worse: below one half, more votes are more "
    "often wrong. Judgements of one item are correlated, so k of them are worth fewer. In a sum "
    "one judgement with wide scores outweighs many. A knockout depends on its draw, and Elo on the "
    "order of the matches."
)


def claim() -> None:
    """The static reference, folded."""
    gains = reported_gain()
    with st.expander(
        "What the papers claim, and what would falsify it", icon=":material/menu_book:"
    ):
        for text in (*CLAIMS, FALSIFIED, CAUTION):
            st.markdown(text.format(**gains))
