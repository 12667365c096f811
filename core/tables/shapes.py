"""The shapes of table people have, found by their columns, and how one row of each is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from core.errors import TableError
from core.schema import Message, PairRole, with_response
from core.tables.cells import (
    CellError,
    CellKind,
    column_kind,
    read_label,
    read_messages,
    read_prompt_messages,
    read_text,
    read_texts,
    read_transcript,
)
from core.tables.files import InputRow, InputTable, RowProblem

Cell = TypeVar("Cell")


@dataclass(frozen=True)
class Side:
    """One conversation of a row, or why there is none.

    Attributes:
        role: a lone response, or one side of a pair.
        conversation: what is scored; None where `problem` says why not.
        style_index: the place in the row's list of responses, from 0; None where there is no list.
    """

    role: PairRole
    conversation: list[Message] | None
    problem: RowProblem | None = None
    style_index: int | None = None


@dataclass(frozen=True)
class ParsedRow:
    """One row as conversations: the common prompt (None where unreadable) and each of them."""

    number: int
    prompt: list[Message] | None
    sides: tuple[Side, ...]


@dataclass(frozen=True)
class Shape:
    """One way to lay out conversations in columns.

    Attributes:
        name: what it is called in messages and in `--shape`.
        columns: the columns that must be there.
        roles: which conversations a row holds.
    """

    name: str
    columns: tuple[str, ...]
    roles: tuple[PairRole, ...]

    @property
    def is_paired(self) -> bool:
        """Whether a row holds preference pairs."""
        return "chosen" in self.roles

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.columns)})"


SHAPES = (
    Shape("pairs", ("prompt", "chosen", "rejected"), ("chosen", "rejected")),
    Shape("labelled", ("input", "output_1", "output_2", "label"), ("chosen", "rejected")),
    Shape("responses", ("prompt", "response"), ("response",)),
    Shape("implicit-pairs", ("chosen", "rejected"), ("chosen", "rejected")),
    Shape("messages", ("messages",), ("response",)),
)
"""The known shapes; the first whose columns are all there is taken."""


def find_shape(table: InputTable, name: str | None = None) -> Shape:
    """The shape of a table, or the one called `name` if its columns are there.

    Raises:
        TableError: says which columns there are, which are missing and which shapes are known.
    """
    candidates = [shape for shape in SHAPES if name in (None, shape.name)]
    known = "; ".join(map(str, SHAPES))
    if not candidates:
        raise TableError(f"Shape {name!r} is not known.", fix=f"Known shapes: {known}.")
    for shape in candidates:
        if set(shape.columns) <= set(table.columns):
            return shape
    columns = ", ".join(table.columns) or "none"
    raise TableError(
        f"{table.name}: its columns fit no known shape. Columns found: {columns}."
        + _nearest(candidates, table.columns),
        fix=f"Known shapes: {known}.",
    )


def _nearest(candidates: list[Shape], columns: tuple[str, ...]) -> str:
    by_plain = {column.strip().lower(): column for column in columns}
    best = max(candidates, key=lambda shape: sum(name in by_plain for name in shape.columns))
    missing = [name for name in best.columns if name not in columns]
    if not any(name in by_plain for name in best.columns):
        return ""
    hints = [
        f" Is {by_plain[name]!r} meant to be {name!r}?" for name in missing if name in by_plain
    ]
    return f" For shape {best.name}, missing: {', '.join(missing)}.{''.join(hints)}"


class _Fault(Exception):  # noqa: N818 - a row's problem on its way to the row's result
    def __init__(self, problem: RowProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class RowParser:
    """Reads the rows of one table: what each column holds is decided once, over all rows."""

    def __init__(self, table: InputTable, shape: Shape) -> None:
        self.shape = shape
        self._unit = table.unit
        self._has_system = "system" in table.columns
        rows = table.readable
        self._kinds = {
            column: column_kind(row.cells.get(column) for row in rows)
            for column in shape.columns
            if column != "label"
        }
        self._parse = _PARSERS[shape.name]

    def parse(self, row: InputRow) -> ParsedRow:
        """The row's conversations; never raises, each problem is kept with the side it spoils."""
        if row.problem is not None:
            return self._failed(row, row.problem)
        try:
            return self._parse(self, row)
        except _Fault as fault:
            return self._failed(row, fault.problem)

    def _failed(self, row: InputRow, problem: RowProblem) -> ParsedRow:
        sides = tuple(Side(role, None, problem) for role in self.shape.roles)
        return ParsedRow(row.number, None, sides)

    def pairs(self, row: InputRow) -> ParsedRow:
        """A prompt with chosen and rejected: texts, message lists or lists of texts."""
        prompt = self._prompt(row, "prompt")
        chosen = self._sides(row, prompt, "chosen", "chosen")
        rejected = self._sides(row, prompt, "rejected", "rejected")
        return ParsedRow(row.number, prompt, (*chosen, *rejected))

    def labelled(self, row: InputRow) -> ParsedRow:
        """An input with two outputs and the number of the better one."""
        prompt = self._prompt(row, "input")
        better = self._read(row, "label", read_label)
        chosen = self._sides(row, prompt, f"output_{better}", "chosen")
        rejected = self._sides(row, prompt, f"output_{3 - better}", "rejected")
        return ParsedRow(row.number, prompt, (*chosen, *rejected))

    def responses(self, row: InputRow) -> ParsedRow:
        """A prompt with one response (or a list of them)."""
        prompt = self._prompt(row, "prompt")
        return ParsedRow(row.number, prompt, self._sides(row, prompt, "response", "response"))

    def messages(self, row: InputRow) -> ParsedRow:
        """A whole conversation in one column."""
        conversation = self._with_system(row, self._read(row, "messages", read_messages))
        return ParsedRow(row.number, conversation[:-1], (Side("response", conversation),))

    def implicit_pairs(self, row: InputRow) -> ParsedRow:
        """Two whole conversations whose common beginning is the prompt."""
        chosen = self._whole(row, "chosen")
        rejected = self._whole(row, "rejected")
        readable = [side.conversation for side in (chosen, rejected) if side.conversation]
        if len(readable) < 2:
            prompt = readable[0][:-1] if readable else None
            return ParsedRow(row.number, prompt, (chosen, rejected))
        prompt = common_beginning(*readable)
        if not any(message["role"] == "user" for message in prompt):
            message = "expected the same prompt as in column chosen, found another beginning"
            raise _Fault(RowProblem(row.number, message, "rejected", self._unit))
        return ParsedRow(row.number, prompt, (chosen, rejected))

    def _whole(self, row: InputRow, column: PairRole) -> Side:
        is_text = self._kinds[column] is CellKind.TEXT
        try:
            conversation = self._read(row, column, read_transcript if is_text else read_messages)
            return Side(column, self._with_system(row, conversation))
        except _Fault as fault:
            return Side(column, None, fault.problem)

    def _prompt(self, row: InputRow, column: str) -> list[Message]:
        if self._kinds[column] is CellKind.TEXT:
            text = self._read(row, column, read_text)
            return self._with_system(row, [{"role": "user", "content": text}])
        return self._with_system(row, self._read(row, column, read_prompt_messages))

    def _sides(
        self, row: InputRow, prompt: list[Message], column: str, role: PairRole
    ) -> tuple[Side, ...]:
        kind = self._kinds[column]
        try:
            if kind is CellKind.TEXT:
                response = self._read(row, column, read_text)
                return (Side(role, with_response(prompt, response)),)
            if kind is CellKind.TEXTS:
                responses = self._read(row, column, read_texts)
                return tuple(
                    Side(role, with_response(prompt, response), style_index=place)
                    for place, response in enumerate(responses)
                )
            conversation = self._read(
                row, column, lambda cell: continue_prompt(prompt, read_messages(cell))
            )
            return (Side(role, conversation),)
        except _Fault as fault:
            return (Side(role, None, fault.problem),)

    def _with_system(self, row: InputRow, messages: list[Message]) -> list[Message]:
        text = row.cells.get("system") if self._has_system else None
        if text in (None, ""):
            return messages
        system = self._read(row, "system", read_text)
        if messages[0]["role"] != "system":
            return [{"role": "system", "content": system}, *messages]
        if messages[0]["content"] != system:
            message = "expected the system turn of the row's messages, found another text"
            raise _Fault(RowProblem(row.number, message, "system", self._unit))
        return messages

    def _read(self, row: InputRow, column: str, reader: Callable[[Any], Cell]) -> Cell:
        try:
            return reader(row.cells.get(column))
        except CellError as error:
            problem = RowProblem(row.number, error.message, column, self._unit)
            raise _Fault(problem) from error


