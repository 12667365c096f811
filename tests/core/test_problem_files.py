"""Files of one's own: logged likelihoods, texts by row, and problems with their traces."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.verifier_free.tables import read_scores
from core.problem_files import NO_TEXT, read_own_file
from core.problems import authored_problems, problems_folder


def lines(*rows: dict) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def test_logged_likelihoods_come_from_text_tables_and_from_parquet_alike():
    frame = pd.DataFrame(
        {
            "problem_id": ["p", "p"],
            "trace_id": ["a", "b"],
            "correct": [True, False],
            "pieces": [["six", "ty"], ["six", "ty"]],
            "ref_log_probabilities": [[-0.5, -0.25], [-1.0, -2.0]],
        }
    )
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    text = frame.assign(
        pieces=frame["pieces"].map(json.dumps),
        ref_log_probabilities=frame["ref_log_probabilities"].map(json.dumps),
    ).to_csv(index=False)
    for data, name in ((parquet.getvalue(), "x.parquet"), (text.encode(), "x.csv")):
        given = read_own_file(data, name)
        assert given.scores is not None
        table = read_scores(given.scores).table
        assert [list(row) for row in table["ref_log_probabilities"]] == [[-0.5, -0.25], [-1, -2]]
        assert list(table["correct"]) == [True, False]
        assert list(table["pieces"]) == [["six", "ty"], ["six", "ty"]]
        assert set(table["domain"]) == {"all"}


def test_a_trainers_dump_is_known_by_its_own_names_and_gets_ids():
    data = lines(
        {"prompt": "q?", "gt_text": "4", "think_text": "two", "gt_action_logprobs": [-0.1]},
        {"prompt": "q?", "gt_text": "4", "think_text": "three", "gt_action_logprobs": [-3]},
        {"prompt": "other?", "gt_text": "5", "think_text": "x", "gt_action_logprobs": [-np.inf]},
    )
    given = read_own_file(data, "dump.jsonl")
    assert given.scores is not None
    table = read_scores(given.scores).table
    assert list(table["problem_id"]) == ["problem 1", "problem 1", "problem 2"]
    assert list(table["trace_id"]) == ["1", "2", "1"]
    assert table["ref_log_probabilities"][2][0] == -np.inf
    assert [[t.text for t in p.traces] for p in given.problems] == [["two", "three"], ["x"]]


def test_rows_of_texts_become_problems_with_their_labels():
    row = {"question": "q?", "reference": "4", "trace": "t", "correct": 1}
    given = read_own_file(
        lines(row, row | {"trace": "u", "correct": False}, row | {"trace": " "}), "x.jsonl"
    )
    assert given.scores is None
    (problem,) = given.problems
    assert [(t.trace_id, t.text, t.correct) for t in problem.traces] == [
        ("1", "t", True),
        ("2", "u", False),
    ]
    assert given.left_out == {NO_TEXT: 1}


def test_the_form_of_the_authored_problems_is_read():
    data = (problems_folder() / "verifier_free.jsonl").read_bytes()
    assert read_own_file(data, "mine.jsonl").problems == authored_problems()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lines({"question": "q"}), "no column reference, trace"),
        (lines({"question": "q", "reference": "", "trace": "t"}), "no row has"),
        (lines({"problem_id": "p", "traces": []}), "there is no trace"),
        (b"", "empty"),
    ],
)
def test_what_cannot_be_used_says_why(data: bytes, said: str):
    with pytest.raises(TableError) as caught:
        read_own_file(data, "x.jsonl")
    assert said in str(caught.value)
