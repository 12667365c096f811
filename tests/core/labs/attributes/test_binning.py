"""Bins hold all values, keep ties together and report what could not be had."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import AttributeDefinitionError
from core.labs.attributes import NO_BIN, bin_by_edges, bin_by_quantiles


def test_different_values_fill_bins_evenly() -> None:
    made = bin_by_quantiles(np.arange(12), 3)
    assert made.counts == (4, 4, 4)
    assert made.titles == ("0 to 3", "4 to 7", "8 to 11")
    assert made.notes == ()
    assert made.bins.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert len(made) == made.n_asked == 3


def test_without_ties_the_bins_are_those_of_pandas() -> None:
    values = np.random.default_rng(3).normal(size=120)
    expected = pd.qcut(values, 5, labels=False)
    assert bin_by_quantiles(values, 5).bins.tolist() == expected.tolist()


def test_a_value_that_most_texts_have_fills_one_bin_and_the_rest_share() -> None:
    values = [0] * 80 + list(range(1, 21))
    made = bin_by_quantiles(values, 3)
    assert made.counts == (80, 10, 10)
    assert made.titles == ("0", "1 to 10", "11 to 20")


@pytest.mark.parametrize(("values", "n_made"), [([1, 1, 1], 1), ([0, 1] * 5, 2), ([], 0)])
def test_too_few_values_make_fewer_bins_and_say_so(values: list[float], n_made: int) -> None:
    made = bin_by_quantiles(values, 4)
    assert len(made) == n_made
    assert made.notes[0].startswith(f"{n_made} of 4 bins")


def test_values_without_a_number_get_no_bin_and_are_counted() -> None:
    made = bin_by_quantiles([1, np.nan, 2, np.inf], 2)
    assert made.bins.tolist() == [0, NO_BIN, 1, NO_BIN]
    assert made.left_out == {"no number": 2}
    assert bin_by_edges([np.nan, 5], [1]).left_out == {"no number": 1}


def test_fixed_edges_include_their_lower_end_and_report_empty_bins() -> None:
    made = bin_by_edges([5, 10, 19.5, 40], [10, 20, 30])
    assert made.bins.tolist() == [0, 1, 1, 2]
    assert made.titles == ("under 10", "10 to under 20", "30 and more")
    assert made.counts == (1, 2, 1)
    assert made.n_asked == 4
    assert made.notes == ("No value in: 20 to under 30.",)


@pytest.mark.parametrize("edges", [[], [2, 1], [1, 1], [float("nan")], [float("inf")]])
def test_edges_have_to_rise(edges: list[float]) -> None:
    with pytest.raises(AttributeDefinitionError, match="do not rise"):
        bin_by_edges([1, 2], edges)


def test_what_cannot_be_binned_is_an_error() -> None:
    with pytest.raises(AttributeDefinitionError, match="0 bins"):
        bin_by_quantiles([1], 0)
    with pytest.raises(AttributeDefinitionError, match="no numbers"):
        bin_by_quantiles(["many"], 2)
    with pytest.raises(AttributeDefinitionError, match="shape"):
        bin_by_quantiles([[1, 2]], 2)


@given(
    st.lists(st.one_of(st.integers(0, 6), st.floats(-9, 9), st.just(float("nan"))), max_size=60),
    st.integers(1, 8),
)
def test_bins_rise_with_the_values_and_lose_none(values: list[float], n_bins: int) -> None:
    made = bin_by_quantiles(values, n_bins)
    n_distinct = len({value for value in values if value == value})
    assert len(made) == min(n_bins, n_distinct)
    assert sum(made.counts) + sum(made.left_out.values()) == len(values)
    assert all(made.counts)
    placed = [(v, b) for v, b in zip(values, made.bins.tolist(), strict=True) if b != NO_BIN]
    for one, first in placed:
        for other, second in placed:
            assert (first <= second) if one < other else True
            assert (first == second) if one == other else True
