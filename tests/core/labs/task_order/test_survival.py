"""How firm a ranking is, against draws whose answer is plain."""

import numpy as np
import pytest

from core.labs.task_order.evaluations import read_evaluations
from core.labs.task_order.measured import transfer_of
from core.labs.task_order.orders import rank_orders
from core.labs.task_order.survival import affordable_draws, drawn_transfer, survival
from core.labs.task_order.transfer import Draws, noisy_draws
from tests.core.labs.task_order.planted import EFFECTS, example, planted_table


def draws_of(*effects) -> Draws:
    transfer = example()
    n = len(effects)
    return Draws(
        np.repeat(transfer.before[None], n, axis=0),
        np.repeat(transfer.saturated[None], n, axis=0),
        np.stack(effects),
    )


def test_shares_and_ranks_are_counted_by_hand():
    other = EFFECTS.copy()
    other[2, 0] = 0.10  # c now helps a most
    ranking = rank_orders(example())
    found = survival(ranking, draws_of(EFFECTS, EFFECTS, EFFECTS, other))
    assert found.best_stays == pytest.approx(0.75)
    assert found.n_draws == 4
    table = found.table.set_index("order")
    assert table["share_best"].sum() == pytest.approx(1)
    # With .10 the worth of each order is the sum of effects of later on earlier tasks.
    worth = {
        "a > b > c": 0.04 + 0.10 - 0.02, "a > c > b": 0.10 + 0.04 - 0.01,
        "b > a > c": 0.02 - 0.02 + 0.10, "b > c > a": -0.02 + 0.02 - 0.03,
        "c > a > b": -0.03 - 0.01 + 0.04, "c > b > a": -0.01 - 0.03 + 0.02,
    }  # fmt: skip
    assert max(worth, key=worth.__getitem__) == "a > c > b"
    assert table.loc["a > c > b", "share_best"] == pytest.approx(0.25)
    assert table.loc["c > a > b", "rank_low"] == 1
    place = sorted(worth.values(), reverse=True).index(worth["c > a > b"]) + 1
    assert table.loc["c > a > b", "rank_high"] == place


def test_without_noise_nothing_moves():
    read = read_evaluations(planted_table(example(), spread=0.1))
    found = survival(rank_orders(transfer_of(read)), drawn_transfer(read, n_draws=50))
    assert found.best_stays == 1
    assert found.best_beats_worst == 1
    assert (found.table["rank_low"] == found.table["rank_high"]).all()


def test_under_large_noise_the_best_order_is_any():
    transfer = example()
    rng = np.random.default_rng(0)
    found = survival(rank_orders(transfer), noisy_draws(transfer, 5.0, 3_000, rng))
    # Clipping to 0 and 1 makes ties; still no order stands out much from one in six.
    assert 0.05 < found.best_stays < 0.4
    assert 0.4 < found.best_beats_worst < 0.6


def test_intervals_cover_a_true_mean_about_as_often_as_they_say():
    hits = 0
    n_trials = 20
    for trial in range(n_trials):
        rng = np.random.default_rng(trial)
        table = planted_table(example(), n_problems=30, noise=0.15, seeds=[0], rng=rng)
        read = read_evaluations(table)
        ranking = rank_orders(transfer_of(read))
        found = survival(ranking, drawn_transfer(read, n_draws=300, seed=trial)).table
        row = found.set_index("order").loc["c > a > b"]
        hits += bool(row["low"] <= (0.74 + 0.55 + 0.71) / 3 <= row["high"])
    assert hits >= 0.8 * n_trials


def test_incomplete_draws_are_left_out_and_counted():
    damaged = EFFECTS.copy()
    damaged[0, 1] = np.nan
    found = survival(rank_orders(example()), draws_of(EFFECTS, damaged))
    assert found.n_draws == 1
    assert found.left_out == {"draws without a number for every task": 1}
    nothing = survival(rank_orders(example()), draws_of(damaged))
    assert np.isnan(nothing.best_stays)
    assert nothing.table["low"].isna().all()


def test_draws_of_eight_tasks_are_fewer():
    assert affordable_draws(3) == 1_000
    assert affordable_draws(8) == 60
