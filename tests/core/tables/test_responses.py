"""Tables of several responses to a prompt: rows or lists, each with its own columns."""

import json

import pandas as pd
import pytest

from core.errors import TableError
from core.tables import parse_table, read_conversations
from core.tables.responses import number_columns, responses_table


def read(*rows: dict) -> pd.DataFrame:
    data = "\n".join(json.dumps(row) for row in rows).encode()
    return responses_table(read_conversations(parse_table(data, "r.jsonl")))


def test_rows_of_one_prompt_belong_together_and_keep_their_columns():
    table = read(
        {"prompt": "p", "response": "a", "gold": 1, "reward": 9},
        {"prompt": "p", "response": "b", "gold": 0, "reward": 8},
        {"prompt": "q", "response": "c", "gold": True, "reward": 7},
    )
    assert table["response"].tolist() == ["a", "b", "c"]
    assert table["prompt_id"].nunique() == 2
    assert table["prompt"].iloc[0] == [{"role": "user", "content": "p"}]
    assert table["gold"].tolist() == [1, 0, True]
    assert "reward" not in table.columns  # it would be taken for the model's
    assert [name for name in table.columns if name.startswith("reward")]


def test_lists_of_a_row_go_with_its_responses_one_by_one():
    table = read({"prompt": "p", "response": ["a", "b"], "gold": [0.5, 2], "tags": ["x"]})
    assert table["response"].tolist() == ["a", "b"]
    assert table["gold"].tolist() == [0.5, 2]
    assert table["tags"].tolist() == [["x"], ["x"]]


def test_whole_conversations_end_in_the_response():
    turns = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}]
    table = read({"messages": turns, "gold": 1})
    assert table["response"].tolist() == ["a"]
    assert table["prompt"].tolist() == [turns[:1]]


def test_columns_of_numbers_may_be_gold_and_texts_may_not():
    table = read(
        {"prompt": "p", "response": "1", "gold": 1, "right": True, "who": "me", "none": None},
        {"prompt": "p", "response": "2", "gold": None, "right": False, "who": "you", "none": None},
    )
    assert set(number_columns(table)) == {"gold", "right"}


def test_pairs_are_refused_with_what_to_do():
    with pytest.raises(TableError, match="one response a row"):
        read({"prompt": "p", "chosen": "a", "rejected": "b"})
