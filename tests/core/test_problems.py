"""The authored problems, and the reader of files like theirs."""

import json
from collections import Counter

import pytest

from core.errors import TableError
from core.models.likelihood import names
from core.problem_scores import problems_hash, recorded_card, recorded_scores
from core.problems import authored_problems, parse_problems

GOOD = {
    "problem_id": "a",
    "domain": "maths",
    "question": "1 + 1?",
    "reference": "2",
    "paraphrases": ["two"],
    "traces": [
        {"trace_id": "x", "correct": True, "text": "One more than one."},
        {"trace_id": "y", "correct": None, "text": "No idea."},
    ],
}


def test_there_are_at_least_sixty_problems_in_four_domains():
    problems = authored_problems()
    assert len(problems) >= 60
    assert set(Counter(p.domain for p in problems).values()) == {len(problems) // 4}
    assert {p.domain for p in problems} == {"maths", "chemistry", "law", "general knowledge"}


def test_ids_are_unique_and_two_of_four_traces_are_right():
    problems = authored_problems()
    assert len({p.problem_id for p in problems}) == len(problems)
    for problem in problems:
        assert [t.trace_id for t in problem.traces] == ["a", "b", "c", "d"]
        assert sum(t.correct is True for t in problem.traces) == 2
        assert len({t.text for t in problem.traces}) == 4
        assert problem.paraphrases
        assert problem.reference not in problem.paraphrases


def test_the_leak_that_the_card_of_the_problems_tells_of_is_as_told():
    said = Counter(
        trace.correct
        for problem in authored_problems()
        for trace in problem.traces
        if names(trace.text, problem.reference)
    )
    assert said == {True: 65, False: 57}


def test_a_good_line_is_read_and_empty_lines_are_nothing():
    (problem,) = parse_problems(["", json.dumps(GOOD), "  "])
    assert problem.wordings == ("2", "two")
    assert [trace.correct for trace in problem.traces] == [True, None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": " "}, "question"),
        ({"reference": 2}, "reference"),
        ({"traces": []}, "no trace"),
        ({"traces": "x"}, "traces must be a list"),
        ({"traces": [{"trace_id": "x", "correct": "yes", "text": "t"}]}, "trace 1: correct"),
        ({"traces": [GOOD["traces"][0]] * 2}, "same trace_id"),
        ({"traces": [5]}, "trace 1: expected an object"),
        ({"paraphrases": [""]}, "paraphrase"),
    ],
)
def test_a_damaged_line_is_named(change: dict, said: str):
    with pytest.raises(TableError, match="line 2") as caught:
        parse_problems(["", json.dumps(GOOD | change)])
    assert said in str(caught.value)


@pytest.mark.parametrize("lines", [["{"], ["[]"], [], [json.dumps(GOOD)] * 2])
def test_what_is_no_file_of_problems_is_refused(lines: list[str]):
    with pytest.raises(TableError):
        parse_problems(lines)


def test_the_recorded_scores_belong_to_these_problems():
    table, card = recorded_scores(), recorded_card()
    assert card["problems_hash"] == problems_hash()
    assert card["rows"] == len(table)
    wordings = {p.problem_id: p.wordings for p in authored_problems()}
    assert len(table) == sum(4 * len(each) for each in wordings.values())
    for row in table.itertuples():
        assert row.reference == wordings[row.problem_id][row.wording]
        # A blank before a word belongs to its token; one before a digit is none of the reference.
        assert "".join(row.pieces) in (row.reference, card["blank"] + row.reference)
        assert not row.pieces[0].isspace()
        assert len(row.ref_log_probabilities) == len(row.pieces)
        assert max(row.ref_log_probabilities) <= 1e-6
    # Without reasoning a problem has one score, whatever the trace.
    for _, group in table.groupby(["problem_id", "wording"]):
        assert len({tuple(value) for value in group["ref_log_probabilities_without"]}) == 1
