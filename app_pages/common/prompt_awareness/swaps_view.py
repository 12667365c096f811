"""Tab: pairs under other prompts. What is left of each preference, and where it went wrong."""

import html
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.prompt_awareness.results import Scored, rules, run_swaps
from app_pages.common.prompt_awareness.setup import NAME, Setup, one_model, one_of
from app_pages.common.prompt_awareness.texts import open_pair_button, side_by_side
from app_pages.common.prompt_awareness.words import (
    left_out_note,
    measure_metric,
    measures_table,
    named_table,
    noise_note,
)
from app_pages.common.service import model_titles
from core.figures.prompt_awareness import own_against_swapped, swapped_band
from core.labs.prompt_awareness.leaderboard import verdict
from core.labs.prompt_awareness.measures import SwapMeasures
from core.labs.prompt_awareness.other_prompts import KIND_MEANING, SwapKind
from core.labs.prompt_awareness.swaps import OFFENDER_ORDERS, OWN, SwapResult, worst_offenders

HEADLINES = ("retention", "flip_rate", "swapped_accuracy", "correlation")
ORDER_NAMES = {
    "gap": "larger gap under the wrong prompt",
    "reward": "more reward under the wrong prompt",
}
CHANCE = 0.5
KIND_KEY = f"{NAME}-last-kind"


def swaps_view(setup: Setup) -> None:
    """The whole tab."""
    found = run_swaps(setup)
    if found is None:
        st.caption(
            "Reads every pair under its own prompt and under others, and shows how much of the "
            "preference is left: retention, flips, accuracy, and the pairs that prefer a wrong "
            "prompt."
        )
        return
    with st.container(horizontal=True, gap="large"):
        model = one_model(setup.models)
        kind = chosen_kind(found.results[model])
    result = found.results[model]
    if kind is None:
        st.info("No pair has another prompt of any kind.", icon=":material/info:")
        left_out_note(result.left_out)
        return
    _headline(model, kind, result.measures[kind])
    own = {
        name: each.gaps.loc[each.gaps["kind"] == OWN, "gap"].dropna()
        for name, each in found.results.items()
    }
    noise_note(own)
    left_out_note(result.left_out)
    _figures(setup, found, model, kind)
    _tables(setup, result, kind)
    _offenders(setup, found, model)


def chosen_kind(result: SwapResult) -> SwapKind | None:
    """The kind of other prompts that is on screen; None where there is none."""
    kinds = list(result.measures)
    if not kinds:
        return None
    kind = one_of("Other prompts", kinds, "kind")
    st.session_state[KIND_KEY] = kind
    return kind


def _headline(model: str, kind: SwapKind, measures: SwapMeasures) -> None:
    word, reason = verdict(measures.retention, measures.own_gap, rules())
    title = plain(model_titles().get(model, model))
    st.markdown(f"**{title}: {word}.** {plain(reason)}{_still_right(measures)}")
    st.caption(
        f"{kind} · {KIND_MEANING[kind]} Measures and words are the workbench's own reading."
        if kind in KIND_MEANING
        else plain(kind)
    )
    for column, name in zip(st.columns(len(HEADLINES)), HEADLINES, strict=True):
        with column:
            measured = getattr(measures, name)
            note = ""
            if name == "swapped_accuracy":
                note = f"{measures.own_accuracy.estimate.value:.0%} under the own prompts"
            measure_metric(name, measured, note=note)


def _still_right(measures: SwapMeasures) -> str:
    """A word where a small rest of the gap still decides most pairs."""
    left, accuracy = measures.retention.estimate, measures.swapped_accuracy.estimate
    if left.high < rules().ignores_above and accuracy.low > CHANCE:
        return (
            f" What is left still prefers the chosen response in {accuracy.value:.0%} of readings: "
            "some of it needs no prompt."
        )
    return ""


