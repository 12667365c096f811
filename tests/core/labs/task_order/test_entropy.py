"""Entropies and temperature equivalents against hand-worked numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from core.errors import TableError
from core.labs.task_order.entropy import (
    EntropyError,
    entropy,
    entropy_traces,
    logits_of,
    softmax_entropy,
    temperature_equivalent,
)
from core.labs.task_order.evaluations import read_evaluations
from tests.core.labs.task_order.planted import example, planted_table
from tests.core.labs.task_order.test_evaluations import small


def test_entropies_of_the_worked_examples():
    assert entropy([0.5, 0.5]) == pytest.approx(0.693147, abs=1e-6)
    assert entropy([0.9, 0.1]) == pytest.approx(0.325083, abs=1e-6)
    for temperature, expected in ((0.5, 0.441057), (1.0, 0.832396), (2.0, 1.020191)):
        found = softmax_entropy([2.0, 1.0, 0.0], temperature)
        assert found == pytest.approx(expected, abs=1e-6)
        back = temperature_equivalent([[2.0, 1.0, 0.0]], expected)
        assert back == pytest.approx(temperature, rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=2, max_size=8, unique=True),
    st.floats(0.05, 20),
)
def test_the_equivalent_of_a_tempered_distribution_is_its_temperature(logits, temperature):
    if np.diff(np.sort(logits)).min() < 0.05:
        return
    target = softmax_entropy(logits, temperature)
    if target < 1e-9:  # so sharp that float64 cannot tell temperatures apart
        return
    assert temperature_equivalent([logits], target) == pytest.approx(temperature, rel=1e-4)


def test_entropy_equals_scipys():
    p = np.random.default_rng(0).dirichlet(np.ones(12))
    assert entropy(p) == pytest.approx(scipy_stats.entropy(p))
    assert entropy([1.0, 0.0]) == 0.0


def test_several_distributions_share_one_temperature():
    old = [logits_of([0.7, 0.2, 0.1]), logits_of([0.4, 0.3, 0.2, 0.1])]
    target = np.mean([softmax_entropy(z, 0.6) for z in old])
    assert temperature_equivalent(old, float(target)) == pytest.approx(0.6)


def test_an_impossible_outcome_stays_impossible_at_every_temperature():
    assert softmax_entropy(logits_of([0.5, 0.5, 0.0]), 100.0) == pytest.approx(np.log(2))


@pytest.mark.parametrize("bad", [[], [np.nan, 1.0], [-0.1, 1.1], [0.0, 0.0], [[0.5], [0.5]]])
def test_what_is_no_distribution_is_refused(bad):
    with pytest.raises(EntropyError):
        entropy(bad)


def test_entropies_out_of_reach_are_refused_with_the_range():
    with pytest.raises(EntropyError, match=r"reach 0 to 1\.099"):
        temperature_equivalent([[2.0, 1.0, 0.0]], 1.5)
    with pytest.raises(EntropyError, match="same entropy"):
        temperature_equivalent([[0.0, 0.0]], float(np.log(2)))
    with pytest.raises(EntropyError, match="no distribution"):
        temperature_equivalent([], 0.5)
    with pytest.raises(EntropyError, match="above 0"):
        softmax_entropy([1.0, 0.0], 0.0)
    with pytest.raises(EntropyError, match="finite"):
        softmax_entropy([np.nan, 0.0], 1.0)


def test_traces_and_changes_of_planted_entropies():
    table = planted_table(example(), n_problems=10)
    # a sharpens every task by .3, the others flatten by .1; entropy per order by running sum.
    step = {"a": -0.3, "b": 0.1, "c": 0.1, "": 0.0}
    moved = [
        1.0 + sum(step[name] for name in order.split(">")[:stage])
        for order, stage in zip(table["order"], table["stage"], strict=True)
    ]
    found = entropy_traces(read_evaluations(table.assign(entropy=moved)), n_draws=50)
    changes = found.changes.set_index(["trained", "task"])["change"]
    assert len(changes) == 9
    for (trained, _), value in changes.items():
        assert value == pytest.approx(step[trained])
    row = found.table.query("order == 'b > a > c' and stage == 2 and task == 'c'").iloc[0]
    assert row["entropy"] == pytest.approx(0.8)
    assert row["trained"] == "a"
    assert row["low"] == pytest.approx(0.8)
    assert row["n_seeds"] == 2
    assert not found.left_out
    overall = found.overall.set_index("trained")
    for trained in "abc":
        assert overall.loc[trained, "change"] == pytest.approx(step[trained])
        assert overall.loc[trained, "low"] == pytest.approx(step[trained])
    assert set(overall["n_tasks"]) == {3}
    assert set(overall["n_problems"]) == {30}


def test_a_change_that_only_noise_made_has_an_interval_around_zero():
    table = planted_table(example(), n_problems=30)
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 0.2, len(table))
    found = entropy_traces(read_evaluations(table.assign(entropy=1 + noise)), n_draws=300)
    overall, cells = found.overall, found.changes
    assert ((overall["low"] <= 0) & (overall["high"] >= 0)).all()
    assert (overall["low"] < overall["change"]).all()
    assert (overall["high"] > overall["change"]).all()
    # All tested tasks together are surer than one of them.
    width = cells.assign(width=cells["high"] - cells["low"]).groupby("trained")["width"].mean()
    together = overall.set_index("trained").eval("high - low")
    assert (together < width[together.index]).all()


def test_missing_entropies_are_counted_and_absent_ones_refused():
    table = planted_table(example(), n_problems=3, seeds=[0])
    table.loc[(table["order"] == "a>b>c") & (table["stage"] == 2), "entropy"] = np.nan
    assert entropy_traces(read_evaluations(table), n_draws=5).left_out == {
        "cells without an entropy": 3
    }
    with pytest.raises(TableError, match="no entropies"):
        entropy_traces(read_evaluations(small()))
