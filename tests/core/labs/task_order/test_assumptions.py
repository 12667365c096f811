"""Broken assumptions that were planted are found; held ones are not called broken."""

import numpy as np
import pytest

from core.labs.task_order.assumptions import check_assumptions
from core.labs.task_order.evaluations import read_evaluations
from tests.core.labs.task_order.planted import example, planted_table


def test_held_assumptions_show_no_difference():
    found = check_assumptions(read_evaluations(planted_table(example(), spread=0.1)), n_draws=50)
    np.testing.assert_allclose(found.table["difference"], 0, atol=1e-12)
    assert len(found.table) == 9
    assert (found.table["assumption"] == 2).sum() == 3
    assert not found.left_out


def test_levels_that_rise_with_the_stage_break_the_second_assumption():
    table = planted_table(example(), noise=0.02, n_problems=40)
    own = table["trained"] == table["task"]
    table.loc[own & (table["stage"] > 1), "score"] += 0.1
    found = check_assumptions(read_evaluations(table), n_draws=200).table
    second = found.loc[found["assumption"] == 2]
    assert second["differs"].all()
    np.testing.assert_allclose(second["difference"], 0.1, atol=0.02)


def test_false_alarms_are_about_as_rare_as_the_interval_says():
    alarms, n = 0, 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        table = planted_table(example(), noise=0.2, n_problems=30, seeds=[0], rng=rng)
        found = check_assumptions(read_evaluations(table), n_draws=200, seed=seed).table
        alarms += int(found["differs"].sum())
        n += len(found)
    assert alarms / n < 0.12


def test_pairs_that_were_never_trained_later_are_counted():
    read = read_evaluations(planted_table(example(), orders=[(0, 1, 2)], seeds=[0]))
    found = check_assumptions(read, n_draws=10)
    assert found.table.empty
    assert found.left_out == {"pairs not seen both first and later": 9}


def test_without_problems_the_difference_has_no_interval():
    table = planted_table(example(), n_problems=1)
    found = check_assumptions(read_evaluations(table))
    assert found.table["low"].isna().all()
    assert not found.table["differs"].any()
    assert "no interval" in found.method
    assert found.table["difference"].abs().max() == pytest.approx(0, abs=1e-12)
