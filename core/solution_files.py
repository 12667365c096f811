"""A file of one's own with solutions step by step, each with its first wrong step.

ProcessBench's columns (arXiv 2412.06559): `id`, `problem`, `steps` (a list of texts) and `label`
(position of the first wrong step from 0, -1 for none). With `scores` (one number in [0, 1] for each
step) no model has to read the texts, and `problem` and `steps` may be missing.
"""

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from core.errors import TableError
from core.tables.cells import CellError, found, read_id, read_text, read_texts
from core.tables.files import InputRow, RowProblem, parse_table

OTHER_NAMES = {
    "question": "problem",
    "prompt": "problem",
    "step_scores": "scores",
    "step_rewards": "scores",
}
"""Columns as other tables call them, and what they are called here."""

FORM = (
    "One row a solution: problem, steps (a list of texts) and label (position of the first wrong "
    "step from 0, -1 for none); with scores (a list of numbers from 0 to 1) no model has to read "
    "it, and problem and steps may be missing."
)

T = TypeVar("T")


@dataclass(frozen=True)
class Solution:
    """A solution with its first wrong step.

    Attributes:
        name: its id in the file, or its row.
        problem_id: the same for solutions of one problem.
        prompt: the problem; "" where the file has none.
        steps: their texts; empty where the file has scores alone.
        label: position of the first wrong step from 0, -1 for none.
        scores: of the steps, as the file has them; None where it has none.
        row: its row in the file, from 1.
    """

    name: str
    problem_id: str
    prompt: str
    steps: tuple[str, ...]
    label: int
    scores: tuple[float, ...] | None
    row: int

    @property
    def is_text(self) -> bool:
        """Whether a model can read it."""
        return bool(self.prompt and self.steps)


@dataclass(frozen=True)
class SolutionFile:
    """What a file holds.

    Attributes:
        name: of the file.
        solutions: the rows that can be used, in file order.
        problems: what is wrong with the others.
        unit: what a row's number counts: "line" or "row".
    """

    name: str
    solutions: tuple[Solution, ...]
    problems: tuple[RowProblem, ...]
    unit: str = "row"

    @property
    def scored(self) -> tuple[Solution, ...]:
        """Solutions with the file's own scores."""
        return tuple(each for each in self.solutions if each.scores is not None)

    @property
    def readable(self) -> tuple[Solution, ...]:
        """Solutions whose texts a model can read."""
        return tuple(each for each in self.solutions if each.is_text)


def read_solutions(data: bytes, name: str) -> SolutionFile:
    """Reads a file of solutions; a row that cannot be used is a problem beside the others.

    Args:
        data: its content.
        name: its name, whose ending tells the format.

    Raises:
        TableError: a column is missing, or no row can be used.
    """
    table = parse_table(data, name)
    columns = {OTHER_NAMES.get(column, column) for column in table.columns}
    missing = {"label"} - columns
    if "scores" not in columns:
        missing |= {"problem", "steps"} - columns
    if missing:
        raise TableError(f"{name}: no column {', '.join(sorted(missing))}.", fix=FORM)
    problems, solutions = [], []
    problem_ids: dict[str, str] = {}
    for row in table.rows:
        if row.problem is not None:
            problems.append(row.problem)
            continue
        reader = _Reader(row, table.unit)
        solution = reader.solution(problem_ids)
        problems += reader.problems
        if solution is not None:
            solutions.append(solution)
    if not solutions:
        first = f" The first problem: {problems[0]}." if problems else ""
        raise TableError(f"{name}: no row can be used.{first}", fix=FORM)
    return SolutionFile(name, tuple(solutions), tuple(problems), table.unit)


def scores_table(
    solutions: Sequence[Solution], scores: Mapping[int, Sequence[float]] | None = None
) -> pd.DataFrame:
    """Solutions with step scores, for `core.labs.process.benchmark`.

    Args:
        solutions: of a file.
        scores: those of a model by position in `solutions`; those of the file where None.
            A solution without any is not in the table.
    """
    rows = []
    for position, each in enumerate(solutions):
        own = each.scores if scores is None else scores.get(position)
        if own is not None:
            rows.append(
                {"problem_id": each.problem_id, "scores": list(own), "label": each.label}
                | {"solution": each.name, "row": each.row}
            )
    return pd.DataFrame(rows, columns=["problem_id", "scores", "label", "solution", "row"])


