"""What the paper reports on the question, and what would show that it does not hold here."""

import streamlit as st

from app_pages.common.collapse.setup import Setup
from app_pages.common.markup import plain
from core.labs.collapse.spread import BIASES
from core.rollouts.recorded import collection

CLAIMS = (
    "**Reported by the paper, second-hand** · arXiv 2509.06941: over training, a policy trained on "
    "outcomes gives fewer distinct final answers than its base model at the same number of "
    "samples, also on problems that it never solved. The sharpening learned where rewards come "
    "spreads to where none ever came.",
    "**Its figure 2, second-hand** · Problems ever solved and distinct answers ever given against "
    "k = samples a step × steps; the trained runs lie below the base, on all and on unsolved "
    "problems. The first tab draws the same for the rollouts at hand.",
    "**Its tables, second-hand** · Distinct answers among 8 samples (solved / unsolved / all): "
    "GRPO 2.28 / 4.81 / 2.88, UCB-Con 2.27 / 4.86 / 2.93, Batch 2.28 / 5.39 / 3.23, for 8B and 7B "
    "models on mathematics. Its bonuses use c = 0.2, and b0 = 1 (easy set) or 0.5 (medium set).",
)
FALSIFIED = (
    "**What would falsify this?** A difference in differences on never-solved or never-trained "
    "problems whose whole interval is at or above 0, with enough problems to have seen a fall of "
    "half an answer; or base runs whose own change is as large as that of the trained ones."
)


def claim() -> None:
    """The static reference, folded."""
    with st.expander(
        "What the paper claims, and what would falsify it", icon=":material/menu_book:"
    ):
        for text in (*CLAIMS, FALSIFIED):
            st.markdown(text)
        st.markdown("**What could make the estimate wrong**")
        st.markdown("\n".join(f"- {text}" for text in BIASES))


def recorded_runs(setup: Setup) -> None:
    """How the recorded runs were made and what came out, as their card tells it."""
    if setup.chosen.collection is None:
        return
    card = collection(setup.chosen.collection)
    label = f"How these {len(card.runs)} runs were made, and what came out"
    with st.expander(label, icon=":material/inventory_2:"):
        st.markdown(plain(card.description))
        for finding in card.findings:
            st.markdown(f"- {plain(finding)}")
        st.code(card.command, language="sh")
