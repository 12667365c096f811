"""Criteria of one's own as rows of a table: text, weight, and whether it is a pitfall."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.models.card import Criterion
from core.tables.cells import found
from core.tables.files import RowProblem, plain_value

MOST_CHARACTERS = 400
MOST_NAME = 24


def criteria_of_rows(
    rows: Sequence[Mapping[str, Any]], *, most: int | None = None
) -> tuple[tuple[Criterion, ...], tuple[RowProblem, ...]]:
    """The criteria of a table; a row that is none is a problem beside the others.

    Args:
        rows: `text`; `weight` (1 where it is missing); `pitfall` (no where it is missing). A row
            with nothing in it is no row.
        most: criteria that are used.

    Returns:
        Criteria, named by the beginning of their text, and what is wrong with the other rows.
    """
    criteria: list[Criterion] = []
    problems: list[RowProblem] = []
    taken: set[str] = set()
    for number, given in enumerate(rows, start=1):
        row = {name: plain_value(value) for name, value in given.items()}
        text = row.get("text")
        text = text.strip() if isinstance(text, str) else text
        if not text and row.get("weight") is None and not row.get("pitfall"):
            continue
        wrong = _wrong(text, row.get("weight"))
        if not wrong and most is not None and len(criteria) >= most:
            wrong = {"": f"there are {most} criteria already, and no more are asked"}
        problems += [RowProblem(number, message, column) for column, message in wrong.items()]
        if wrong or not isinstance(text, str):
            continue
        weight = row.get("weight")
        criteria.append(
            Criterion(
                name=_name(text, taken),
                text=text,
                importance="pitfall" if row.get("pitfall") is True else "important",
                weight=1.0 if weight is None else float(weight),
            )
        )
    return tuple(criteria), tuple(problems)


def _wrong(text: object, weight: object) -> dict[str, str]:
    """What is wrong by column."""
    wrong = {}
    if not isinstance(text, str) or not text:
        wrong["text"] = f"expected a statement, found {found(text) if text else 'nothing'}"
    elif len(text) > MOST_CHARACTERS:
        wrong["text"] = f"expected at most {MOST_CHARACTERS} characters, found {len(text)}"
    if weight is not None:
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 < float(weight) < float("inf"):  # type: ignore[arg-type]
            shown = weight if number else found(weight)
            wrong["weight"] = f"expected a number above 0, found {shown}"
    return wrong


def _name(text: str, taken: set[str]) -> str:
    """The beginning of a text, whole words, and unlike all names before."""
    short = text.rstrip(".")
    if len(short) > MOST_NAME:
        short = (short[:MOST_NAME].rsplit(" ", 1)[0] or short[:MOST_NAME]) + " …"
    name, number = short, 2
    while name in taken:
        name, number = f"{short} ({number})", number + 1
    taken.add(name)
    return name
