"""Adaptive sums of scores: stop asking once the sums are settled, or sure enough.

A judgement adds a score to each candidate's sum, and the highest sum wins. Scores have a range, so
the judgements still to come can move a sum only so far. Judgements arrive in random order; whether
asking has stopped depends only on which ones have come, so its chances follow exactly over all
subsets where these are few, and over seeded random orders where they are not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as scipy_stats

from core.errors import TableError
from core.labs.reasoning.adaptive import (
    BUDGET_COLUMNS,
    THRESHOLDS,
    AdaptiveCurves,
    Stopped,
    budget_table,
    gain_of,
)
from core.labs.reasoning.ballots import Ballot, Ballots
from core.labs.reasoning.curves import VotingOptions
from core.labs.reasoning.voting import TiePolicy, can_aggregate, credit_of
from core.stats import Estimate, FloatArray

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

ScoreRule = Literal["fixed", "settled", "order", "ahead", "stays"]
SCORE_RULES: tuple[ScoreRule, ...] = get_args(ScoreRule)
SCORE_RULE_MEANING: dict[ScoreRule, str] = {
    "fixed": "always ask the same number of times",
    "settled": "stop when no scores that the judgements left may give can take the lead away",
    "order": "stop when they cannot change the order of any two sums",
    "ahead": "stop when the leader's scores are on average above every other's with a probability "
    "above the threshold (normal model of score differences, our reading)",
    "stays": "stop when the leader would still lead after all judgements with a probability above "
    "the threshold (normal model of score differences, our reading)",
}

MOST_EXACT = 10
"""Judgements of an item whose subsets are enumerated (1,024 of them)."""

N_ORDERS = 400
"""Random orders of an item that has more."""

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class ScoreScale:
    """What a judgement may add to the sums.

    Attributes:
        lowest: score of the format.
        highest: score of the format.
        together: one text scores all candidates, so that it gives either all scores or none. A
            format that scores each alone may give one a score and the other none, which adds
            nothing to its sum.
    """

    lowest: float
    highest: float
    together: bool

    def __post_init__(self) -> None:
        if not self.lowest < self.highest:
            raise TableError(
                f"Scores from {self.lowest:g} to {self.highest:g} are no range.",
                fix="The highest score is above the lowest.",
            )

    @property
    def swing(self) -> float:
        """The most that one judgement can change the difference of two sums."""
        if self.together:
            return self.highest - self.lowest
        return max(self.highest, 0.0) - min(self.lowest, 0.0)

    @property
    def spread(self) -> float:
        """Variance of the difference of two scores that are uniform on the scale."""
        return (self.highest - self.lowest) ** 2 / 6


@dataclass(frozen=True)
class ScoreStopping:
    """When adding up scores ends.

    Attributes:
        rule: one of `SCORE_RULES`.
        threshold: of "ahead" and "stays", between 0.5 and 1.
        most: judgements at most.
        prior: weight of the prior, in judgements, above 0: how many the spread of a uniform score
            is worth. Without it two equal differences would be certainty.
    """

    rule: ScoreRule
    threshold: float = 0.95
    most: int = 32
    prior: float = 1.0


def ahead_probability(
    asked: npt.ArrayLike,
    total: npt.ArrayLike,
    squares: npt.ArrayLike,
    spread: float,
    *,
    left: npt.ArrayLike | None = None,
    prior: float = 1.0,
) -> FloatArray:
    """Probability that one candidate is above another, from the differences of their scores.

    Differences are taken as normal with unknown mean and variance; the mean has a flat prior, the
    variance a scaled inverse chi-square one with `prior` degrees of freedom at `spread`. Then the
    mean, and the total after more judgements, follow a Student distribution with
    `prior + asked - 1` degrees of freedom.

    Args:
        asked: differences seen, at least 1.
        total: their sum.
        squares: the sum of their squares.
        spread: variance that the prior expects.
        left: judgements still to come: whether the total is then above zero. None: whether the
            mean that they are drawn around is.
        prior: weight of the prior in judgements.

    Source: our reading. The posterior is the textbook conjugate one (Gelman et al., Bayesian Data
    Analysis, section 3.3).
    """
    m, d, q = (np.asarray(each, dtype=np.float64) for each in (asked, total, squares))
    degrees = prior + m - 1
    variance = (prior * spread + np.maximum(q - d**2 / m, 0.0)) / degrees
    if left is None:
        return np.asarray(scipy_stats.t.cdf(d / np.sqrt(variance * m), degrees), dtype=np.float64)
    n_left = np.asarray(left, dtype=np.float64)
    scale = np.sqrt(variance * (n_left + n_left**2 / m))
    known = (np.sign(d) + 1) / 2
    more = scipy_stats.t.cdf((d + n_left * d / m) / np.where(scale > 0, scale, 1.0), degrees)
    return np.asarray(np.where(n_left > 0, more, known), dtype=np.float64)


@dataclass(frozen=True)
class _Seen:
    """Sets of judgements that have come, one a row.

    Attributes:
        asked: (S,) how many.
        sums: (S, n) of each candidate's scores; what gave none adds nothing.
        given: (S, n) how many scores there are.
        squares: (S, n, n) sums of squared differences.
        tokens: (S,) written, NaN where unknown.
    """

    asked: IntArray
    sums: FloatArray
    given: IntArray
    squares: FloatArray
    tokens: FloatArray

    @property
    def totals(self) -> FloatArray:
        """(S, n) sums, NaN for a candidate that has no score yet."""
        return np.asarray(np.where(self.given > 0, self.sums, np.nan))


def _seen(ballot: Ballot, members: FloatArray) -> _Seen:
    """What has come where `members` (S, K) is 1."""
    there = np.isfinite(ballot.scores)
    scores = np.where(there, ballot.scores, 0.0)
    n = ballot.n_candidates
    squares = (scores[:, :, None] - scores[:, None, :]) ** 2
    unknown = not np.isfinite(ballot.tokens).all()
    tokens = np.full(len(members), np.nan) if unknown else members @ ballot.tokens
    return _Seen(
        asked=members.sum(axis=1).astype(np.int64),
        sums=members @ scores,
        given=(members @ there.astype(np.float64)).round().astype(np.int64),
        squares=(members @ squares.reshape(len(scores), n * n)).reshape(-1, n, n),
        tokens=tokens,
    )


def _stops(seen: _Seen, stopping: ScoreStopping, scale: ScoreScale) -> BoolArray:
    """(S,) whether asking ends there. Nothing ends before the leader has a score."""
    ended = seen.asked >= stopping.most
    if stopping.rule == "fixed":
        return np.asarray(ended)
    left = np.maximum(stopping.most - seen.asked, 0)
    order = np.argsort(-np.where(seen.given > 0, seen.sums, -np.inf), axis=1, kind="stable")
    ranked = np.take_along_axis(seen.sums, order, axis=1)
    leads = np.take_along_axis(seen.given, order[:, :1], axis=1)[:, 0] > 0
    reach = left * scale.swing + _TOLERANCE
    if stopping.rule == "settled":
        # A candidate without a score has the sum 0 here, which is all it can still start from.
        others = ranked[:, 1:].max(axis=1)
        stop = ranked[:, 0] - others > reach
    elif stopping.rule == "order":
        gaps = ranked[:, :-1] - ranked[:, 1:]
        stop = (gaps > reach[:, None]).all(axis=1) & (seen.given > 0).all(axis=1)
    else:
        stop = _sure(seen, order, ranked, left, stopping, scale) > stopping.threshold
    return np.asarray(ended | (stop & leads))


def _sure(
    seen: _Seen,
    order: IntArray,
    ranked: FloatArray,
    left: IntArray,
    stopping: ScoreStopping,
    scale: ScoreScale,
) -> FloatArray:
    """Probability that the leader is above all others; of several, at least this (Bonferroni)."""
    rows = np.arange(len(order))
    asked = np.maximum(seen.asked, 1)
    doubt = np.zeros(len(order))
    for place in range(1, order.shape[1]):
        chance = ahead_probability(
            asked,
            ranked[:, 0] - ranked[:, place],
            seen.squares[rows, order[:, 0], order[:, place]],
            scale.spread,
            left=left if stopping.rule == "stays" else None,
            prior=stopping.prior,
        )
        doubt += 1 - chance
    return 1 - doubt


@lru_cache(maxsize=8)
def _subsets(size: int) -> FloatArray:
    """(2^size, size) which judgements are in each subset; its number in binary."""
    return ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(np.float64)


def _chances(stops: BoolArray, asked: IntArray, size: int) -> FloatArray:
    """(T, 2^K) chance that asking stops at each subset, over all orders, for each of T rules."""
    reach = np.zeros(stops.shape)
    reach[:, 0] = 1.0
    at_stop = np.zeros(stops.shape)
    number = np.arange(stops.shape[1])
    for step in range(size + 1):
        here = number[asked == step]
        ended = stops[:, here] | (step == size)
        at_stop[:, here] = np.where(ended, reach[:, here], 0.0)
        going = np.where(ended, 0.0, reach[:, here])
        for judgement in range(size):
            without = (here >> judgement) & 1 == 0
            # Subsets of one size stay distinct with the same judgement added.
            reach[:, here[without] | (1 << judgement)] += going[:, without] / (size - step)
    return at_stop


def stop_scores(
    ballot: Ballot,
    stoppings: Sequence[ScoreStopping],
    scale: ScoreScale,
    ties: TiePolicy = "share",
    *,
    seed: int = 0,
) -> list[Stopped]:
    """What each rule does on one item, over the order of its judgements.

    Exact up to `MOST_EXACT` judgements; beyond, a mean over `N_ORDERS` random orders that all rules
    share. Tokens are unknown where those of any judgement are.

    Args:
        ballot: the item's scores.
        stoppings: the rules.
        scale: of the scores.
        ties: what equal sums earn.
        seed: of the random orders.

    Raises:
        TableError: scores do not follow the scale, so that the bounds would not hold.
    """
    _check_scale(ballot, scale)
    size = len(ballot)
    if size <= MOST_EXACT:
        seen = _seen(ballot, _subsets(size))
        stops = np.stack([_stops(seen, each, scale) for each in stoppings])
        at_stop = _chances(stops, seen.asked, size)
        credit = credit_of(seen.totals, ballot.right, ties)
        return [
            Stopped(float(row @ seen.asked), _expected(row, seen.tokens), float(row @ credit))
            for row in at_stop
        ]
    return _replayed(ballot, stoppings, scale, ties, seed)


def _expected(chances: FloatArray, values: FloatArray) -> float:
    return float(chances @ values) if np.isfinite(values).all() else float("nan")


def _replayed(
    ballot: Ballot,
    stoppings: Sequence[ScoreStopping],
    scale: ScoreScale,
    ties: TiePolicy,
    seed: int,
) -> list[Stopped]:
    size = len(ballot)
    rng = np.random.default_rng([seed, size])
    orders = np.argsort(rng.random((N_ORDERS, size)), axis=1)
    came = np.argsort(orders, axis=1)  # (R, K) when each judgement comes
    steps = np.arange(1, size + 1)
    members = (came[:, None, :] < steps[None, :, None]).astype(np.float64)
    seen = _seen(ballot, members.reshape(-1, size))
    credit = credit_of(seen.totals, ballot.right, ties).reshape(N_ORDERS, size)
    tokens = seen.tokens.reshape(N_ORDERS, size)
    rows, found = np.arange(N_ORDERS), []
    for stopping in stoppings:
        stops = _stops(seen, stopping, scale).reshape(N_ORDERS, size)
        stops[:, -1] = True
        at = stops.argmax(axis=1)
        found.append(
            Stopped(float(at.mean() + 1), float(tokens[rows, at].mean()),
                    float(credit[rows, at].mean()))
        )  # fmt: skip
    return found


def _check_scale(ballot: Ballot, scale: ScoreScale) -> None:
    known = ballot.scores[np.isfinite(ballot.scores)]
    outside = known[(known < scale.lowest - _TOLERANCE) | (known > scale.highest + _TOLERANCE)]
    if len(outside):
        raise TableError(
            f"Item {ballot.item_id} has the score {outside[0]:g}, outside {scale.lowest:g} to "
            f"{scale.highest:g}.",
            fix="Widen the scale: what is settled rests on its ends.",
        )
    n_given = np.isfinite(ballot.scores).sum(axis=1)
    if scale.together and ((n_given > 0) & (n_given < ballot.n_candidates)).any():
        raise TableError(
            f"Item {ballot.item_id} has a judgement that scores only some of its candidates.",
            fix="Then a judgement does not score all together, and the bounds are wider.",
        )


def _scored(ballots: Ballots) -> tuple[list[Ballot], dict[str, int]]:
    items = [item for item in ballots.items if can_aggregate(item, "sum")]
    left_out = {}
    if len(items) < len(ballots):
        left_out["items without a score"] = len(ballots) - len(items)
    return items, left_out


def score_curves(
    ballots: Ballots,
    scale: ScoreScale,
    rules: Sequence[ScoreRule] = SCORE_RULES,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    most: int = 32,
    prior: float = 1.0,
    options: VotingOptions | None = None,
) -> AdaptiveCurves:
    """Budget against accuracy of the rules, on items with any number of candidates.

    Args:
        ballots: the votes; items without any score are left out and counted.
        scale: of the scores.
        rules: which to compare; "fixed" is always there.
        thresholds: tried of "ahead" and "stays".
        most: judgements of an item at most.
        prior: weight of the prior.
        options: ties, seed, confidence and draws.
    """
    chosen = options or VotingOptions()
    items, left_out = _scored(ballots)
    if not items:
        return AdaptiveCurves(pd.DataFrame(columns=list(BUDGET_COLUMNS)), left_out)
    most = min(most, ballots.k_max)
    tried = [ScoreStopping("fixed", math.nan, k, prior) for k in range(1, most + 1)]
    for rule in rules:
        if rule in ("settled", "order"):
            tried.append(ScoreStopping(rule, math.nan, most, prior))
        elif rule != "fixed":
            tried += [ScoreStopping(rule, threshold, most, prior) for threshold in thresholds]
    by_item = [stop_scores(item, tried, scale, chosen.ties, seed=chosen.seed) for item in items]
    outcomes = list(zip(*by_item, strict=True))
    return AdaptiveCurves(budget_table(items, tried, outcomes, chosen), left_out)


def score_gain(
    ballots: Ballots,
    stopping: ScoreStopping,
    scale: ScoreScale,
    options: VotingOptions | None = None,
) -> tuple[Estimate, Estimate, pd.DataFrame]:
    """One rule against always asking `stopping.most` times, and which items need more.

    Returns:
        As `core.labs.reasoning.adaptive.adaptive_gain`: judgements saved an item, accuracy lost,
        and one row an item.
    """
    chosen = options or VotingOptions()
    items, _ = _scored(ballots)
    full = ScoreStopping("fixed", math.nan, stopping.most, stopping.prior)
    both = [stop_scores(each, [stopping, full], scale, chosen.ties, seed=chosen.seed)
            for each in items]  # fmt: skip
    return gain_of(items, [each[0] for each in both], [each[1] for each in both], chosen)
