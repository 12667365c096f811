"""Both orders of a pair against every meeting counted one by one, and planted position bias."""

import numpy as np
import pandas as pd
import pytest

from core.labs.reasoning.judgements import check_judgements
from core.labs.reasoning.orders import OUTCOMES, order_swaps, position_shares
from tests.core.labs.reasoning.made import made_judgements


def test_every_meeting_of_the_two_orders_by_hand():
    read = check_judgements(
        pd.DataFrame(
            {
                "item_id": ["x"] * 5,
                "order": ["AB", "AB", "AB", "BA", "BA"],
                "verdict": ["A", "A", "B", "A", "tie"],
                "best": "A",
            }
        )
    )
    found = order_swaps(read)
    grid = found.matrix.set_index(["own", "swapped"])["share"]
    assert grid["A", "A"] == pytest.approx(2 / 6)
    assert grid["A", "tie"] == pytest.approx(2 / 6)
    assert grid["B", "A"] == pytest.approx(1 / 6)
    assert found.matrix["share"].sum() == pytest.approx(1)
    assert found.both.value == pytest.approx(1 / 3)
    assert found.accuracy_own.value == pytest.approx(2 / 3)
    assert found.accuracy_swapped.value == pytest.approx(1 / 2)
    assert found.independent == pytest.approx(1 / 3)
    assert found.flip_rate.value == pytest.approx(1 / 3)  # of the meetings that name two winners
    assert found.bias.value == pytest.approx(2 / 4 - 0.5)  # A twice of three, B never of one


def test_the_matrix_is_the_mean_over_all_pairings():
    read = made_judgements(8, 3, chance=0.6, first=0.2, unread=0.2, seed=3)
    counted = dict.fromkeys([(a, b) for a in OUTCOMES for b in OUTCOMES], 0.0)
    named = read.table.assign(verdict=read.table["verdict"].fillna("unread"))
    for _, rows in named.groupby("item_id"):
        own = rows.loc[rows["order"] == "AB", "verdict"].tolist()
        swapped = rows.loc[rows["order"] == "BA", "verdict"].tolist()
        for a in own:
            for b in swapped:
                counted[a, b] += 1 / (len(own) * len(swapped)) / 8
    found = order_swaps(read).matrix
    for row in found.to_dict("records"):
        assert row["share"] == pytest.approx(counted[row["own"], row["swapped"]])


def test_independent_orders_at_point_eight_are_both_right_in_sixty_four_of_a_hundred():
    found = order_swaps(made_judgements(400, 4, chance=0.8, seed=1))
    assert found.both.value == pytest.approx(0.64, abs=0.02)
    assert found.independent == pytest.approx(found.both.value, abs=0.01)
    assert found.bias.low < 0 < found.bias.high
    assert found.both.low <= found.both.value <= found.both.high


def test_a_planted_position_bias_is_found():
    found = order_swaps(made_judgements(200, 4, chance=0.7, first=0.5, seed=2))
    # Half of the verdicts go by place, so first wins in 0.5 + 0.5 * 0.5 of all.
    assert found.bias.value == pytest.approx(0.25, abs=0.03)
    assert found.bias.low > 0.15
    assert found.flip_rate.value > order_swaps(made_judgements(200, 4, seed=2)).flip_rate.value
    shares = position_shares(made_judgements(200, 4, chance=0.7, first=0.5, seed=2))
    assert shares["share"].iloc[0] == pytest.approx(0.75, abs=0.03)


def test_an_always_first_judge_is_never_right_in_both():
    found = order_swaps(made_judgements(30, 2, first=1.0))
    assert found.bias.value == pytest.approx(0.5)
    assert found.flip_rate.value == 1
    assert found.both.value == 0
    assert found.both.high > 0  # thirty items do not make it certain
    assert found.accuracy.value == pytest.approx(0.5)


def test_items_that_cannot_be_swapped_are_counted():
    read = check_judgements(
        pd.DataFrame(
            {
                "item_id": ["x", "y", "z", "z"],
                "order": ["AB", "CAB", "AB", "BA"],
                "verdict": ["A", "C", None, None],
                "best": ["A", "C", "A", "A"],
            }
        )
    )
    found = order_swaps(read)
    assert found.left_out == {"items judged in one order only": 1, "items that are not pairs": 1}
    assert found.both.value == 0
    assert np.isnan(found.bias.value)
    assert found.flip_rate.n == 0
    assert found.flip_rate.left_out == {"items without a value": 1}
    places = position_shares(read)
    assert places.loc[places["n_candidates"] == 3, "wins"].tolist() == [1, 0, 0]


def test_nothing_to_compare_is_no_error():
    read = check_judgements(pd.DataFrame({"item_id": ["x"], "verdict": ["A"], "best": ["A"]}))
    found = order_swaps(read)
    assert found.items.empty
    assert found.both.n == 0


def test_unread_verdicts_are_apart_from_those_that_name_a_winner():
    rows = [
        {"item_id": "x", "order": "AB", "verdict": "A", "best": "A"},
        {"item_id": "x", "order": "AB", "verdict": None, "best": "A"},
        {"item_id": "x", "order": "BA", "verdict": "A", "best": "A"},
        {"item_id": "x", "order": "BA", "verdict": "B", "best": "A"},
        {"item_id": "x", "order": "BA", "verdict": None, "best": "A"},
        {"item_id": "x", "order": "BA", "verdict": None, "best": "A"},
    ]
    found = order_swaps(check_judgements(pd.DataFrame(rows)))
    # Of 2 x 4 meetings two name a winner on both sides, and one of these is right in both.
    assert found.both.value == pytest.approx(1 / 8)
    assert found.both_named.value == pytest.approx(1 / 2)
    assert found.flip_rate.value == pytest.approx(1 / 2)
    assert found.matrix["share"].sum() == pytest.approx(1)
