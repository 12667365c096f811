"""Tab: pairs built again from the recorded samples, live, by a rule that is chosen."""

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.section_view import readable
from app_pages.common.self_rewarding.parts import bullets, left_out_note, one_line, show_pair
from app_pages.common.self_rewarding.setup import NAME, Setup, one_of
from app_pages.common.self_rewarding.work import (
    FEW_DRAWS,
    RULES,
    Building,
    building,
    computed,
    embeddings_of,
    rebuilt_of,
)
from core.figures.self_rewarding import SOURCE_NAMES, over_iterations, slot_bars
from core.labs.self_rewarding import in_words, iterations
from core.labs.self_rewarding.estimates import POOLED
from core.labs.self_rewarding.generations import Generations, altered
from core.labs.self_rewarding.iterations import IterationResult, rebuild
from core.labs.self_rewarding.pairs import CURRENT, FIRST, FUTURE
from core.schema import content_id

MEASURES = ("gap", "recorded_gap", "outside_gap", "outside_agrees", "cosine", "kept")
MEASURE_HELP = "; ".join(f"{iterations.MEASURES[name][0]}: {iterations.MEASURES[name][1]}"
                         for name in MEASURES)  # fmt: skip
TIES_HELP = (
    "Where several samples with different texts share the best or the worst score: leave the "
    "problem out, take the first one drawn, or one at random."
)


def builder_view(setup: Setup) -> None:
    """The whole tab."""
    st.markdown("##### What pairs would another rule have made of the same samples?")
    st.caption(
        "Switch anchoring and looking ahead on and off, take fewer samples, make the judge noisier "
        "or coarser: every pair is built again. What training on them would have led to is not "
        "told, as later samples stay those of the run as it was."
    )
    _controls(setup)
    chosen = building()
    found = rebuilt_of(setup, chosen)
    if found is None:
        return
    _without_future(setup, chosen)
    _rules(setup, chosen, found)
    if len(found.slots):
        for column, slot in zip(st.columns(2, gap="large"), ("rejected", "chosen"), strict=True):
            with column:
                st.markdown(f"**Who wrote the {slot}, by the chosen rule**")
                st.plotly_chart(slot_bars(found.slots, slot), key=f"{NAME}-built-{slot}")
        bullets(in_words.slot_sentences(found.slots))
    left_out_note(found.left_out)
    _one_problem(setup, chosen, found)


def _controls(setup: Setup) -> None:
    counts = setup.before_updates.table.groupby(["run", "iteration", "problem_id", "source"]).size()
    most = int(counts.max())
    with st.container(border=True):
        first, second, third, fourth = st.columns(4, gap="medium")
        with first:
            st.toggle(
                "Anchored rejection", True, key=f"{NAME}-anchored", persist_state="session",
                help="The rejected comes from the first model (M0) where its worst sample scores "
                "below the current model's worst.",
            )  # fmt: skip
            st.toggle(
                "Future-guided chosen", True, key=f"{NAME}-future", persist_state="session",
                help="The chosen comes from the provisional next model (Mf) where its best sample "
                "scores above the current model's best.",
            )  # fmt: skip
        with second:
            if most > 1:
                st.select_slider(
                    "Samples of each source (K)", [*range(1, most), "all"], "all",
                    key=f"{NAME}-k", persist_state="session",
                    help=f"Drawn at random from the up to {most} recorded ones. Fewer samples "
                    "give less extreme pairs.",
                )  # fmt: skip
        with third:
            st.slider(
                "Judge's noise", 0.0, 2.0, 0.0, 0.1, key=f"{NAME}-noise", persist_state="session",
                help="Normal noise added to every score, in standard deviations of all recorded "
                "scores. The gap widens, as extremes of noise are picked; the gap by recorded "
                "scores and the outside model's say how much of it is real.",
            )  # fmt: skip
        with fourth:
            st.selectbox(
                "Ties", ["drop", "first", "random"], key=f"{NAME}-ties", persist_state="session",
                help=TIES_HELP,
            )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            st.toggle(
                "Scores in whole points, 0 to 5", key=f"{NAME}-points", persist_state="session",
                help="As a judge with an additive rubric gives them: the lowest recorded score "
                "becomes 0, the highest 5. Whole points tie often.",
            )  # fmt: skip
            st.toggle(
                "Cosine by sentence embeddings", key=f"{NAME}-embeds", persist_state="session",
                help="all-MiniLM-L6-v2 on the response texts. It stands in for the policy's "
                "states, which are known of the recorded pairs only.",
                disabled=not _has_texts(setup),
            )  # fmt: skip
            st.number_input(
                "Seed", 0, 10**6, 0, key=f"{NAME}-seed", persist_state="session", width=120,
                help="Of the samples drawn, the noise and random ties.",
            )  # fmt: skip


