"""Votes of k of K against the published worked examples and against counting every subset."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from core.labs.reasoning.voting import (
    TIE_POLICIES,
    _running_totals,
    credit_of,
    iid_majority,
    majority_credit,
    n_levels,
    standardised,
    totals_of,
    vote_credits,
)
from tests.core.labs.reasoning.made import ballot

GRM = [[1, 5], [5, 6], [4, 8], [7, 6]]
"""The worked example of DeepSeek-GRM's figure."""


def test_sums_of_the_worked_example():
    made = ballot([1, 1, 1, 0], right=1, scores=GRM)
    everything = np.array([[0, 1, 2, 3]])
    assert totals_of(made, everything, "sum").tolist() == [[17, 25]]
    assert totals_of(made, everything, "mean").tolist() == [[4.25, 6.25]]
    assert totals_of(made, everything, "majority").tolist() == [[1, 3]]


def test_the_filter_keeps_the_first_and_third_of_the_worked_example():
    made = ballot([1, 1, 1, 0], right=1, scores=GRM, weights=[0.9, 0.1, 0.8, 0.2])
    assert totals_of(made, np.array([[0, 1, 2, 3]]), "filtered").tolist() == [[5, 13]]
    assert totals_of(made, np.array([[0, 1, 2, 3]]), "filtered", 1).tolist() == [[1, 5]]


def test_levels_of_summed_scores():
    assert n_levels(4) == 37
    sums = {sum(each) for each in np.ndindex(10, 10, 10, 10)}
    assert len(sums) == n_levels(4)


@pytest.mark.parametrize(
    ("p", "k", "expected"),
    [(0.7, 1, 0.7), (0.7, 3, 0.784), (0.7, 5, 0.83692), (0.7, 16, 0.949987), (0.45, 5, 0.406873)],
)
def test_majority_of_independent_votes(p, k, expected):
    assert float(iid_majority(p, k)) == pytest.approx(expected, abs=1e-6)


def test_voting_with_a_judge_that_is_worse_than_a_coin_makes_it_worse():
    assert float(iid_majority(0.45, 15)) < float(iid_majority(0.45, 5)) < 0.45


def by_counting(votes, right, size, k, ties):
    """Mean and variance of the credit over all subsets of k, one by one."""
    found = []
    for chosen in combinations(votes, k):
        counts = [sum(vote == at for vote in chosen) for at in range(size)]
        tied = [at for at in range(size) if counts[at] == max(counts)]
        if ties == "share":
            found.append((right in tied) / len(tied))
        elif ties == "first":
            found.append(float(tied[0] == right))
        else:
            found.append(float(tied == [right]))
    return float(np.mean(found)), float(np.var(found))


@pytest.mark.parametrize("ties", TIE_POLICIES)
@pytest.mark.parametrize("size", [2, 3, 4])
def test_exact_majority_equals_counting_all_subsets(ties, size):
    rng = np.random.default_rng(size)
    for _ in range(12):
        votes = rng.integers(-1, size, size=int(rng.integers(3, 9))).tolist()
        right = int(rng.integers(size))
        made = ballot(votes, right=right, size=size)
        for k in range(1, len(votes) + 1):
            found = majority_credit(made.counts, right, k, ties)
            mean, variance = by_counting(votes, right, size, k, ties)
            assert found.mean == pytest.approx(mean, abs=1e-12)
            assert found.variance == pytest.approx(variance, abs=1e-12)


def test_many_votes_without_replacement_near_the_independent_formula():
    counts = [70_000, 30_000, 0]
    for k in (1, 3, 5):
        exact = majority_credit(counts, 0, k).mean
        assert exact == pytest.approx(float(iid_majority(0.7, k)), abs=1e-4)


def test_only_as_many_as_were_recorded_can_be_drawn():
    with pytest.raises(ValueError, match="5 of 4"):
        majority_credit([2, 2, 0], 0, 5)


