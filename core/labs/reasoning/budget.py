"""What judgements cost, and a scalar reward model on the same items.

Costs are tokens that a judge writes. What it reads is not counted, nor is what a scalar model
reads: a scalar model writes nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.labs.plan import Plan
from core.labs.reasoning.ballots import Ballot, Ballots
from core.labs.reasoning.curves import VotingOptions
from core.labs.reasoning.judgements import LETTERS, SCALAR_REWARDS, Judgements
from core.labs.reasoning.voting import (
    Aggregation,
    TiePolicy,
    can_aggregate,
    credit_of,
    vote_credits,
)
from core.schema import make_conversation
from core.stats import (
    Estimate,
    FloatArray,
    clustered_mean,
    clustered_share,
    clustered_standard_error,
    false_discovery,
    sign_flip_test,
    smallest_detectable_effect,
)

BUDGET_COLUMNS = (
    "budget", "votes", "tokens", "value", "low", "high", "per_1000", "gain_per_1000", "n",
)  # fmt: skip
ALL = "all items"


def item_plan(judgements: Judgements) -> Plan:
    """What a scalar model is to score: every candidate of every item with a known winner.

    Columns of the requests: item_id, letter, conversation.
    """
    rows, left_out = [], Counter[str]()
    for item in judgements.items.to_dict("records"):
        if not isinstance(item["best"], str):
            left_out["items without a known winner"] += 1
        elif not item["prompt"] or len(item["responses"]) != int(item["n_candidates"]):
            left_out["items without their texts"] += 1
        else:
            rows += [
                {
                    "item_id": item["item_id"],
                    "letter": LETTERS[at],
                    "conversation": make_conversation(item["prompt"], response),
                }
                for at, response in enumerate(item["responses"])
            ]
    requests = pd.DataFrame(rows, columns=["item_id", "letter", "conversation"])
    return Plan(requests, dict(left_out))


def rewards_by_item(scored: pd.DataFrame) -> dict[str, FloatArray]:
    """Rewards of each item's candidates in their own order, from a scored `item_plan`."""
    return {
        str(item_id): rows.sort_values("letter")["reward"].to_numpy(dtype=np.float64)
        for item_id, rows in scored.groupby("item_id", sort=False)
    }


def stored_rewards(judgements: Judgements) -> dict[str, FloatArray]:
    """Rewards of a scalar model that came with the items."""
    return {
        str(item["item_id"]): np.asarray(item[SCALAR_REWARDS], dtype=np.float64)
        for item in judgements.items.to_dict("records")
        if isinstance(item[SCALAR_REWARDS], list)
    }


def scalar_credits(
    ballots: Ballots, rewards: Mapping[str, npt.ArrayLike], ties: TiePolicy = "share"
) -> pd.Series:
    """What a scalar model earns by item: 1 if the right candidate has the highest reward.

    Items without rewards, or with one that is not finite, have NaN.
    """
    found = {}
    for item in ballots.items:
        values = np.asarray(rewards.get(item.item_id, ()), dtype=np.float64)
        usable = len(values) == item.n_candidates and bool(np.isfinite(values).all())
        found[item.item_id] = (
            float(credit_of(values[None, :], item.right, ties)[0]) if usable else float("nan")
        )
    return pd.Series(found, name="scalar", dtype="float64")


def affordable(ballot: Ballot, budget: float) -> int:
    """Judgements that a budget of tokens pays for, by the item's own mean; 0 to all of them."""
    mean = _mean_tokens(ballot)
    return int(np.clip(np.floor(budget / mean + 1e-9), 0, len(ballot))) if mean > 0 else 0


def judge_credits(
    ballots: Ballots,
    aggregation: Aggregation = "majority",
    *,
    k: int | None = None,
    budget: float | None = None,
    options: VotingOptions | None = None,
) -> pd.DataFrame:
    """What the judge earns by item, with k judgements of each, or as many as a budget pays for.

    Args:
        ballots: the votes.
        aggregation: how they are added up.
        k: judgements of each item; all of them by default.
        budget: tokens of each item, in the place of k. An item that it pays no judgement of is
            undecided, which is a tie of all its candidates.
        options: ties, filter and seed.

    Returns:
        Columns item_id, subset, credit (NaN where the item lacks what is added up), k, tokens.
    """
    chosen = options or VotingOptions()
    rows = []
    for item in ballots.items:
        asked = affordable(item, budget) if budget is not None else min(k or len(item), len(item))
        unknown_cost = budget is not None and not np.isfinite(item.tokens).any()
        if unknown_cost or not can_aggregate(item, aggregation):
            credit = float("nan")
        elif asked == 0:
            credit = float(credit_of(np.zeros((1, item.n_candidates)), item.right, chosen.ties)[0])
        else:
            credit = vote_credits(
                item, [asked], aggregation, ties=chosen.ties, k_meta=chosen.k_meta, seed=chosen.seed
            )[0].mean
        rows.append(
            {
                "item_id": item.item_id,
                "subset": item.subset,
                "credit": credit,
                "k": asked,
                "tokens": asked * _mean_tokens(item) if asked else 0.0,
            }
        )
    return pd.DataFrame(rows, columns=["item_id", "subset", "credit", "k", "tokens"])


