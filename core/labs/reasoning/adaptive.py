"""Adaptive votes: stop asking once the outcome is settled, or sure enough.

For pairs nothing is simulated. Judgements arrive in random order, so only the numbers of votes for
the right one, the wrong one and nobody matter, and the chance of being at any of these numbers
without having stopped follows step by step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as scipy_stats

from core.labs.reasoning.ballots import Ballot, Ballots
from core.labs.reasoning.curves import VotingOptions
from core.labs.reasoning.voting import TiePolicy, majority_credit
from core.stats import Estimate, FloatArray, clustered_mean, clustered_share

Rule = Literal["fixed", "settled", "majority", "stays"]
RULES: tuple[Rule, ...] = get_args(Rule)
RULE_MEANING: dict[Rule, str] = {
    "fixed": "always ask the same number of times",
    "settled": "stop when the judgements left cannot overtake the leader",
    "majority": "stop when, given the votes, the leader's true share is above one half with a "
    "probability above the threshold",
    "stays": "stop when, given the votes, the leader would still lead after all judgements with a "
    "probability above the threshold",
}
THRESHOLDS = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99)
BUDGET_COLUMNS = (
    "rule", "threshold", "votes", "votes_low", "votes_high", "tokens", "value", "low", "high",
    "fixed", "n",
)  # fmt: skip


@dataclass(frozen=True)
class Stopping:
    """When an adaptive vote ends.

    Attributes:
        rule: one of `RULES`.
        threshold: of "majority" and "stays", between 0.5 and 1.
        most: judgements at most.
        prior: both parameters of the symmetric Beta prior of the leader's share; 1 is uniform.
    """

    rule: Rule
    threshold: float = 0.95
    most: int = 32
    prior: float = 1.0


def majority_probability(
    lead: npt.ArrayLike, other: npt.ArrayLike, prior: float = 1.0
) -> FloatArray:
    """Probability that the true share of votes is above one half, by a Beta posterior.

    Args:
        lead: votes for the one.
        other: votes for the other.
        prior: both parameters of the Beta prior.

    Source: our reading ("posterior that the majority is right"); conjugate Beta for a share.
    """
    a, b = np.asarray(lead, np.float64) + prior, np.asarray(other, np.float64) + prior
    return np.asarray(scipy_stats.beta.sf(0.5, a, b), dtype=np.float64)


def stays_probability(lead: int, other: int, left: int, prior: float = 1.0) -> float:
    """Probability that the leader still leads after `left` more votes, half for a tie.

    The votes to come are beta-binomial: drawn with a share that the votes so far tell of.

    Args:
        lead: votes for the leader.
        other: votes for the other.
        left: judgements still to come, all taken to vote.
        prior: both parameters of the Beta prior.
    """
    x = np.arange(left + 1)
    chances = scipy_stats.betabinom.pmf(x, left, lead + prior, other + prior)
    margin = lead - other + 2 * x - left
    return float(chances[margin > 0].sum() + 0.5 * chances[margin == 0].sum())


@lru_cache(maxsize=64)
def stop_table(stopping: Stopping) -> npt.NDArray[np.bool_]:
    """(most + 1, most + 1, most + 1) whether to stop with r and w votes and u for nobody.

    Nothing stops before the first vote, and everything by `most` judgements.
    """
    size = stopping.most + 1
    r, w, u = np.indices((size, size, size))
    asked = r + w + u
    lead, other = np.maximum(r, w), np.minimum(r, w)
    left = np.maximum(stopping.most - asked, 0)
    if stopping.rule == "fixed":
        stop = np.zeros(r.shape, dtype=bool)
    elif stopping.rule == "settled":
        stop = lead - other > left
    elif stopping.rule == "majority":
        sure = majority_probability(lead[:, :, 0], other[:, :, 0], stopping.prior)
        stop = np.broadcast_to(sure[:, :, None], r.shape) > stopping.threshold
    else:
        stop = _stays(stopping.most, stopping.prior) > stopping.threshold
    return np.asarray((stop & (r + w > 0)) | (asked >= stopping.most))


@lru_cache(maxsize=16)
def _stays(most: int, prior: float) -> FloatArray:
    """`stays_probability` of every number of votes that can be met."""
    found = np.zeros((most + 1, most + 1, most + 1))
    every_lead, every_other = np.indices((most + 1, most + 1))
    for left in range(most + 1):
        met = (every_lead >= every_other) & (every_lead + every_other + left <= most)
        lead, other = every_lead[met], every_other[met]
        x = np.arange(left + 1)
        chances = scipy_stats.betabinom.pmf(x, left, lead[:, None] + prior, other[:, None] + prior)
        margin = (lead - other)[:, None] + 2 * x - left
        chance = (chances * ((np.sign(margin) + 1) / 2)).sum(axis=1)
        unread = most - lead - other - left
        found[lead, other, unread] = found[other, lead, unread] = chance
    return found


@dataclass(frozen=True)
class Stopped:
    """What an adaptive vote does on one pair, over the order of its judgements.

    Attributes:
        votes: expected judgements until it stops.
        tokens: expected tokens written, NaN where that of any judgement is unknown.
        credit: expected credit of the majority then.
    """

    votes: float
    tokens: float
    credit: float


def stop_pair(ballot: Ballot, stopping: Stopping, ties: TiePolicy = "share") -> Stopped:
    """The adaptive vote on a pair, exact over all orders of its recorded judgements.

    Judgements that vote alike are exchangeable, so expected tokens are numbers times means.
    """
    counts = ballot.counts
    if stopping.rule == "fixed":
        k = min(stopping.most, len(ballot))
        tokens = k * float(np.mean(ballot.tokens))  # NaN where any is
        return Stopped(k, tokens, majority_credit(counts, ballot.right, k, ties).mean)
    right, wrong, nobody = int(counts[ballot.right]), int(counts[1 - ballot.right]), int(counts[2])
    at_stop = _stop_chances(right, wrong, nobody, stopping)
    r, w, u = (np.arange(size) for size in at_stop.shape)
    margin = r[:, None] - w[None, :]
    tie = {"share": 0.5, "first": float(ballot.right == 0), "wrong": 0.0}[ties]
    credit = np.where(margin > 0, 1.0, np.where(margin == 0, tie, 0.0))
    expected = [
        float((at_stop.sum(axis=axes) * values).sum())
        for axes, values in (((1, 2), r), ((0, 2), w), ((0, 1), u))
    ]
    return Stopped(
        votes=sum(expected),
        tokens=_tokens(ballot, expected),
        credit=float((at_stop.sum(axis=2) * credit).sum()),
    )


@lru_cache(maxsize=20_000)
def _stop_chances(right: int, wrong: int, nobody: int, stopping: Stopping) -> FloatArray:
    """(R + 1, W + 1, U + 1) chance of stopping with these numbers of votes."""
    total = right + wrong + nobody
    stops = stop_table(stopping)
    reach = np.zeros((right + 1, wrong + 1, nobody + 1))
    at_stop = np.zeros_like(reach)
    reach[0, 0, 0] = 1.0
    r, w, u = np.indices(reach.shape)
    asked = r + w + u
    most = min(total, stopping.most)
    inside = asked <= stopping.most
    clipped = [np.minimum(each, stopping.most) for each in (r, w, u)]
    stop = np.where(inside, stops[clipped[0], clipped[1], clipped[2]], True) | (asked >= most)
    for step in range(most + 1):
        here = np.where(asked == step, reach, 0.0)
        at_stop += np.where(stop, here, 0.0)
        going = np.where(stop, 0.0, here)
        if step == most:
            break
        left = total - step
        reach[1:] += (going * (right - r) / left)[:-1]
        reach[:, 1:] += (going * (wrong - w) / left)[:, :-1]
        reach[:, :, 1:] += (going * (nobody - u) / left)[:, :, :-1]
    return at_stop


def _tokens(ballot: Ballot, expected: Sequence[float]) -> float:
    if not np.isfinite(ballot.tokens).all():
        # Otherwise a rule would be held against another one over other items.
        return float("nan")
    groups = (ballot.votes == ballot.right, ballot.votes == 1 - ballot.right, ballot.votes < 0)
    total = 0.0
    for group, times in zip(groups, expected, strict=True):
        if times > 0:
            total += times * float(np.mean(ballot.tokens[group]))
    return total


def stop_in_order(votes: Sequence[int], n_candidates: int, stopping: Stopping) -> tuple[int, int]:
    """Replays judgements in a given order, for any number of candidates.

    The second-placed candidate stands for "the other" (our reading for more than two).

    Args:
        votes: number of the candidate each judgement votes for, negative for nobody.
        n_candidates: how many there are.
        stopping: the rule.

    Returns:
        Judgements asked for, and the leader then: the first of those with most votes.
    """
    counts = np.zeros(n_candidates, dtype=np.int64)
    stops = stop_table(stopping)
    asked = 0
    for vote in votes[: stopping.most]:
        asked += 1
        if vote >= 0:
            counts[vote] += 1
        lead, other = (int(each) for each in np.sort(counts)[::-1][:2])
        nobody = asked - lead - other
        if stops[lead, other, nobody]:
            break
    return asked, int(counts.argmax())


@dataclass(frozen=True)
class AdaptiveCurves:
    """What stopping early costs and saves.

    Attributes:
        table: `BUDGET_COLUMNS`, one row a rule and threshold (for "fixed" the threshold is NaN and
            one row a k): mean judgements an item, mean tokens an item, accuracy with its interval,
            and `fixed`, the accuracy that asking everyone equally often would have with the same
            mean (between whole numbers, interpolated).
        left_out: items that cannot be used, by reason.
    """

    table: pd.DataFrame
    left_out: Mapping[str, int]


def adaptive_curves(
    ballots: Ballots,
    rules: Sequence[Rule] = RULES,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    most: int = 32,
    prior: float = 1.0,
    options: VotingOptions | None = None,
) -> AdaptiveCurves:
    """Budget against accuracy of the rules, on pairs.

    Args:
        ballots: the votes; items with more than two candidates are left out and counted.
        rules: which to compare; "fixed" is always there.
        thresholds: tried of "majority" and "stays".
        most: judgements of an item at most.
        prior: of the Beta posterior.
        options: ties, seed, confidence and draws.
    """
    chosen = options or VotingOptions()
    items = [item for item in ballots.items if item.n_candidates == 2]
    left_out = {}
    if len(items) < len(ballots):
        left_out["items with more than two candidates"] = len(ballots) - len(items)
    if not items:
        return AdaptiveCurves(pd.DataFrame(columns=list(BUDGET_COLUMNS)), left_out)
    most = min(most, ballots.k_max)
    tried = [Stopping("fixed", float("nan"), k, prior) for k in range(1, most + 1)]
    for rule in rules:
        if rule == "settled":
            tried.append(Stopping(rule, float("nan"), most, prior))
        elif rule != "fixed":
            tried += [Stopping(rule, threshold, most, prior) for threshold in thresholds]
    outcomes = [[stop_pair(item, each, chosen.ties) for item in items] for each in tried]
    return AdaptiveCurves(budget_table(items, tried, outcomes, chosen), left_out)


class Ruled(Protocol):
    """What a row of a table of budgets tells of a rule."""

    @property
    def rule(self) -> str: ...

    @property
    def threshold(self) -> float: ...


def budget_table(
    items: Sequence[Ballot],
    tried: Sequence[Ruled],
    outcomes: Sequence[Sequence[Stopped]],
    options: VotingOptions,
) -> pd.DataFrame:
    """`BUDGET_COLUMNS`, one row a rule tried.

    Args:
        items: the votes.
        tried: the rules; those called "fixed" are what the others are held against.
        outcomes: of each rule, what it does on each item.
        options: seed, confidence and draws.
    """
    rows = [
        _budget_row(items, stopping, found, options)
        for stopping, found in zip(tried, outcomes, strict=True)
    ]
    table = pd.DataFrame(rows)
    fixed = table.loc[table["rule"] == "fixed"]
    table["fixed"] = np.interp(table["votes"], fixed["votes"], fixed["value"])
    return table[list(BUDGET_COLUMNS)]


def _budget_row(
    items: Sequence[Ballot], stopping: Ruled, found: Sequence[Stopped], options: VotingOptions
) -> dict[str, object]:
    ids = [item.item_id for item in items]
    credit = np.clip([each.credit for each in found], 0.0, 1.0)
    votes = np.array([each.votes for each in found])
    accuracy = clustered_share(
        credit, ids, rng=np.random.default_rng(options.seed), confidence=options.confidence,
        n_resamples=options.n_resamples,
    )  # fmt: skip
    spent = clustered_mean(
        votes, ids, rng=np.random.default_rng(options.seed), confidence=options.confidence,
        n_resamples=options.n_resamples,
    )  # fmt: skip
    tokens = np.array([each.tokens for each in found])
    there = np.isfinite(tokens)
    return {
        "rule": stopping.rule,
        "threshold": stopping.threshold,
        "votes": spent.value,
        "votes_low": spent.low,
        "votes_high": spent.high,
        "tokens": float(tokens[there].mean()) if there.any() else float("nan"),
        "value": accuracy.value,
        "low": accuracy.low,
        "high": accuracy.high,
        "n": accuracy.n,
    }


def _share_right(item: Ballot) -> float:
    voted = int(item.counts[:-1].sum())
    return int(item.counts[item.right]) / voted if voted else float("nan")


def adaptive_gain(
    ballots: Ballots, stopping: Stopping, options: VotingOptions | None = None
) -> tuple[Estimate, Estimate, pd.DataFrame]:
    """One rule against always asking `stopping.most` times, and which items need more.

    Returns:
        Judgements saved an item, accuracy lost (both paired by item), and one row an item: item_id,
        subset, votes, tokens, value, full (credit of all judgements), share_right (of the votes for
        a candidate; NaN where there is none).
    """
    chosen = options or VotingOptions()
    items = [item for item in ballots.items if item.n_candidates == 2]
    full = Stopping("fixed", float("nan"), stopping.most, stopping.prior)
    early = [stop_pair(item, stopping, chosen.ties) for item in items]
    late = [stop_pair(item, full, chosen.ties) for item in items]
    return gain_of(items, early, late, chosen)


def gain_of(
    items: Sequence[Ballot],
    stopped: Sequence[Stopped],
    asked: Sequence[Stopped],
    options: VotingOptions,
) -> tuple[Estimate, Estimate, pd.DataFrame]:
    """What stopping early saves and loses, as of `adaptive_gain`.

    Args:
        items: the votes.
        stopped: what the rule does on each item.
        asked: what asking as often as allowed does.
        options: seed, confidence and draws.
    """
    chosen, rows = options, []
    for item, early, late in zip(items, stopped, asked, strict=True):
        rows.append(
            {
                "item_id": item.item_id,
                "subset": item.subset,
                "votes": early.votes,
                "tokens": early.tokens,
                "value": early.credit,
                "full": late.credit,
                # Sums of chances differ by rounding where nothing differs.
                "saved": round(late.votes - early.votes, 12),
                "lost": round(late.credit - early.credit, 12),
                "share_right": _share_right(item),
            }
        )
    table = pd.DataFrame(rows)
    if table.empty:
        nan = float("nan")
        nothing = Estimate(nan, nan, nan, chosen.confidence, 0, 0, "nothing to estimate")
        return nothing, nothing, table

    def mean(values: pd.Series) -> Estimate:
        return clustered_mean(
            values.to_numpy(dtype=np.float64), list(table["item_id"]),
            rng=np.random.default_rng(chosen.seed), confidence=chosen.confidence,
            n_resamples=chosen.n_resamples,
        )  # fmt: skip

    saved, lost = mean(table["saved"]), mean(table["lost"])
    return saved, lost, table.drop(columns=["saved", "lost"]).sort_values("votes", ascending=False)
