"""What the paper reports on the question, and what would show that it does not hold here."""

import streamlit as st

CLAIMS = (
    "**Reported by the paper** · Shang et al. 2025 (rStar2-Agent, arXiv 2508.20722), figure 4: "
    "under plain GRPO the share of failed tool calls in rewarded rollouts falls at first and then "
    "stays near 15% (Qwen2.5-32B) and 10% (Qwen3-14B). With resample-on-correct it keeps "
    "falling for both.",
    "**Reported by the paper** · figure 9: with resample-on-correct accuracy is higher and "
    "responses are shorter. Its 14B model draws 32 rollouts a problem and keeps 16.",
    "**Why, by the same paper** · The reward looks at the outcome only, so a rollout that patches "
    "its errors earns as much as a clean one. Penalties on steps can be gamed; choosing which "
    "rollouts enter the update leaves the reward alone.",
    "**Where paper and code differ, read in the released code** · Right rollouts are the lowest "
    "penalties, not a random draw; wrong ones the first in order; an error is any result with the "
    "letters “error”; counts are rounded half to even with a minimum of two a side.",
    "**Our reading** · Micro and macro rates, the share of positive weight on messy rollouts and "
    "the no-tool meetings are the workbench's own measures.",
)
FALSIFIED = (
    "**What would falsify this?** Plain runs whose error rate in right rollouts falls all the way "
    "to zero; or runs with resample-on-correct that end no cleaner than plain runs of the same "
    "seeds, with an interval of the paired difference that leaves no room for an effect that "
    "matters."
)


def claim() -> None:
    """The static reference, folded."""
    with st.expander(
        "What the paper claims, and what would falsify it", icon=":material/menu_book:"
    ):
        for text in (*CLAIMS, FALSIFIED):
            st.markdown(text)
