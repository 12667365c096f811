"""Implicit rewards: what a policy prefers to the model it came from, and what length has to do."""

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.choices import one_of
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.other_rewards.implicit_own import own_pairs
from app_pages.common.other_rewards.take_along import RECORDED_RESPONSES, Taken, implicit_python
from app_pages.common.other_rewards.work import (
    DPO,
    NAME,
    cards_of,
    recorded_rewards,
    token_ratios,
    told,
)
from core.figures.other_rewards import length_scatter, token_bars
from core.labs.implicit.length import RULES, LengthEffect, LengthReport, length_report
from core.report import pack_estimates
from core.schema import content_id, make_conversation
from core.stats import Estimate

MEANING = {
    "sum": "Sum over tokens, the one that DPO trains",
    "mean": "Mean per token",
}
ROWS = {
    "pairs ranked rightly": "accuracy",
    "… chosen is longer": "accuracy_long",
    "… chosen is shorter": "accuracy_short",
    "longer one preferred": "prefers_longer",
}
"""Shares of pairs, by the field of `LengthEffect`."""
RECORDED, OWN = "recorded", "own"
SOURCES = {RECORDED: f"Recorded, {DPO}", OWN: "Scored here"}
RECORDED_WORDS = (
    f"{DPO}: the embedded model after DPO on authored pairs, on the pairs held out from its "
    "training; the rewards were recorded in float32 when it was published."
)


def implicit_view() -> Taken | None:
    """The tab: recorded rewards against length, then one text token by token."""
    st.markdown(
        "A policy and the model it was trained from make a reward: "
        r"$r = \beta\,(\log \pi(y \mid x) - \log \pi_{\mathrm{ref}}(y \mid x))$. "
        "It compares responses to one prompt only; a term of the prompt alone is unknown."
    )
    taken = _length()
    _one_text()
    return taken


def _length() -> Taken | None:
    st.markdown("##### What it owes to length")
    source = one_of(
        NAME,
        "Pairs",
        list(SOURCES),
        "implicit-source",
        SOURCES,
        hint="Recorded rewards are there at once; other pairs are scored here.",
    )
    recorded = tasks().outcome((NAME, "length"), _measured)
    if source == RECORDED:
        st.caption(RECORDED_WORDS)
        if not is_there(recorded, "Measuring …"):
            return None
        table, report = recorded.value
        rule = _drawn(table, report, None)
        title, words, models = f"Implicit rewards of {DPO} and length", RECORDED_WORDS, ()
        python = implicit_python(RECORDED_RESPONSES.format(model=DPO))
    else:
        own = own_pairs()
        if own is None or not is_there(recorded, "Measuring …"):
            return None
        st.caption(plain(own.words))
        table, report = own.table, own.report
        rule = _drawn(table, report, recorded.value[1])
        title, words = f"Implicit rewards of {own.model} and length", own.words
        models, python = (own.model,), implicit_python(own.python)
    return Taken(
        title,
        {"responses": table, "estimates": pack_estimates(_named(report))},
        {"source": words, "rule": rule, "seed": 0},
        models,
        python,
        ("Rewards of different prompts are not comparable.",),
    )


def _drawn(table: pd.DataFrame, report: LengthReport, recorded: LengthReport | None) -> str:
    """Figure and numbers, beside the recorded ones where these are others; the rule chosen."""
    rule = one_of(
        NAME,
        "Reward",
        list(RULES),
        "rule",
        MEANING,
        hint="The sum adds up the log-ratios of all tokens, positive or negative; the mean divides "
        "by their number.",
    )
    left, right = st.columns([0.58, 0.42], gap="medium")
    with left:
        figure = length_scatter(table, rule, title=MEANING[rule])
        st.plotly_chart(figure, key=f"{NAME}-length", width="stretch")
    effect = next(each for each in report.effects if each.rule == rule)
    with right:
        st.markdown(_reading(effect))
        st.dataframe(_effects_table(report), hide_index=True, width="stretch")
        st.caption(
            f"Sum and mean choose the same winner in {told(report.same_winner)} of "
            f"{report.same_winner.n} pairs; Kendall's tau over all {report.agreement.n} "
            f"responses is {told(report.agreement)}. Intervals: 95 %, over "
            f"{report.agreement.n_prompts} prompts."
        )
    left_out = "; ".join(f"{why}: {n}" for why, n in report.left_out.items())
    if left_out:
        st.caption(f":material/info: Left out: {plain(left_out)}.")
    if recorded is not None:
        st.markdown("**Beside the recorded result**")
        st.dataframe(
            _beside(report, recorded, rule), hide_index=True, width="stretch", key=f"{NAME}-beside"
        )
        st.caption(RECORDED_WORDS)
    return rule


