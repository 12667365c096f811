"""Tab: a scalar reward model on the same items, what judgements cost, and what others report."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there, run_lab
from app_pages.common.markup import plain
from app_pages.common.model_choice import choose_lab_models
from app_pages.common.reasoning.setup import NAME, Setup, one_of
from app_pages.common.reasoning.voting_view import shown_aggregation
from app_pages.common.reasoning.words import difference_words, unknown_cost
from app_pages.common.reasoning.work import budget_of, keep
from core.figures import reasoning as figures
from core.labs.reasoning.ballots import Ballots
from core.labs.reasoning.budget import (
    ALL,
    ScalarAgainst,
    item_plan,
    judge_credits,
    rewards_by_item,
    scalar_against,
    scalar_credits,
    stored_rewards,
)
from core.labs.reasoning.counter_evidence import counter_evidence
from core.labs.reasoning.voting import Aggregation
from core.stats import FloatArray

STORED, MODEL = "rewards in the file", "a model here"
AGAINST = {
    "scalar": "scalar model",
    "scalar_low": "from",
    "scalar_high": "to",
    "judge": "judge",
    "judge_low": "from ",
    "judge_high": "to ",
    "difference": "judge minus scalar",
    "low": "from  ",
    "high": "to  ",
    "p_value": "p",
    "p_adjusted": "p adjusted",
    "detectable": "detectable",
}
BUDGET = {
    "value": "accuracy",
    "low": "from",
    "high": "to",
    "per_1000": "for each 1,000 tokens",
    "gain_per_1000": "above guessing, for each 1,000",
}


def scalar_view(setup: Setup) -> None:
    """The whole tab."""
    if setup.ballots is None:
        st.info(plain(setup.why_not), icon=":material/info:")
    else:
        _against(setup, setup.ballots)
    st.divider()
    reported()


def reported() -> None:
    """What papers and repositories report: the counter-evidence."""
    table = counter_evidence()
    st.markdown("##### What others report")
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            figures.reported_accuracies(table),
            key=f"{NAME}-reported",
            alt="Reported accuracies of reasoning judges and scalar models by benchmark",
        )
    with right:
        st.dataframe(table, hide_index=True, height=320, key=f"{NAME}-reported-table")
    best = table.loc[table["benchmark"] == "RewardBench"].groupby("kind")["value"].max()
    st.caption(
        f"References, not measured here. On RewardBench the best scalar model of this table has "
        f"{best['scalar']:.1f}, the best reasoning judge {best['reasoning judge']:.1f}. Each row "
        "says how it is known; second-hand numbers were read about, not in, their paper."
    )


def _against(setup: Setup, ballots: Ballots) -> None:
    rewards, model = _rewards(setup)
    aggregation = shown_aggregation(setup)
    budget, k, words = _spend(ballots)
    scalar_value: float | None = None
    if rewards is not None:
        found = _compared(setup, ballots, rewards, aggregation, budget, k)
        if found is not None:
            keep("against", setup, (found, model, words))
            scalar_value = found.scalar.value
            _shown(found, words, aggregation)
    curve = budget_of(setup, aggregation)
    if curve is None:
        return
    keep("budget", setup, curve)
    _budget(curve, scalar_value, aggregation)
    if ballots.n_uncounted:
        st.caption(f":material/info: {unknown_cost(ballots)}")


def _rewards(setup: Setup) -> tuple[Mapping[str, FloatArray] | None, str]:
    """Rewards of each item's candidates, and the model that gave them ("" for the file's)."""
    stored = stored_rewards(setup.judgements)
    source = one_of(
        "Scalar rewards",
        [*([STORED] if stored else []), MODEL],
        "scalar-source",
        hint="Rewards that came with the items, or a reward model of this workbench that scores "
        "their responses now.",
    )
    if source == STORED:
        return stored, ""
    models = choose_lab_models(f"{NAME}-scalar", default=["pocket"], most=1, label="Scalar model")
    plan = item_plan(setup.judgements)
    if not len(plan):
        st.info("The table does not hold the items' texts, so nothing can be scored.",
                icon=":material/info:")  # fmt: skip
        return None, ""
    scored: Mapping[str, pd.DataFrame] | None = run_lab(
        f"{NAME}-scalar",
        models,
        [setup.key],
        plan=lambda: plan,
        result=dict,
    )
    if not scored:
        return None, ""
    model, table = next(iter(scored.items()))
    return rewards_by_item(table), model


def _spend(ballots: Ballots) -> tuple[float | None, int | None, str]:
    """The judge's budget: tokens of an item, or judgements where tokens are not known."""
    most = max(1, ballots.k_max)
    if not ballots.has_tokens:
        k = most
        if most > 1:
            k = int(st.slider("Judgements of an item", 1, most, most, key=f"{NAME}-spend-k-{most}",
                              help="How many vote."))  # fmt: skip
        return None, k, f"{k} judgements of an item"
    each = np.concatenate([item.tokens[np.isfinite(item.tokens)] for item in ballots.items])
    mean = max(1, round(float(each.mean())))
    budget = int(
        st.slider(
            "Tokens the judge may write on an item", 0, mean * most, mean * most,
            max(1, mean // 4), key=f"{NAME}-spend-{mean}-{most}",
            help="Each item gets as many judgements as this pays for, by its own mean length. At "
            "none, the judge is undecided everywhere: a tie.",
        )
    )  # fmt: skip
    return float(budget), None, f"at most {budget:,} tokens written on an item"


def _compared(
    setup: Setup,
    ballots: Ballots,
    rewards: Mapping[str, FloatArray],
    aggregation: Aggregation,
    budget: float | None,
    k: int | None,
) -> ScalarAgainst | None:
    options = setup.options
    told = [(name, values.tolist()) for name, values in sorted(rewards.items())]

    def compute() -> ScalarAgainst:
        judged = judge_credits(ballots, aggregation, k=k, budget=budget, options=options)
        return scalar_against(judged, scalar_credits(ballots, rewards, options.ties), options)

    outcome = tasks().outcome(
        ("reasoning-against", setup.key, aggregation, budget, k, hash(str(told))), compute
    )
    return outcome.value if is_there(outcome, "Comparing with the scalar model …") else None


def _shown(found: ScalarAgainst, words: str, aggregation: str) -> None:
    table = found.table
    subsets = table.loc[table["subset"] != ALL]
    ahead = int((subsets["difference"] > 0).sum())
    st.markdown(difference_words(found.difference, ahead, len(subsets)))
    left, right = st.columns([0.55, 0.45], gap="medium")
    with left:
        st.plotly_chart(
            figures.scalar_differences(table),
            key=f"{NAME}-differences",
            alt="Accuracy of the judge minus that of the scalar model by subset",
        )
    with right:
        st.dataframe(
            table, hide_index=True, key=f"{NAME}-against-table", column_config=_named(AGAINST)
        )
    name = figures.AGGREGATION_NAMES[aggregation]
    st.caption(
        f"Judge: {name}, {words}. Paired by item, 95 % intervals over items (no arms: one item, "
        "or all alike, which is no certainty). p adjusted controls "
        "false discoveries over subsets; detectable is the smallest difference that would have "
        "been found four times in five."
    )
    for reason, n in found.left_out.items():
        st.caption(f":material/info: Left out: {plain(reason)} ({n}).")


def _budget(curve: pd.DataFrame, scalar: float | None, aggregation: str) -> None:
    if curve.empty:
        return
    first, last = curve.iloc[0], curve.iloc[-1]
    st.markdown(
        f"**Tokens and accuracy ({figures.AGGREGATION_NAMES[aggregation]}):** "
        f"{first['tokens']:.0f} tokens an item give {first['value']:.3f}, {last['tokens']:.0f} "
        f"give {last['value']:.3f}. Above guessing that is {first['gain_per_1000']:+.3f} and "
        f"{last['gain_per_1000']:+.3f} for each 1,000 tokens."
    )
    st.plotly_chart(
        figures.token_budget(curve, scalar=scalar),
        key=f"{NAME}-budget",
        alt="Accuracy by tokens written an item",
    )
    st.caption("What the judge reads is not counted. Band: 95 % interval over items.")
    with st.expander("The budget as a table", icon=":material/table:"):
        st.dataframe(
            curve, hide_index=True, key=f"{NAME}-budget-table", column_config=_named(BUDGET)
        )


def _named(columns: Mapping[str, str]) -> dict[str, Any]:
    """Shown names of columns with numbers, to three digits."""
    return {
        name: st.column_config.NumberColumn(shown, format="%.3f") for name, shown in columns.items()
    }
