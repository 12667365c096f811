"""The tables of a saved run: one Parquet file each, read when asked for and as they were saved."""

import contextlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import WorkbenchError
from core.tables.files import plain_value
from core.tables.writing import write_table

_FILE = re.compile(r"[0-9a-z][0-9a-z_-]{0,99}\.parquet")
_SLUG_LENGTH = 60


class RunError(WorkbenchError):
    """A run that does not exist, is damaged, or cannot be saved."""


class RunTables(Mapping[str, pd.DataFrame]):
    """A run's tables by name, each read from its file when it is first asked for."""

    def __init__(self, folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self._folder = folder
        self._entries = dict(entries)
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        entry = self._entries[name]
        if name not in self._read:
            self._read[name] = _read_table(self._folder / str(entry["file"]), entry)
        # A shallow copy, so that a column which the caller adds stays the caller's.
        return self._read[name].copy(deep=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"RunTables({', '.join(self)})"

    def n_rows(self, name: str) -> int:
        """How many rows a table has, without reading it."""
        return int(self._entries[name]["rows"])


def check_table(folder: Path, entry: Mapping[str, Any]) -> None:
    """Checks, without reading it, that a table's file is there and whole.

    Raises:
        RunError: when it is not, or the entry names a file outside the run's folder.
    """
    name = str(entry["file"])
    if not _FILE.fullmatch(name):
        raise RunError(f"Run {folder.name}: {name!r} is not the name of a table's file.")
    int(entry["rows"])
    try:
        size = (folder / name).stat().st_size
    except OSError as error:
        raise RunError(f"Run {folder.name}: the table {name} is missing.") from error
    if size != int(entry["bytes"]):
        raise RunError(
            f"Run {folder.name}: the table {name} has {size:,} bytes, not {int(entry['bytes']):,}.",
            fix="Copy the run's folder again.",
        )


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> list[dict[str, Any]]:
    """Writes the tables and returns what `options.json` says of each."""
    entries: list[dict[str, Any]] = []
    taken: set[str] = set()
    for name, frame in tables.items():
        stem = _unused(slug(name, "table"), taken)
        taken.add(stem)
        path = folder / f"{stem}.parquet"
        write_table(frame, path)
        entries.append(
            {
                "name": name,
                "file": path.name,
                "rows": len(frame),
                "bytes": path.stat().st_size,
                "types": {str(column): str(dtype) for column, dtype in frame.dtypes.items()},
            }
        )
    return entries


def _read_table(path: Path, entry: Mapping[str, Any]) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"Run {path.parent.name}: the table {path.name} is damaged: {error}."
        ) from error
    types = entry.get("types")
    known = types if isinstance(types, Mapping) else {}
    return pd.DataFrame(
        {name: _column(table.column(name), str(known.get(name, ""))) for name in table.column_names}
    )


def _column(column: Any, kind: str) -> "pd.Series[Any]":
    """A column as it was saved: Parquet itself turns lists into arrays and whole numbers with gaps
    into fractions.
    """
    import pyarrow as pa

    if kind == "object" or pa.types.is_nested(column.type):
        values = [plain_value(value) for value in column.to_pylist()]
        return pd.Series(values, dtype=object)
    series: pd.Series[Any] = column.to_pandas()
    if kind and str(series.dtype) != kind:
        with contextlib.suppress(TypeError, ValueError):
            return series.astype(kind)  # type: ignore[call-overload,no-any-return]
    return series


def _unused(stem: str, taken: set[str]) -> str:
    number, name = 1, stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def slug(text: str, otherwise: str) -> str:
    """Small letters, digits and hyphens of a text; of `otherwise` where it has none."""
    for candidate in (text, otherwise):
        plain = unicodedata.normalize("NFKD", candidate).encode("ascii", "ignore").decode().lower()
        slug = re.sub(r"[^0-9a-z]+", "-", plain)[:_SLUG_LENGTH].strip("-")
        if slug:
            return slug
    return "run"
