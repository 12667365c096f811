"""Files become rows: JSON lines, JSON arrays, CSV and Parquet, each with its number in the file.

What the columns mean is left to `core.tables.conversations`. A row that cannot be read is kept as a
problem beside the others; only a file of which nothing can be read is an error.
"""

import gzip
import io
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.errors import TableError
from core.schema import describe_type

INPUT_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".csv", ".tsv", ".parquet")
"""The file name endings that can be read."""

_KNOWN_SUFFIXES = ", ".join(INPUT_SUFFIXES)


@dataclass(frozen=True)
class RowProblem:
    """One thing wrong with one row.

    Attributes:
        row: the row's number in its file, from 1 (a CSV's header is not counted).
        message: what is wrong ("expected text, found a list").
        column: the column it is in, or "" when it is the whole row.
        unit: "line" for JSON lines, otherwise "row".
    """

    row: int
    message: str
    column: str = ""
    unit: str = "row"

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"{self.unit} {self.row}{column}: {self.message}"

    @property
    def reason(self) -> str:
        """The problem without its row, to count equal ones together."""
        return f"column {self.column}: {self.message}" if self.column else self.message


@dataclass(frozen=True)
class InputRow:
    """One row of a file: its cells by column, or the problem that kept it from being read."""

    number: int
    cells: Mapping[str, Any]
    problem: RowProblem | None = None


@dataclass(frozen=True)
class InputTable:
    """A file's rows as they are.

    Attributes:
        name: the file's name, for messages.
        rows: every row in file order, unreadable ones included.
        columns: every column that some row has, in order of first appearance.
        unit: what a row's number counts: "line" or "row".
    """

    name: str
    rows: tuple[InputRow, ...]
    columns: tuple[str, ...]
    unit: str = "row"

    @property
    def readable(self) -> list[InputRow]:
        """The rows that could be read."""
        return [row for row in self.rows if row.problem is None]


