"""What the paper reports on the question, and what would show that it does not hold here."""

import streamlit as st

CLAIMS = (
    "**Reported by the paper** · DARLING, arXiv 2509.02534, table 1, Llama-3.1-8B: on AlpacaEval "
    "(length-controlled win rate) training on quality alone reached 48.7, quality times diversity "
    "55.2; different responses on NoveltyBench went from 5.28 in the base model to 2.08 and 5.49.",
    "**Reported by the paper** · Tables 2 and 5: adding diversity instead of multiplying gave 53.2 "
    "and 5.23; dividing advantages by the standard deviation gave 51.6 and 3.35 instead of 55.2 "
    "and 5.49. In mathematics pass@128 gained more than pass@1 (figure 6).",
    "**Why, by the same paper** · Pressure for variety keeps exploration alive. What counts as "
    "different must be meaning: counting new word runs is gamed by odd wording.",
)
FALSIFIED = (
    "**What would falsify this?** A run trained on quality times diversity whose quality on "
    "held-out problems is below that of the run trained on quality alone, at equal budget, with "
    "the whole interval of the paired difference below zero; the collapse page has such runs side "
    "by side. On this page: a frontier on which a point of higher diversity never has the quality."
)
CAUTION = (
    "**With care** · The classifier behind the paper's classes is a fine-tuned model; the "
    "comparisons here are simpler, and Calibration says how far they agree with people. Every "
    "measure of diversity depends on how many responses a group has."
)


def claim() -> None:
    """The static reference, folded."""
    with st.expander(
        "What the paper claims, and what would falsify it", icon=":material/menu_book:"
    ):
        for text in (*CLAIMS, FALSIFIED, CAUTION):
            st.markdown(text)
