"""Process rewards: step scores, what becomes of them, and the first error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.choices import one_of
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.other_rewards.process_own import own_solutions
from app_pages.common.other_rewards.take_along import Taken, own_solutions_python, process_python
from app_pages.common.other_rewards.work import (
    NAME,
    ScoredChains,
    cards_of,
    score_chains,
    step_rewards,
    told,
)
from core.figures.other_rewards import step_strip
from core.labs.process.aggregation import AGGREGATES, aggregate_steps
from core.labs.process.benchmark import (
    FirstErrors,
    FloatArray,
    first_errors,
    position_share,
    ranking_by_aggregate,
)
from core.models.card import RewardModelCard
from core.report import pack_estimates
from core.schema import content_id, make_conversation

PLANTED, OWN = "planted", "own"
SOURCES = {PLANTED: "Planted errors", OWN: "My file"}
CALIBRATED, FIXED = "calibrated", "fixed"
THRESHOLDS = {CALIBRATED: "From 30 % of the problems", FIXED: "My own"}
QUESTION = "Start with 12, then add 7, then multiply by 3. What do you get?"
STEPS = "Step 1: 12 + 7 = 19.\nStep 2: 19 * 3 = 54.\nStep 3: The answer is 54."


def process_view() -> Taken | None:
    """The tab: one response's strip, then first errors on chains with planted ones."""
    st.markdown(
        "A process reward model scores every step. How step scores become one reward is a choice, "
        "and it decides what is punished: one bad step (min), many steps (product), only the end "
        "(last), or the average (mean)."
    )
    cards = cards_of("process")
    model = st.selectbox(
        "Process model",
        list(cards),
        format_func=lambda name: cards[name].title or name,
        key=f"{NAME}-process-model",
        help="Cards of the family “process”. Those of a public model are downloaded first.",
    )
    card = cards[model]
    st.caption(plain(card.summary))
    _one_text(model)
    st.markdown("##### Does it find the first wrong step?")
    source = one_of(
        NAME,
        "Solutions",
        list(SOURCES),
        "process-source",
        SOURCES,
        hint="Chains of arithmetic with a planted error, or a file with labels.",
    )
    return _benchmark(model, card) if source == PLANTED else _own(model)


def _one_text(model: str) -> None:
    st.markdown("##### One response, step by step")
    with st.form(f"{NAME}-process-text", border=False):
        prompt = st.text_input(
            "Question", QUESTION, key=f"{NAME}-process-prompt", help="A user's turn."
        )
        response = st.text_area(
            "Response",
            STEPS,
            key=f"{NAME}-process-response",
            height=100,
            help="Cut into steps at the separator of the model's card.",
        )
        if st.form_submit_button("Score the steps", icon=":material/play_arrow:"):
            st.session_state[f"{NAME}-process-asked"] = (prompt, response)
    asked = st.session_state.get(f"{NAME}-process-asked")
    if asked is None:
        return
    outcome = tasks().outcome(
        (NAME, "steps", model, content_id(list(asked))),
        lambda: step_rewards(model, [make_conversation(*asked)])[0],
    )
    if not is_there(outcome, "Scoring the steps …"):
        return
    found = outcome.value
    st.plotly_chart(
        step_strip(found.steps, found.scores, title="Score of each step"),
        key=f"{NAME}-strip",
        width="stretch",
    )
    rewards = {rule: aggregate_steps(found.scores, rule) for rule in AGGREGATES}
    st.dataframe(
        pd.DataFrame([{rule: f"{value:.4f}" for rule, value in rewards.items()}]),
        hide_index=True,
        width="stretch",
    )
    st.caption(
        f"The words for good and bad capture between {found.mass.min():.1%} and "
        f"{found.mass.max():.1%} of the probability after a step; the rest is not looked at."
    )


