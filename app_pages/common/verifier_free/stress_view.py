"""Tabs: the same answer in other words, and likelihoods against sampled answers."""

import numpy as np
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.verifier_free.quality_view import keep
from app_pages.common.verifier_free.setup import NAME, Setup, options_key
from core.errors import WorkbenchError
from core.figures.verifier_free import paraphrase_bars, variance_dots
from core.labs.verifier_free.aggregates import TITLES, aggregate_all
from core.labs.verifier_free.estimator import Demonstration, demonstrate
from core.labs.verifier_free.paraphrase import ParaphraseTest, paraphrase_test
from core.stats import Estimate


def paraphrase_view(setup: Setup) -> None:
    """Tab: the stress test."""
    table, score = setup.scores.table, setup.options.score
    key = options_key(setup)
    outcome = tasks().outcome((f"{NAME}-paraphrases", key), lambda: paraphrase_test(table, score))
    if is_there(outcome, "Comparing wordings …"):
        found: ParaphraseTest = keep("paraphrases", key, outcome.value)
        _stress(setup, found)


def _stress(setup: Setup, found: ParaphraseTest) -> None:
    if not len(found.problems):
        st.info(
            "No problem has two traces and a paraphrase with rewards for all.",
            icon=":material/info:",
        )
        return
    st.caption(
        "The derivation of a likelihood reward takes the answer to have one wording; 1/2 and 0.5 "
        "break that. Do other wordings still prefer the same traces?"
    )
    st.markdown(
        f"**Wording moves the {TITLES[setup.options.score]} {found.ratio.value:.2f} times as much "
        f"as the trace does** (variances; {_interval(found.ratio)}). A part of that is the same "
        f"for all traces and cancels in a group; what does not is "
        f"{found.interaction_ratio.value:.2f} of the variance between traces "
        f"({_interval(found.interaction_ratio)})."
    )
    st.markdown(
        f"A paraphrase turns round {found.flips.value:.0%} of the pairs of traces "
        f"({_interval(found.flips)}) and makes another trace the best in "
        f"{found.best_changes.value:.0%} of cases ({_interval(found.best_changes)})."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            paraphrase_bars(found.problems, title="Each problem"), key=f"{NAME}-paraphrases",
            alt="Variance over wordings against variance between traces",
        )  # fmt: skip
    with right:
        st.markdown("**The chosen problem, wording by wording**")
        rows = setup.scores.table.query("problem_id == @setup.problem.problem_id").copy()
        rows["score"] = aggregate_all(list(rows["ref_log_probabilities"]), setup.options.score)
        grid = rows.pivot(index="reference", columns="trace_id", values="score")
        labels = dict(zip(rows["trace_id"], rows["correct"], strict=True))
        words = {True: "right", False: "wrong", None: "not labelled"}
        grid.columns = [f"{name} ({words[labels[name]]})" for name in grid.columns]
        st.dataframe(grid.reset_index().rename(columns={"reference": "wording"}),
                     hide_index=True, key=f"{NAME}-wordings")  # fmt: skip
    left_out = "; ".join(f"{plain(why)} ({n})" for why, n in found.ratio.left_out.items())
    st.caption(
        f"{len(found.problems)} problems; 95% intervals: {found.ratio.method}. Scores before "
        f"debiasing. {'Left out: ' + left_out + '.' if left_out else 'Nothing was left out.'}"
    )


def estimator_view(setup: Setup) -> None:
    """Tab: the demonstration on the likelihoods of the chosen problem."""
    st.caption(
        "A checker pays 1 when a sampled answer is right, which happens with the probability R of "
        "the reference after the trace; VeriFree pays R itself. Both have the same mean. How far "
        "do they scatter?"
    )
    left, right = st.columns(2, gap="medium")
    with left:
        group = st.slider(
            "Samples a group", 2, 32, 8, 1, key=f"{NAME}-samples",
            help="Traces drawn for one estimate; VeriFree's training takes 8.",
        )  # fmt: skip
    with right:
        draws = st.select_slider(
            "Groups drawn", (2_000, 10_000, 20_000, 50_000), 20_000, key=f"{NAME}-draws",
            help="How many estimates the variances are measured on.",
        )  # fmt: skip
    rewards = aggregate_all(list(setup.group["ref_log_probabilities"]), "product")
    key = f"{options_key(setup)}-{setup.problem.problem_id}-{group}-{draws}"
    outcome = tasks().outcome(
        (f"{NAME}-estimator", key),
        lambda: _shown(rewards, int(group), int(draws)),
    )
    if not is_there(outcome, "Drawing groups …"):
        return
    found: Demonstration = keep("estimator", setup.problem.problem_id, outcome.value)
    table = found.table.set_index(["estimator", "quantity"])["analytic_variance"]
    ours, theirs = table["VeriFree", "reward"], table["sampled answer", "reward"]
    times = f"{theirs / ours:,.1f} times" if ours > 0 else "infinitely many times"
    st.markdown(
        f"**A sampled answer's reward has {times} the variance of the likelihood** "
        f"({theirs:.3g} against {ours:.3g}); the difference is E[R (1 − R)] / {int(group)} = "
        f"{found.saved:.3g}, by the law of total variance."
    )
    st.plotly_chart(
        variance_dots(found.table), key=f"{NAME}-variances", alt="Variance of both estimators"
    )
    listed = ", ".join(f"{value:.3g}" for value in rewards)
    st.caption(
        f"R of the traces of this problem: {listed}. Each trace is drawn with equal probability, "
        f"{int(draws):,} groups, seed 0; dots are drawn (whiskers two standard errors), diamonds "
        "follow from formulas. Gradients are those of a softmax over these traces, not of the "
        "language model. The probability of the reference's tokens counts as that of the answer, "
        "whatever might follow them."
    )
    with st.expander("Numbers", icon=":material/table:"):
        st.dataframe(found.table, hide_index=True, key=f"{NAME}-estimator-table")


def _shown(rewards: np.ndarray, group: int, draws: int) -> Demonstration:
    usable = rewards[np.isfinite(rewards)]
    if len(usable) < 2:
        raise WorkbenchError("The demonstration needs two traces with a likelihood or more.")
    return demonstrate(usable, group=group, n_draws=draws)


def _interval(estimate: Estimate) -> str:
    if not np.isfinite(estimate.low):
        return f"n = {estimate.n_prompts} problem, no interval"
    return f"{estimate.low:.2f} to {estimate.high:.2f}, {estimate.n_prompts} problems"
