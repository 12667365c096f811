"""The matrix from recorded stages: planted numbers come back, leakage does not."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.task_order.evaluations import read_evaluations
from core.labs.task_order.measured import (
    drawn_stage_means,
    seed_estimates,
    stage_means,
    transfer_of,
)
from tests.core.labs.task_order.planted import (
    BEFORE,
    EFFECTS,
    SATURATED,
    example,
    planted_table,
)
from tests.core.labs.task_order.test_evaluations import small


def off_diagonal(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


@pytest.mark.parametrize("stages", ["first", "not last", "all"])
def test_a_matrix_that_holds_is_found_from_any_stages(stages):
    transfer = transfer_of(read_evaluations(planted_table(example(), spread=0.05)), stages)
    np.testing.assert_allclose(transfer.before, BEFORE, atol=1e-12)
    np.testing.assert_allclose(transfer.saturated, SATURATED, atol=1e-12)
    np.testing.assert_allclose(off_diagonal(transfer.effects), off_diagonal(EFFECTS), atol=1e-12)


def test_each_way_of_reading_by_hand():
    read = read_evaluations(small())
    first = transfer_of(read, "first")
    np.testing.assert_allclose(first.saturated, [0.6, 0.7])
    np.testing.assert_allclose(off_diagonal(first.effects), [0.1, 0.1])
    every = transfer_of(read, "all")
    # x was trained at stage 1 of x>y (.6) and at stage 2 of y>x (.6); y: .7 and .8.
    np.testing.assert_allclose(every.saturated, [0.6, 0.75])
    # x on y: .3 - .2 and .6 - .7; y on x: .2 - .1 and .5 - .6.
    np.testing.assert_allclose(off_diagonal(every.effects), [0.0, 0.0], atol=1e-12)
    later = transfer_of(read, "later")
    np.testing.assert_allclose(off_diagonal(later.effects), [-0.1, -0.1], atol=1e-12)


@pytest.mark.parametrize("stages", ["first", "not last"])
def test_final_scores_do_not_feed_these_predictions(stages):
    table = planted_table(example())
    moved = table.assign(score=table["score"].where(table["stage"] < 3, 0.123))
    same, other = (transfer_of(read_evaluations(each), stages) for each in (table, moved))
    np.testing.assert_array_equal(same.saturated, other.saturated)
    np.testing.assert_array_equal(off_diagonal(same.effects), off_diagonal(other.effects))
    leaking = transfer_of(read_evaluations(moved), "all")
    assert not np.allclose(leaking.saturated, same.saturated)


def test_seeds_weigh_alike_and_can_be_chosen():
    table = planted_table(example(), seeds=[0, 1])
    table.loc[(table["seed"] == 1) & (table["stage"] > 0), "score"] += 0.1
    # Seed 1 has half the orders, which must not halve its weight.
    table = table.loc[(table["seed"] == 0) | table["order"].isin(["a>b>c", "b>a>c", "c>a>b"])]
    read = read_evaluations(table)
    np.testing.assert_allclose(transfer_of(read).saturated, SATURATED + 0.05, atol=1e-12)
    np.testing.assert_allclose(transfer_of(read, seeds=["1"]).saturated, SATURATED + 0.1)


def test_a_task_that_never_came_first_is_named():
    read = read_evaluations(planted_table(example(), orders=[(0, 1, 2), (1, 2, 0)]))
    with pytest.raises(TableError, match=r"\(first\) trains c"):
        transfer_of(read, "first")
    np.testing.assert_allclose(transfer_of(read, "all").saturated, SATURATED, atol=1e-12)


def test_single_task_runs_are_enough():
    rows = planted_table(example())
    first = rows.loc[rows["stage"] <= 1].assign(order=lambda t: t["order"].str[0])
    read = read_evaluations(first)
    assert read.full_orders == ()
    np.testing.assert_allclose(
        off_diagonal(transfer_of(read).effects), off_diagonal(EFFECTS), atol=1e-12
    )


def test_draws_are_weighted_means_over_the_same_problems_of_every_policy():
    table = planted_table(example(), spread=0.2, n_problems=8)
    read = read_evaluations(table)
    drawn = drawn_stage_means(read, n_draws=200, rng=np.random.default_rng(1))
    # Levels of problems are the same for all policies: paired differences do not move at all.
    found = seed_estimates(read, drawn, "first").averaged(drawn.seed_weights)
    assert np.ptp(found.effects[:, 0, 1]) == pytest.approx(0, abs=1e-12)
    assert found.saturated[:, 0].std() > 0.02


def test_the_spread_of_draws_is_the_standard_error_of_the_mean():
    rng = np.random.default_rng(5)
    transfer = example()
    table = planted_table(transfer, n_problems=50, noise=0.2, seeds=[0], rng=rng)
    read = read_evaluations(table)
    drawn = drawn_stage_means(read, n_draws=4_000, rng=rng)
    values = read.scores[0][:, 0, 0, 3]
    expected = values.std() / np.sqrt(len(values))
    assert drawn.values[:, 0, 0, 3, 0].std() == pytest.approx(expected, rel=0.06)


def test_missing_scores_of_a_problem_are_left_out_of_its_policy_only():
    table = planted_table(example(), spread=0.0, n_problems=4)
    table.loc[table.index[::7], "score"] = np.nan
    read = read_evaluations(table)
    assert read.left_out == {"no finite score": len(table.index[::7])}
    np.testing.assert_allclose(transfer_of(read).saturated, SATURATED, atol=1e-12)


def test_seeds_are_resampled_only_where_asked():
    table = planted_table(example(), n_problems=3, seeds=[0, 1, 2])
    read = read_evaluations(table)
    rng = np.random.default_rng(0)
    assert (drawn_stage_means(read, n_draws=20, rng=rng).seed_weights == 1).all()
    drawn = drawn_stage_means(read, n_draws=20, rng=rng, resampled="items and seeds")
    assert (drawn.seed_weights.sum(axis=1) == 3).all()
    assert np.ptp(drawn.seed_weights) > 0


def test_without_problems_nothing_is_resampled():
    with pytest.raises(TableError, match="resampled"):
        drawn_stage_means(read_evaluations(small()), n_draws=5, rng=np.random.default_rng(0))


def test_unknown_choices_are_refused():
    read = read_evaluations(small())
    with pytest.raises(ValueError, match="first, not last"):
        seed_estimates(read, stage_means(read), "some")  # type: ignore[arg-type]
    with pytest.raises(TableError, match="no entropies"):
        stage_means(read, value="entropy")


def test_more_than_one_task_with_different_numbers_of_problems():
    table = planted_table(example(), n_problems=6)
    fewer = table.loc[(table["task"] != "c") | table["problem_id"].isin(["c-0", "c-1"])]
    read = read_evaluations(pd.DataFrame(fewer))
    assert read.n_problems == (6, 6, 2)
    np.testing.assert_allclose(transfer_of(read).saturated, SATURATED, atol=1e-12)