def _figures(setup: Setup, found: Scored[SwapResult], model: str, kind: SwapKind) -> None:
    result = found.results[model]
    rows = result.pairs.loc[result.pairs["kind"] == kind]
    n_drawn = int((rows["own_gap"].notna() & rows["swapped_mean"].notna()).sum())
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Each pair's gap under other prompts, against its own**")
        event = st.plotly_chart(
            own_against_swapped(result, kind),
            key=f"{NAME}-scatter",
            on_select="rerun",
            selection_mode="points",
            alt="Each pair's mean gap under other prompts against its own gap",
        )
        st.caption(
            f"One point a pair (n = {n_drawn}), bars ± one standard deviation over its other "
            "prompts. On the dotted line the prompt changes nothing; on the horizontal axis the "
            "preference is gone. Click a point to read the pair."
        )
    with right:
        st.markdown("**The same pairs in order of their own gap**")
        st.plotly_chart(
            swapped_band(result, kind),
            key=f"{NAME}-band",
            alt="Own gaps in order, with the band of gaps under other prompts",
        )
        st.caption(
            f"n = {n_drawn} pairs. A band that climbs with the blue line follows the responses, "
            "whatever was asked; a band around zero follows the prompt. After figure 1 (left) of "
            "arXiv 2504.06020."
        )
    picked = _picked(event["selection"]["points"])
    if picked is not None:
        _one_pair(setup, found, model, picked)


def _picked(points: Sequence[dict[str, object]]) -> str | None:
    for point in points:
        data = point.get("customdata")
        name = data[0] if isinstance(data, list | tuple) and data else data
        if isinstance(name, str):
            return html.unescape(name)
    return None


def _one_pair(setup: Setup, found: Scored[SwapResult], model: str, pair_id: str) -> None:
    """The pair behind a point: its gap under each prompt."""
    gaps = found.results[model].gaps
    rows = gaps.loc[gaps["pair_id"] == pair_id]
    if rows.empty:
        return
    with st.container(border=True):
        st.markdown(f"**Pair {plain(pair_id)}** under each prompt")
        named_table(
            rows[["kind", "prompt_text", "note", "gap", "reward_chosen", "reward_rejected"]],
            key=f"{NAME}-one-pair",
        )
        own = rows.loc[rows["kind"] == OWN].iloc[0]
        side_by_side({"chosen": own["chosen"], "rejected": own["rejected"]})
        open_pair_button(setup, found.conversations, (pair_id, OWN, 0), key="one-pair")


def _tables(setup: Setup, result: SwapResult, kind: SwapKind) -> None:
    with st.expander("All kinds of other prompts, all measures", icon=":material/table:"):
        measures_table(result.table(), key=f"{NAME}-measures")
    if result.slices.empty:
        return
    name = plain(str(setup.options.slice_by))
    with st.expander(f"By {name}", icon=":material/segment:"):
        rows = result.slices.loc[
            (result.slices["kind"] == kind)
            & result.slices["measure"].isin(["retention", "flip_rate", "swapped_accuracy"])
        ]
        st.caption(
            "High retention is no defect where quality needs no prompt (tone, fluency, safety). "
            "It is one where only the prompt can tell, as in responses to another question."
        )
        measures_table(rows.drop(columns="kind"), key=f"{NAME}-slices")


def _offenders(setup: Setup, found: Scored[SwapResult], model: str) -> None:
    st.markdown("##### Where a wrong prompt was preferred")
    by = one_of("Ordered by", OFFENDER_ORDERS, "offender-order", ORDER_NAMES)
    rows = worst_offenders(found.results[model], by=by)
    if rows.empty:
        st.caption("No pair here prefers another prompt to its own.")
        return
    shown = rows[["pair_id", "kind", "prompt_text", "own_gap", "gap", f"{by}_excess"]]
    st.caption(
        f"The {len(rows)} worst readings, the largest excess first: the pair's own gap, its gap "
        "under the wrong prompt, and by how much the wrong one is ahead. Select a row to read it."
    )
    event = named_table(
        shown,
        key=f"{NAME}-offenders-{by}",
        on_select="rerun",
        selection_mode="single-row",
        height=240,
    )
    selected = [row for row in event["selection"]["rows"] if row < len(rows)]
    if selected:
        _offender(setup, found, rows.iloc[selected[0]])


def _offender(setup: Setup, found: Scored[SwapResult], row: "pd.Series[object]") -> None:
    with st.container(border=True):
        side_by_side({"own prompt": row["own_prompt_text"], "wrong prompt": row["prompt_text"]})
        side_by_side({"chosen": row["chosen"], "rejected": row["rejected"]})
        st.caption(
            f"Gap {row['own_gap']:+.3f} under the own prompt, {row['gap']:+.3f} under the wrong one"
        )
        at = (row["pair_id"], row["kind"], row["swap"])
        open_pair_button(setup, found.conversations, at, key="offender")