def budget_curve(
    ballots: Ballots,
    aggregation: Aggregation = "majority",
    *,
    budgets: Sequence[float] | None = None,
    options: VotingOptions | None = None,
) -> pd.DataFrame:
    """Accuracy by tokens written an item.

    Columns: `BUDGET_COLUMNS`. `per_1000` is accuracy over thousands of tokens spent, as papers give
    it; it is largest for the smallest budget whatever the judge is worth. `gain_per_1000` is what
    is above guessing, over the same.
    """
    chosen = options or VotingOptions()
    known = [item for item in ballots.items if np.isfinite(item.tokens).any()]
    if not known:
        return pd.DataFrame(columns=list(BUDGET_COLUMNS))
    mean = float(np.mean([_mean_tokens(item) for item in known]))
    tried = budgets if budgets is not None else [mean * k for k in range(1, ballots.k_max + 1)]
    guess = float(np.mean([1 / item.n_candidates for item in ballots.items]))
    rows = []
    for budget in tried:
        found = judge_credits(ballots, aggregation, budget=budget, options=chosen)
        usable = found.loc[found["credit"].notna()]
        if usable.empty:
            continue
        accuracy = _share(usable["credit"], usable["item_id"], chosen)
        spent = float(usable["tokens"].mean())
        each = 1_000 / spent if spent else float("nan")
        rows.append(
            {
                "budget": float(budget),
                "votes": float(usable["k"].mean()),
                "tokens": spent,
                "value": accuracy.value,
                "low": accuracy.low,
                "high": accuracy.high,
                "per_1000": accuracy.value * each,
                "gain_per_1000": (accuracy.value - guess) * each,
                "n": accuracy.n,
            }
        )
    return pd.DataFrame(rows, columns=list(BUDGET_COLUMNS))


@dataclass(frozen=True)
class ScalarAgainst:
    """A judge against a scalar model on the same items.

    Attributes:
        table: one row a subset and one for `ALL`: subset, n, scalar, scalar_low, scalar_high,
            judge, judge_low, judge_high, difference (judge minus scalar), low, high, p_value,
            p_adjusted (over subsets), detectable (smallest difference that would have been found).
        scalar: accuracy over all items.
        judge: accuracy over the same items.
        difference: paired, judge minus scalar.
        left_out: items that only one of them could judge, by reason.
    """

    table: pd.DataFrame
    scalar: Estimate
    judge: Estimate
    difference: Estimate
    left_out: Mapping[str, int]


def scalar_against(
    judged: pd.DataFrame, scalar: pd.Series, options: VotingOptions | None = None
) -> ScalarAgainst:
    """Compares the two by subset, paired by item.

    Args:
        judged: of `judge_credits`.
        scalar: of `scalar_credits`.
        options: seed, confidence and draws.
    """
    chosen = options or VotingOptions()
    both = judged.assign(scalar=judged["item_id"].map(scalar))
    left_out = {
        "items without rewards of the scalar model": int(both["scalar"].isna().sum()),
        "items without a judge's verdict": int(both["credit"].isna().sum()),
    }
    kept = both.loc[both["scalar"].notna() & both["credit"].notna()]
    groups = [(ALL, kept), *kept.groupby("subset", sort=True)]
    rows = [_compared(str(name), rows, chosen) for name, rows in groups]
    table = pd.DataFrame([row for row, _ in rows])
    # The row of all items is no further test of the family.
    adjusted = false_discovery(table["p_value"].to_numpy(dtype=np.float64)[1:])
    table["p_adjusted"] = [float("nan"), *adjusted.tolist()]
    scalars, judges, difference = rows[0][1]
    told = {reason: n for reason, n in left_out.items() if n}
    return ScalarAgainst(table, scalars, judges, difference, told)


def _compared(
    name: str, rows: pd.DataFrame, options: VotingOptions
) -> tuple[dict[str, object], tuple[Estimate, Estimate, Estimate]]:
    ids = list(rows["item_id"])
    scalar = _share(rows["scalar"], rows["item_id"], options)
    judge = _share(rows["credit"], rows["item_id"], options)
    gaps = (rows["credit"] - rows["scalar"]).to_numpy(dtype=np.float64)
    difference = clustered_mean(
        gaps, ids, rng=np.random.default_rng(options.seed), confidence=options.confidence,
        n_resamples=options.n_resamples,
    )  # fmt: skip
    test = sign_flip_test(gaps, ids, rng=np.random.default_rng(options.seed), n_permutations=4_000)
    error = clustered_standard_error(gaps, ids) if ids else float("nan")
    detectable = smallest_detectable_effect(error) if np.isfinite(error) else float("nan")
    row: dict[str, object] = {
        "subset": name,
        "n": len(rows),
        "scalar": scalar.value,
        "scalar_low": scalar.low,
        "scalar_high": scalar.high,
        "judge": judge.value,
        "judge_low": judge.low,
        "judge_high": judge.high,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "p_value": test.p_value,
        "detectable": detectable,
    }
    return row, (scalar, judge, difference)


def _share(values: pd.Series, ids: pd.Series, options: VotingOptions) -> Estimate:
    return clustered_share(
        np.clip(values.to_numpy(dtype=np.float64), 0.0, 1.0), list(ids),
        rng=np.random.default_rng(options.seed), confidence=options.confidence,
        n_resamples=options.n_resamples,
    )  # fmt: skip


def _mean_tokens(ballot: Ballot) -> float:
    known = ballot.tokens[np.isfinite(ballot.tokens)]
    return float(known.mean()) if len(known) else float("nan")
