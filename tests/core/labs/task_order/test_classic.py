"""Continual-learning numbers against hand-worked ones and loops."""

import numpy as np
import pytest

from core.labs.task_order.classic import classic_numbers, recorded_classic
from core.labs.task_order.evaluations import read_evaluations
from tests.core.labs.task_order.planted import BEFORE, example, planted_table

R = np.array([[0.70, 0.42, 0.57], [0.74, 0.55, 0.56], [0.68, 0.53, 0.75]])


def test_the_worked_example():
    found = classic_numbers(R, BEFORE)
    assert found.backward == pytest.approx(-0.02)
    assert found.forward == pytest.approx(-0.01)
    np.testing.assert_allclose(found.per_task, [0.06, 0.02, 0.0], atol=1e-12)
    assert found.forgetting == pytest.approx(0.04)


@pytest.mark.parametrize("seed", range(10))
def test_numbers_equal_their_definitions_in_loops(seed: int):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 7))
    r, b = rng.uniform(size=(k, k)), rng.uniform(size=k)
    found = classic_numbers(r, b)
    backward = sum(r[k - 1][i] - r[i][i] for i in range(k - 1)) / (k - 1)
    forward = sum(r[i - 1][i] - b[i] for i in range(1, k)) / (k - 1)
    forgetting = sum(max(r[t][i] for t in range(k)) - r[k - 1][i] for i in range(k - 1)) / (k - 1)
    assert found.backward == pytest.approx(backward)
    assert found.forward == pytest.approx(forward)
    assert found.forgetting == pytest.approx(forgetting)


def test_one_task_has_nothing_to_forget():
    found = classic_numbers([[0.5]], [0.1])
    assert np.isnan([found.backward, found.forward, found.forgetting]).all()
    with pytest.raises(ValueError, match="Expected"):
        classic_numbers(R[:2], BEFORE)


def test_recorded_orders_give_the_same_numbers_in_their_own_order():
    read = read_evaluations(planted_table(example(), spread=0.05))
    found = recorded_classic(read, n_draws=20)
    first = found.estimates["a > b > c"]
    assert first["backward"].value == pytest.approx(-0.02)
    assert first["forward"].value == pytest.approx(-0.01)
    assert first["backward"].n == 2
    assert first["backward"].n_prompts == 20
    # c > a > b: c .75 falls to .71, a .70 rises to .74.
    assert found.estimates["c > a > b"]["backward"].value == pytest.approx(0.0, abs=1e-12)
    assert len(found.table()) == 18


def test_orders_with_a_missing_score_are_counted():
    table = planted_table(example(), seeds=[0])
    gone = (table["order"] == "a>b>c") & (table["stage"] == 2) & (table["task"] == "b")
    found = recorded_classic(read_evaluations(table.loc[~gone]), n_draws=5)
    assert "a > b > c" not in found.estimates
    assert found.left_out == {"orders with a score missing in every seed": 1}
