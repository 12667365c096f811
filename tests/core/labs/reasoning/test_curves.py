"""Voting curves: planted chances, correlation that eats votes, and intervals."""

import numpy as np
import pandas as pd
import pytest

from core.labs.reasoning.ballots import ballots_of
from core.labs.reasoning.curves import (
    VotingOptions,
    dependence,
    effective_votes,
    intraclass_correlation,
    vote_table,
    voting_curves,
)
from core.labs.reasoning.judgements import check_judgements
from core.labs.reasoning.voting import AGGREGATIONS, iid_majority
from tests.core.labs.reasoning.made import made_judgements

FEW = VotingOptions(n_resamples=200)


def test_independent_votes_follow_the_formula_and_gain():
    ballots = ballots_of(made_judgements(200, 8, chance=0.7))
    found = voting_curves(ballots, ("majority",), FEW)
    assert found.ks == tuple(range(1, 17))
    assert found.table["exact"].all()
    for k in (1, 3, 7):
        row = found.at("majority", k)
        assert row["low"] <= row["value"] <= row["high"]
        assert row["value"] == pytest.approx(float(iid_majority(0.7, k)), abs=0.05)
    assert found.gain["majority"].low > 0
    assert found.tests["majority"].p_value < 0.01
    at_all = found.at("majority", 16)
    assert at_all["subset_low"] == at_all["value"] == at_all["subset_high"]


def test_the_mean_over_items_of_what_each_item_earns():
    ballots = ballots_of(made_judgements(12, 2, chance=0.6, seed=4))
    found = voting_curves(ballots, ("majority",), FEW)
    shares = [item.counts[item.right] / len(item) for item in ballots.items]
    assert found.at("majority", 1)["value"] == pytest.approx(np.mean(shares))
    gains = found.credits["majority"][:, 1] - found.credits["majority"][:, 0]
    assert found.at("majority", 2)["gain"] == pytest.approx(gains.mean())
    # Two votes with half-credit ties are worth one.
    assert np.abs(gains).max() < 1e-12


def test_a_biased_judge_gets_worse_by_voting():
    ballots = ballots_of(made_judgements(150, 8, chance=0.35))
    found = voting_curves(ballots, ("majority",), FEW)
    assert found.gain["majority"].high < 0
    told = dependence(ballots, FEW)
    assert told.below_half.value > 0.5
    assert told.ceiling.value < told.single.value


def test_every_aggregation_on_scores_and_a_filter_that_knows_pays():
    ballots = ballots_of(made_judgements(60, 4, chance=0.6, scores=True))
    found = voting_curves(ballots, AGGREGATIONS, FEW)
    assert set(found.table["aggregation"]) == set(AGGREGATIONS)
    last = {name: found.at(name, 8)["value"] for name in AGGREGATIONS}
    assert last["z-sum"] == pytest.approx(last["majority"])
    assert last["sum"] == pytest.approx(last["mean"])
    assert last["filtered"] > last["majority"] + 0.1


def test_what_an_aggregation_lacks_is_counted():
    found = voting_curves(ballots_of(made_judgements(5, 2)), ("majority", "sum"), FEW)
    assert found.left_out == {"sum: items without scores": 5}
    assert set(found.table["aggregation"]) == {"majority"}


def test_correlation_against_the_analysis_of_variance_by_hand():
    # Two items with votes 1 1 0 and 0 0 0: sums of squares by hand.
    rights, sizes = np.array([2.0, 0.0]), np.array([3.0, 3.0])
    between = 3 * ((2 / 3 - 1 / 3) ** 2 + (0 - 1 / 3) ** 2) / 1
    within = (2 * (1 / 3) ** 2 + (2 / 3) ** 2) / 4
    expected = (between - within) / (between + 2 * within)
    assert intraclass_correlation(rights, sizes, np.ones(2)) == pytest.approx(expected)
    twice = intraclass_correlation(rights, sizes, np.array([2.0, 2.0]))
    four = np.array([2.0, 0.0, 2.0, 0.0])
    assert twice == pytest.approx(intraclass_correlation(four, np.full(4, 3.0), np.ones(4)))


def test_items_that_are_always_or_never_right_leave_one_effective_vote():
    judged = made_judgements(40, 4, chance=1.0)
    wrong = judged.table["item_id"].isin([f"item-{at}" for at in range(0, 40, 4)])
    swap = {"A": "B", "B": "A"}
    judged.table.loc[wrong, "verdict"] = judged.table.loc[wrong, "verdict"].map(swap)
    told = dependence(ballots_of(judged), FEW)
    assert told.correlation.value == pytest.approx(1)
    assert told.effective["effective"].tolist() == pytest.approx([1.0] * 8)
    assert told.ceiling.value == pytest.approx(0.75)


def test_independent_votes_are_worth_what_they_are():
    told = dependence(ballots_of(made_judgements(300, 4, chance=0.7, seed=2)), FEW)
    assert told.correlation.value == pytest.approx(0, abs=0.05)
    assert told.correlation.low <= told.correlation.value <= told.correlation.high
    assert effective_votes(8, 0.0) == 8
    assert effective_votes(8, 1.0) == 1
    assert effective_votes(8, 0.5) == pytest.approx(8 / 4.5)
    assert told.reference["value"].iloc[0] == pytest.approx(told.single.value)


def test_the_votes_of_each_item():
    ballots = ballots_of(made_judgements(6, 3, unread=0.3, seed=5))
    table = vote_table(ballots)
    assert (table[["right", "wrong", "ties", "unread"]].sum(axis=1) == table["n"]).all()
    assert ballots.n_unread == table["unread"].sum() > 0
    row = table.iloc[0]
    assert row["margin"] == pytest.approx((row["right"] - row["wrong"]) / row["n"])
    assert (table["entropy"].dropna() >= 0).all()


def test_one_item_has_an_estimate_but_no_gain_interval():
    found = voting_curves(ballots_of(made_judgements(1, 3)), ("majority",), FEW)
    assert np.isnan(found.gain["majority"].low)
    assert np.isnan(found.detectable["majority"])
    assert np.isnan(dependence(ballots_of(made_judgements(1, 3)), FEW).correlation.value)


def test_the_share_of_right_votes_is_of_those_that_vote():
    rows = [
        {"item_id": item, "order": "AB", "verdict": verdict, "best": "A"}
        for item, verdicts in (("x", ("A", "A", "B", None)), ("y", (None, None, None, None)))
        for verdict in verdicts
    ]
    votes = vote_table(ballots_of(check_judgements(pd.DataFrame(rows)))).set_index("item_id")
    assert votes.loc["x", "share_right"] == pytest.approx(2 / 3)
    assert votes.loc["y", ["n", "unread"]].tolist() == [4, 4]
    assert np.isnan(votes.loc["y", "share_right"])
