"""What a table of rollouts must be, and what happens to one that is not."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.rollouts.table import MAX_PROBLEMS, check_rollouts, step_gaps
from core.schema import ROLLOUT_COLUMNS


def frame(**changes: object) -> pd.DataFrame:
    """Two problems, two samples, one step."""
    content = {
        "run": "r",
        "step": [0, 0, 0, 0],
        "problem_id": ["a", "a", "b", "b"],
        "prompt": ["A?", "A?", "B?", "B?"],
        "sample": [0, 1, 0, 1],
        "response": ["x", "y", "z", "w"],
        "answer": ["1", "2", "3", "4"],
        "correct": [True, False, True, False],
        "reward": [1.0, 0.0, 1.0, 0.0],
    }
    return pd.DataFrame(content | changes)


def test_a_clean_table_comes_out_as_it_is() -> None:
    checked = check_rollouts(frame(extra=[1, 2, 3, 4]))
    assert list(checked.table.columns) == [*ROLLOUT_COLUMNS, "extra"]
    assert not checked.problems
    assert checked.n_left_out == 0
    assert checked.notes == ()
    pd.testing.assert_frame_equal(
        checked.table, frame(extra=[1, 2, 3, 4]).astype({"correct": "boolean"}), check_dtype=False
    )
    assert str(checked.table["correct"].dtype) == "boolean"
    assert str(checked.table["step"].dtype) == "int64"


@pytest.mark.parametrize(
    ("column", "message"),
    [("step", "no column for the training step"), ("problem_id", "which problem")],
)
def test_a_missing_column_is_an_error_that_says_what_to_do(column: str, message: str) -> None:
    with pytest.raises(TableError, match=message) as caught:
        check_rollouts(frame().drop(columns=column))
    assert caught.value.fix


def test_a_table_without_any_outcome_is_an_error() -> None:
    bare = frame().drop(columns=["response", "answer", "correct", "reward"])
    with pytest.raises(TableError, match="neither a response"):
        check_rollouts(bare)


def test_mixed_types_cost_their_cell_or_their_row_and_are_named() -> None:
    mixed = frame(
        step=[0, "one", 0.0, "0"],
        reward=["0.5", 1.0, "high", None],
        correct=["true", 1, [True], "maybe"],
        response=["x", "y", "z", {"text": "w"}],
    )
    checked = check_rollouts(mixed, name="file.jsonl")
    assert checked.table["response"].tolist() == ["x", "z"]
    assert checked.left_out == {"no usable step": 1, "no usable response": 1}
    assert checked.table["reward"].tolist()[0] == 0.5
    assert np.isnan(checked.table["reward"].iloc[1])
    told = [str(problem) for problem in checked.problems]
    assert "file.jsonl, row 2, column step: expected a whole number, found 'one'" in told
    assert "file.jsonl, row 4, column response: expected text, found a mapping" in told
    assert "file.jsonl, row 3, column reward: expected a number, found 'high'" in told
    assert "file.jsonl, row 3, column correct: expected true or false, found a list" in told
    assert checked.table["correct"].tolist() == [True, pd.NA]


def test_a_row_with_the_wrong_type_of_reward_is_one_problem_not_two() -> None:
    checked = check_rollouts(frame(reward=["high", 1.0, 1.0, 1.0]))
    assert checked.n_problems == len(checked.problems) == 1


def test_nan_and_infinite_rewards_are_missing_and_counted() -> None:
    checked = check_rollouts(frame(reward=[np.nan, np.inf, -np.inf, 1.0]))
    assert checked.table["reward"].isna().sum() == 3
    assert checked.notes == ("3 of 4 rows have no finite reward.",)
    assert [problem.message for problem in checked.problems] == [
        "expected a finite number, found infinity"
    ] * 2


def test_the_same_sample_twice_is_one_sample() -> None:
    twice = pd.concat([frame(), frame()], ignore_index=True)
    checked = check_rollouts(twice)
    assert len(checked.table) == 4
    assert checked.left_out == {"the same sample a second time": 4}


def test_policies_that_sample_in_turn_number_their_samples_apart() -> None:
    sampled = frame(
        problem_id="a", response="x", sample=[0, 1, 0, 1], source=["M0", "M0", "M1", "M1"]
    )
    checked = check_rollouts(sampled.assign(answer="1", reward=1.0))
    assert checked.n_left_out == 0
    assert checked.notes == ()
    assert checked.table["sample"].tolist() == [0, 1, 0, 1]


def test_one_number_for_two_responses_gives_both_a_new_number() -> None:
    checked = check_rollouts(frame(sample=[0, 0, 0, 1]))
    assert checked.table["sample"].tolist() == [0, 1, 0, 1]
    (note,) = checked.notes
    assert note.startswith("2 rows share their sample number")


def test_samples_without_numbers_are_numbered_in_their_group() -> None:
    table = check_rollouts(
        frame(split=["train", "held_out", "train", "train"]).drop(columns="sample")
    )
    assert table.table["sample"].tolist() == [0, 0, 0, 1]


def test_gaps_in_the_steps_are_noted() -> None:
    steps = [0, 2, 4, 6, 12, 14, 16]
    table = pd.DataFrame({"run": "r", "step": steps})
    assert step_gaps(table) == ["r: steps are missing between 6 and 12 (usual distance 2)."]
    assert step_gaps(table.assign(step=range(7))) == []
    # Checkpoints at doubling distances have no usual distance, so nothing is missing.
    assert step_gaps(table.assign(step=[1, 2, 4, 8, 16, 32, 64])) == []


def test_a_table_with_one_step_or_one_row_is_fine() -> None:
    checked = check_rollouts(frame().head(1))
    assert len(checked.table) == 1
    assert checked.notes == ()


def test_nothing_usable_names_the_first_problem() -> None:
    with pytest.raises(TableError, match=r"none of its 4 rows can be used; .*column step"):
        check_rollouts(frame(step=["a", "b", None, 0.5]))
    with pytest.raises(TableError, match="no rows"):
        check_rollouts(frame().head(0))


def test_numbers_as_problem_ids_and_answers_become_text() -> None:
    checked = check_rollouts(frame(problem_id=[1, 1.0, 2, 2], answer=[0.5, "1/2", 3, None]))
    assert checked.table["problem_id"].tolist() == ["1", "1", "2", "2"]
    assert checked.table["answer"].tolist()[:3] == ["0.5", "0.5", "3"]
    assert checked.table["answer"].isna().tolist() == [False, False, False, True]


def test_optional_columns_get_their_types() -> None:
    checked = check_rollouts(
        frame(
            tokens=[1, "2", None, 2.5],
            entropy=[0.1, "x", None, 1],
            truncated=["yes", 0, None, True],
            messages=[[{"role": "assistant", "content": "x"}], None, "[]", '[{"role": "user"}]'],
        )
    )
    table = checked.table
    assert table["tokens"].tolist() == [1, 2, pd.NA, pd.NA]
    assert table["entropy"].isna().tolist() == [False, True, True, False]
    assert table["truncated"].tolist() == [True, False, pd.NA, True]
    assert [each is None for each in table["messages"]] == [False, True, True, False]
    assert {problem.column for problem in checked.problems} == {"tokens", "entropy"}


def test_problems_are_counted_beyond_those_that_are_listed() -> None:
    n = MAX_PROBLEMS + 50
    big = pd.DataFrame(
        {"step": 0, "problem_id": "a", "reward": ["bad"] * n, "response": "x"}, index=range(n)
    )
    checked = check_rollouts(big)
    assert len(checked.problems) == MAX_PROBLEMS
    assert checked.n_problems == n
    assert len(checked.table) == n
