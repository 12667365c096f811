"""Ensembles against the reference vector, planted noise and a loop over pairs of pairs."""

import itertools

import numpy as np
import pytest

from core.labs.compare import CompareOptions, combine, compare_ensembles, read_scores
from core.labs.compare.ensembles import RULES, auc
from tests.core.labs.compare.tables import long_table, random_table

FAST = CompareOptions(n_resamples=300)


def test_reference_vector():
    rewards = [1.0, 2.0, 3.0]
    assert combine(rewards, "mean") == 2
    assert combine(rewards, "worst case") == 1
    assert combine(rewards, "mean - penalty * variance") == pytest.approx(1.6667, abs=5e-5)
    assert combine(rewards, "mean - penalty * variance", penalty=0) == 2


def test_rewards_are_standardised_before_they_are_combined():
    table = random_table(30, ["a", "b", "c"])
    scores = read_scores(table)
    found = compare_ensembles(scores, FAST)
    sides = {
        model: (scores.chosen[model].to_numpy(), scores.rejected[model].to_numpy())
        for model in scores.models
    }
    standard = [[(side - np.mean(both)) / np.std(both) for side in both] for both in sides.values()]
    chosen = np.array([both[0] for both in standard])
    rejected = np.array([both[1] for both in standard])
    assert found.pairs["mean"].to_numpy() == pytest.approx(chosen.mean(0) - rejected.mean(0))
    assert found.pairs["worst case"].to_numpy() == pytest.approx(chosen.min(0) - rejected.min(0))
    by_hand = (chosen.mean(0) - 0.5 * chosen.var(0)) - (rejected.mean(0) - 0.5 * rejected.var(0))
    assert found.pairs["mean - penalty * variance"].to_numpy() == pytest.approx(by_hand)
    assert found.pairs["disagreement"].to_numpy() == pytest.approx((chosen - rejected).std(0))


def test_a_models_unit_does_not_give_it_more_say():
    table = random_table(30, ["a", "b"])
    scaled = table.copy()
    of_b = scaled["model"] == "b"
    scaled.loc[of_b, ["reward_chosen", "reward_rejected"]] *= 1000
    first, second = (compare_ensembles(read_scores(t), FAST).pairs for t in (table, scaled))
    for rule in RULES:
        assert first[rule].to_numpy() == pytest.approx(second[rule].to_numpy())


def test_the_mean_of_models_with_independent_noise_beats_each_of_them():
    rng = np.random.default_rng(6)
    signal = np.repeat(0.6, 600)
    margins = {name: signal + rng.normal(0, 1, 600) for name in "abcde"}
    found = compare_ensembles(read_scores(long_table(margins)), FAST).accuracy.set_index("name")
    alone = found.loc[list("abcde"), "value"]
    assert found.loc["mean", "value"] > alone.max()
    assert found.loc["mean", "difference_low"] > 0


def test_every_accuracy_is_on_the_pairs_that_all_models_scored():
    table = random_table(20, ["a", "b", "c"])
    table.loc[0, "error"] = "failed"
    table.loc[25, "reward_chosen"] = np.inf
    found = compare_ensembles(read_scores(table), FAST)
    assert (found.accuracy["n"] == 18).all()
    assert found.left_out == {"failed": 1, "infinite reward": 1}
    assert len(found.pairs) == 18
    assert found.accuracy["kind"].tolist() == ["model"] * 3 + ["ensemble"] * 3


def test_the_baseline_is_not_compared_with_itself():
    options = CompareOptions(n_resamples=100, baseline="b")
    found = compare_ensembles(read_scores(random_table(20, ["a", "b"])), options)
    unknown = found.accuracy.set_index("name")["difference"].isna()
    assert unknown.to_dict() == {"a": False, "b": True, **dict.fromkeys(RULES, False)}


def test_a_model_named_as_a_rule_is_still_a_model():
    found = compare_ensembles(read_scores(random_table(20, ["mean", "b"])), FAST)
    both = found.accuracy[found.accuracy["name"] == "mean"].set_index("kind")
    assert both["difference"].isna().to_dict() == {"model": True, "ensemble": False}


@pytest.mark.parametrize("seed", range(6))
def test_auc_equals_a_loop_over_pairs_and_weights_repeat_rows(seed):
    rng = np.random.default_rng(seed)
    score, positive = rng.integers(0, 5, 20).astype(float), rng.random(20) < 0.4
    weights = rng.integers(0, 3, 20)
    rows = np.repeat(np.arange(20), weights)
    s, y = score[rows], positive[rows]
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(s[y], s[~y])]
    assert auc(score, positive, weights) == pytest.approx(np.mean(wins))


def test_auc_of_the_reference_vector():
    score = np.array([0.9, 0.6, 0.6, 0.2])
    assert auc(score, np.array([True, True, False, False])) == 0.875
    assert np.isnan(auc(score, np.ones(4, dtype=bool)))


def test_disagreement_predicts_errors_where_it_was_planted():
    rng = np.random.default_rng(9)
    # On half of the pairs each model sees only its own noise: there they disagree and err.
    hard = np.arange(600) % 2 == 0
    margins = {
        name: np.where(hard, rng.normal(0, 3, 600), 1 + rng.normal(0, 0.2, 600)) for name in "abcd"
    }
    found = compare_ensembles(read_scores(long_table(margins)), FAST)
    assert found.disagreement_auc.low > 0.6
    assert found.disagreement_auc.n == 600


def test_disagreement_without_meaning_is_near_a_half():
    rng = np.random.default_rng(10)
    shared = np.where(rng.random(800) < 0.7, 1.0, -1.0) * rng.uniform(0.5, 2, 800)
    margins = {name: shared + rng.normal(0, 0.2, 800) for name in "abc"}
    found = compare_ensembles(read_scores(long_table(margins)), FAST)
    assert found.disagreement_auc.low < 0.5 < found.disagreement_auc.high


def test_no_error_means_no_auc_and_models_without_spread_say_nothing():
    found = compare_ensembles(read_scores(long_table({"a": [1.0] * 5, "b": [0.0] * 5})), FAST)
    assert np.isnan(found.disagreement_auc.value)
    # b's rewards do not differ: the mean is half of a's, and a's own verdicts stand.
    assert found.pairs["mean_right"].tolist() == [1.0] * 5


def test_a_tie_of_the_mean_is_neither_right_nor_wrong_and_counted():
    scores = read_scores(long_table({"a": [1.0, 1.0, -1.0, 0.0], "b": [1.0, 1.0, -1.0, 0.0]}))
    found = compare_ensembles(scores, FAST)
    assert found.disagreement_auc.n == 3
    assert found.disagreement_auc.left_out == {"tie of the ensemble's mean": 1}


def test_no_common_pair_is_reported():
    table = long_table({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    table.loc[[0, 3], "error"] = "failed"
    found = compare_ensembles(read_scores(table), FAST)
    assert (found.accuracy["n"] == 0).all()
    assert found.pairs.empty
    assert found.left_out == {"failed": 2}
