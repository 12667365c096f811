"""Stopping early against replaying every order of the judgements."""

from functools import partial
from itertools import permutations

import numpy as np
import pytest
from scipy import integrate

from core.labs.reasoning.adaptive import (
    RULES,
    Stopping,
    adaptive_curves,
    adaptive_gain,
    majority_probability,
    stays_probability,
    stop_in_order,
    stop_pair,
    stop_table,
)
from core.labs.reasoning.ballots import ballots_of
from core.labs.reasoning.curves import VotingOptions
from core.labs.reasoning.voting import majority_credit
from tests.core.labs.reasoning.made import ballot, made_judgements

FEW = VotingOptions(n_resamples=200)


def _density(lead, other, p):
    return p**lead * (1 - p) ** other


def test_the_posterior_against_integration():
    for lead, other in ((0, 0), (3, 1), (5, 0), (2, 7)):
        density = partial(_density, lead, other)
        whole, above = (integrate.quad(density, start, 1)[0] for start in (0, 0.5))
        assert float(majority_probability(lead, other)) == pytest.approx(above / whole)
    assert float(majority_probability(1, 0)) == pytest.approx(0.75)


def test_the_leader_stays_with_the_chance_that_drawing_gives():
    rng = np.random.default_rng(0)
    for lead, other, left in ((2, 1, 4), (3, 0, 5), (1, 1, 3)):
        p = rng.beta(lead + 1, other + 1, 200_000)
        margin = lead - other + 2 * rng.binomial(left, p) - left
        drawn = (margin > 0).mean() + 0.5 * (margin == 0).mean()
        assert stays_probability(lead, other, left) == pytest.approx(drawn, abs=0.005)
    assert stays_probability(3, 2, 0) == 1
    assert stays_probability(2, 2, 0) == 0.5


def test_a_settled_vote_cannot_flip():
    stops = stop_table(Stopping("settled", most=5))
    assert not stops[2, 0, 0]
    assert stops[3, 0, 0]
    assert stops[0, 3, 1]
    assert not stops[2, 1, 0]  # two more against make it a loss
    assert not stops[2, 1, 1]  # one more against makes it a tie


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "votes", [[0, 0, 1, None, 0, 1], [1, 1, 0, None, None], [0, 0, 0, 0, 1, 1]]
)
def test_the_exact_adaptive_vote_equals_replaying_every_order(rule, votes):
    stopping = Stopping(rule, 0.8, most=5)
    tokens = [10.0, 10.0, 30.0, 5.0, 10.0, 30.0]
    by_vote = {0: 10.0, 1: 30.0, None: 5.0}
    made = ballot(votes, tokens=[by_vote[vote] for vote in votes])
    asked, spent, credit = [], [], []
    for order in permutations(votes):
        plain = [-1 if vote is None else vote for vote in order]
        n, _ = stop_in_order(plain, 2, stopping)
        seen = order[:n]
        right, wrong = seen.count(0), seen.count(1)
        asked.append(n)
        spent.append(sum(by_vote[vote] for vote in seen))
        credit.append(1.0 if right > wrong else 0.5 if right == wrong else 0.0)
    found = stop_pair(made, stopping)
    assert len(tokens) == 6
    assert found.votes == pytest.approx(np.mean(asked))
    assert found.tokens == pytest.approx(np.mean(spent))
    assert found.credit == pytest.approx(np.mean(credit))


def test_a_fixed_number_is_the_majority_of_k():
    made = ballot([0, 0, 1, None, 1, 0, 0])
    for k in range(1, 8):
        found = stop_pair(made, Stopping("fixed", most=k))
        assert found.votes == pytest.approx(k)
        assert found.credit == pytest.approx(majority_credit(made.counts, 0, k).mean)


def test_stopping_when_settled_costs_no_accuracy_and_saves_judgements():
    ballots = ballots_of(made_judgements(40, 4, chance=0.8))
    saved, lost, items = adaptive_gain(ballots, Stopping("settled", most=8), FEW)
    assert lost.value == pytest.approx(0, abs=1e-12)
    assert saved.value > 1.5
    assert saved.low > 0
    assert items["votes"].iloc[0] == items["votes"].max()
    close = items.sort_values("share_right")
    assert len(close) == 40


def test_a_higher_threshold_asks_more():
    ballots = ballots_of(made_judgements(40, 8, chance=0.7))
    table = adaptive_curves(ballots, thresholds=(0.7, 0.9, 0.99), options=FEW).table
    assert set(table["rule"]) == set(RULES)
    for rule in ("majority", "stays"):
        rows = table.loc[table["rule"] == rule].sort_values("threshold")
        assert rows["votes"].is_monotonic_increasing
        assert (rows["votes"] <= 16).all()
        assert ((rows["low"] <= rows["value"]) & (rows["value"] <= rows["high"])).all()
    fixed = table.loc[table["rule"] == "fixed"]
    assert fixed["votes"].tolist() == pytest.approx(range(1, 17))
    assert np.allclose(fixed["fixed"], fixed["value"])
    assert (table["tokens"] > 0).all()


def test_lists_of_candidates_are_counted_out_of_the_curves():
    from core.labs.reasoning.ballots import Ballots

    three = ballot([0, 1, 2], size=3)
    found = adaptive_curves(Ballots((three,), 3, {}, 3, 0, 0), options=FEW)
    assert found.table.empty
    assert found.left_out == {"items with more than two candidates": 1}


def test_replaying_a_list_stops_once_the_second_cannot_catch_up():
    assert stop_in_order([2, 2, 2, 0, 1], 3, Stopping("settled", most=5)) == (3, 2)
    assert stop_in_order([2, 0, 1], 3, Stopping("settled", most=5)) == (3, 0)


def test_the_table_of_stops_follows_the_probability_of_each_vote():
    stops = stop_table(Stopping("stays", 0.8, most=6))
    for lead in range(1, 7):
        for other in range(min(lead, 6 - lead) + 1):
            for nobody in range(7 - lead - other):
                left = 6 - lead - other - nobody
                sure = stays_probability(lead, other, left) > 0.8 or left == 0
                assert stops[lead, other, nobody] == sure
                assert stops[other, lead, nobody] == sure