_PARSERS: Mapping[str, Callable[[RowParser, InputRow], ParsedRow]] = {
    "pairs": RowParser.pairs,
    "labelled": RowParser.labelled,
    "responses": RowParser.responses,
    "implicit-pairs": RowParser.implicit_pairs,
    "messages": RowParser.messages,
}


def common_beginning(first: list[Message], second: list[Message]) -> list[Message]:
    """The messages two conversations share from the start, short of the last one of either."""
    shared = 0
    for one, other in zip(first[:-1], second[:-1], strict=False):
        if one != other:
            break
        shared += 1
    return first[:shared]


def continue_prompt(prompt: list[Message], messages: list[Message]) -> list[Message]:
    """The conversation a message list stands for beside a prompt.

    The list either is the whole conversation, the prompt included, or begins with the assistant's
    turn and continues the prompt. A system turn may be in the prompt, in the list or in both.

    Raises:
        CellError: when the list is a whole conversation about another prompt.
    """
    if messages[0]["role"] == "assistant":
        return [*prompt, *messages]
    system, turns = _split_system(prompt)
    own_system, own_turns = _split_system(messages)
    begins_alike = own_turns[: len(turns)] == turns and len(own_turns) > len(turns)
    if not begins_alike or (system and own_system and system != own_system):
        raise CellError(
            "expected a conversation that begins with the row's prompt, found another one"
        )
    return [*(system or own_system), *own_turns]


def _split_system(messages: list[Message]) -> tuple[list[Message], list[Message]]:
    count = 1 if messages and messages[0]["role"] == "system" else 0
    return messages[:count], messages[count:]
