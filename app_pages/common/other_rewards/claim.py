"""What papers say about these rewards, and what would show that it does not hold here."""

import streamlit as st

CLAIMS = (
    "**Implicit rewards** · DPO (Rafailov et al. 2023): at the optimum of the KL-regularised "
    "objective β times the log-ratio of policy and reference is the reward, up to a term of the "
    "prompt. A sum over tokens can follow length, in either direction; the slope on these pairs "
    "and the mean are beside it.",
    "**Process rewards, second-hand** · arXiv 2510.00492: over many domains, generative outcome "
    "rewards hold up best, and errors of stepwise scores add up along long solutions.",
    "**Rubrics, second-hand** · Rubrics as Rewards, arXiv 2507.17746: 7 to 20 criteria (essential, "
    "important, optional, pitfall), added up with weights or given to a judge as a whole. **Our "
    "reading**: what a pitfall takes away is divided by the weights of the other criteria.",
)
FALSIFIED = (
    "**What would falsify this?** A slope of the summed reward on length whose interval holds 0 "
    "while the mean's does not; a product that ranks long sound solutions as well as min does; a "
    "rubric whose order stays the same whatever the weights are."
)


def claim() -> None:
    """The static reference, folded."""
    with st.expander("What papers say, and what would falsify it", icon=":material/menu_book:"):
        for text in (*CLAIMS, FALSIFIED):
            st.markdown(text)
