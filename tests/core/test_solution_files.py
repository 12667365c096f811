"""Files of solutions with a first wrong step, with and without scores, sound and broken."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.process.benchmark import first_errors
from core.solution_files import read_solutions, scores_table

ROWS: list[dict[str, object]] = [
    {"id": "gsm8k-0", "problem": "1+1, then 2 more?", "steps": ["2", "5"], "label": 1},
    {"id": "gsm8k-1", "problem": "1+1, then 2 more?", "steps": ["2", "4"], "label": -1},
    {"id": "gsm8k-2", "problem": "3*3?", "steps": ["9"], "label": -1},
]


def lines(*rows: object) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def test_every_format_holds_the_same_solutions() -> None:
    frame = pd.DataFrame(ROWS)
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    as_text = frame.assign(steps=frame["steps"].map(json.dumps)).to_csv(index=False)
    files = {
        "a.jsonl": lines(*ROWS),
        "a.json": json.dumps(ROWS).encode(),
        "a.csv": as_text.encode(),
        "b.csv": frame.to_csv(index=False).encode(),  # lists as Python writes them
        "a.parquet": parquet.getvalue(),
    }
    found = {name: read_solutions(data, name).solutions for name, data in files.items()}
    first = found["a.jsonl"]
    assert [each.steps for each in first] == [("2", "5"), ("2", "4"), ("9",)]
    assert [each.label for each in first] == [1, -1, -1]
    # Solutions of one problem are of one cluster.
    assert [each.problem_id for each in first] == ["gsm8k-0", "gsm8k-0", "gsm8k-2"]
    for name, solutions in found.items():
        assert [(e.prompt, e.steps, e.label, e.problem_id) for e in solutions] == [
            (e.prompt, e.steps, e.label, e.problem_id) for e in first
        ], name


def test_bad_rows_are_named_by_row_and_column_and_the_rest_goes_on() -> None:
    bad = [
        {**ROWS[0], "label": 2},
        {**ROWS[0], "label": "first"},
        {**ROWS[0], "steps": "2, 5"},
        {**ROWS[0], "steps": ["2", " "]},
        {**ROWS[0], "problem": None, "label": True},
        {**ROWS[0], "scores": [0.5, 1.5]},
        {**ROWS[0], "scores": [0.5]},
        {**ROWS[0], "step_scores": [0.5, None]},
        ["no", "object"],
    ]
    found = read_solutions(lines(ROWS[2], *bad), "own.jsonl")
    assert len(found.solutions) == 1
    assert [str(each) for each in found.problems] == [
        "line 2, column label: expected -1 or a step from 0 to 1, found 2",
        "line 3, column label: expected a whole number, found 'first'",
        "line 4, column steps: expected a list of texts, found text",
        "line 5, column steps: expected a text in every step, found an empty one as item 2",
        "line 6, column problem: expected text, found nothing",
        "line 6, column label: expected a whole number, found True",
        "line 7, column scores: expected numbers from 0 to 1, found 1.5 as item 2",
        "line 8, column scores: expected one for each of 2 steps, found 1",
        "line 9, column step_scores: expected numbers from 0 to 1, found nothing as item 2",
        "line 10: expected an object with named columns, found a list",
    ]


def test_scores_need_no_texts() -> None:
    rows = [
        {"problem_id": str(i // 2), "label": label, "scores": [0.9, 0.1 if label == 1 else 0.8]}
        for i, label in enumerate([1, -1] * 4)
    ]
    given = read_solutions(lines(*rows), "own.jsonl")
    assert len(given.scored) == 8
    assert not given.readable
    table = scores_table(given.scored)
    found = first_errors(table, rng=np.random.default_rng(0), n_resamples=50)
    assert (found.f1.value, found.on_erroneous.value, found.on_correct.value) == (1, 1, 1)
    assert 0.1 < found.threshold <= 0.8


def test_scores_of_a_model_leave_out_what_it_could_not_read() -> None:
    given = read_solutions(lines(*ROWS), "own.jsonl")
    assert len(given.readable) == 3
    table = scores_table(given.readable, {0: [0.5, 0.25], 2: [1.0]})
    assert table["solution"].tolist() == ["gsm8k-0", "gsm8k-2"]
    assert table["row"].tolist() == [1, 3]


def test_a_file_without_its_columns_says_which() -> None:
    with pytest.raises(TableError, match="no column problem, steps") as error:
        read_solutions(lines({"label": 0}), "own.jsonl")
    assert "ProcessBench" not in str(error.value)
    assert "first wrong step" in str(error.value)
    with pytest.raises(TableError, match=r"no row can be used\..*row 1, column label"):
        read_solutions(json.dumps([{**ROWS[0], "label": 9}]).encode(), "own.json")