def _beside(report: LengthReport, recorded: LengthReport, rule: str) -> pd.DataFrame:
    """The chosen reward's numbers on both sets of pairs."""
    fields = {**ROWS, "correlation with length": "slope", "for 100 tokens more": "per_token"}
    rows = []
    for label, field in fields.items():
        row: dict[str, object] = {"": label}
        for name, each in (("these pairs", report), ("recorded", recorded)):
            effect = next(found for found in each.effects if found.rule == rule)
            estimate: Estimate = getattr(effect, field)
            row[name] = told(estimate) if field != "per_token" else _for_100(estimate)
            row[f"n {name}"] = estimate.n
        rows.append(row)
    return pd.DataFrame(rows)


def _for_100(found: Estimate) -> str:
    if not np.isfinite(found.value):
        return "not estimable"
    return f"{100 * found.value:+.3f} [{100 * found.low:+.3f}, {100 * found.high:+.3f}]"


def _named(report: LengthReport) -> dict[str, Estimate]:
    """All estimates by what they are."""
    fields = {
        "correlation with length": "slope",
        "reward for one more token": "per_token",
        **ROWS,
    }
    named = {
        f"{each.rule}: {label}": getattr(each, field)
        for each in report.effects
        for label, field in fields.items()
    }
    return named | {
        "Kendall's tau of sum and mean": report.agreement,
        "pairs with the same winner": report.same_winner,
    }


def _measured() -> tuple[pd.DataFrame, LengthReport]:
    table = recorded_rewards()
    return table, length_report(table, rng=np.random.default_rng(0))


def _reading(effect: LengthEffect) -> str:
    slope = effect.per_token
    if slope.low > 0:
        verdict = "Longer responses get more"
    elif slope.high < 0:
        verdict = "Longer responses get less"
    else:
        verdict = "No effect of length is resolved"
    return (
        f"**{verdict}**: {_for_100(slope)} for each 100 tokens within a prompt; correlation "
        f"{told(effect.slope)}. The chosen response gets the higher reward in "
        f"{told(effect.accuracy)} of {effect.accuracy.n} pairs."
    )


def _effects_table(report: LengthReport) -> pd.DataFrame:
    found = []
    for label, field in ROWS.items():
        estimates = {each.rule: getattr(each, field) for each in report.effects}
        found.append(
            {
                "share of pairs": label,
                **{rule: told(each) for rule, each in estimates.items()},
                "n": estimates["sum"].n,
            }
        )
    return pd.DataFrame(found)


def _one_text() -> None:
    st.markdown("##### One response, token by token")
    cards = cards_of("implicit")
    with st.form(f"{NAME}-implicit-text", border=False):
        model = st.selectbox(
            "Model",
            list(cards),
            format_func=lambda name: cards[name].title or name,
            key=f"{NAME}-implicit-model",
            help="Cards of the family “implicit”: a policy with its reference.",
        )
        prompt = st.text_input(
            "Prompt", "Why is the sky blue?", key=f"{NAME}-implicit-prompt", help="A user's turn."
        )
        response = st.text_area(
            "Response",
            "Air scatters short blue wavelengths more than long red ones.",
            key=f"{NAME}-implicit-response",
            height=80,
            help="Its tokens and the end-of-turn token after them are compared.",
        )
        if st.form_submit_button("Compare policy and reference", icon=":material/play_arrow:"):
            st.session_state[f"{NAME}-implicit-asked"] = (model, prompt, response)
    asked = st.session_state.get(f"{NAME}-implicit-asked")
    if asked is None:
        return
    model, prompt, response = asked
    outcome = tasks().outcome(
        (NAME, "tokens", content_id(list(asked))),
        lambda: token_ratios(model, make_conversation(prompt, response)),
    )
    if not is_there(outcome, "Reading the response with both models …"):
        return
    reading, reward = outcome.value
    n = len(reading.pieces)
    best = int(np.argmax(np.abs(reading.ratios)))
    st.plotly_chart(
        token_bars(reading.pieces, reading.ratios, title=f"Reward {reward:+.4f}"),
        key=f"{NAME}-tokens",
        width="stretch",
    )
    cut = f" {reading.n_cut} tokens were cut." if reading.n_cut else ""
    st.caption(
        f"{n} tokens with the end of the turn (dotted: the sum so far); the log-ratios "
        f"sum to {reading.ratios.sum():+.3f} "
        f"nats, {reading.ratios.mean():+.4f} per token. The largest is token {best + 1}, "
        f"“{plain(reading.pieces[best].strip())}”, with {reading.ratios[best]:+.3f}.{cut}"
    )
