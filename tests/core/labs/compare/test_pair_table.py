"""Scored pairs become the long table; the user's columns keep their values."""

import numpy as np
import pandas as pd
import pytest

from core.labs.compare import read_scores, sliceable
from core.labs.compare.pair_table import LONGER, attribute_gaps, stack_pairs
from core.labs.pairs import plan_pairs


@pytest.fixture
def pairs() -> pd.DataFrame:
    rows = [("a b c", "a"), ("a", "a b"), ("a b", "c d")]
    return pd.DataFrame(
        {
            "pair_id": ["x", "y", "x"],  # one id twice
            "prompt_id": ["p", "p", "p"],
            "prompt": [[{"role": "user", "content": "Hi"}]] * 3,
            "chosen": [chosen for chosen, _ in rows],
            "rejected": [rejected for _, rejected in rows],
            "model": ["gpt", "llama", "gpt"],
            "margin": [9, 9, 9],
            "tags": [["t"], ["u"], []],
        }
    )


@pytest.fixture
def table(pairs) -> pd.DataFrame:
    plan = plan_pairs(pairs)
    lengths = [len(c[-1]["content"].split()) for c in plan.conversations()]
    failed = ["out of order"] * len(lengths)
    scored = {
        "words": plan.scored(lengths),
        "minus": plan.scored([-float(n) for n in lengths]),
        "broken": plan.scored([np.nan] * len(lengths), failed),
    }
    return stack_pairs(pairs, scored)


def test_rewards_by_hand(table):
    scores = read_scores(table)
    assert list(scores.margins["words"]) == [2, -1, 0]
    assert list(scores.margins["minus"]) == [-2, 1, 0]
    assert set(scores.reasons["broken"]) == {"out of order"}


def test_rows_stay_in_the_order_of_the_pairs_even_with_an_id_twice(table, pairs):
    scores = read_scores(table)
    assert list(scores.pairs["pair_id"]) == list(pairs["pair_id"])


def test_columns_named_like_ours_are_kept_under_another_name(table):
    scores = read_scores(table)
    assert list(scores.pairs["model (of the pairs)"]) == ["gpt", "llama", "gpt"]
    assert list(scores.pairs["margin (of the pairs)"]) == [9, 9, 9]


def test_which_response_is_longer_is_always_there_to_slice_by(table):
    assert list(read_scores(table).pairs[LONGER]) == ["chosen", "rejected", "same length"]


def test_an_own_column_of_that_name_wins(pairs):
    plan = plan_pairs(pairs)
    own = pairs.assign(**{LONGER: "mine"})
    table = stack_pairs(own, {"a": plan.scored([0.0] * 6), "b": plan.scored([0.0] * 6)})
    assert set(table[LONGER]) == {"mine"}


def test_columns_that_divide_nothing_are_not_offered(table):
    scores = read_scores(table)
    scores = type(scores)(
        scores.models,
        scores.pairs.assign(texts=["q", "r", "s"], numbers=[1.5, 2.5, 3.5], one="same"),
        scores.chosen,
        scores.rejected,
        scores.reasons,
    )
    found = sliceable(scores)
    assert "numbers" in found
    assert "model (of the pairs)" in found
    assert not {"tags", "one", "texts", "margin (of the pairs)", "pair_id"} & set(found)


def test_gaps_are_chosen_minus_rejected(pairs):
    assert list(attribute_gaps(pairs, ["words"])["words"]) == [2, -1, 0]
