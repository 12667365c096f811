"""Tab: each gap as a prompt-free and a prompt-related part, and training weights from it."""

import io
import json
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.prompt_awareness.results import Scored, keep, run_swaps, swaps_key
from app_pages.common.prompt_awareness.setup import NAME, Setup, one_model, one_of
from app_pages.common.prompt_awareness.words import (
    left_out_note,
    measure_metric,
    measures_table,
    named_table,
)
from core.errors import WorkbenchError
from core.figures.prompt_awareness import gap_parts
from core.labs.prompt_awareness import decomposition, training_weights
from core.labs.prompt_awareness.decomposition import (
    LOG_PROBS,
    DecompositionOptions,
    DecompositionResult,
)
from core.labs.prompt_awareness.prompt_free import ESTIMATOR_MEANING, ESTIMATORS, Estimator
from core.labs.prompt_awareness.swaps import SwapResult
from core.labs.prompt_awareness.tables import part_measures
from core.labs.prompt_awareness.training_weights import WEIGHT_FORMS, TrainingWeights, WeightForm
from core.schema import content_id
from core.tables import parse_table

ESTIMATOR_KEY = f"{NAME}-last-estimator"
WEIGHTS = {"equal": "all prompts alike", "policy": "as a policy would"}
FORM_NAMES = {"exponential": "exponential in the gap", "rank": "by rank"}