@pytest.mark.parametrize("aggregation", ["sum", "mean", "z-sum", "filtered"])
def test_score_votes_equal_counting_all_subsets(aggregation):
    rng = np.random.default_rng(3)
    scores = rng.integers(1, 11, size=(6, 3)).astype(float)
    made = ballot(
        scores.argmax(axis=1).tolist(), right=1, size=3, scores=scores.tolist(),
        weights=rng.random(6).tolist(),
    )  # fmt: skip
    used = standardised(scores) if aggregation == "z-sum" else scores
    for k, found in zip(range(1, 7), vote_credits(made, range(1, 7), aggregation), strict=True):
        assert found.exact
        earned = []
        for chosen in combinations(range(6), k):
            kept = list(chosen)
            if aggregation == "filtered":
                kept = sorted(kept, key=lambda at: -made.weights[at])[: -(-k // 2)]
            total = used[kept].sum(axis=0)
            tied = np.flatnonzero(np.isclose(total, total.max()))
            earned.append((1 in tied) / len(tied))
        assert found.mean == pytest.approx(np.mean(earned), abs=1e-12)
        assert found.variance == pytest.approx(np.var(earned), abs=1e-12)


def test_random_subsets_come_near_the_exact_majority():
    rng = np.random.default_rng(0)
    votes = (rng.random(24) < 0.4).astype(int).tolist()
    scores = [[1.0, 0.0] if vote == 0 else [0.0, 1.0] for vote in votes]
    made = ballot(votes, scores=scores)
    assert comb(24, 7) > 4_000
    (drawn,) = vote_credits(made, [7], "sum", most_subsets=4_000)
    assert not drawn.exact
    assert drawn.mean == pytest.approx(majority_credit(made.counts, 0, 7).mean, abs=0.03)
    (again,) = vote_credits(made, [7], "sum", most_subsets=4_000)
    assert again == drawn


def test_on_pairs_standardised_sums_are_the_majority():
    rng = np.random.default_rng(1)
    scores = rng.integers(1, 11, size=(7, 2)).astype(float)
    votes = [-1 if a == b else int(b > a) for a, b in scores]
    made = ballot(votes, scores=scores.tolist())
    for k, found in zip(range(1, 8), vote_credits(made, range(1, 8), "z-sum"), strict=True):
        assert found.mean == pytest.approx(majority_credit(made.counts, 0, k).mean, abs=1e-12)


def test_one_wide_range_outweighs_many_in_a_sum_but_not_standardised():
    made = ballot([0, 0, 0, 1], scores=[[6, 5], [6, 5], [6, 5], [1, 10]])
    everything = np.array([[0, 1, 2, 3]])
    assert credit_of(totals_of(made, everything, "sum"), 0).tolist() == [0.0]
    assert credit_of(totals_of(made, everything, "z-sum"), 0).tolist() == [1.0]


def test_unread_judgements_give_no_score_and_nothing_at_all_is_a_tie():
    nan = float("nan")
    made = ballot([0, None, None], scores=[[7, 5], [nan, nan], [nan, nan]])
    assert credit_of(totals_of(made, np.array([[0, 1]]), "sum"), 0).tolist() == [1.0]
    assert credit_of(totals_of(made, np.array([[1, 2]]), "sum"), 0).tolist() == [0.5]
    assert credit_of(totals_of(made, np.array([[1, 2]]), "mean"), 0, "wrong").tolist() == [0.0]


def test_a_mean_is_over_the_scores_that_were_given():
    nan = float("nan")
    made = ballot([0, 0], scores=[[4, nan], [6, 7]])
    assert totals_of(made, np.array([[0, 1]]), "mean").tolist() == [[5, 7]]
    assert totals_of(made, np.array([[0, 1]]), "sum").tolist() == [[10, 7]]


@pytest.mark.parametrize("aggregation", ["sum", "mean", "z-sum"])
def test_running_totals_are_those_of_each_random_subset(aggregation):
    rng = np.random.default_rng(2)
    scores = rng.integers(1, 11, size=(12, 2)).astype(float)
    scores[rng.random(12) < 0.3] = np.nan
    made = ballot([0] * 12, scores=scores.tolist())
    orders = np.array([rng.permutation(12) for _ in range(50)])
    found = _running_totals(made, orders, aggregation)
    for k in range(1, 13):
        assert found[:, k - 1] == pytest.approx(
            totals_of(made, orders[:, :k], aggregation), nan_ok=True
        )
