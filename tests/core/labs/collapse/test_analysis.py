"""The whole lab on one table: consistent parts, tables that hold the result, damaged input."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.collapse.analysis import (
    CollapseOptions,
    analyse,
    coverage_and_checkpoint,
    options_as_json,
    to_tables,
)
from core.labs.groups import pass_at_k
from tests.core.labs.collapse.tables import rollouts, sampled, spreading

RUNS = ["base/seed-0", "rl/seed-0", "rl/seed-1"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    train = sampled(RUNS, spreading(0.9), n_steps=6, n_problems=8, n=4).assign(split="train")
    again = sampled(RUNS, spreading(0.9), n_steps=2, n_problems=8, n=8, seed=1)
    return pd.concat([train, again.assign(split="checkpoint")], ignore_index=True)


@pytest.fixture(scope="module")
def result(table):
    return analyse(table, ["base/seed-0", "not there"])


def test_methods_and_base_are_told_apart(result) -> None:
    assert result.methods == ("rl",)
    assert result.base_runs == ("base/seed-0",)
    assert set(result.spreads) == {"difference", "log ratio"}


def test_coverage_and_checkpoint_are_two_different_numbers(table, result) -> None:
    both = coverage_and_checkpoint(result).query("method == 'rl'").set_index(["what", "k"])["value"]
    train = table.query("split == 'train' and run != 'base/seed-0'")
    ever = train.groupby(["run", "problem_id"])["correct"].any().astype(float).mean()
    assert both["ever solved in training", 24] == pytest.approx(ever)
    last = table.query("split == 'checkpoint' and run != 'base/seed-0' and step == 1")
    right = last.groupby(["run", "problem_id"])["correct"].sum()
    assert both["pass@k, checkpoint", 4] == pytest.approx(pass_at_k(8, right, 4).mean())


def test_tables_are_flat_and_name_what_was_left_out(result) -> None:
    tables = to_tables(result)
    assert {"spread", "curves", "at_k", "classes", "run_flags", "left_out"} <= set(tables)
    effect = tables["spread"].query("quantity == 'effect' and scale == 'difference'").iloc[0]
    assert effect["value"] == result.spreads["difference"].effects["rl"].value
    assert all(frame.index.equals(pd.RangeIndex(len(frame))) for frame in tables.values())


def test_the_same_seed_gives_the_same_numbers(table, result) -> None:
    again = analyse(table, ["base/seed-0"])
    for name, frame in to_tables(again).items():
        pd.testing.assert_frame_equal(frame, to_tables(result)[name])


def test_options_are_json(result) -> None:
    told = options_as_json(CollapseOptions(k=4))
    assert told["k"] == 4
    assert told["classes"]["collapsed_from"] == 0.9


@pytest.mark.parametrize(
    "groups",
    [
        {("a", 0, "p"): ["r"]},
        {("a", 0, "p"): [None, None]},
        {("a", 0, "p"): ["x", "x"], ("a", 1, "q"): ["x", "x"]},
        {("a", 3, "p"): ["r", "x"], ("b", 9, "p"): ["r", "x"]},
    ],
)
@pytest.mark.parametrize("unreadable", ["bucket", "excluded"])
def test_small_and_gappy_tables_give_a_result(groups, unreadable) -> None:
    found = analyse(rollouts(groups), (), CollapseOptions(unreadable=unreadable))
    assert to_tables(found)["left_out"]["n"].ge(0).all()


def test_damaged_rows_are_reported_in_the_result(table) -> None:
    damaged = table.copy()
    damaged.loc[0, "reward"] = np.nan
    damaged.loc[1, "answer"] = None
    told = to_tables(analyse(damaged))["left_out"]
    assert set(told["part"]) >= {"rollouts", "answers"}


def test_no_training_rollouts_is_said(table) -> None:
    with pytest.raises(TableError, match="drawn in training"):
        analyse(table.query("split == 'checkpoint'"))
