"""What the paper reports on the question, and what would show that it does not hold here."""

import streamlit as st

CLAIMS = (
    "**Reported by the paper, second-hand** · Wang et al. 2025 (Temporal Self-Rewarding, arXiv "
    "2508.06026): in iterative self-rewarding DPO both sides of a pair come from the current "
    "model. As it improves its worst samples improve too; for Llama-3.1-8B the gap shrinks about "
    "nine-fold over four iterations, the two sides' states become nearly parallel, and learning "
    "stalls.",
    "**Reported by the paper, second-hand** · AlpacaEval LC of Llama-3.1-8B: 8.73 after "
    "fine-tuning, 19.92 at the best self-rewarding iteration of four, 27.94 with the temporal rule "
    "in two. Qwen2.5-7B 21.53 to 34.01, Mistral 25.48 to 32.11. Of its two parts anchoring is said "
    "to contribute more.",
    "**Why, by the same paper** · The difference of the two gradients is bounded by a constant "
    "times the distance of the two responses' last-layer states.",
    "**Our reading** · The gradient scale (weight times that distance), the check of the bound, "
    "and the tie rule. A wide gap is not quality: pairs that are too easy saturate the margin. In "
    "the recorded runs the judge is a fixed reward model, and not the policy itself.",
)
FALSIFIED = (
    "**What would falsify this?** Classic runs whose gap and cosine stay where they were, interval "
    "about no change and narrow, while their quality by the outside model stops rising; or "
    "temporal runs that keep the gap open and still learn no more than classic ones with the same "
    "seeds."
)


def claim() -> None:
    """The static reference, folded."""
    with st.expander(
        "What the paper claims, and what would falsify it", icon=":material/menu_book:"
    ):
        for text in (*CLAIMS, FALSIFIED):
            st.markdown(text)
