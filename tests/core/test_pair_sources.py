"""Pairs from files, from the authored prompts and from two typed responses."""

import json

import pytest

from core.errors import TableError
from core.pair_sources import authored_pairs, first_prompts, pairs_of_table, typed_pair
from core.schema import make_conversation
from core.tables import parse_table, read_conversations


def table(*rows: object):
    text = "\n".join(json.dumps(row) for row in rows)
    return read_conversations(parse_table(text.encode(), "mine.jsonl"))


def test_a_file_of_pairs_keeps_its_own_columns_and_its_order():
    source = pairs_of_table(
        table(
            {"prompt": "Q1", "chosen": "a", "rejected": "b", "topic": "x"},
            {"prompt": "Q2", "chosen": "c", "rejected": "d", "topic": "y"},
        )
    )
    assert source.name == "mine.jsonl"
    assert list(source.pairs["chosen"]) == ["a", "c"]
    assert list(source.pairs["topic"]) == ["x", "y"]
    assert source.pairs["prompt"][0] == [{"role": "user", "content": "Q1"}]


def test_a_bad_row_is_reported_with_its_line_and_the_rest_is_used():
    source = pairs_of_table(
        table(
            {"prompt": "Q1", "chosen": "a", "rejected": "b"},
            {"prompt": "Q2", "chosen": ["c"], "rejected": "d"},
        )
    )
    assert list(source.pairs["chosen"]) == ["a"]
    assert source.left_out == {"a side could not be read": 1}
    assert str(source.problems[0]).startswith("line 2, column chosen")


def test_a_table_of_lone_responses_is_refused_with_what_to_do():
    with pytest.raises(TableError, match="holds no pairs"):
        pairs_of_table(table({"prompt": "Q", "response": "a"}))


def test_authored_held_out_pairs_are_the_good_response_against_each_flaw():
    held_out, everything = authored_pairs(), authored_pairs(held_out=False)
    assert len(held_out.pairs) * 3 < len(everything.pairs)
    assert held_out.pairs["pair_id"].is_unique
    counts = held_out.pairs.groupby("prompt_id").size()
    assert (counts == 2).all()
    assert set(held_out.pairs["pair_id"]) <= set(everything.pairs["pair_id"])


def test_two_typed_responses_to_one_prompt_are_a_pair():
    source = typed_pair(make_conversation("Q", "good"), make_conversation("Q", "bad"))
    assert source.pairs.loc[0, ["chosen", "rejected"]].tolist() == ["good", "bad"]
    with pytest.raises(TableError, match="different prompts"):
        typed_pair(make_conversation("Q", "good"), make_conversation("R", "bad"))
    with pytest.raises(TableError, match="the same"):
        typed_pair(make_conversation("Q", "good"), make_conversation("Q", "good"))


def test_more_pairs_add_to_fewer_and_prompts_stay_together():
    pairs = authored_pairs().pairs
    few, more = first_prompts(pairs, 10), first_prompts(pairs, 30)
    assert (len(few), len(more)) == (10, 30)
    assert set(few["pair_id"]) < set(more["pair_id"])
    whole = pairs["prompt_id"].value_counts()
    cut = [name for name, n in more["prompt_id"].value_counts().items() if n < whole[name]]
    assert len(cut) <= 1
    assert first_prompts(pairs, len(pairs)) is pairs
