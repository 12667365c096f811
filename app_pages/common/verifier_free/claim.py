"""What the papers report on the question, and what would show that it does not hold here."""

import streamlit as st

CLAIMS = (
    "**Reported by the paper** · RLPR (arXiv 2506.18254): trained with the mean probability, "
    "Qwen2.5-7B reaches 56.1 on general benchmarks, against 54.7 with a rule and 52.6 with "
    "VeriFree. Without debiasing TheoremQA falls from 55.4 to 52.7, with the product in place of "
    "the mean to 33.5. As a judge of answers the probability is at least 2 points of area above a "
    "trained verifier in maths and about 20 in general.",
    "**Reported by the paper** · VeriFree (arXiv 2505.21493): MMLU-Pro with 8B parameters 67.2, "
    "against 65.9 with a verifier; without RLOO 3 % less. Its references have fewer than 7 tokens.",
    "**Reported by the code** · NOVER (arXiv 2505.16022): ranks of a length-normalised perplexity, "
    "plus efficiency, plus format, with equal weights; the scorer slowly follows the policy.",
)
FALSIFIED = (
    "**What would falsify this?** An area within problems that is no better than 0.5, or no "
    "better than that of length alone; an area that goes when traces do not name the reference, "
    "as then the reward pays for copying; or wordings that move the reward more than traces do."
)
CAUTION = (
    "**With care** · The authored problems were read by a model of 135 million parameters, which "
    "did not sample their traces. A trace that names the reference can be paid for its copy: "
    "compare the areas of traces that do not name it; some of these still hold one of its other "
    "wordings. The likelihood also depends on the words in between: on this page “Final answer:” "
    "and the reference on the same line, unless a file brought its own log-probabilities."
)


def claim() -> None:
    """The static reference, folded."""
    with st.expander(
        "What the papers claim, and what would falsify it", icon=":material/menu_book:"
    ):
        for text in (*CLAIMS, FALSIFIED, CAUTION):
            st.markdown(text)
