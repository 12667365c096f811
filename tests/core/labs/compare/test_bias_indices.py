"""The index is 0 for a model like the labels, and the direction of the errors otherwise."""

import numpy as np
import pytest

from core.labs.compare import CompareError, CompareOptions, read_scores
from core.labs.compare.bias_indices import EQUAL, UNKNOWN, attribute_indices
from tests.core.labs.compare.tables import long_table

FAST = CompareOptions(n_resamples=200)
GAPS = [5, 5, -5, -5, 0, np.nan]


def test_by_hand():
    table = long_table(
        {
            "right": [1, 1, 1, 1, 1, 1],
            "longer": [1, 1, -1, -1, 1, 1],  # always the longer one: two errors, both for longer
            "shorter": [-1, -1, 1, 1, 1, 1],
            "undecided": [0, 0, 0, 0, 0, 0],
        }
    )
    found = attribute_indices(read_scores(table), {"length": GAPS}, FAST)["length"]
    assert {model: each.value for model, each in found.items()} == {
        "right": 0.0,
        "longer": 0.5,  # prefers longer on 4 of 4, the labels on 2 of 4
        "shorter": -0.5,
        "undecided": 0.0,  # half of 4, the labels 2 of 4
    }
    assert {(each.n, each.n_prompts) for each in found.values()} == {(4, 4)}
    assert dict(found["right"].left_out) == {EQUAL: 1, UNKNOWN: 1}


def test_pairs_without_a_margin_are_counted():
    table = long_table({"a": [1, 1, 1, 1, 1, 1], "b": [1] * 6})
    table.loc[0, "error"] = "failed"
    found = attribute_indices(read_scores(table), {"length": GAPS}, FAST)["length"]
    assert found["a"].n == 3
    assert dict(found["a"].left_out) == {"failed": 1, EQUAL: 1, UNKNOWN: 1}


def test_no_pair_that_differs_gives_no_value():
    scores = read_scores(long_table({"a": [1, 1], "b": [1, -1]}))
    found = attribute_indices(scores, {"flat": [0, 0]}, FAST)["flat"]["a"]
    assert np.isnan(found.value)
    assert found.n == 0


def test_a_planted_preference_is_found_and_a_null_one_is_not():
    rng = np.random.default_rng(0)
    gaps = rng.normal(size=400)
    signal = rng.normal(1, 1, 400)
    table = long_table({"fair": signal, "biased": signal + 2 * gaps})
    found = attribute_indices(read_scores(table), {"length": gaps}, FAST)["length"]
    assert found["fair"].low < 0 < found["fair"].high
    assert found["biased"].low > 0.1


def test_another_number_of_values_is_refused():
    scores = read_scores(long_table({"a": [1, 1], "b": [1, -1]}))
    with pytest.raises(CompareError, match="3 values for 2 pairs"):
        attribute_indices(scores, {"length": [1, 2, 3]}, FAST)