def _benchmark(model: str, card: RewardModelCard) -> Taken | None:
    st.caption(
        "Chains of arithmetic in which one step is made wrong, each beside its sound twin, so that "
        "the labels are exact. The threshold comes from 30 % of the problems, the numbers from the "
        "others. The measure is ProcessBench's: F1 is the harmonic mean of the accuracy on wrong "
        "and on sound solutions."
    )
    left, right = st.columns([0.3, 0.7], vertical_alignment="bottom")
    n = left.slider(
        "Problems",
        8,
        60,
        16,
        key=f"{NAME}-chains",
        help="Each has two solutions of four steps. More of them make the interval shorter.",
    )
    key = f"{NAME}-chains-asked"
    if right.button("Score the chains", key=f"{NAME}-chains-run", icon=":material/play_arrow:"):
        st.session_state[key] = (model, n)
    if st.session_state.get(key) != (model, n):
        return None
    separator = card.process.separator if card.process is not None else "\n"
    outcome = tasks().outcome((NAME, "chains", model, n), lambda: _measured(model, separator, n))
    if not is_there(outcome, f"Scoring {8 * n} steps …"):
        return None
    scored, found, ranking = outcome.value
    shown = [
        _Shown(each.prompt, reading.steps, reading.scores, each.label)
        for each, reading in zip(scored.solutions, scored.readings, strict=True)
    ]
    _show(scored.table, shown, found, ranking)
    return Taken(
        f"First errors by {model}",
        {"ranking": ranking, "steps": _steps_table(scored), "estimates": _estimates(found)},
        {
            "source": f"{n} chains of arithmetic, two solutions each; threshold "
            f"{found.threshold:.4f} from {found.n_calibration} of them.",
            "problems": n,
            "seed": 0,
        },
        (model,),
        process_python(model, n),
    )


def _own(model: str) -> Taken | None:
    """First errors in the solutions of a file."""
    own = own_solutions(model)
    if own is None:
        return None
    st.caption(plain(own.words))
    left, right = st.columns([0.5, 0.5], vertical_alignment="bottom")
    with left:
        way = one_of(
            NAME,
            "Threshold",
            list(THRESHOLDS),
            "process-threshold",
            THRESHOLDS,
            hint="The problems that choose it are not among those the numbers are about.",
        )
    threshold = None
    if way == FIXED:
        threshold = right.number_input(
            "A step below it is an error", 0.0, 1.0, 0.5, 0.05, key=f"{NAME}-process-fixed"
        )
    table = own.table
    outcome = tasks().outcome(
        (NAME, "own-errors", own.key, threshold), lambda: _errors(table, threshold)
    )
    if not is_there(outcome, "Measuring …"):
        return None
    found, ranking = outcome.value
    shown = [
        _Shown(
            each.prompt or each.name,
            each.steps or tuple(f"step {number + 1}" for number in range(len(scores))),
            np.asarray(scores, dtype=np.float64),
            each.label,
        )
        for each, scores in zip(own.shown, table["scores"], strict=True)
    ]
    _show(table, shown, found, ranking)
    if own.readings:
        mass = np.concatenate([each.mass for each in own.readings])
        st.caption(
            f"The words for good and bad capture {mass.mean():.1%} of the probability on average."
        )
    chosen = f"threshold {found.threshold:.4f}" + (
        f" from {found.n_calibration} of them." if threshold is None else ", given."
    )
    return Taken(
        "First errors in a file's solutions",
        {
            "ranking": ranking,
            "steps": table.drop(columns="scores").assign(
                scores=[" ".join(f"{value:.4f}" for value in each) for each in table["scores"]]
            ),
            "estimates": _estimates(found),
        },
        {"source": f"{own.words} {chosen}", "own": True, "seed": 0},
        (model,) if own.readings else (),
        own_solutions_python(own.python, threshold),
    )


def _errors(table: pd.DataFrame, threshold: float | None) -> tuple[FirstErrors, pd.DataFrame]:
    rng = np.random.default_rng(0)
    return first_errors(table, rng=rng, threshold=threshold), ranking_by_aggregate(table, rng=rng)


def _estimates(found: FirstErrors) -> pd.DataFrame:
    return pack_estimates(
        {
            "F1": found.f1,
            "accuracy on wrong solutions": found.on_erroneous,
            "accuracy on sound solutions": found.on_correct,
        }
    )


