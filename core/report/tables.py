"""Tables in a report: the first page as HTML, all rows as compressed data for the browser.

The browser sorts, searches and turns pages of the compressed rows; without a script the first page
is still there. Where the tables together are too large for the report, the largest lose rows and
say so.
"""

import base64
import gzip
import json
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.tables.files import plain_value
from core.tables.writing import json_ready

PAGE_ROWS = 50
"""Rows a page; also in report.js."""

FOLD_CHARACTERS = 110
"""Longer texts are folded to their beginning; also in report.js."""

_MAX_ROUNDS = 20


@dataclass(frozen=True)
class Cell:
    """One cell as it is shown.

    Attributes:
        text: what is shown: the number rounded, or the beginning of the text.
        whole: the whole text where `text` is only its beginning, else "".
        exact: the number in full where `text` is rounded, else "".
    """

    text: str
    whole: str = ""
    exact: str = ""


@dataclass(frozen=True)
class Column:
    """One column: its name, "number" or "text", and its values (None where there is none)."""

    name: str
    kind: str
    values: Sequence[Any]


@dataclass(frozen=True)
class PackedTable:
    """One table of a report.

    Attributes:
        caption: what it is.
        columns: its columns, with the rows that are in the report.
        n_rows: rows it has.
        n_kept: rows that are in the report, the first ones.
        payload: those rows, compressed, as base64.
    """

    caption: str
    columns: tuple[Column, ...]
    n_rows: int
    n_kept: int
    payload: str

    @property
    def first_page(self) -> list[list[Cell]]:
        """The rows of the first page as they are shown."""
        n = min(self.n_kept, PAGE_ROWS)
        return [
            [show(column.values[row], column.kind) for column in self.columns] for row in range(n)
        ]


def pack_tables(tables: Sequence[tuple[str, pd.DataFrame]], budget: int) -> list[PackedTable]:
    """Tables compressed for a report, cut so that together they keep within a budget.

    Small tables stay whole; the others share what is left, and keep their first rows.

    Args:
        tables: caption and rows of each.
        budget: bytes that all payloads may take together.
    """
    columns = [read_columns(frame) for _, frame in tables]
    packed = [
        _pack(caption, each, len(frame), len(frame))
        for (caption, frame), each in zip(tables, columns, strict=True)
    ]
    for _ in range(_MAX_ROUNDS):
        sizes = [len(table.payload) for table in packed]
        if sum(sizes) <= budget:
            break
        share = _fair_share(sizes, budget)
        for place, (table, size) in enumerate(zip(packed, sizes, strict=True)):
            if size > share and table.n_kept > 0:
                n_kept = int(table.n_kept * min(0.95, 0.97 * share / size))
                packed[place] = _pack(table.caption, columns[place], table.n_rows, n_kept)
    return packed


def _fair_share(sizes: Sequence[int], budget: int) -> float:
    """The largest size s with sum(min(size, s)) <= budget."""
    left, share = float(budget), math.inf
    for place, size in enumerate(sorted(sizes)):
        share = left / (len(sizes) - place)
        if size > share:
            break
        left -= size
    return max(share, 1.0)


def _pack(caption: str, columns: Sequence[Column], n_rows: int, n_kept: int) -> PackedTable:
    kept = tuple(Column(each.name, each.kind, each.values[:n_kept]) for each in columns)
    content = {"columns": [_content(column) for column in kept], "rows": n_kept}
    return PackedTable(caption, kept, n_rows, n_kept, compress(json.dumps(content)))


def _content(column: Column) -> dict[str, Any]:
    """A column for the browser; texts that come again and again are written once."""
    unique = dict.fromkeys(column.values)
    if column.kind == "number" or len(unique) > 0.8 * len(column.values):
        return {"name": column.name, "kind": column.kind, "values": list(column.values)}
    places = {value: place for place, value in enumerate(unique)}
    return {
        "name": column.name,
        "kind": column.kind,
        "texts": list(unique),
        "places": [places[value] for value in column.values],
    }


def compress(text: str) -> str:
    """A text as gzip in base64: nothing in it can end a script element or be read as markup."""
    # ASCII JSON holds half surrogates as escapes; other text has none.
    data = gzip.compress(text.encode("utf-8", "backslashreplace"), 9, mtime=0)
    return base64.b64encode(data).decode("ascii")


def read_columns(frame: pd.DataFrame) -> list[Column]:
    """The columns of a table with plain values; infinities become the texts "inf" and "-inf"."""
    return [
        _column(str(frame.columns[place]), frame.iloc[:, place]) for place in range(frame.shape[1])
    ]


def _column(name: str, series: "pd.Series[Any]") -> Column:
    values = [plain_value(value) for value in series]
    present = [value for value in values if value is not None]
    is_number = [
        isinstance(value, numbers.Real) and not isinstance(value, bool) for value in present
    ]
    empty_numbers = pd.api.types.is_numeric_dtype(series.dtype) and series.dtype != np.bool_
    if all(is_number) and (present or empty_numbers):
        return Column(name, "number", [_number(value) for value in values])
    return Column(name, "text", [None if value is None else _text(value) for value in values])


def _number(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and value and all(map(_is_message, value)):
        return "\n\n".join(f"{message['role']}: {message['content']}" for message in value)
    ready = json_ready(value)
    return ready if isinstance(ready, str) else json.dumps(ready, ensure_ascii=False)


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and {"role", "content"} <= set(value)


def show(value: Any, kind: str) -> Cell:
    """A value as it is shown before a script runs; report.js shows it in the same way."""
    if value is None:
        return Cell("–")
    if kind == "number":
        text = show_number(value)
        return Cell(text, exact="" if text == str(value) else str(value))
    beginning = value.partition("\n")[0][:FOLD_CHARACTERS]
    return Cell(value) if beginning == value else Cell(beginning.rstrip() + " …", whole=value)


def show_number(value: Any) -> str:
    """A number with about four significant digits; whole numbers in full.

    >>> [show_number(value) for value in (3, 0.123456, 1234.56, 1.5e-7, "inf")]
    ['3', '0.1235', '1235', '1.500e-7', '∞']
    """
    if isinstance(value, str):
        return {"inf": "∞", "-inf": "−∞"}[value]
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    size = abs(float(value))
    if not 1e-4 <= size < 1e6:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{mantissa}e{int(exponent):+d}".replace("e+", "e")
    return f"{value:.{max(0, 3 - math.floor(math.log10(size)))}f}"