class _Reader:
    """One row, column by column, with what is wrong in it."""

    def __init__(self, row: InputRow, unit: str) -> None:
        self._number, self._unit = row.number, unit
        self._cells: dict[str, Any] = {}
        self._columns: dict[str, str] = {}
        for column, cell in row.cells.items():
            name = OTHER_NAMES.get(column, column)
            if name not in row.cells or name == column:
                self._cells[name], self._columns[name] = cell, column
        self.problems: list[RowProblem] = []

    def solution(self, problem_ids: dict[str, str]) -> Solution | None:
        """The row's solution; `problem_ids` gives equal problem texts one id."""
        has_scores = self._cells.get("scores") is not None
        prompt = self._read("problem", _text, "" if has_scores else None)
        none: list[str] | None = [] if has_scores else None
        steps = self._read("steps", _steps, none)
        label = self._read("label", _label, None)
        scores = self._read("scores", _scores, None) if has_scores else None
        if self.problems or prompt is None or steps is None or label is None:
            return None
        n = len(steps) or len(scores or ())
        if scores is not None and len(scores) != n:
            self._fault("scores", f"expected one for each of {n} steps, found {len(scores)}")
        if not -1 <= label < n:
            self._fault("label", f"expected -1 or a step from 0 to {n - 1}, found {label}")
        if self.problems:
            return None
        name = read_id(self._cells.get("id")) or f"{self._unit} {self._number}"
        own = read_id(self._cells.get("problem_id"))
        problem = own or (problem_ids.setdefault(prompt, name) if prompt else name)
        told = None if scores is None else tuple(scores)
        return Solution(name, problem, prompt, tuple(steps), label, told, self._number)

    def _read(self, column: str, reader: Callable[[Any], T], missing: T | None) -> T | None:
        cell = self._cells.get(column)
        if cell is None and missing is not None:
            return missing
        try:
            return reader(cell)
        except CellError as error:
            self._fault(column, error.message)
            return None

    def _fault(self, column: str, message: str) -> None:
        column = self._columns.get(column, column)
        self.problems.append(RowProblem(self._number, message, column, self._unit))


def _text(cell: Any) -> str:
    text = read_text(cell).strip()
    if not text:
        raise CellError("expected a text, found an empty one")
    return text


def _listed(cell: Any) -> Any:
    """A list that a text table holds as text: JSON, or Python's form."""
    if not isinstance(cell, str):
        return cell
    for parse in (json.loads, ast.literal_eval):
        try:
            parsed = parse(cell.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(parsed, list):
            return parsed
    return cell


def _steps(cell: Any) -> list[str]:
    steps = read_texts(_listed(cell))
    for place, step in enumerate(steps, start=1):
        if not step.strip():
            raise CellError(f"expected a text in every step, found an empty one as item {place}")
    return steps


def _label(cell: Any) -> int:
    text = str(cell).strip() if isinstance(cell, str | int | float) else ""
    try:
        number = float(text)
    except ValueError:
        number = 0.5
    if isinstance(cell, bool) or not number.is_integer():
        shown = repr(cell) if isinstance(cell, str | int | float) else found(cell)
        raise CellError(f"expected a whole number, found {shown}")
    return int(number)


def _scores(cell: Any) -> list[float]:
    values = _listed(cell)
    if not isinstance(values, list) or not values:
        raise CellError(f"expected a list of numbers, found {found(values)}")
    for place, value in enumerate(values, start=1):
        # Anything else, infinite numbers among it, is not between the two.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            shown = value if isinstance(value, int | float) else found(value)
            raise CellError(f"expected numbers from 0 to 1, found {shown} as item {place}")
    return [float(value) for value in values]
