"""Every shape of table people have, every way to damage one, and rewards joined and written."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.schema import content_id
from core.tables import (
    ConversationTable,
    check_output,
    pairs_table,
    parse_table,
    read_conversations,
    read_table,
    scores_table,
    table_from_frame,
    write_table,
)

USER_Q = {"role": "user", "content": "Why?"}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def jsonl(*rows: Any) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


def understood(*rows: Any, shape: str | None = None) -> ConversationTable:
    return read_conversations(parse_table(jsonl(*rows), "t.jsonl"), shape)


def csv(text: str) -> ConversationTable:
    return read_conversations(parse_table(text.encode(), "t.csv"))


def contents(table: ConversationTable) -> list[list[str]]:
    return [[m["content"] for m in conversation] for conversation in table.conversations()]


def problems(table: ConversationTable) -> list[str]:
    return [str(problem) for problem in table.problems]


def rewards_of(
    table: ConversationTable,
    function: Callable[[str], float] = len,
    model: str = "m",
    skip: tuple[int, ...] = (),
) -> pd.DataFrame:
    """What the engine returns, with the reward a function of the response."""
    rows = []
    for index, conversation in enumerate(table.conversations()):
        if index in skip:
            continue
        reward = float(function(conversation[-1]["content"]))
        rows.append(
            {
                "model": model,
                "index": index,
                "reward": reward,
                "n_tokens": 5,
                "truncated": 0,
                "cached": False,
                "error": "",
            }
        )
    return pd.DataFrame(rows)


class TestShapes:
    def test_prompt_and_response(self) -> None:
        table = understood({"prompt": "Why?", "response": "So."})
        assert table.conversations() == [[USER_Q, assistant("So.")]]
        assert table.entries[0].role == "response"
        assert table.pairs == ()

    def test_pairs_of_texts(self) -> None:
        table = understood({"prompt": "Why?", "chosen": "So.", "rejected": "No."})
        assert contents(table) == [["Why?", "So."], ["Why?", "No."]]
        assert [entry.role for entry in table.entries] == ["chosen", "rejected"]
        (pair,) = table.pairs
        assert (pair.chosen, pair.rejected) == (0, 1)

    def test_pairs_with_prompt_and_completions_as_message_lists(self) -> None:
        table = understood(
            {"prompt": [USER_Q], "chosen": [assistant("So.")], "rejected": [assistant("No.")]}
        )
        assert contents(table) == [["Why?", "So."], ["Why?", "No."]]

    def test_text_prompt_beside_whole_conversations(self) -> None:
        table = understood(
            {
                "prompt": "Why?",
                "chosen": [USER_Q, assistant("So.")],
                "rejected": [USER_Q, assistant("No.")],
                "messages": [USER_Q, assistant("So.")],
            }
        )
        assert table.shape.name == "pairs"
        assert contents(table) == [["Why?", "So."], ["Why?", "No."]]

    def test_system_turn_only_in_the_whole_conversation_is_kept(self) -> None:
        brief = {"role": "system", "content": "Be brief."}
        table = understood(
            {
                "prompt": "Why?",
                "chosen": [brief, USER_Q, assistant("So.")],
                "rejected": [brief, USER_Q, assistant("No.")],
            }
        )
        assert contents(table)[0] == ["Be brief.", "Why?", "So."]

    def test_implicit_prompt_is_the_common_beginning(self) -> None:
        start = [USER_Q, assistant("Because."), {"role": "user", "content": "More?"}]
        table = understood(
            {"chosen": [*start, assistant("Yes.")], "rejected": [*start, assistant("No.")]}
        )
        assert contents(table)[1] == ["Why?", "Because.", "More?", "No."]
        assert table.entries[0].prompt_id == content_id(start)
        assert table.entries[0].response_id == content_id("Yes.")

    def test_implicit_prompt_of_equal_conversations_leaves_a_response(self) -> None:
        same = [USER_Q, assistant("So.")]
        table = understood({"chosen": same, "rejected": same})
        assert table.entries[0].prompt_id == content_id([USER_Q])

    def test_transcripts_of_human_and_assistant_turns(self) -> None:
        start = "\n\nHuman: Why?\n\nAssistant: Because.\n\nHuman: More?"
        table = understood(
            {"chosen": start + "\n\nAssistant: Yes.", "rejected": start + "\n\nAssistant: No."}
        )
        assert contents(table) == [
            ["Why?", "Because.", "More?", "Yes."],
            ["Why?", "Because.", "More?", "No."],
        ]
        assert [m["role"] for m in table.conversations()[0]] == ["user", "assistant"] * 2

    def test_messages(self) -> None:
        table = understood({"messages": [USER_Q, assistant("So.")]})
        assert contents(table) == [["Why?", "So."]]
        assert table.entries[0].prompt_id == content_id([USER_Q])

    def test_lists_of_responses_pair_each_chosen_with_each_rejected(self) -> None:
        table = understood(
            {"id": 8, "prompt": "Why?", "chosen": ["a", "b", "c"], "rejected": ["x", "y", "z"]}
        )
        assert [entry.style_index for entry in table.entries] == [0, 1, 2, 0, 1, 2]
        assert len(table.pairs) == 9
        combined = {
            (table.entries[p.chosen].style_index, table.entries[p.rejected].style_index)
            for p in table.pairs
        }
        assert combined == {(i, j) for i in range(3) for j in range(3)}
        assert table.pairs[5].pair_id == "8:1x2"
        assert len({pair.pair_id for pair in table.pairs}) == 9

    @pytest.mark.parametrize(
        ("label", "better"), [(1, "one"), (2, "two"), ("2", "two"), (1.0, "one")]
    )
    def test_label_names_the_better_output(self, label: object, better: str) -> None:
        table = understood({"input": "Why?", "output_1": "one", "output_2": "two", "label": label})
        assert table.conversations()[0][-1]["content"] == better
        assert [entry.role for entry in table.entries] == ["chosen", "rejected"]

    def test_system_column_comes_first_where_it_is_filled(self) -> None:
        table = understood(
            {"system": "Be brief.", "prompt": "Why?", "response": "So."},
            {"system": None, "prompt": "Why?", "response": "So."},
            {"system": "", "prompt": "Why?", "response": "So."},
        )
        assert contents(table) == [["Be brief.", "Why?", "So."], ["Why?", "So."], ["Why?", "So."]]
        ids = [entry.prompt_id for entry in table.entries]
        assert ids[0] != ids[1] == ids[2]

    def test_equal_prompts_have_one_id_whatever_their_form(self) -> None:
        text = understood({"prompt": "Why?", "response": "So."})
        messages = understood({"prompt": [USER_Q], "response": "So."})
        whole = understood({"messages": [USER_Q, assistant("So.")]})
        ids = {t.entries[0].prompt_id for t in (text, messages, whole)}
        assert ids == {content_id([USER_Q])}

    def test_named_shape_wins_over_the_first_that_fits(self) -> None:
        row = {"prompt": "Why?", "response": "So.", "messages": [USER_Q, assistant("Other.")]}
        assert contents(understood(row)) == [["Why?", "So."]]
        assert contents(understood(row, shape="messages")) == [["Why?", "Other."]]

    def test_unknown_shape_name_lists_the_known(self) -> None:
        with pytest.raises(TableError, match=r"Shape 'triples' is not known.*implicit-pairs"):
            understood({"prompt": "Why?", "response": "So."}, shape="triples")

    def test_unknown_columns_are_listed_beside_the_known_shapes(self) -> None:
        with pytest.raises(TableError) as caught:
            understood({"question": "Why?", "text": "So."})
        message = str(caught.value)
        assert "Columns found: question, text." in message
        assert "responses (prompt, response)" in message
        assert "labelled (input, output_1, output_2, label)" in message

    def test_missing_column_of_the_nearest_shape_is_named(self) -> None:
        with pytest.raises(TableError, match="For shape pairs, missing: rejected"):
            understood({"prompt": "Why?", "chosen": "So."})

    def test_column_in_other_case_is_suggested(self) -> None:
        with pytest.raises(TableError, match="Is 'Response' meant to be 'response'"):
            understood({"prompt": "Why?", "Response": "So."})


class TestFormats:
    row: ClassVar = {"prompt": "Größe? 你好", "response": 'He said "so",\nthen left.'}

    def check(self, table: ConversationTable) -> None:
        assert contents(table) == [[self.row["prompt"], self.row["response"]]]

    def test_json_array(self) -> None:
        data = json.dumps([self.row]).encode()
        self.check(read_conversations(parse_table(data, "t.json")))

    def test_json_lines_named_json(self) -> None:
        data = jsonl(self.row, self.row)
        assert len(parse_table(data, "t.json").rows) == 2

    def test_json_lines_compressed(self) -> None:
        data = gzip.compress(jsonl(self.row))
        self.check(read_conversations(parse_table(data, "t.jsonl.gz")))

    def test_byte_order_mark_and_blank_lines_are_skipped(self) -> None:
        data = b"\xef\xbb\xbf" + jsonl(self.row) + b"\r\n\n" + jsonl(self.row) + b"\n"
        table = parse_table(data, "t.jsonl")
        assert [row.number for row in table.rows] == [1, 3]

    def test_csv_with_quotes_and_lines_in_a_cell(self) -> None:
        text = pd.DataFrame([self.row]).to_csv(index=False)
        self.check(csv(text))

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_csv_with_other_delimiters(self, delimiter: str) -> None:
        self.check(csv(pd.DataFrame([self.row]).to_csv(index=False, sep=delimiter)))

    def test_csv_cell_longer_than_a_reading_block(self) -> None:
        long = "word " * 600_000
        assert contents(csv(f"prompt,response\nWhy?,{long}\n"))[0][1] == long

    def test_csv_cells_stay_text_whatever_they_look_like(self) -> None:
        assert contents(csv("prompt,response\n007,NA\n1e5,true\n")) == [
            ["007", "NA"],
            ["1e5", "true"],
        ]

    @pytest.mark.parametrize("dump", [json.dumps, repr])
    def test_csv_message_lists_as_json_or_python_literals(self, dump: Callable[..., str]) -> None:
        cell = dump([{"role": "user", "content": "It's why?"}, assistant("So.")])
        table = csv(pd.DataFrame({"messages": [cell]}).to_csv(index=False))
        assert contents(table) == [["It's why?", "So."]]

    def test_response_that_looks_like_messages_among_texts_stays_text(self) -> None:
        cell = json.dumps([USER_Q, assistant("So.")])
        rows = [{"prompt": "Why?", "response": text} for text in ("plain", "plain", cell)]
        assert contents(understood(*rows))[2] == ["Why?", cell]

    def test_response_that_is_a_json_array_of_texts_stays_text(self) -> None:
        table = understood({"prompt": "List.", "response": '["a", "b"]'})
        assert contents(table) == [["List.", '["a", "b"]']]

    def test_parquet_with_message_lists(self, tmp_path: Path) -> None:
        frame = pd.DataFrame(
            {
                "chosen": [[USER_Q, assistant("So.")]],
                "rejected": [[USER_Q, assistant("No.")]],
                "score": [0.5],
            }
        )
        frame.to_parquet(tmp_path / "t.parquet")
        table = read_conversations(read_table(tmp_path / "t.parquet"))
        assert contents(table) == [["Why?", "So."], ["Why?", "No."]]

    def test_frame_with_numpy_arrays_and_missing_cells(self) -> None:
        messages = np.array([USER_Q, assistant("So.")], dtype=object)
        frame = pd.DataFrame({"messages": [messages, None], "n": [1.0, np.nan]}, index=[7, 7])
        table = read_conversations(table_from_frame(frame))
        assert contents(table) == [["Why?", "So."]]
        assert problems(table) == [
            "row 2, column messages: expected a list of messages, found nothing"
        ]
        assert table.source.rows[1].cells["n"] is None


class TestDamage:
    def test_list_where_text_is_expected(self) -> None:
        good = {"prompt": "Why?", "chosen": "So.", "rejected": "No."}
        table = understood(good, {**good, "chosen": ["So.", "Or."]}, good)
        assert problems(table) == ["line 2, column chosen: expected text, found a list"]
        assert len(table.conversations()) == 5

    def test_missing_cell_and_number(self) -> None:
        table = understood(
            {"prompt": "Why?", "response": "So."},
            {"prompt": "Why?"},
            {"prompt": 12, "response": "So."},
            {"prompt": "Why?", "response": float("nan")},
        )
        assert problems(table) == [
            "line 2, column response: expected text, found nothing",
            "line 3, column prompt: expected text, found a number",
            "line 4, column response: expected text, found a number",
        ]

    def test_missing_cell_of_a_frame(self) -> None:
        frame = pd.DataFrame({"prompt": ["Why?", "Why?"], "response": ["So.", np.nan]})
        table = read_conversations(table_from_frame(frame))
        assert problems(table) == ["row 2, column response: expected text, found nothing"]

    def test_empty_text_is_a_response_and_an_empty_csv_cell_is_not(self) -> None:
        assert contents(understood({"prompt": "Why?", "response": ""})) == [["Why?", ""]]
        table = csv('prompt,response\nWhy?,""\nWhy?,\n')
        assert contents(table) == [["Why?", ""]]
        assert problems(table) == ["row 2, column response: expected text, found nothing"]

    def test_broken_json_line_is_reported_with_its_place(self) -> None:
        table = understood({"prompt": "Why?", "response": "So."}, '{"prompt": "Wh', "[1, 2]")
        assert problems(table) == [
            "line 2: not JSON (Unterminated string starting at at character 12)",
            "line 3: expected an object with named columns, found a list",
        ]

    def test_line_that_is_not_utf8_spoils_no_other(self) -> None:
        good = jsonl({"prompt": "Why?", "response": "So."})
        table = read_conversations(parse_table(good + b'\n{"prompt": "caf\xe9"}', "t.jsonl"))
        assert problems(table) == ["line 2: not UTF-8 (byte 0xE9 at 16)"]
        assert len(table.conversations()) == 1

    def test_bad_message_is_named(self) -> None:
        good = {"messages": [USER_Q, assistant("So.")]}
        table = understood(
            good,
            {"messages": [{"role": "human", "content": "Why?"}, assistant("So.")]},
            {"messages": [USER_Q]},
            {"messages": [USER_Q, {"role": "assistant", "content": None}]},
            {"messages": []},
            {"messages": "Why?"},
        )
        assert problems(table) == [
            "line 2, column messages: expected a conversation; message 1: role 'human' is not one "
            "of system, user, assistant",
            "line 3, column messages: expected a conversation; the conversation does not end with "
            "the assistant's turn",
            "line 4, column messages: expected a conversation; message 2: content must be text, "
            "found nothing",
            "line 5, column messages: expected a list of messages, found an empty list",
            "line 6, column messages: expected a list of messages, found text that is not one",
        ]

    def test_bad_prompt_spoils_both_sides_and_is_reported_once(self) -> None:
        good = {"prompt": "Why?", "chosen": "So.", "rejected": "No."}
        table = understood(good, {**good, "prompt": None})
        assert problems(table) == ["line 2, column prompt: expected text, found nothing"]
        assert [entry.problem is None for entry in table.entries] == [True, True, False, False]

    def test_bad_item_of_a_list_of_responses(self) -> None:
        good = {"prompt": "Why?", "chosen": ["a", "b"], "rejected": ["x"]}
        table = understood(good, {**good, "chosen": ["a", 3]}, {**good, "rejected": "x"})
        assert problems(table) == [
            "line 2, column chosen: expected a list of texts, found a number as item 2",
            "line 3, column rejected: expected a list of texts, found text",
        ]
        assert len(table.conversations()) == 3 + 1 + 2

    def test_label_out_of_range(self) -> None:
        good = {"input": "Why?", "output_1": "a", "output_2": "b", "label": 1}
        table = understood(good, {**good, "label": 3}, {**good, "label": True})
        assert problems(table) == [
            "line 2, column label: expected 1 or 2, found 3",
            "line 3, column label: expected 1 or 2, found True",
        ]

    def test_conversation_about_another_prompt(self) -> None:
        good = {"prompt": "Why?", "chosen": [USER_Q, assistant("a")], "rejected": [assistant("b")]}
        other = [{"role": "user", "content": "How?"}, assistant("a")]
        table = understood(good, {**good, "chosen": other})
        assert problems(table) == [
            "line 2, column chosen: expected a conversation that begins with the row's prompt, "
            "found another one"
        ]

    def test_implicit_pair_without_common_prompt(self) -> None:
        good = {"chosen": [USER_Q, assistant("a")], "rejected": [USER_Q, assistant("b")]}
        other = [{"role": "user", "content": "How?"}, assistant("b")]
        table = understood(good, {**good, "rejected": other})
        assert problems(table) == [
            "line 2, column rejected: expected the same prompt as in column chosen, "
            "found another beginning"
        ]

    def test_texts_without_a_prompt_say_what_is_missing(self) -> None:
        with pytest.raises(TableError, match=r"expected messages, or a text of Human: and Assis"):
            understood({"chosen": "So.", "rejected": "No."})

    def test_system_column_against_a_system_turn(self) -> None:
        own = {"role": "system", "content": "A"}
        rows = [{"system": s, "messages": [own, USER_Q, assistant("x")]} for s in ("A", "B")]
        table = understood(*rows, {"system": 3, "messages": [USER_Q, assistant("x")]})
        assert problems(table) == [
            "line 2, column system: expected the system turn of the row's messages, "
            "found another text",
            "line 3, column system: expected text, found a number",
        ]

    def test_table_of_nothing_but_bad_rows_is_an_error_with_the_first(self) -> None:
        with pytest.raises(TableError, match=r"none of its 2 rows.*line 1, column response"):
            understood({"prompt": "a", "response": 1}, {"prompt": "b", "response": 2})

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("t.jsonl", b"", "t.jsonl: the file is empty"),
            ("t.csv", b" \n", "t.csv: the file is empty"),
            ("t.csv", b"prompt,response\n", "t.csv: the file has no rows"),
            ("t.json", b"[]", "t.json: the file has no rows"),
            ("t.json", b'[{"prompt": "a"', r"t.json: not JSON: .* in line 1, character 16"),
            (
                "t.json",
                b'{"a": 1, "b": 2}',
                "expected an array of objects, found one object with a, b",
            ),
            ("t.json", b'"text"', "expected an array of objects, found text"),
            ("t.csv", b"prompt,response\ncaf\xe9,a\n", "not UTF-8: byte 0xE9 in line 2 .* UTF-8"),
            ("t.json", "[]".encode("utf-16"), "not UTF-8: byte 0xFF in line 1"),
            ("t.jsonl", b"no\nno", "none of its 2 rows can be read; line 1: not JSON"),
            ("t.csv", b"prompt,prompt\na,b\n", "column 'prompt' is there twice"),
            ("t.parquet", b"PAR1 and no more", "not a complete Parquet file"),
            (
                "t.jsonl.gz",
                gzip.compress(b"{}" * 99, mtime=0)[:-9],
                "gzip archive is damaged or incomplete",
            ),
            ("t.xlsx", b"PK", "t.xlsx: unknown kind of file. Known: .jsonl"),
        ],
    )
    def test_file_of_which_nothing_can_be_read(self, name: str, data: bytes, message: str) -> None:
        with pytest.raises(TableError, match=message):
            parse_table(data, name)

    def test_truncated_parquet(self, tmp_path: Path) -> None:
        file = tmp_path / "t.parquet"
        pd.DataFrame({"prompt": ["Why?"] * 50, "response": ["So."] * 50}).to_parquet(file)
        whole = file.read_bytes()
        with pytest.raises(TableError, match=r"not a complete Parquet file: .* Copy or download"):
            parse_table(whole[: len(whole) // 2], "t.parquet")

    def test_no_such_file_and_folder(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="there is no such file"):
            read_table(tmp_path / "absent.csv")
        with pytest.raises(TableError, match="cannot be read: Is a directory"):
            read_table(tmp_path)

    def test_csv_row_with_too_few_or_too_many_cells(self) -> None:
        table = csv("prompt,response\na,b\nc\nd,e,f\ng,h\n")
        assert contents(table) == [["a", "b"], ["g", "h"]]
        assert problems(table) == [
            "row 2: expected 2 columns, found 1",
            "row 3: expected 2 columns, found 3",
        ]
        assert [row.number for row in table.source.rows] == [1, 2, 3, 4]

    def test_csv_cut_off_inside_a_cell(self) -> None:
        table = csv('prompt,response\na,b\nc,"begins here\nand is cut')
        assert contents(table) == [["a", "b"]]
        assert problems(table) == [
            "row 2: a quotation mark is opened and not closed before the end"
        ]

    def test_csv_that_ends_with_a_cell_of_several_lines(self) -> None:
        assert contents(csv('prompt,response\na,"two\nlines"\n')) == [["a", "two\nlines"]]


class TestIds:
    def test_unique_id_names_the_prompt(self) -> None:
        table = understood(
            {"id": 8, "prompt": "Why?", "response": "a"},
            {"id": 9, "prompt": "How?", "response": "b"},
        )
        assert [entry.prompt_id for entry in table.entries] == ["8", "9"]
        assert table.notes == ()

    def test_ids_of_rows_with_one_prompt_do_not_split_it(self) -> None:
        rows = [{"id": i, "prompt": "Why?", "chosen": "a", "rejected": str(i)} for i in (1, 2)]
        table = understood(*rows)
        assert {entry.prompt_id for entry in table.entries} == {content_id([USER_Q])}
        assert [pair.pair_id for pair in table.pairs] == ["1", "2"]
        assert table.notes == (
            "Column id is not used as the prompt's id: '1' and '2' have the same prompt.",
        )

    def test_repeated_id_of_different_prompts_is_not_used(self) -> None:
        table = understood(
            {"id": "a", "prompt": "Why?", "response": "x"},
            {"id": "a", "prompt": "How?", "response": "y"},
        )
        assert len({entry.prompt_id for entry in table.entries}) == 2
        assert table.notes == (
            "Column id is not used as the prompt's id: 'a' stands for different prompts.",
        )

    def test_prompt_id_may_repeat_for_several_responses(self) -> None:
        rows = [{"prompt_id": "p", "prompt": "Why?", "response": r} for r in "ab"]
        table = understood(*rows)
        assert [entry.prompt_id for entry in table.entries] == ["p", "p"]

    def test_missing_prompt_id_is_told(self) -> None:
        table = understood(
            {"prompt_id": "p", "prompt": "Why?", "response": "a"},
            {"prompt": "How?", "response": "b"},
        )
        assert table.entries[0].prompt_id == content_id([USER_Q])
        assert table.notes == ("Column prompt_id is not used as the prompt's id: line 2 has none.",)

    def test_response_id_column_is_used_when_unique(self) -> None:
        rows = [{"prompt": "Why?", "response": r, "response_id": f"r{r}"} for r in "ab"]
        assert [e.response_id for e in understood(*rows).entries] == ["ra", "rb"]
        again = understood(*rows, rows[0])
        assert again.entries[0].response_id == content_id("a")
        assert again.notes == (
            "Column response_id is not used: some rows have none or repeat one.",
        )


class TestResults:
    def test_scores_keep_every_input_column_and_rename_ours(self) -> None:
        table = understood(
            {"prompt": "Why?", "response": "abc", "error": "none", "tag": 1, "prompt_id": "p"},
            {"prompt": "How?", "response": "de", "error": "x", "tag": None, "prompt_id": "q"},
        )
        scores = scores_table(table, rewards_of(table))
        assert list(scores.columns) == [
            *("model", "prompt_id", "response_id", "role", "reward", "n_tokens", "truncated"),
            *("error", "input_row", "prompt", "response", "error_input", "tag", "prompt_id_input"),
        ]
        assert scores["reward"].tolist() == [3.0, 2.0]
        assert scores["error"].tolist() == ["", ""]
        assert scores["error_input"].tolist() == ["none", "x"]
        assert scores["tag"].tolist() == [1, None]
        assert scores["input_row"].tolist() == [1, 2]

    def test_renamed_column_never_hides_another(self) -> None:
        table = understood({"prompt": "a", "response": "b", "role": 1, "role_input": 2})
        scores = scores_table(table, rewards_of(table))
        assert (scores["role_input"][0], scores["role_input_input"][0]) == (2, 1)

    def test_bad_rows_stay_with_their_reason(self) -> None:
        table = understood(
            {"prompt": "Why?", "response": "abc"}, {"prompt": "Why?", "response": []}, "broken"
        )
        scores = scores_table(table, rewards_of(table))
        assert scores["reward"].isna().tolist() == [False, True, True]
        assert scores["n_tokens"].isna().tolist() == [False, True, True]
        assert scores["error"][1] == "column response: expected text, found an empty list"
        assert scores["error"][2].startswith("not JSON")

    def test_two_models_are_told_apart(self) -> None:
        table = understood({"prompt": "Why?", "chosen": "abc", "rejected": "d"})
        rewards = pd.concat([rewards_of(table), rewards_of(table, lambda r: -len(r), "n")])
        pairs = pairs_table(table, rewards)
        assert pairs[["model", "margin"]].values.tolist() == [["m", 2.0], ["n", -2.0]]

    def test_objectives_become_columns(self) -> None:
        table = understood({"prompt": "Why?", "response": "abc"})
        scores = scores_table(table, rewards_of(table).assign(objective_helpful=[0.25]))
        assert scores["objective_helpful"].tolist() == [0.25]

    def test_pairs_of_lists_carry_both_style_indices(self) -> None:
        table = understood({"id": 1, "prompt": "Why?", "chosen": ["aaa", "b"], "rejected": ["cc"]})
        pairs = pairs_table(table, rewards_of(table))
        columns = ["chosen_style_index", "rejected_style_index", "reward_chosen", "margin"]
        assert pairs[columns].values.tolist() == [[0, 0, 3, 1], [1, 0, 1, -1]]
        assert pairs["chosen"].tolist() == [["aaa", "b"]] * 2

    def test_pair_with_a_failed_side_has_no_margin_but_a_reason(self) -> None:
        good = {"prompt": "Why?", "chosen": "So.", "rejected": "No."}
        table = understood(good, {**good, "rejected": 3})
        rewards = rewards_of(table)
        rewards.loc[0, ["reward", "error"]] = [np.nan, "it broke"]
        pairs = pairs_table(table, rewards)
        assert pairs["margin"].isna().all()
        assert pairs["error"].tolist() == [
            "it broke",
            "column rejected: expected text, found a number",
        ]

    def test_what_a_stopped_run_did_not_reach_has_no_row(self) -> None:
        rows = [{"prompt": p, "chosen": "a", "rejected": "b"} for p in ("Why?", "How?")]
        table = understood(*rows)
        rewards = rewards_of(table, skip=(3,))
        assert scores_table(table, rewards)["input_row"].tolist() == [1, 1, 2]
        assert pairs_table(table, rewards)["input_row"].tolist() == [1]


class TestWriting:
    frame = pd.DataFrame(
        {
            "reward": [0.1, np.nan, 1e-9],
            "n_tokens": pd.array([3, None, 4], dtype="Int64"),
            "error": ["", 'said "no"\nand left', ""],
            "chosen": [[{"role": "user", "content": "é"}], None, []],
            "mixed": pd.Series([1, "a", None], dtype=object),
        }
    )

    def test_csv_tells_empty_text_from_missing(self, tmp_path: Path) -> None:
        write_table(self.frame, tmp_path / "t.csv")
        rows = parse_table((tmp_path / "t.csv").read_bytes(), "t.csv").rows
        assert rows[0].cells == {
            "reward": "0.1",
            "n_tokens": "3",
            "error": "",
            "chosen": '[{"role": "user", "content": "é"}]',
            "mixed": "1",
        }
        assert rows[1].cells["error"] == 'said "no"\nand left'
        assert rows[1].cells["chosen"] is None
        assert rows[2].cells["mixed"] is None
        assert float(rows[2].cells["reward"]) == 1e-9

    @pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
    def test_json_is_valid_and_keeps_lists(self, tmp_path: Path, name: str) -> None:
        write_table(self.frame, tmp_path / name)
        text = (tmp_path / name).read_text(encoding="utf-8")
        records = json.loads(text) if name == "t.json" else list(map(json.loads, text.splitlines()))
        assert records[0]["chosen"] == [{"role": "user", "content": "é"}]
        assert records[1] == {
            "reward": None,
            "n_tokens": None,
            "error": 'said "no"\nand left',
            "chosen": None,
            "mixed": "a",
        }
        assert "NaN" not in text

    def test_empty_json_array(self, tmp_path: Path) -> None:
        write_table(self.frame.iloc[:0], tmp_path / "t.json")
        assert json.loads((tmp_path / "t.json").read_text()) == []

    def test_parquet_keeps_types_and_turns_mixed_cells_into_text(self, tmp_path: Path) -> None:
        write_table(self.frame, tmp_path / "t.parquet")
        rows = parse_table((tmp_path / "t.parquet").read_bytes(), "t.parquet").rows
        assert rows[0].cells["chosen"] == [{"role": "user", "content": "é"}]
        assert rows[0].cells["n_tokens"] == 3
        assert [row.cells["mixed"] for row in rows] == ["1", "a", None]

    @pytest.mark.parametrize("name", ["t.csv", "t.json", "t.jsonl", "t.parquet"])
    def test_half_a_surrogate_pair_does_not_stop_the_writing(
        self, tmp_path: Path, name: str
    ) -> None:
        table = understood({"messages": [USER_Q, assistant("x")], "note": "a\ud800b"})
        write_table(scores_table(table, rewards_of(table)), tmp_path / name)
        rows = parse_table((tmp_path / name).read_bytes(), name).rows
        assert rows[0].cells["reward"] in (1.0, "1", "1.0")

    def test_failed_write_leaves_the_old_file_and_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = tmp_path / "t.csv"
        target.write_text("old")

        def full(*_args: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pyarrow.csv.write_csv", full)
        with pytest.raises(TableError, match=r"t.csv: cannot be written: No space left"):
            write_table(self.frame, target)
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    def test_output_is_checked_before_the_work(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match=r"cannot write this kind of file. Known: .csv"):
            check_output(tmp_path / "t.xlsx")
        with pytest.raises(TableError, match="there is no folder"):
            check_output(tmp_path / "absent" / "t.csv")
        (tmp_path / "folder.csv").mkdir()
        with pytest.raises(TableError, match="this is a folder"):
            check_output(tmp_path / "folder.csv")

    @pytest.mark.parametrize("name", ["t.csv", "t.json", "t.jsonl", "t.parquet"])
    def test_written_scores_can_be_read_and_scored_again(self, tmp_path: Path, name: str) -> None:
        messages = [{"role": "user", "content": "Why?"}, assistant("")]
        table = understood({"messages": messages, "note": "x"})
        write_table(scores_table(table, rewards_of(table)), tmp_path / name)
        again = read_conversations(read_table(tmp_path / name))
        assert again.conversations() == [messages]
        assert again.entries[0].prompt_id == table.entries[0].prompt_id


@pytest.mark.shared_data
class TestPublicSets:
    def test_rm_bench(self, shared_data: Path) -> None:
        table = read_conversations(read_table(shared_data / "rm-bench" / "chat.json"))
        assert table.problems == ()
        assert len(table.entries) == 129 * 6
        assert len(table.pairs) == 129 * 9
        scores = scores_table(table, rewards_of(table))
        assert {"style_index", "error", "error_input", "error_key", "subset"} <= set(scores.columns)
        assert scores["error"].eq("").all()
        assert scores["error_input"].str.len().gt(0).any()
        raw = json.loads((shared_data / "rm-bench" / "chat.json").read_text(encoding="utf-8"))
        expected = [len(text) for row in raw for text in (*row["chosen"], *row["rejected"])]
        assert scores["reward"].tolist() == expected

    @pytest.mark.parametrize(
        ("name", "n"),
        [
            ("natural", 100),
            ("adversarial-neighbor", 134),
            ("adversarial-gptinst", 92),
            ("adversarial-gptout", 47),
            ("adversarial-manual", 46),
        ],
    )
    def test_llmbar(self, shared_data: Path, name: str, n: int) -> None:
        file = shared_data / "llmbar" / f"{name}.json"
        table = read_conversations(read_table(file))
        assert table.problems == ()
        assert len(table.pairs) == n
        raw = json.loads(file.read_text(encoding="utf-8"))
        better = [row[f"output_{row['label']}"] for row in raw]
        chosen = [table.entries[pair.chosen].conversation for pair in table.pairs]
        assert [conversation[-1]["content"] for conversation in chosen if conversation] == better

    def test_rm_bench_code_and_safety(self, shared_data: Path) -> None:
        for name, n in (("code", 228), ("safety-refuse", 284), ("safety-response", 157)):
            table = read_conversations(read_table(shared_data / "rm-bench" / f"{name}.json"))
            assert (len(table.problems), len(table.pairs)) == (0, n * 9)