def read_table(path: Path) -> InputTable:
    """Reads a file by its ending (see `INPUT_SUFFIXES`).

    Raises:
        TableError: when there is no such file, or nothing in it can be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise TableError(f"{path}: there is no such file.") from error
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}.") from error
    return parse_table(data, path.name)


def parse_table(data: bytes, name: str) -> InputTable:
    """Reads a file's content, for example an upload; `name` decides the format.

    Raises:
        TableError: when the format is unknown, or nothing in it can be read.
    """
    lower = name.lower()
    if not lower.endswith(INPUT_SUFFIXES):
        raise TableError(f"{name}: unknown kind of file.", fix=f"Known: {_KNOWN_SUFFIXES}.")
    if not data:
        raise TableError(f"{name}: the file is empty.")
    if lower.endswith(".parquet"):
        table = _read_parquet(data, name)
    elif lower.endswith((".csv", ".tsv")):
        table = _read_csv(_decode(data, name), name)
    elif lower.endswith(".json"):
        table = _read_json(data, name)
    else:
        table = _read_lines(_decompress(data, name) if lower.endswith(".gz") else data, name)
    return _checked(table)


def table_from_frame(frame: pd.DataFrame, name: str = "table") -> InputTable:
    """Rows of a DataFrame; missing cells become None and numpy arrays become lists.

    Raises:
        TableError: when the frame has no rows.
    """
    columns = tuple(str(column) for column in frame.columns)
    values = zip(*(frame.iloc[:, place] for place in range(len(columns))), strict=True)
    cells = [dict(zip(columns, map(plain_value, row), strict=True)) for row in values]
    return _checked(_table(name, cells))


def plain_value(value: Any) -> Any:
    """A cell as plain Python: arrays as lists, numpy scalars as numbers, missing values as None."""
    if value is None or type(value) in (str, int, bool):
        return value
    if isinstance(value, np.ndarray):
        return [plain_value(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    return value


def _table(name: str, items: Iterable[Any], *, unit: str = "row") -> InputTable:
    rows: list[InputRow] = []
    for number, item in enumerate(items, start=1):
        if isinstance(item, Mapping):
            rows.append(InputRow(number, {str(key): value for key, value in item.items()}))
        else:
            rows.append(_bad_row(number, _not_an_object(item), unit))
    return _with_columns(name, rows, unit)


def _with_columns(name: str, rows: Sequence[InputRow], unit: str) -> InputTable:
    columns = dict.fromkeys(column for row in rows for column in row.cells)
    return InputTable(name, tuple(rows), tuple(columns), unit)


def _bad_row(number: int, message: str, unit: str) -> InputRow:
    return InputRow(number, {}, RowProblem(number, message, unit=unit))


def _not_an_object(item: Any) -> str:
    return f"expected an object with named columns, found {describe_type(item)}"


def _checked(table: InputTable) -> InputTable:
    if not table.rows:
        raise TableError(f"{table.name}: the file has no rows.")
    if not table.readable:
        first = table.rows[0].problem
        raise TableError(f"{table.name}: none of its {len(table.rows)} rows can be read; {first}.")
    return table


def _decompress(data: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(
            f"{name}: the gzip archive is damaged or incomplete: {error}.",
            fix="Copy or download it again.",
        ) from error


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise TableError(
            f"{name}: not UTF-8: byte 0x{byte:02X} in line {line} has no meaning there.",
            fix="Save the file again with the encoding UTF-8.",
        ) from error


def _read_lines(data: bytes, name: str) -> InputTable:
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    rows = [
        _parse_line(line, number)
        for number, line in enumerate(lines, start=1)
        if line.strip(b" \t\r\n\x00")
    ]
    return _with_columns(name, rows, "line")


def _parse_line(line: bytes, number: int) -> InputRow:
    try:
        item = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        byte = line[error.start]
        return _bad_row(number, f"not UTF-8 (byte 0x{byte:02X} at {error.start + 1})", "line")
    except (json.JSONDecodeError, RecursionError) as error:
        return _bad_row(number, f"not JSON ({_json_fault(error)})", "line")
    if not isinstance(item, dict):
        return _bad_row(number, _not_an_object(item), "line")
    return InputRow(number, item)


def _json_fault(error: json.JSONDecodeError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.colno}"
    return "nested too deeply"


def _read_json(data: bytes, name: str) -> InputTable:
    try:
        content: Any = json.loads(_decode(data, name))
    except json.JSONDecodeError as error:
        # Files of JSON lines are often named .json.
        if error.msg == "Extra data" and data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
            return _read_lines(data, name)
        raise TableError(
            f"{name}: not JSON: {error.msg} in line {error.lineno}, character {error.colno}.",
            fix="Is the file complete?",
        ) from error
    except RecursionError as error:
        raise TableError(f"{name}: not a table: nested too deeply.") from error
    if isinstance(content, dict):
        keys = ", ".join(list(content)[:8]) or "nothing in it"
        raise TableError(
            f"{name}: expected an array of objects, found one object with {keys}.",
            fix='Write the rows as [{"prompt": ..., "response": ...}, ...] or one object a line.',
        )
    if not isinstance(content, list):
        raise TableError(f"{name}: expected an array of objects, found {describe_type(content)}.")
    return _table(name, content)


def _read_parquet(data: bytes, name: str) -> InputTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(io.BytesIO(data)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        detail = str(error).splitlines()[0]
        raise TableError(
            f"{name}: not a complete Parquet file: {detail}",
            fix="Copy or download it again.",
        ) from error
    return _table(name, (plain_value(row) for row in rows))


def _read_csv(text: str, name: str) -> InputTable:
    import pyarrow as pa
    from pyarrow import csv

    if not text.strip():
        raise TableError(f"{name}: the file is empty.")
    header, delimiter = _header(text, name)
    skipped: list[Any] = []

    def skip(row: Any) -> str:
        skipped.append(row)
        return "skip"

    data = text.encode()
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            # One block and one thread: rows of any length, and row numbers for the skipped ones.
            read_options=csv.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
            ),
            # Everything is text here; an empty cell is missing unless it is written "".
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowException as error:
        raise TableError(f"{name}: not a CSV file: {str(error).splitlines()[0]}") from error
    cells = table.to_pylist()
    # Arrow counts the header as row 1.
    problems = {row.number - 1: _column_count(row) for row in skipped}
    return _merge_csv(name, tuple(header), cells, problems, text)


def _header(text: str, name: str) -> tuple[list[str], str]:
    import csv

    line = text.lstrip("\r\n").splitlines()[0]
    # Spreadsheets of some languages write semicolons; a header with one column and one of these
    # is theirs.
    delimiter = "," if "," in line else next((mark for mark in "\t;" if mark in line), ",")
    header = next(csv.reader([line], delimiter=delimiter))
    twice = next((column for column in header if header.count(column) > 1), None)
    if twice is not None:
        raise TableError(f"{name}: column {twice!r} is there twice.", fix="Rename one of them.")
    return header, delimiter


def _column_count(row: Any) -> str:
    message = f"expected {row.expected_columns} columns, found {row.actual_columns}"
    if "\n" in (row.text or ""):
        message += "; it runs over several lines: is a quotation mark left open?"
    return message


def _merge_csv(
    name: str,
    columns: tuple[str, ...],
    cells: Sequence[Mapping[str, Any]],
    problems: Mapping[int, str],
    text: str,
) -> InputTable:
    rows: list[InputRow] = []
    good = iter(cells)
    for number in range(1, len(cells) + len(problems) + 1):
        if number in problems:
            rows.append(_bad_row(number, problems[number], "row"))
        else:
            rows.append(InputRow(number, next(good)))
    if rows and rows[-1].problem is None and _quote_left_open(rows[-1].cells[columns[-1]], text):
        rows[-1] = _bad_row(
            rows[-1].number, "a quotation mark is opened and not closed before the end", "row"
        )
    return InputTable(name, tuple(rows), columns)


def _quote_left_open(last_cell: Any, text: str) -> bool:
    # A cell over several lines must be quoted, so a file that ends inside one lost its end.
    return isinstance(last_cell, str) and "\n" in last_cell and not text.rstrip().endswith('"')
