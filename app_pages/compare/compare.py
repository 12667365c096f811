"""The Compare page: several models or checkpoints over one table of pairs."""

import pandas as pd
import streamlit as st

from app_pages.common.lab_run import run_lab
from app_pages.common.markup import plain
from app_pages.common.model_choice import choose_lab_models
from app_pages.common.pair_choice import ChosenPairs, choose_pairs
from app_pages.common.results_bar import results_bar
from app_pages.common.service import default_models
from app_pages.compare import take_along, training_run
from app_pages.compare.choice import choose_one
from app_pages.compare.parts import parts
from app_pages.compare.results import compared, known_noise
from core.labs.compare.scores import MAX_MODELS, MIN_MODELS
from core.labs.pairs import PAIR_TEXT_COLUMNS, plan_pairs
from core.schema import content_id

TAKE_RUN = "compare-take-run"


def header() -> None:
    """What this page answers and what to do first."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            "#### Which model is right more often, and where do they part?", width="content"
        )
        st.space("stretch")
        runs = list(training_run.known_runs())
        if runs:
            st.menu_button(
                "Checkpoints",
                runs,
                icon=":material/timeline:",
                key=TAKE_RUN,
                help=f"Chooses the checkpoints of one training run, {MAX_MODELS} at most.",
                on_click=lambda: training_run.take_run(st.session_state[TAKE_RUN], MAX_MODELS),
            )
    st.caption(
        "Press Run: every model scores both responses of each pair. Then lasso the points where "
        "two models disagree, click a pair to read it, and open it in the playground."
    )


def choices() -> tuple[list[str], ChosenPairs | None, str]:
    """Models, pairs and the baseline."""
    left, right = st.columns([0.7, 0.3])
    with left:
        models = choose_lab_models(
            "compare",
            default=list(reversed(default_models())),
            most=MAX_MODELS,
            label="Models or checkpoints",
        )
    with right:
        baseline = ""
        if len(models) >= MIN_MODELS:
            baseline = choose_one(
                "Baseline",
                models,
                key="compare-baseline",
                help="The model that the others are held against: differences are theirs minus "
                "its.",
            )
    return models, choose_pairs("compare"), baseline


def own_columns(pairs: pd.DataFrame) -> list[str]:
    """What of the pairs, beside their texts, a result depends on."""
    own = pairs.drop(columns=list(PAIR_TEXT_COLUMNS), errors="ignore").astype(str)
    return [content_id([str(name), own[name].tolist()]) for name in own.columns]


header()
models, chosen, baseline = choices()
if len(models) < MIN_MODELS:
    st.caption(f":material/arrow_upward: Choose {MIN_MODELS} to {MAX_MODELS} models to compare.")
elif chosen is not None:
    pairs = chosen.pairs
    found = run_lab(
        "compare",
        models,
        chosen.key,
        plan=lambda: plan_pairs(pairs),
        result=lambda scored: compared(pairs, scored),
        extra=own_columns(pairs),
    )
    if found is not None:
        ground = found.against(baseline)
        for note in ground.scores.notes:
            st.caption(f":material/info: {plain(note)}")
        drawn = parts(ground)
        options = known_noise(ground)
        results_bar(
            kind="compare",
            title=take_along.title(ground, chosen.source.name),
            tables=take_along.tables(ground, drawn),
            options=take_along.told(ground, options),
            models=models,
            python=take_along.python(ground, options, chosen.python),
            notes=take_along.notes(ground, chosen.source.left_out),
        )
