"""A table of any known shape becomes conversations to score, with ids, pairs and problems."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import TableError
from core.schema import Message, PairRole, content_id
from core.tables.cells import read_id
from core.tables.files import InputTable, RowProblem
from core.tables.shapes import ParsedRow, RowParser, Shape, find_shape


@dataclass(frozen=True)
class Entry:
    """One conversation of the table: one row of its scores.

    Attributes:
        row: index into the input table's rows.
        role: a lone response, or one side of a pair.
        prompt_id: the same for all responses to one prompt; "" where the row is unreadable.
        response_id: the same for equal responses; "" where the response is unreadable.
        conversation: what is scored; None where `problem` says why not.
        problem: why there is no conversation.
        style_index: place in the row's list of responses, from 0; None where there is no list.
    """

    row: int
    role: PairRole
    prompt_id: str
    response_id: str
    conversation: list[Message] | None
    problem: RowProblem | None
    style_index: int | None


@dataclass(frozen=True)
class PairEntry:
    """One preference pair of the table: `chosen` and `rejected` are indices into its entries."""

    row: int
    pair_id: str
    prompt_id: str
    chosen: int
    rejected: int


@dataclass(frozen=True)
class ConversationTable:
    """Conversations, pairs and problems of one input table.

    Attributes:
        source: the rows as they were read.
        shape: how they were understood.
        entries: every conversation in file order, unusable ones included.
        pairs: every preference pair; a list of responses pairs each chosen with each rejected.
        problems: each mistake once, in file order.
        notes: decisions worth telling (which column gave the ids).
    """

    source: InputTable
    shape: Shape
    entries: tuple[Entry, ...]
    pairs: tuple[PairEntry, ...]
    problems: tuple[RowProblem, ...]
    notes: tuple[str, ...]

    def scorable(self) -> list[int]:
        """Indices of the entries that have a conversation."""
        return [place for place, entry in enumerate(self.entries) if entry.problem is None]

    def conversations(self) -> list[list[Message]]:
        """The conversations to score, in the order of `scorable`."""
        return [entry.conversation for entry in self.entries if entry.conversation is not None]


def read_conversations(table: InputTable, shape: str | None = None) -> ConversationTable:
    """Understands a table's rows as conversations.

    Args:
        table: the rows, from `read_table`, `parse_table` or `table_from_frame`.
        shape: the name of a shape, where the columns would fit an earlier one.

    Raises:
        TableError: when the columns fit no shape, or no row holds a conversation.
    """
    found = find_shape(table, shape)
    parser = RowParser(table, found)
    rows = [parser.parse(row) for row in table.rows]
    ids = _Ids(table, rows)
    entries: list[Entry] = []
    pairs: list[PairEntry] = []
    for index, row in enumerate(rows):
        first = len(entries)
        entries.extend(_entries(index, row, ids))
        if found.is_paired:
            pairs.extend(_pairs(index, entries, first, ids))
    problems = dict.fromkeys(entry.problem for entry in entries if entry.problem is not None)
    if len(problems) and not any(entry.conversation for entry in entries):
        raise TableError(
            f"{table.name}: none of its {len(rows)} rows holds a conversation; the first: "
            f"{next(iter(problems))}.",
            fix=f"It was read as {found}.",
        )
    entries = ids.with_response_ids(entries)
    return ConversationTable(
        table, found, tuple(entries), tuple(pairs), tuple(problems), tuple(ids.notes)
    )


def _entries(index: int, row: ParsedRow, ids: "_Ids") -> list[Entry]:
    prompt_id = ids.prompt_ids[index]
    n_shared = len(row.prompt or ())
    return [
        Entry(
            index,
            side.role,
            prompt_id,
            _response_id(side.conversation, n_shared),
            side.conversation,
            side.problem,
            side.style_index,
        )
        for side in row.sides
    ]


def _response_id(conversation: list[Message] | None, n_shared: int) -> str:
    if conversation is None:
        return ""
    own = conversation[n_shared:]
    return content_id(own[0]["content"] if len(own) == 1 else own)


def _pairs(index: int, entries: Sequence[Entry], first: int, ids: "_Ids") -> list[PairEntry]:
    own = range(first, len(entries))
    chosen = [place for place in own if entries[place].role == "chosen"]
    rejected = [place for place in own if entries[place].role == "rejected"]
    combinations = [(better, worse) for better in chosen for worse in rejected]
    pairs = []
    for better, worse in combinations:
        pair_id = ids.row_ids[index] or content_id(
            [entries[first].prompt_id, entries[better].response_id, entries[worse].response_id]
        )
        if len(combinations) > 1:
            pair_id += f":{entries[better].style_index or 0}x{entries[worse].style_index or 0}"
        pairs.append(PairEntry(index, pair_id, entries[first].prompt_id, better, worse))
    return pairs


class _Ids:
    """Decides which input columns name prompts, rows and responses.

    A prompt's id decides what is resampled together, so a column is only trusted with it where
    one id always means one prompt; otherwise the id is made from the prompt's content.
    """

    def __init__(self, table: InputTable, rows: Sequence[ParsedRow]) -> None:
        self.notes: list[str] = []
        self._table = table
        self._prompts = [None if row.prompt is None else content_id(row.prompt) for row in rows]
        self.row_ids = self._unique("pair_id") or self._unique("id") or [""] * len(rows)
        self.prompt_ids = self._choose_prompt_ids()

    def _column(self, name: str) -> list[str | None] | None:
        if name not in self._table.columns:
            return None
        return [read_id(row.cells.get(name)) for row in self._table.rows]

    def _unique(self, name: str) -> list[str] | None:
        ids = self._column(name)
        if ids is None:
            return None
        readable = [i for i, row in zip(ids, self._table.rows, strict=True) if row.problem is None]
        if None in readable or len(set(readable)) < len(readable):
            return None
        return [value or "" for value in ids]

    def _choose_prompt_ids(self) -> list[str]:
        from_content = [prompt or "" for prompt in self._prompts]
        named = self._column("prompt_id")
        if named is not None:
            fault = self._prompt_fault(named)
            if fault is None:
                return [value or "" for value in named]
            self.notes.append(f"Column prompt_id is not used as the prompt's id: {fault}.")
            return from_content
        ids = self._column("id")
        if ids is None:
            return from_content
        fault = self._prompt_fault(ids) or self._shared_prompt(ids)
        if fault is None:
            return [value or "" for value in ids]
        self.notes.append(f"Column id is not used as the prompt's id: {fault}.")
        return from_content

    def _prompt_fault(self, ids: Sequence[str | None]) -> str | None:
        prompt_of: dict[str, str] = {}
        for row, value, prompt in zip(self._table.rows, ids, self._prompts, strict=True):
            if row.problem is not None:
                continue
            if value is None:
                return f"{self._table.unit} {row.number} has none"
            if prompt is not None and prompt_of.setdefault(value, prompt) != prompt:
                return f"{value!r} stands for different prompts"
        return None

    def _shared_prompt(self, ids: Sequence[str | None]) -> str | None:
        ids_of: dict[str, set[str]] = {}
        for value, prompt in zip(ids, self._prompts, strict=True):
            if value is not None and prompt is not None:
                ids_of.setdefault(prompt, set()).add(value)
        several = next((values for values in ids_of.values() if len(values) > 1), None)
        if several is None:
            return None
        return f"{' and '.join(map(repr, sorted(several)[:2]))} have the same prompt"

    def with_response_ids(self, entries: list[Entry]) -> list[Entry]:
        """The entries with the ids of column response_id, where it names each response once."""
        ids = self._column("response_id")
        lone = all(entry.role == "response" and entry.style_index is None for entry in entries)
        if ids is None or not lone:
            return entries
        counts = Counter((entry.prompt_id, ids[entry.row]) for entry in entries)
        usable = [entry for entry in entries if entry.prompt_id]
        if any(
            ids[entry.row] is None or counts[entry.prompt_id, ids[entry.row]] > 1
            for entry in usable
        ):
            self.notes.append("Column response_id is not used: some rows have none or repeat one.")
            return entries
        return [Entry(**{**vars(entry), "response_id": ids[entry.row] or ""}) for entry in entries]
