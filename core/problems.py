"""Problems with a reference answer and reasoning traces whose correctness is known.

`data/problems/verifier_free.jsonl` comes with the package; a file of one's own has the same form.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import TableError
from core.paths import data_folder
from core.schema import describe_type

FILE = "verifier_free.jsonl"


@dataclass(frozen=True)
class Trace:
    """One way of reasoning about a problem.

    Attributes:
        trace_id: distinct within the problem.
        text: reasoning only; what it concludes stands in its last sentence.
        correct: whether it ends at the reference; None where that is not known.
    """

    trace_id: str
    text: str
    correct: bool | None


@dataclass(frozen=True)
class Problem:
    """A question with its reference answer.

    Attributes:
        problem_id: distinct within its file.
        domain: such as "law".
        question: as it is asked.
        reference: the answer, as short as it can be.
        paraphrases: the same answer in other words.
        traces: at least one.
    """

    problem_id: str
    domain: str
    question: str
    reference: str
    paraphrases: tuple[str, ...]
    traces: tuple[Trace, ...]

    @property
    def wordings(self) -> tuple[str, ...]:
        """The reference, then its paraphrases."""
        return (self.reference, *self.paraphrases)


def names(trace: str, reference: str) -> bool:
    """Whether a trace contains the reference as it is written, case ignored."""
    return reference.strip().casefold() in trace.casefold()


def problems_folder() -> Path:
    """The folder of shipped problems."""
    return data_folder() / "problems"


@cache
def authored_problems() -> tuple[Problem, ...]:
    """The problems that come with the package: two right and two wrong traces each."""
    return read_problems(problems_folder() / FILE)


def read_problems(file: Path) -> tuple[Problem, ...]:
    """Reads and checks a file of problems, one JSON object a line.

    Raises:
        TableError: names the line and the field that is wrong.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{file.name}: cannot be read: {error}") from error
    return parse_problems(lines, name=file.name)


def parse_problems(lines: Sequence[str], *, name: str = "problems") -> tuple[Problem, ...]:
    """Problems from lines of JSON; empty lines count but hold nothing.

    Args:
        lines: one problem a line.
        name: what the lines are called in messages.

    Raises:
        TableError: names the line and the field that is wrong.
    """
    found: dict[str, Problem] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise TableError(f"{where}: not JSON: {error}") from error
        problem = parse_problem(value, where)
        if problem.problem_id in found:
            raise TableError(f"{where}: the problem_id {problem.problem_id!r} was there before.")
        found[problem.problem_id] = problem
    if not found:
        raise TableError(f"{name}: holds no problem.", fix="Give one JSON object a line.")
    return tuple(found.values())


def parse_problem(value: object, where: str) -> Problem:
    """Checks one problem.

    Args:
        value: a mapping with the fields of `Problem`.
        where: what messages begin with.

    Raises:
        TableError: names the field that is wrong.
    """
    if not isinstance(value, Mapping):
        raise TableError(f"{where}: expected an object, found {describe_type(value)}.")
    paraphrases = _list(value, "paraphrases", where, needed=False)
    if not all(isinstance(each, str) and each.strip() for each in paraphrases):
        raise TableError(f"{where}: every paraphrase must be a text that is not empty.")
    traces = tuple(
        _trace(each, f"{where}, trace {position}")
        for position, each in enumerate(_list(value, "traces", where), start=1)
    )
    if not traces:
        raise TableError(f"{where}: there is no trace.")
    if len({trace.trace_id for trace in traces}) < len(traces):
        raise TableError(f"{where}: two traces have the same trace_id.")
    return Problem(
        problem_id=_text(value, "problem_id", where),
        domain=_text(value, "domain", where),
        question=_text(value, "question", where),
        reference=_text(value, "reference", where),
        paraphrases=tuple(paraphrases),
        traces=traces,
    )


def _trace(value: object, where: str) -> Trace:
    if not isinstance(value, Mapping):
        raise TableError(f"{where}: expected an object, found {describe_type(value)}.")
    correct = value.get("correct")
    if correct is not None and not isinstance(correct, bool):
        raise TableError(f"{where}: correct must be true, false or null.")
    return Trace(_text(value, "trace_id", where), _text(value, "text", where), correct)


def _text(value: Mapping[str, Any], field: str, where: str) -> str:
    found = value.get(field)
    if not isinstance(found, str) or not found.strip():
        raise TableError(f"{where}: {field} must be a text that is not empty.")
    return found


def _list(value: Mapping[str, Any], field: str, where: str, *, needed: bool = True) -> list[Any]:
    found = value.get(field, None if needed else [])
    if not isinstance(found, list):
        raise TableError(f"{where}: {field} must be a list, found {describe_type(found)}.")
    return found
