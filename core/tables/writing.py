"""Tables written to files: whole or not at all, so that a reader never sees half of one."""

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pandas as pd

from core.errors import TableError
from core.tables.files import plain_value

OUTPUT_SUFFIXES = (".csv", ".jsonl", ".json", ".parquet")
"""The file name endings that can be written."""


def check_output(path: Path) -> None:
    """Raises what writing to `path` would, before hours of scoring.

    Raises:
        TableError: when the ending is unknown, or the folder is missing or not writable.
    """
    if path.suffix.lower() not in OUTPUT_SUFFIXES:
        known = ", ".join(OUTPUT_SUFFIXES)
        raise TableError(f"{path}: cannot write this kind of file.", fix=f"Known: {known}.")
    if path.is_dir():
        raise TableError(f"{path}: this is a folder.", fix="Name a file in it.")
    if not path.parent.is_dir():
        raise TableError(f"{path}: there is no folder {path.parent}.", fix="Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise TableError(f"{path}: the folder {path.parent} cannot be written to.")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table in the format of the file's ending (see `OUTPUT_SUFFIXES`).

    Lists and mappings stay what they are in JSON and Parquet and become JSON text in CSV. What is
    missing is null in JSON, and an empty cell without quotation marks in CSV.

    Raises:
        TableError: when the ending is unknown or the file cannot be written.
    """
    check_output(path)
    write_atomically(path, lambda file: _WRITERS[path.suffix.lower()](frame, file))


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Writes to a file beside `path` and moves it there when it is complete.

    Raises:
        TableError: when the file cannot be written; what was there before is untouched.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise TableError(f"{path}: cannot be written: {error.strerror}.") from error
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        # mkstemp makes files for their owner only; a result is an ordinary file.
        umask = os.umask(0)
        os.umask(umask)
        scratch.chmod(0o666 & ~umask)
        scratch.replace(path)
    except OSError as error:
        raise TableError(f"{path}: cannot be written: {error.strerror}.") from error
    finally:
        scratch.unlink(missing_ok=True)


def json_ready(value: Any) -> Any:
    """The value with nothing that JSON lacks: NaN and infinities become null, other types text."""
    if value is None or type(value) in (str, int, bool):
        return value
    plain = plain_value(value)
    if isinstance(plain, float) and not math.isfinite(plain):
        return None
    if isinstance(plain, Mapping):
        return {key: json_ready(item) for key, item in plain.items()}
    if isinstance(plain, list):
        return [json_ready(item) for item in plain]
    return plain if isinstance(plain, str | int | float | bool | None) else str(plain)


def _json_text(value: Any) -> bytes:
    text = json.dumps(json_ready(value), ensure_ascii=False)
    # Half a surrogate pair has no UTF-8; as \udXXX it is valid JSON again.
    return text.encode("utf-8", "backslashreplace")


def _json_records(frame: pd.DataFrame) -> Iterator[bytes]:
    names = [str(name) for name in frame.columns]
    for row in frame.itertuples(index=False, name=None):
        yield _json_text(dict(zip(names, row, strict=True)))


def _write_lines(frame: pd.DataFrame, file: IO[bytes]) -> None:
    for record in _json_records(frame):
        file.write(record + b"\n")


def _write_json(frame: pd.DataFrame, file: IO[bytes]) -> None:
    separator = b"[\n"
    for record in _json_records(frame):
        file.write(separator + record)
        separator = b",\n"
    file.write(b"\n]\n" if separator == b",\n" else b"[]\n")


def _write_csv(frame: pd.DataFrame, file: IO[bytes]) -> None:
    from pyarrow import csv

    # Arrow quotes every text, so an empty text ("") differs from a missing one.
    csv.write_csv(_arrow_table(frame, nested=False), file)


def _write_parquet(frame: pd.DataFrame, file: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_arrow_table(frame, nested=True), file)


_WRITERS: Mapping[str, Callable[[pd.DataFrame, IO[bytes]], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_lines,
    ".json": _write_json,
    ".parquet": _write_parquet,
}


def _arrow_table(frame: pd.DataFrame, *, nested: bool) -> Any:
    import pyarrow as pa

    arrays = [_arrow_column(frame.iloc[:, place], nested) for place in range(frame.shape[1])]
    return pa.Table.from_arrays(arrays, names=[str(name) for name in frame.columns])


def _arrow_column(column: "pd.Series[Any]", nested: bool) -> Any:
    import pyarrow as pa

    if column.dtype != object and not pd.api.types.is_string_dtype(column.dtype):
        return pa.Array.from_pandas(column)
    values = [plain_value(value) for value in column]
    has_nested = any(isinstance(value, list | dict) for value in values)
    if nested or not has_nested:
        try:
            return pa.array(values)
        except (pa.ArrowException, UnicodeEncodeError):
            pass
    # Cells of several types in one column, or nested ones in CSV: each becomes text.
    return pa.array([None if value is None else _cell_text(value) for value in values], pa.string())


def _cell_text(value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return _json_text(value).decode("utf-8")
