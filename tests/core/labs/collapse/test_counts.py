"""Rollouts become counts: damaged rows are counted apart, never lost without a word."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.collapse.counts import (
    NO_PLACE,
    NO_REWARD,
    NO_VERDICT,
    TWICE,
    UNREADABLE,
    answer_counts,
    method_of,
    per_group,
)
from tests.core.labs.collapse.tables import rollouts


def test_counts_are_of_each_answer_of_each_group() -> None:
    table = rollouts({("a", 0, "p"): ["r", "x", "x", None], ("a", 1, "p"): ["r", "r"]})
    counts = answer_counts(table).table
    assert counts[["step", "answer", "n", "n_correct"]].to_numpy().tolist() == [
        [0, UNREADABLE, 1, 0],
        [0, "r", 1, 1],
        [0, "x", 2, 0],
        [1, "r", 2, 2],
    ]
    assert set(counts["split"]) == {"train"}


def test_excluded_answers_stay_in_the_budget_and_are_no_distinct_answer() -> None:
    table = rollouts({("a", 0, "p"): ["x", None, None]})
    found = answer_counts(table, unreadable="excluded")
    assert found.n_unreadable == 2
    group = per_group(found.table).iloc[0]
    assert (group["n"], group["distinct"], group["n_answered"]) == (3, 1, 1)
    bucket = per_group(answer_counts(table).table).iloc[0]
    assert (bucket["distinct"], bucket["n_answered"], bucket["majority"]) == (2, 3, UNREADABLE)


def test_a_group_of_unreadable_answers_only_has_no_answer() -> None:
    found = answer_counts(rollouts({("a", 0, "p"): [None, None]}), unreadable="excluded")
    group = per_group(found.table).iloc[0]
    assert (group["n"], group["distinct"], group["n_majority"]) == (2, 0, 0)
    assert pd.isna(group["majority"])


def test_damaged_rows_are_counted_by_reason() -> None:
    table = rollouts({("a", 0, "p"): ["r", "x", "y", "z"]})
    table = pd.concat([table, table.head(1)], ignore_index=True)
    table["step"] = table["step"].astype("float64")
    table.loc[1, "step"] = np.nan
    table.loc[2, "reward"] = np.nan
    table.loc[3, "correct"] = pd.NA
    found = answer_counts(table)
    assert found.left_out == {NO_PLACE: 1, TWICE: 1, NO_VERDICT: 1, NO_REWARD: 1}
    whole = per_group(found.table).iloc[0]
    assert (whole["n"], whole["n_judged"], whole["n_rewarded"], whole["reward"]) == (3, 2, 2, 1.0)


def test_splits_are_kept_apart_and_train_comes_first() -> None:
    table = rollouts({("a", 0, "p"): ["r"], ("a", 1, "p"): ["x"], ("a", 2, "p"): ["y"]})
    table["split"] = ["held_out", None, "checkpoint"]
    found = answer_counts(table)
    assert found.splits() == ("train", "checkpoint", "held_out")
    assert found.of(split="train")["answer"].tolist() == ["x"]


def test_the_same_sample_number_in_another_split_is_another_sample() -> None:
    table = pd.concat([rollouts({("a", 0, "p"): ["r"]})] * 2, ignore_index=True)
    table["split"] = ["train", "checkpoint"]
    assert TWICE not in answer_counts(table).left_out


def test_a_missing_column_is_named_with_what_to_do() -> None:
    table = rollouts({("a", 0, "p"): ["r"]}).drop(columns="answer")
    with pytest.raises(TableError, match="no column answer"):
        answer_counts(table)


def test_an_empty_table_has_empty_counts() -> None:
    table = rollouts({("a", 0, "p"): ["r"]}).head(0)
    found = answer_counts(table)
    assert found.table.empty
    assert per_group(found.table).empty


def test_pooling_steps_finds_the_majority_over_all_of_them() -> None:
    table = rollouts({("a", 0, "p"): ["x", "x", "y"], ("a", 1, "p"): ["y", "y", "r"]})
    pooled = per_group(answer_counts(table).table, ("run", "problem_id")).iloc[0]
    assert (pooled["majority"], pooled["n_majority"], pooled["distinct"]) == ("y", 3, 3)


def test_counts_agree_with_loops_on_random_rollouts() -> None:
    rng = np.random.default_rng(3)
    groups = {
        (f"run{r}", s, f"p{p}"): [
            None if a == 0 else "r" if a == 1 else str(a) for a in rng.integers(0, 6, 5)
        ]
        for r in range(2)
        for s in range(3)
        for p in range(2)
    }
    found = per_group(answer_counts(rollouts(groups)).table)
    for row in found.itertuples():
        answers = groups[row.run, row.step, row.problem_id]
        assert row.distinct == len(set(answers))
        assert row.n_correct == answers.count("r")
        assert row.n_majority == max(answers.count(a) for a in answers)


def test_seeds_of_one_method_are_recognised_by_name() -> None:
    assert method_of("ucb-con/seed-1") == "ucb-con"
    assert method_of("my run") == "my run"
