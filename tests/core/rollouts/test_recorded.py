"""The recorded runs that come with the package keep the contract of a rollout table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from core.errors import TableError
from core.rollouts.recorded import (
    Collection,
    collection,
    collections,
    read_rollouts,
    read_table,
    rollouts_folder,
)
from core.rollouts.table import check_rollouts
from core.schema import ROLLOUT_COLUMNS

MOST_BYTES = 15_000_000
"""What all recorded runs together may weigh in the package."""

SPLITS = {"train", "checkpoint", "held_out"}


def folders() -> list[Path]:
    """Every folder that is a collection or means to become one."""
    return sorted(path for path in rollouts_folder().iterdir() if path.is_dir())


def ids(found: list[Path]) -> list[str]:
    return [path.name for path in found]


def published(name: str) -> Collection:
    """The collection; fails where its runs have not been published."""
    assert name in {each.name for each in collections()}, f"{name}: not published"
    return collection(name)


@pytest.fixture(scope="module", params=folders(), ids=ids(folders()))
def named(request: pytest.FixtureRequest) -> str:
    return str(request.param.name)


@pytest.fixture(scope="module")
def table(named: str) -> pd.DataFrame:
    published(named)
    return read_rollouts(named)


def test_there_are_collections_and_together_they_are_small() -> None:
    assert folders()
    files = [path for path in rollouts_folder().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_columns_and_types_are_those_of_a_rollout_table(table: pd.DataFrame) -> None:
    assert list(table.columns)[: len(ROLLOUT_COLUMNS)] == list(ROLLOUT_COLUMNS)
    assert pd.api.types.is_integer_dtype(table["step"])
    assert pd.api.types.is_integer_dtype(table["sample"])
    assert table["step"].min() >= 0
    assert str(table["correct"].dtype) == "boolean"
    assert table["reward"].dtype == np.float64
    for name in ("run", "problem_id", "prompt", "answer"):
        assert pd.api.types.is_string_dtype(table[name].dropna()), name
    for name in ("run", "problem_id", "prompt"):
        assert table[name].notna().all(), name
    if "split" in table.columns:
        assert set(table["split"].dropna()) <= SPLITS


def test_no_sample_is_there_twice(table: pd.DataFrame) -> None:
    # Policies that sample in turn (the column source) number their samples apart.
    keys = ["run", "split", "step", "problem_id", "source", "sample"]
    assert not table.duplicated([key for key in keys if key in table.columns]).any()


def test_rewards_are_finite_where_there_are_any(table: pd.DataFrame) -> None:
    rewards = table["reward"]
    n_none = int(rewards.isna().sum())
    assert np.isfinite(rewards.dropna()).all()
    assert int(rewards.notna().sum()) + n_none == len(table)
    # A rollout of an update that lacks a reward could not have been learned from.
    train = table["split"].eq("train") if "split" in table.columns else rewards.notna()
    assert not rewards[train].isna().any()


def test_numbers_are_in_their_ranges(table: pd.DataFrame) -> None:
    def held(name: str) -> pd.Series:
        return table[name].dropna() if name in table.columns else pd.Series(dtype=float)

    assert (held("entropy") >= 0).all()
    assert (held("log_probability") <= 1e-3).all()
    for name in ("tokens", "tool_calls", "tool_errors", "answer_tags", "turns"):
        assert (held(name) >= 0).all(), name
    if {"tool_calls", "tool_errors"} <= set(table.columns):
        both = table[["tool_calls", "tool_errors"]].dropna()
        assert (both["tool_errors"] <= both["tool_calls"]).all()


def test_a_reader_of_foreign_files_would_leave_nothing_out(named: str, table: pd.DataFrame) -> None:
    some = table.groupby("run", sort=False, observed=True).head(400)
    checked = check_rollouts(some, name=named)
    assert checked.n_left_out == 0
    assert checked.n_problems == 0
    assert len(checked.table) == len(some)
    # An answer that was read is read again, if in another form ("007").
    assert not (some["answer"].notna().to_numpy() & checked.table["answer"].isna()).any()


def test_the_card_and_the_table_name_the_same_runs(named: str, table: pd.DataFrame) -> None:
    card = published(named)
    told = [run.run for run in card.runs]
    assert len(set(told)) == len(told)
    assert set(told) == set(table["run"].unique())
    recipes = yaml.safe_load((card.folder / "recipes.yaml").read_text(encoding="utf-8"))
    assert recipes
    for run in card.runs:
        assert run.recipe
        assert run.base or run.method != "base"


def test_a_published_card_says_what_came_out(named: str) -> None:
    card = published(named)
    assert card.title
    assert card.description
    assert card.command.startswith("reward-workbench ")
    assert card.findings, f"{named}: the card has no findings"
    assert all(finding.strip() for finding in card.findings)


def test_further_tables_are_there_and_hold_finite_numbers(named: str) -> None:
    card = published(named)
    for name in card.tables:
        found = read_table(named, name)
        assert len(found), name
        numbers = found.select_dtypes("number")
        assert not np.isinf(numbers.to_numpy(dtype=float, na_value=np.nan)).any(), name
    with pytest.raises(TableError, match="has no table"):
        read_table(named, "nothing")


def test_problems_are_told_once_and_all_are_used(named: str, table: pd.DataFrame) -> None:
    problems = pd.read_parquet(published(named).folder / "problems.parquet")
    assert problems["problem_id"].is_unique
    assert set(table["problem_id"].unique()) <= set(problems["problem_id"].astype("str"))


def test_some_runs_and_columns_are_what_the_whole_holds_of_them(
    named: str, table: pd.DataFrame
) -> None:
    run = str(table["run"].iloc[0])
    some = read_rollouts(named, runs=[run], columns=["run", "step", "reward"])
    assert list(some.columns) == ["run", "step", "reward"]
    whole = table.loc[table["run"] == run, ["run", "step", "reward"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(some.reset_index(drop=True), whole)


def test_an_unknown_collection_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(TableError, match="no recorded runs called"):
        collection("nothing")
