"""Trajectories of all three forms as counts, with damage counted."""

import json

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.trajectories.reading import (
    IMPOSSIBLE,
    NO_STATUS,
    NOTHING_TO_READ,
    UNREADABLE,
    ReadingOptions,
    read_trajectories,
    rule_disagreements,
    tool_results,
)

CALL = '<tool_call>{"name": "python", "arguments": {"code": "1/0"}}</tool_call>'


def result(text: str) -> str:
    return f"<tool_response>{text}</tool_response>"


TAGGED = (
    f"<reason>try</reason>{CALL}{result('ZeroDivisionError: division by zero')}"
    f"<reason>again</reason>{CALL}{result('12')}"
    "<reason>done</reason><answer>\\boxed{12}</answer>"
)
COUNTS = ["tool_calls", "tool_errors", "answer_tags", "turns"]


def counts(response: object, **options: object) -> list[float]:
    table = pd.DataFrame({"response": [response]}, dtype=object)
    return read_trajectories(table, ReadingOptions(**options)).table[COUNTS].iloc[0].tolist()


def test_tagged_text_is_counted() -> None:
    assert counts(TAGGED) == [2, 1, 1, 3]
    assert tool_results(TAGGED) == ["ZeroDivisionError: division by zero", "12"]


def test_a_call_cut_off_before_its_result_is_a_call_without_error() -> None:
    assert counts(TAGGED + CALL)[:2] == [3, 1]
    assert counts(f"<reason>x</reason>{CALL}")[:2] == [1, 0]


def test_counting_as_the_code_does_takes_results_headers_and_matching_tags() -> None:
    assert counts(TAGGED, counting="code") == [2, 1, 1, 0]
    assert counts(TAGGED + CALL, counting="code")[0] == 2
    assert counts("<answer>1</answer><answer>2", counting="code")[2] == 0
    assert counts("<answer>1</answer><answer>2")[2] == 2
    chat = "a<|im_end|><|im_start|>assistant b<|im_end|><|im_start|>assistant c<|im_end|>"
    assert counts(chat, counting="code")[3] == 2
    assert counts(chat)[3] == 3


def test_without_any_tag_there_is_one_turn_and_nothing_else() -> None:
    assert counts("The result is 12.") == [0, 0, 0, 1]


def test_the_substring_rule_has_its_false_positives_and_misses() -> None:
    printed = f"{CALL}{result('squared error 0.25')}{CALL}{result('Exception: bad')}"
    assert counts(printed)[1] == 1
    assert counts(printed, error_rule="pattern")[1] == 1
    only_false = f"{CALL}{result('squared error 0.25')}"
    assert counts(only_false)[1] == 1
    assert counts(only_false, error_rule="pattern")[1] == 0
    table = rule_disagreements([printed, only_false, None, 3.0])
    assert table[["result", "contains_error", "matches_pattern", "times"]].values.tolist() == [
        ["squared error 0.25", True, False, 2],
        ["Exception: bad", False, True, 1],
    ]
    assert table.attrs == {"n_results": 3, "n_disagree": 3}


def test_a_status_says_what_failed() -> None:
    failed, fine, code = (
        CALL + result(json.dumps(told))
        for told in ({"status": "failed"}, {"status": "ok"}, {"exit_code": 1})
    )
    told = failed + fine
    assert counts(told, error_rule="status")[1] == 1
    assert counts(code, error_rule="status")[1] == 1
    table = pd.DataFrame({"response": [TAGGED, told]})
    read = read_trajectories(table, ReadingOptions("status"))
    assert read.left_out == {NO_STATUS: 1}
    assert np.isnan(read.table["tool_errors"].iloc[0])


MESSAGES = [
    {"role": "user", "content": "2 / 0?"},
    {"role": "assistant", "content": "", "tool_calls": [{"function": {}}, {"function": {}}]},
    {"role": "tool", "content": "ZeroDivisionError", "is_error": True},
    {"role": "tool", "content": "no error at all", "is_error": False},
    {"role": "assistant", "content": [{"type": "text", "text": "<answer>none</answer>"}]},
]


def test_chat_messages_are_counted() -> None:
    table = pd.DataFrame({"messages": [MESSAGES, json.dumps(MESSAGES)]})
    read = read_trajectories(table)
    assert read.form == "messages"
    assert read.table[COUNTS].values.tolist() == [[2, 2, 1, 2], [2, 2, 1, 2]]
    by_status = read_trajectories(table, ReadingOptions("status"))
    assert by_status.table["tool_errors"].tolist() == [1, 1]


def test_messages_with_tags_in_them_are_counted() -> None:
    messages = [
        {"role": "assistant", "content": CALL},
        {"role": "user", "content": result("an error")},
        {"role": "assistant", "content": "<answer>1</answer>"},
    ]
    read = read_trajectories(pd.DataFrame({"messages": [messages]}))
    assert read.table[COUNTS].iloc[0].tolist() == [1, 1, 1, 2]


def test_count_columns_come_first_and_other_names_are_known() -> None:
    table = pd.DataFrame(
        {
            "response": [TAGGED],
            "n_tool_calls": [5],
            "n_tool_errors": [4],
            "n_answer_tags": [1],
            "n_turns": [6],
        }
    )
    assert read_trajectories(table).table[COUNTS].iloc[0].tolist() == [5, 4, 1, 6]
    assert read_trajectories(table).form == "columns"
    again = read_trajectories(table, ReadingOptions(form="text"))
    assert again.table[COUNTS].iloc[0].tolist() == [2, 1, 1, 3]


def test_impossible_and_unreadable_rows_are_left_out_and_counted() -> None:
    table = pd.DataFrame(
        {"tool_calls": [1, 2, "x", 0], "tool_errors": [2, 1, 0, 0], "answer_tags": 1, "turns": 2}
    )
    read = read_trajectories(table)
    assert read.left_out == {IMPOSSIBLE: 2}
    assert read.table["tool_calls"].isna().tolist() == [True, False, True, False]
    messages = pd.DataFrame({"messages": [MESSAGES, ["hello"], None, 7]})
    assert read_trajectories(messages).left_out == {UNREADABLE: 1, NOTHING_TO_READ: 2}


def test_a_table_with_nothing_to_read_says_what_it_needs() -> None:
    with pytest.raises(TableError, match="chat messages"):
        read_trajectories(pd.DataFrame({"answer": ["1"]}))
    with pytest.raises(TableError, match="No messages"):
        read_trajectories(pd.DataFrame({"response": ["1"]}), ReadingOptions(form="messages"))
    with pytest.raises(TableError, match="regular expression"):
        read_trajectories(pd.DataFrame({"response": ["1"]}), ReadingOptions(pattern="("))


def test_an_empty_table_of_counts_stays_empty() -> None:
    table = pd.DataFrame({name: pd.Series(dtype=float) for name in COUNTS})
    assert read_trajectories(table).table.empty