def _has_texts(setup: Setup) -> bool:
    table = setup.before_updates.table
    return "response" in table.columns and bool(table["response"].notna().any())


def _without_future(setup: Setup, chosen: Building) -> None:
    """Says which runs have no samples for the rule to look ahead to."""
    table = setup.before_updates.table
    if not chosen.rule.future:
        return
    with_future = set(table.loc[table["source"] == FUTURE, "method"])
    without = [name for name in setup.methods if name not in with_future]
    if without:
        st.caption(
            f":material/info: {plain(', '.join(without))}: no samples of a future model were "
            "recorded, so the chosen stays the current model's."
        )


def _rules(setup: Setup, chosen: Building, found: IterationResult) -> None:
    """The four rules side by side, on the samples of one method."""
    with_future = setup.before_updates.table.query("source == @FUTURE")["method"].unique()
    methods = sorted(setup.methods, key=lambda name: name not in set(with_future))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        method = one_of(
            "Samples of", methods, "rules-method",
            hint="All rules are held against each other on the same recorded samples.",
        )  # fmt: skip
        there = [name for name in MEASURES if name in found.measures]
        names = {name: iterations.MEASURES[name][0] for name in MEASURES}
        measure = one_of("Measure", there, "rules-measure", names, hint=MEASURE_HELP)
    result = _by_rule(setup, chosen, method)
    if result is None:
        return
    label, meaning = iterations.MEASURES[measure]
    st.markdown(f"**{label} by rule, on the samples of {plain(method)}**", help=meaning)
    st.plotly_chart(over_iterations(result, measure, axis=label), key=f"{NAME}-rules-figure")
    bullets([_rules_sentence(result, measure, chosen.name)])
    st.caption(
        f"Bars: 95 % intervals over problems. Chosen now: {plain(chosen.words)} The intervals of "
        "rules overlap more than their differences would, as all rules see the same samples."
    )


def _by_rule(setup: Setup, chosen: Building, method: str) -> pd.DataFrame | None:
    """Pooled estimates of every rule, in the place of a method each."""
    embedded = embeddings_of(setup) if chosen.embeds else None
    if chosen.embeds and embedded is None:
        return None
    everything = setup.before_updates.table
    # Altered before the method is picked: a sample's noise is then the same as in the other tabs.
    table = altered(everything.assign(row=range(len(everything))), chosen.change)
    rows = (table["method"] == method).to_numpy()
    part = Generations(table.loc[rows].drop(columns=["row"]).reset_index(drop=True), 0)
    of_part = None if embedded is None else embedded.vectors[table.loc[rows, "row"].to_numpy()]

    def all_rules() -> pd.DataFrame:
        estimates = []
        for name, rule in RULES.items():
            own = replace(rule, ties=chosen.rule.ties)
            seed = replace(type(chosen.change)(), seed=chosen.change.seed)
            found = rebuild(part, own, seed, embeddings=of_part, n_draws=FEW_DRAWS)
            pooled = found.estimates.loc[found.estimates["run"] == POOLED]
            estimates.append(pooled.assign(method=name))
        return pd.concat(estimates, ignore_index=True)

    key = ("rules", setup.key, method, chosen.change, chosen.rule.ties, chosen.embeds)
    return computed(key, all_rules, "Building the pairs of every rule …")