def _steps_table(scored: ScoredChains) -> pd.DataFrame:
    """One row a step."""
    return pd.DataFrame(
        [
            {
                "problem_id": each.problem_id,
                "label": each.label,
                "step": number,
                "text": text,
                "score": float(score),
                "mass": float(mass),
            }
            for each, reading in zip(scored.solutions, scored.readings, strict=True)
            for number, (text, score, mass) in enumerate(
                zip(reading.steps, reading.scores, reading.mass, strict=True)
            )
        ]
    )


def _measured(model: str, separator: str, n: int) -> tuple[ScoredChains, FirstErrors, pd.DataFrame]:
    scored = score_chains(model, separator, n, seed=0)
    return scored, *_errors(scored.table, None)


@dataclass(frozen=True)
class _Shown:
    """A solution as its strip shows it."""

    title: str
    steps: tuple[str, ...]
    scores: FloatArray
    label: int


def _show(
    table: pd.DataFrame, shown: Sequence[_Shown], found: FirstErrors, ranking: pd.DataFrame
) -> None:
    columns = st.columns(3)
    cells = {
        "F1": found.f1,
        "on wrong solutions": found.on_erroneous,
        "on sound solutions": found.on_correct,
    }
    for column, (label, estimate) in zip(columns, cells.items(), strict=True):
        column.metric(
            label,
            f"{estimate.value:.2f}" if np.isfinite(estimate.value) else "–",
            help="Share whose first wrong step (or its absence) is named; F1 joins the two.",
        )
        column.caption(f"95 %: {told(estimate)}, {estimate.n} solutions")
    st.markdown(_in_words(table, found, ranking))
    if found.f1.low == found.f1.high:
        st.caption("An interval without width: the solutions agree, and too few of them to differ.")
    left_out = "; ".join(f"{why}: {n}" for why, n in found.left_out.items())
    if left_out:
        st.caption(f":material/info: Left out: {plain(left_out)}.")
    st.dataframe(
        ranking.dropna(axis="columns", how="all"),  # solutions of one length: nothing to correlate
        hide_index=True,
        width="stretch",
        column_config={
            "auc": st.column_config.NumberColumn("AUC", format="%.3f"),
            "low": st.column_config.NumberColumn(format="%.3f"),
            "high": st.column_config.NumberColumn(format="%.3f"),
            "length": st.column_config.NumberColumn("rank correlation with steps", format="%.2f"),
        },
    )
    wrong = [i for i, each in enumerate(shown) if each.label >= 0]
    if not wrong:
        return
    chosen = st.selectbox(
        "A wrong solution",
        wrong,
        format_func=lambda i: shown[i].title,
        key=f"{NAME}-chain-shown",
        help="Its first wrong step is marked; the dotted line is the threshold.",
    )
    each = shown[chosen]
    st.plotly_chart(
        step_strip(each.steps, each.scores, threshold=found.threshold, label=each.label),
        key=f"{NAME}-chain",
        width="stretch",
    )


def _in_words(table: pd.DataFrame, found: FirstErrors, ranking: pd.DataFrame) -> str:
    others = "others" if found.n_calibration else "solutions"
    source = f" from {found.n_calibration} solutions" if found.n_calibration else ""
    text = (
        f"With a threshold of {found.threshold:.3f}{source}, "
        f"{int(found.predictions['right'].sum())} of {len(found.predictions)} {others} are "
        "labelled rightly."
    )
    if ranking["auc"].notna().any():
        best = ranking.loc[ranking["auc"].idxmax()]
        chance = " That cannot be told from chance." if best["low"] <= 0.5 <= best["high"] else ""
        text += (
            f" As a reward of whole solutions, **{best['aggregate']}** has the highest area under "
            f"the curve, {best['auc']:.2f} [{best['low']:.2f}, {best['high']:.2f}] over "
            f"{best['n']} solutions; the four are not tested against each other.{chance}"
        )
    else:
        text += " All solutions are of one kind, so no reward can tell the kinds apart."
    share = position_share(table)
    if np.isfinite(share):
        text += f" A step's number alone explains {share:.0%} of the variance of step scores" + (
            ": they say where a step stands rather than whether it is right." * (share > 0.5)
        )
        text += "" if share > 0.5 else "."
    return text