def parts_view(setup: Setup) -> None:
    """The whole tab."""
    found = run_swaps(setup)
    if found is None:
        st.caption(
            "Splits each pair's gap into the part that needs no prompt, estimated from its gaps "
            "under other prompts, and the rest. Uses the same scores as the swapped prompts."
        )
        return
    st.caption(
        "**Our reading** of arXiv 2504.06020, whose code is not public: four estimators of the "
        "prompt-free gap. They agree where a pair's gaps are symmetric about their centre and part "
        "where they are saturated. The parts describe a model; they are no rewards of their own."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        model = one_model(setup.models)
        estimator = one_of("Estimator", list(ESTIMATORS), "estimator")
    st.session_state[ESTIMATOR_KEY] = estimator
    parts = _parts(setup, found)
    if parts is None:
        return
    keep("parts", swaps_key(setup), parts)
    _result(parts[model], estimator)
    _weights(setup, parts, estimator, model)


def _parts(setup: Setup, found: Scored[SwapResult]) -> Mapping[str, DecompositionResult] | None:
    with st.popover("How other prompts count", icon=":material/tune:", key=f"{NAME}-parts-options"):
        include_own = st.checkbox(
            "Count the own prompt among them",
            key=f"{NAME}-include-own",
            persist_state="session",
            help="With few other prompts it pulls the prompt-free part towards the own gap.",
        )
        weighted = one_of("Weights", list(WEIGHTS), "prompt-weights", WEIGHTS) == "policy"
        log_probs = _log_probs(found) if weighted else None
    if weighted and log_probs is None:
        st.info(
            "Policy weights need a table of log-probabilities: see “How other prompts count”.",
            icon=":material/info:",
        )
        return None
    options = DecompositionOptions(
        include_own=include_own, policy_weighted=weighted, seed=setup.options.seed
    )
    table_key = "" if log_probs is None else log_probs.to_csv()
    state = [int(result.gaps["gap"].notna().sum()) for result in found.results.values()]
    key = content_id([swaps_key(setup), include_own, weighted, table_key, state])
    outcome = tasks().outcome(
        ("parts", key),
        lambda: {
            name: decomposition.run(result, options, log_probs=log_probs)
            for name, result in found.results.items()
        },
    )
    if not is_there(outcome, "Splitting the gaps …"):
        return None
    parts: Mapping[str, DecompositionResult] = outcome.value
    return parts


def _log_probs(found: Scored[SwapResult]) -> pd.DataFrame | None:
    """How likely a policy writes the responses under each prompt, from the visitor's file."""
    keys = ["pair_id", "kind", "swap"]
    gaps = next(iter(found.results.values())).gaps
    blank = gaps[[*keys, "prompt_text", "chosen", "rejected"]].assign(
        **dict.fromkeys(LOG_PROBS, "")
    )
    st.caption(
        "Weighs each prompt by how likely a policy writes both responses to it. Take the table, "
        f"fill {LOG_PROBS[0]} and {LOG_PROBS[1]} with your policy's log-probabilities, bring it "
        "back."
    )
    st.download_button(
        "The table to fill",
        blank.to_csv(index=False).encode("utf-8", "backslashreplace"),
        "log_probabilities.csv",
        key=f"{NAME}-log-probs-blank",
        on_click="ignore",
    )
    file = st.file_uploader(
        "The filled table", ["csv", "jsonl", "parquet"], key=f"{NAME}-log-probs"
    )
    if file is None:
        return None
    try:
        return _filled(file.getvalue(), file.name, keys)
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _filled(data: bytes, name: str, keys: list[str]) -> pd.DataFrame | None:
    table = pd.DataFrame([row.cells for row in parse_table(data, name).rows])
    missing = [column for column in [*keys, *LOG_PROBS] if column not in table.columns]
    if missing:
        st.error(plain(f"{name} has no column {', '.join(missing)}."), icon=":material/error:")
        return None
    return table.assign(
        pair_id=table["pair_id"].astype(str),
        swap=pd.to_numeric(table["swap"], errors="coerce").fillna(-1).astype(int),
        **{column: pd.to_numeric(table[column], errors="coerce") for column in LOG_PROBS},
    )


def _result(parts: DecompositionResult, estimator: Estimator) -> None:
    summary = parts.summaries[estimator]
    st.caption(f"{estimator} · {ESTIMATOR_MEANING[estimator]}")
    columns = st.columns(3)
    for column, name in zip(columns, ("free_share", "prompt_free", "prompt_related"), strict=True):
        with column:
            measure_metric(name, getattr(summary, name))
    left_out_note(parts.left_out)
    n = int((parts.pairs["estimator"] == estimator).sum())
    if summary.n_saturated:
        st.caption(
            f":material/warning: {summary.n_saturated} of {n} pairs are undetermined: their gaps "
            "are so large that many prompt-free gaps fit as well (hatched)."
        )
    st.plotly_chart(
        gap_parts(parts, estimator, title="What each gap is made of"),
        key=f"{NAME}-parts",
        alt="Each pair's gap as prompt-free and prompt-related part",
    )
    st.caption(
        f"n = {n} pairs. Where nearly all of a bar is orange, the model would prefer that response "
        "under any prompt. Blue below zero: the own prompt speaks against its preference."
    )
    with st.expander("All estimators", icon=":material/table:"):
        measures_table(part_measures(parts), key=f"{NAME}-part-measures")


def _weights(
    setup: Setup, parts: Mapping[str, DecompositionResult], estimator: Estimator, model: str
) -> None:
    st.markdown("##### Training weights")
    st.caption(
        "The paper trains more on pairs with a small prompt-free gap, those where the prompt must "
        "be read. It does not give the weights' form: these two are our reading. Mean weight 1."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        form: WeightForm = one_of("Form", list(WEIGHT_FORMS), "weight-form", FORM_NAMES)
        tau = None
        if form == "exponential":
            tau = st.number_input(
                "τ, in reward",
                min_value=1e-6,
                value=None,
                key=f"{NAME}-tau",
                persist_state="session",
                placeholder="median gap",
                width=180,
                help="Weight exp(-|prompt-free gap| / τ): a small τ counts few pairs, a large one "
                "all alike.",
            )
    made = {
        name: training_weights.run(each, form=form, estimator=estimator, tau=tau)
        for name, each in parts.items()
        if len(each.pairs)
    }
    keep("weights", swaps_key(setup), made)
    if model not in made:
        st.caption("No pair has a prompt-free gap.")
        return
    weights = made[model]
    n = len(weights.table)
    scale = "" if form == "rank" else f" τ = {weights.tau:.3g}."
    st.caption(
        f"{n} pairs weigh as much as {weights.effective_sample_size:.1f} equal ones would "
        f"(effective sample size).{scale}"
    )
    left_out_note(weights.left_out)
    named_table(
        weights.table.sort_values("weight", ascending=False, kind="stable"),
        key=f"{NAME}-weights",
        height=220,
    )
    with st.container(horizontal=True, gap="small"):
        _download("weights.csv", weights_csv(weights))
        _download("weighted_pairs.jsonl", weighted_pairs(setup.chosen.pairs, weights))


def _download(name: str, content: bytes) -> None:
    st.download_button(
        name,
        content,
        name,
        key=f"{NAME}-{name}",
        icon=":material/download:",
        on_click="ignore",
        help="Pairs with their texts and weights, one a line, for a trainer."
        if name.endswith("jsonl")
        else "One row a pair: prompt-free gap and weight.",
    )


def weights_csv(weights: TrainingWeights) -> bytes:
    """The weights as CSV."""
    buffer = io.StringIO()
    weights.table.to_csv(buffer, index=False)
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def weighted_pairs(pairs: pd.DataFrame, weights: TrainingWeights) -> bytes:
    """The pairs with their weights as JSON lines; a pair without a weight has none and is left out.

    Args:
        pairs: the pairs that were scored.
        weights: made from them.
    """
    weight = dict(zip(weights.table["pair_id"], weights.table["weight"], strict=True))
    lines = [
        json.dumps(
            {
                **{name: row[name] for name in ("pair_id", "prompt", "chosen", "rejected")},
                "weight": weight[str(row["pair_id"])],
            },
            ensure_ascii=False,
        )
        for row in pairs.to_dict(orient="records")
        if str(row["pair_id"]) in weight
    ]
    return "".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace")