def _rules_sentence(estimates: pd.DataFrame, measure: str, chosen: str) -> str:
    """First and last value of the measure under each rule, the chosen one first."""
    rows = estimates.loc[estimates["measure"] == measure].sort_values("iteration")
    parts = []
    for name in sorted(RULES, key=lambda each: each != chosen):
        values = rows.loc[rows["method"] == name, "value"]
        if len(values):
            parts.append(f"{name} {values.iloc[0]:.2f} to {values.iloc[-1]:.2f}")
    label = iterations.MEASURES[measure][0]
    return f"{label}, first to last iteration: {'; '.join(parts)}." if parts else ""


def _one_problem(setup: Setup, chosen: Building, found: IterationResult) -> None:
    """Every sample of one problem, and the pair that the rule makes of them."""
    st.markdown("##### One problem: its samples, and the pair")
    table = altered(setup.before_updates.table, chosen.change)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        runs = [str(run) for run in dict.fromkeys(table["run"])]
        runs.sort(key=lambda run: not run.startswith("temporal"))
        run = st.selectbox(
            "Run", runs, key=f"{NAME}-one-run-{content_id(runs)}",
            help="Which run's samples.",
        )  # fmt: skip
        of_run = table.loc[table["run"] == run]
        steps = sorted({int(step) for step in of_run["iteration"]})
        step = st.selectbox(
            "Iteration", steps, key=f"{NAME}-one-step-{content_id([run, steps])}", width=120,
            help="The samples that this iteration's pair is built from.",
        )  # fmt: skip
        of_step = of_run.loc[of_run["iteration"] == step]
        problems = [str(name) for name in dict.fromkeys(of_step["problem_id"])]
        prompts = setup.prompts
        problem = st.selectbox(
            "Problem", problems, key=f"{NAME}-one-problem-{content_id(problems)}",
            format_func=lambda name: one_line(prompts.get(str(name), str(name))),
            help="Its prompt.",
        )  # fmt: skip
    samples = of_step.loc[of_step["problem_id"] == problem]
    pairs = found.pairs.loc[
        (found.pairs["run"] == run)
        & (found.pairs["iteration"] == step)
        & (found.pairs["problem_id"] == problem)
    ]
    pair = None if pairs.empty else pairs.iloc[0]
    if pair is None:
        st.caption(":material/info: The rule makes no pair of this problem.")
    else:
        st.markdown(
            f"The gap is **{pair['gap']:.3f}**: the {SOURCE_NAMES[pair['chosen_source']]} scores "
            f"{pair['judge_chosen']:.3f}, the {SOURCE_NAMES[pair['rejected_source']]} "
            f"{pair['judge_rejected']:.3f}."
        )
    st.dataframe(readable(_samples(samples, pair)), hide_index=True, key=f"{NAME}-samples")
    if pair is not None:
        show_pair(prompts.get(str(problem)), pair.get("chosen"), pair.get("rejected"), "built")


def _samples(samples: pd.DataFrame, pair: "pd.Series[Any] | None") -> pd.DataFrame:
    """The samples by their score, with the place that each took."""
    roles = []
    for source, number in zip(samples["source"], samples["sample"], strict=True):
        taken = [
            side
            for side in ("chosen", "rejected")
            if pair is not None
            and (source, number) == (pair[f"{side}_source"], pair[f"{side}_sample"])
        ]
        roles.append(", ".join(taken))
    told = {FIRST: "first (M0)", CURRENT: "current (Mi)", FUTURE: "future (Mf)"}
    shown = samples.assign(became=roles, model=samples["source"].map(told))
    columns = ["became", "model", "sample", "judge_score", "recorded_score", "outside", "response"]
    there = [name for name in columns if name in shown.columns]
    return shown.sort_values("judge_score", ascending=False)[there]
