"""How often a vote of k judgements, drawn without replacement from the K recorded ones, is right.

Majority votes are counted exactly. What rests on scores is enumerated over all subsets where they
are few, and over seeded random ones where they are not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from core.labs.reasoning.ballots import Ballot
from core.stats import FloatArray

IntArray = npt.NDArray[np.int64]

Aggregation = Literal["majority", "sum", "mean", "z-sum", "filtered"]
AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)
AGGREGATION_MEANING: dict[Aggregation, str] = {
    "majority": "each judgement votes for its winner",
    "sum": "scores are added up",
    "mean": "scores are averaged over the judgements that gave one",
    "z-sum": "scores are standardised within each judgement, then added up",
    "filtered": "only the k_meta judgements of the k that the filter likes best are added up",
}

TiePolicy = Literal["share", "first", "wrong"]
TIE_POLICIES: tuple[TiePolicy, ...] = get_args(TiePolicy)
TIE_MEANING: dict[TiePolicy, str] = {
    "share": "one of the tied is drawn: of two, half a credit",
    "first": "the candidate that stands first wins",
    "wrong": "a tie counts as wrong",
}

MOST_SUBSETS = 400
"""Subsets that are enumerated, and draws where there are more."""

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Credits:
    """What a vote of k earns on one item, over the choice of the k judgements.

    Attributes:
        mean: the expected credit, 0 to 1.
        variance: of the credit, over the choice.
        exact: whether all choices were counted.
    """

    mean: float
    variance: float
    exact: bool


def iid_majority(p: npt.ArrayLike, k: int) -> FloatArray:
    """Chance that most of k independent votes are right, half a credit for an even tie.

    Args:
        p: chance that one vote is right, 0 to 1; any shape.
        k: votes, at least 1.

    Source: the binomial form of Condorcet's theorem, as methods papers of judges use it: the sum
    over i > k/2 of C(k, i) p^i (1 - p)^(k - i), plus half the chance of an even split.
    """
    given = np.asarray(p, dtype=np.float64)
    above = scipy_stats.binom.sf(k // 2, k, given)
    even = 0.5 * scipy_stats.binom.pmf(k // 2, k, given) if k % 2 == 0 else 0.0
    return np.asarray(above + even, dtype=np.float64)


def majority_credit(
    counts: npt.ArrayLike, right: int, k: int, ties: TiePolicy = "share"
) -> Credits:
    """Exact credit of a majority of k judgements drawn without replacement.

    The numbers of votes for each candidate among the k are multivariate hypergeometric. The chance
    that the right one has c votes and none more is a coefficient of a product of polynomials, one
    a candidate; the number of candidates tied at c is kept apart as a second variable.

    Args:
        counts: (n + 1,) recorded votes for each of n candidates, and for nobody.
        right: number of the right candidate.
        k: judgements drawn, 1 to the sum of the counts.
        ties: what a tie for most votes earns.
    """
    numbers = tuple(int(each) for each in np.asarray(counts))
    if not 1 <= k <= sum(numbers):
        raise ValueError(f"{k} of {sum(numbers)} judgements cannot be drawn.")
    mean, square = _majority(numbers, right, k, ties)
    return Credits(mean, max(0.0, square - mean**2), exact=True)


@lru_cache(maxsize=100_000)
def _majority(counts: tuple[int, ...], right: int, k: int, ties: TiePolicy) -> tuple[float, float]:
    """Mean of the credit and of its square."""
    total = comb(sum(counts), k)
    mean = square = 0.0
    for c in range(min(k, counts[right]) + 1):
        ways = comb(counts[right], c)
        for n_tied, n_ways in enumerate(_rest(counts, right, k - c, c, ties)):
            chance = ways * n_ways / total
            credit = 1 / (1 + n_tied) if ties == "share" else 1.0
            mean += chance * credit
            square += chance * credit**2
    return mean, square


def _rest(counts: tuple[int, ...], right: int, left: int, c: int, ties: TiePolicy) -> list[int]:
    """Ways to draw the other judgements so that `right` wins with c votes, by how many tie."""
    n = len(counts) - 1
    # ways[t][d]: ways to draw d judgements from the candidates so far with t of them at c votes.
    ways = [[0] * (left + 1) for _ in range(n)]
    ways[0][0] = 1
    for other in range(n):
        if other == right:
            continue
        # Under "first" a candidate that stands behind the right one may tie and still lose.
        tie_loses = ties == "first" and other > right
        below = c if not tie_loses else c + 1
        grown = [[0] * (left + 1) for _ in range(n)]
        for tied in range(n):
            for drawn, n_ways in enumerate(ways[tied]):
                if not n_ways:
                    continue
                for x in range(min(below, counts[other] + 1, left - drawn + 1)):
                    grown[tied][drawn + x] += n_ways * comb(counts[other], x)
                if ties == "share" and c <= counts[other] and drawn + c <= left and tied + 1 < n:
                    grown[tied + 1][drawn + c] += n_ways * comb(counts[other], c)
        ways = grown
    # What is left to draw comes from the judgements that vote for nobody.
    return [
        sum(row[d] * comb(counts[n], left - d) for d in range(left + 1) if row[d]) for row in ways
    ]


def credit_of(totals: FloatArray, right: int, ties: TiePolicy = "share") -> FloatArray:
    """What each row of totals earns.

    Args:
        totals: (S, n) a number for each candidate, the highest wins; NaN for a candidate without
            one, which cannot win while another has one.
        right: number of the right candidate.
        ties: what a tie for the highest earns.
    """
    values = np.where(np.isnan(totals), -np.inf, totals)
    values = np.where(np.isnan(totals).all(axis=1, keepdims=True), 0.0, values)
    highest = values.max(axis=1, keepdims=True)
    scale = _TOLERANCE * np.maximum(1.0, np.abs(highest))
    tied = values >= highest - scale
    if ties == "first":
        return np.asarray(tied.argmax(axis=1) == right, dtype=np.float64)
    n_tied = tied.sum(axis=1)
    if ties == "wrong":
        return np.asarray((tied[:, right] & (n_tied == 1)).astype(np.float64))
    return np.asarray(tied[:, right] / n_tied, dtype=np.float64)


def totals_of(
    ballot: Ballot, chosen: IntArray, aggregation: Aggregation, k_meta: int | None = None
) -> FloatArray:
    """(S, n) totals of candidates over chosen judgements.

    Args:
        ballot: the item's votes.
        chosen: (S, k) numbers of judgements.
        aggregation: how they are added up.
        k_meta: judgements that the filter keeps, at least 1; half of k, rounded up, by default.
            Ties of the filter go to the earlier judgement, and what it did not see comes last.
    """
    if aggregation == "majority":
        return _vote_counts(ballot, chosen)
    if aggregation == "filtered":
        k = chosen.shape[1]
        kept = min(k, k_meta or -(-k // 2))
        weights = np.where(np.isnan(ballot.weights), -np.inf, ballot.weights)[chosen]
        first = np.argsort(-weights, axis=1, kind="stable")[:, :kept]
        best = np.take_along_axis(chosen, first, axis=1)
        return totals_of(ballot, best, "sum" if _scored(ballot) else "majority")
    scores = (standardised(ballot.scores) if aggregation == "z-sum" else ballot.scores)[chosen]
    there = np.isfinite(scores)
    n_scores = there.sum(axis=1)
    sums = np.where(there, scores, 0.0).sum(axis=1)
    if aggregation == "mean":
        sums = sums / np.maximum(n_scores, 1)
    return np.where(n_scores > 0, sums, np.nan)


def _running_totals(ballot: Ballot, orders: IntArray, aggregation: Aggregation) -> FloatArray:
    """(S, K, n) totals of the first 1, 2, … judgements of each order, as of `totals_of`."""
    scores = (standardised(ballot.scores) if aggregation == "z-sum" else ballot.scores)[orders]
    there = np.isfinite(scores)
    n_scores = there.cumsum(axis=1)
    sums = np.where(there, scores, 0.0).cumsum(axis=1)
    if aggregation == "mean":
        sums = sums / np.maximum(n_scores, 1)
    return np.where(n_scores > 0, sums, np.nan)


def standardised(scores: FloatArray) -> FloatArray:
    """(K, n) each judgement's scores minus their mean, over their standard deviation (population).

    Equal scores become zeros. Of two candidates the higher always gets +1 and the other -1, so on
    pairs this is the majority vote.
    """
    centred = scores - scores.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True))
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))


def vote_credits(
    ballot: Ballot,
    ks: Sequence[int],
    aggregation: Aggregation,
    *,
    ties: TiePolicy = "share",
    k_meta: Callable[[int], int] | None = None,
    seed: int = 0,
    most_subsets: int = MOST_SUBSETS,
) -> list[Credits]:
    """What votes of k judgements earn on one item, for each k.

    Args:
        ballot: the item's votes.
        ks: numbers of judgements, from 1 to the item's.
        aggregation: how they are added up.
        ties: what a tie earns.
        k_meta: judgements that the filter keeps of k; half of them, rounded up, by default.
        seed: of the random subsets; curves of one seed share them.
        most_subsets: that are enumerated, or drawn where there are more.
    """
    if aggregation == "majority":
        return [majority_credit(ballot.counts, ballot.right, k, ties) for k in ks]
    orders = _permutations(len(ballot), seed, most_subsets)
    running = _running_totals(ballot, orders, aggregation) if aggregation != "filtered" else None
    found = []
    for k in ks:
        exact = comb(len(ballot), k) <= most_subsets
        kept = k_meta(k) if k_meta is not None else None
        if exact:
            chosen = np.array(list(combinations(range(len(ballot)), k)), dtype=np.int64)
            totals = totals_of(ballot, chosen, aggregation, kept)
        elif running is not None:
            totals = running[:, k - 1]
        else:
            totals = totals_of(ballot, orders[:, :k], aggregation, kept)
        credit = credit_of(totals, ballot.right, ties)
        found.append(Credits(float(credit.mean()), float(credit.var()), exact))
    return found


def n_levels(k: int, lowest: int = 1, highest: int = 10) -> int:
    """Different sums that k whole scores can have: 9k + 1 for scores from 1 to 10.

    Source: DeepSeek-GRM (arXiv 2504.02495), on why voting makes rewards finer.
    """
    return k * (highest - lowest) + 1


def all_margins(counts: npt.ArrayLike, right: int) -> float:
    """Share of recorded votes for the right one minus that of its strongest rival."""
    numbers = np.asarray(counts, dtype=np.float64)
    shares = numbers[:-1] / max(1.0, numbers.sum())
    return float(shares[right] - np.delete(shares, right).max(initial=0.0))


def _vote_counts(ballot: Ballot, chosen: IntArray) -> FloatArray:
    votes = ballot.votes[chosen]
    return np.stack(
        [(votes == at).sum(axis=1) for at in range(ballot.n_candidates)], axis=1
    ).astype(np.float64)


def _scored(ballot: Ballot) -> bool:
    return bool(np.isfinite(ballot.scores).any())


def can_aggregate(ballot: Ballot, aggregation: Aggregation) -> bool:
    """Whether the item's judgements have what an aggregation adds up."""
    if aggregation == "filtered":
        return bool(np.isfinite(ballot.weights).any())
    return aggregation == "majority" or _scored(ballot)


def _permutations(size: int, seed: int, n: int) -> IntArray:
    """(n, size) random orders; the first k of each are a random subset of k, nested over k."""
    rng = np.random.default_rng([seed, size])
    return np.argsort(rng.random((n, size)), axis=1).astype(np.int64)
