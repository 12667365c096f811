"""Predicted against observed: planted agreement, planted disagreement, no leakage."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from core.errors import TableError
from core.labs.task_order.comparison import POOLED, compare, permutation_p, rank_correlations
from core.labs.task_order.evaluations import read_evaluations
from tests.core.labs.task_order.planted import example, planted_table
from tests.core.labs.task_order.test_evaluations import small


def test_where_the_assumptions_hold_prediction_and_result_agree():
    found = compare(read_evaluations(planted_table(example(), spread=0.05)), n_draws=50)
    assert set(found.agreements) == {"seed 0", "seed 1", POOLED}
    pooled = found.agreements[POOLED]
    assert pooled.correlation.value == pytest.approx(1)
    assert pooled.error.value == pytest.approx(0, abs=1e-12)
    assert pooled.best_found
    assert pooled.n_orders == 6
    assert not found.leaks
    rows = found.table.query(f"seed == '{POOLED}'").set_index("order")
    assert rows.loc["c > a > b", "observed"] == pytest.approx((0.74 + 0.55 + 0.71) / 3)
    assert rows.loc["c > a > b", "predicted: c"] == pytest.approx(0.71)


def test_one_in_so_many_permutations_reaches_a_full_agreement():
    predicted = np.array([0.1, 0.4, 0.3, 0.2])
    assert permutation_p(predicted, predicted * 2, np.random.default_rng(0)) == (
        pytest.approx(1 / 24),
        "all 24 permutations",
    )


@pytest.mark.parametrize("seed", range(5))
def test_exact_p_values_equal_counting(seed: int):
    rng = np.random.default_rng(seed)
    predicted, observed = rng.normal(size=5), rng.normal(size=5)
    seen = scipy_stats.spearmanr(predicted, observed).statistic
    counted = [
        scipy_stats.spearmanr(predicted[list(order)], observed).statistic >= seen - 1e-12
        for order in permutations(range(5))
    ]
    found, _ = permutation_p(predicted, observed, rng)
    assert found == pytest.approx(np.mean(counted))


def test_correlations_equal_scipys_with_ties():
    rng = np.random.default_rng(2)
    first, second = (rng.integers(0, 4, size=(30, 8)).astype(float) for _ in range(2))
    expected = [scipy_stats.spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlations(first, second), expected)
    assert np.isnan(rank_correlations(np.ones((1, 4)), first[:1, :4])).all()


def test_a_constant_side_has_no_p_value():
    found, method = permutation_p(np.ones(4), np.arange(4.0), np.random.default_rng(0))
    assert np.isnan(found)
    assert "same value" in method


def test_final_scores_change_only_the_observed_side():
    table = planted_table(example())
    turned = table.copy()
    last = turned["stage"] == 3
    turned.loc[last, "score"] = 1.3 - turned.loc[last, "score"]
    same, other = (compare(read_evaluations(each), n_draws=0) for each in (table, turned))
    np.testing.assert_array_equal(same.table["predicted"], other.table["predicted"])
    assert other.agreements[POOLED].correlation.value == pytest.approx(-1)
    assert not other.agreements[POOLED].best_found


def test_other_seeds_predict_a_seed_without_its_own_runs():
    table = planted_table(example(), seeds=[0, 1, 2])
    moved = table.copy()
    own = moved["seed"] == 1
    moved.loc[own & (moved["stage"] > 0), "score"] += 0.01
    found = compare(read_evaluations(moved), feeding="other seeds", stages="all", n_draws=0)
    base = compare(read_evaluations(table), feeding="other seeds", stages="all", n_draws=0)
    rows, before = (
        each.table.query("seed == 'seed 1'").reset_index(drop=True) for each in (found, base)
    )
    np.testing.assert_allclose(rows["predicted"], before["predicted"], atol=1e-12)
    np.testing.assert_allclose(rows["observed"], before["observed"] + 0.01, atol=1e-12)
    assert not found.leaks
    assert compare(read_evaluations(table), stages="all", n_draws=0).leaks


def test_noise_widens_the_interval_of_the_correlation():
    table = planted_table(example(), n_problems=25, noise=0.3, rng=np.random.default_rng(1))
    found = compare(read_evaluations(table), n_draws=200)
    for agreement in found.agreements.values():
        assert -1 <= agreement.correlation.low <= agreement.correlation.high <= 1
        assert agreement.correlation.high - agreement.correlation.low > 0.2
        assert agreement.correlation.n_prompts == 25
        assert 0 < agreement.p_value <= 1


@pytest.mark.parametrize("scale", ["ceiling", "z"])
def test_both_sides_are_averaged_on_one_scale(scale):
    table = planted_table(example())
    table.loc[table["task"] == "c", "score"] *= 100
    found = compare(read_evaluations(table), scale=scale, n_draws=0)
    assert found.agreements[POOLED].correlation.value == pytest.approx(1)
    assert found.agreements[POOLED].error.value == pytest.approx(0, abs=1e-9)


def test_without_problems_there_is_no_interval_but_a_value():
    rows = planted_table(example(), n_problems=1).drop(columns="problem_id")
    found = compare(read_evaluations(rows))
    assert found.agreements[POOLED].correlation.value == pytest.approx(1)
    assert np.isnan(found.agreements[POOLED].correlation.low)
    assert "no interval" in found.agreements[POOLED].correlation.method


def test_an_order_with_a_missing_final_score_is_left_out():
    table = planted_table(example(), seeds=[0])
    gone = (table["order"] == "a>b>c") & (table["stage"] == 3) & (table["task"] == "b")
    found = compare(read_evaluations(table.loc[~gone]), n_draws=20)
    assert found.agreements["seed 0"].n_orders == 5
    assert found.left_out == {"seed 0: orders without all scores": 1}


def test_joint_training_is_told_beside_the_orders():
    table = planted_table(example(), seeds=[0])
    joint = table.query("order == 'a>b>c' and stage == 3").assign(
        order="joint", stage=1, trained="", score=0.66
    )
    import pandas as pd

    found = compare(read_evaluations(pd.concat([table, joint])), n_draws=0)
    np.testing.assert_allclose(found.joint, [0.66, 0.66, 0.66])


def test_what_cannot_be_compared_says_so():
    with pytest.raises(TableError, match="a ranking needs 3"):
        compare(read_evaluations(small()))
    one_seed = read_evaluations(planted_table(example(), seeds=[0], n_problems=2))
    with pytest.raises(TableError, match="one seed"):
        compare(one_seed, feeding="other seeds")
