"""Evaluate: a reward model on benchmarks, on one's own texts, and when one picks by it."""

import streamlit as st

from app_pages.common.evaluation.best_of_n import best_of_n
from app_pages.common.evaluation.own_pairs import pairs_by_slice, style_matrix
from app_pages.common.evaluation.public_benchmarks import public_benchmark
from app_pages.common.model_choice import choose_lab_models

QUESTIONS = {
    "pairs": ("Pairs by slice", "How often does the model prefer the response you call better?"),
    "styles": (
        "Style or substance",
        "Does the better response win whatever style it is in? RM-Bench's matrix on your texts.",
    ),
    "benchmark": (
        "Public benchmark",
        "What does the model score on RM-Bench, LLMBar, RewardBench 1 and 2, or PPE?",
    ),
    "best-of-n": (
        "Best of n",
        "If one keeps picking the response with the highest reward, do the picks get better, and "
        "when do they get worse?",
    ),
}
DRAW = {
    "pairs": pairs_by_slice,
    "styles": style_matrix,
    "benchmark": public_benchmark,
    "best-of-n": best_of_n,
}

st.markdown("#### Evaluate")
left, right = st.columns([0.55, 0.45], vertical_alignment="bottom", gap="medium")
with left:
    question = st.segmented_control(
        "Question",
        list(QUESTIONS),
        format_func=lambda name: QUESTIONS[name][0],
        default="pairs",
        key="question",
        required=True,
        bind="query-params",
    )
with right:
    models = choose_lab_models("evaluate")
st.caption(f"{QUESTIONS[question][1]} Press Run: the defaults give a first answer.")
DRAW[question](models)
