"""Orders against enumeration by hand, the search against enumeration."""

from itertools import permutations

import numpy as np
import pytest

from core.labs.task_order.orders import (
    all_orders,
    greedy_order,
    last_first_order,
    make_objective,
    rank_orders,
    search,
)
from core.labs.task_order.transfer import Departure, Transfer, predicted_finals
from tests.core.labs.task_order.planted import by_hand, example
from tests.core.labs.task_order.test_transfer import random_transfer


def test_best_worst_and_ranks_of_the_worked_example():
    ranking = rank_orders(example())
    assert ranking.exact
    assert ranking.best == (2, 0, 1)
    assert ranking.worst == (1, 0, 2)
    assert list(ranking.table["rank"]) == [1, 2, 3, 3, 5, 6]
    assert ranking.table["objective"].iloc[0] == pytest.approx(0.74 / 3 + 0.55 / 3 + 0.71 / 3)
    assert ranking.table["order"].iloc[0] == "c > a > b"
    assert ranking.value((0, 1, 2)) == pytest.approx((0.68 + 0.53 + 0.75) / 3)
    assert ranking.rank((0, 1, 2)) == 5


def test_the_papers_greedy_rule_finds_the_worst_order_of_the_worked_example():
    # First stage: after a the others have (.42 + .57) / 2, after b (.54 + .59) / 2, after c
    # (.44 + .38) / 2: b. Then a leaves c at .59 - .03, c leaves a at .54 - .06: a.
    assert greedy_order(example()) == (1, 0, 2)
    assert rank_orders(example()).greedy == rank_orders(example()).worst


def test_choosing_the_most_helpful_task_last_finds_the_best_order_here():
    # Mean effects on the others: a -.005, b .015, c -.04. b last; then a on c -.03, c on a -.06.
    assert last_first_order(example()) == (2, 0, 1)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_the_ranking_is_that_of_all_orders_computed_one_by_one(k: int):
    transfer = random_transfer(np.random.default_rng(k), k)
    ranking = rank_orders(transfer)
    one_by_one = {order: np.mean(by_hand(transfer, order)[-1]) for order in permutations(range(k))}
    assert len(ranking.table) == len(one_by_one)
    for order, value in zip(ranking.orders, ranking.table["objective"], strict=True):
        assert value == pytest.approx(one_by_one[tuple(order)])
    assert one_by_one[ranking.best] == pytest.approx(max(one_by_one.values()))
    assert one_by_one[ranking.worst] == pytest.approx(min(one_by_one.values()))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("departure", [Departure(), Departure(0.7, "stage", 0.6)])
def test_the_search_ends_where_enumeration_does(seed: int, departure: Departure):
    transfer = random_transfer(np.random.default_rng(seed), 6)
    objective = make_objective(transfer)
    values = objective.of(predicted_finals(transfer, all_orders(6), departure))
    for sign, expected in ((1, values.max()), (-1, values.min())):
        found = search(transfer, objective, departure, seed=seed, sign=sign)[0]
        reached = objective.of(predicted_finals(transfer, found[None], departure))[0]
        assert reached == pytest.approx(expected, abs=1e-12)


def test_beyond_eight_tasks_the_search_takes_over_and_says_so():
    k = 10
    # Later tasks help earlier ones: the order 0, 1, ..., 9 keeps every positive effect.
    effects = np.where(np.arange(k)[:, None] > np.arange(k), 0.01, -0.01)
    transfer = Transfer(
        tuple(f"t{at}" for at in range(k)), np.full(k, 0.3), np.full(k, 0.5), effects
    )
    chosen = tuple(int(at) for at in np.random.default_rng(0).permutation(k))
    ranking = rank_orders(transfer, also=[chosen])
    assert not ranking.exact
    assert ranking.best == tuple(range(k))
    assert ranking.worst == tuple(reversed(range(k)))
    assert ranking.named(chosen) in set(ranking.table["order"])
    assert len(ranking.table) < 50
    with pytest.raises(ValueError, match="1 to 8"):
        all_orders(9)


def test_a_task_on_a_large_scale_rules_raw_means_and_not_scaled_ones():
    # y is scored from 0 to 100: raw, only y counts, and y is hurt by x coming later.
    effects = np.array([[0.0, -1.0], [-0.5, 0.0]])
    transfer = Transfer(("x", "y"), np.array([0.2, 20.0]), np.array([0.6, 60.0]), effects, None)
    assert rank_orders(transfer, scale="raw").best == (0, 1)
    # As shares of the ceiling x loses 0.5 / 0.6, y 1 / 60: x must come last.
    scaled = rank_orders(transfer, scale="ceiling")
    assert scaled.best == (1, 0)
    assert scaled.table["objective"].iloc[0] == pytest.approx((1 + 59 / 60) / 2)
    # Over two orders each task is at +1 or -1 standard deviation, so both orders tie.
    z = rank_orders(transfer, scale="z")
    np.testing.assert_allclose(z.table["objective"], 0, atol=1e-9)
    assert list(z.table["rank"]) == [1, 1]


def test_tasks_without_a_scale_are_dropped_and_named():
    flat = Transfer(
        ("x", "y"), np.zeros(2), np.array([0.5, 0.0]), np.array([[0.0, 0.1], [0.0, 0.0]])
    )
    assert make_objective(flat, "ceiling").dropped == ("y",)
    assert make_objective(flat, "z").dropped == ("x",)  # nothing reaches x: no spread
    nothing = Transfer(("x", "y"), np.zeros(2), np.zeros(2), np.zeros((2, 2)))
    assert rank_orders(nothing, scale="ceiling").table["objective"].isna().all()
    with pytest.raises(ValueError, match="raw, ceiling, z"):
        make_objective(flat, "share")  # type: ignore[arg-type]


def test_clipped_orders_are_flagged():
    effects = np.array([[0.0, 0.0], [0.5, 0.0]])
    transfer = Transfer(("x", "y"), np.array([0.1, 0.1]), np.array([0.8, 0.8]), effects)
    table = rank_orders(transfer).table.set_index("order")["clipped"]
    assert bool(table["x > y"])
    assert not bool(table["y > x"])
