"""Criteria of one's own: rows become criteria, and bad rows are named by row and column."""

from core.rubric_rows import criteria_of_rows


def test_rows_become_criteria() -> None:
    rows = [
        {"text": "It answers the question.", "weight": 5, "pitfall": False},
        {"text": None, "weight": None, "pitfall": None},
        {"text": "It insults.", "weight": None, "pitfall": True},
        {"text": "The response gives a source for every number.", "weight": 0.5},
        {"text": "The response gives a source for a claim.", "weight": 2},
    ]
    criteria, problems = criteria_of_rows(rows)
    assert not problems
    assert [each.weight for each in criteria] == [5, 1, 0.5, 2]
    assert [each.importance == "pitfall" for each in criteria] == [False, True, False, False]
    assert len({each.name for each in criteria}) == 4
    assert criteria[2].name == "The response gives a …"


def test_bad_rows_are_named_and_the_rest_goes_on() -> None:
    rows = [
        {"text": " ", "weight": 1.0, "pitfall": False},
        {"text": "Fine.", "weight": 0.0},
        {"text": "x" * 401, "weight": float("inf")},
        {"text": "It is short.", "weight": 1},
        {"text": "One too many.", "weight": 1},
    ]
    criteria, problems = criteria_of_rows(rows, most=1)
    assert [each.text for each in criteria] == ["It is short."]
    assert [str(each) for each in problems] == [
        "row 1, column text: expected a statement, found nothing",
        "row 2, column weight: expected a number above 0, found 0.0",
        "row 3, column text: expected at most 400 characters, found 401",
        "row 3, column weight: expected a number above 0, found inf",
        "row 5: there are 1 criteria already, and no more are asked",
    ]
