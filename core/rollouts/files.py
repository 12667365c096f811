"""Files that may hold rollouts: found in a folder or handed over, each read into a frame."""

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from core.errors import TableError
from core.rollouts.table import FILE, ROW, RolloutProblem
from core.tables.files import INPUT_SUFFIXES, parse_table

INSPECT_SUFFIX = ".eval"
ROLLOUT_SUFFIXES = (*INPUT_SUFFIXES, INSPECT_SUFFIX)
"""The endings of files that can hold rollouts."""

MAX_FILES = 20_000
"""Files of a folder that are read; a training run rarely writes more."""


@dataclass(frozen=True)
class RolloutFile:
    """One file, on the disk or in the memory.

    Attributes:
        name: its path within what was given, with slashes; tells run and step.
        path: where it lies, or None.
        data: its content, where there is no path.
    """

    name: str
    path: Path | None = None
    data: bytes = b""

    def read(self) -> bytes:
        """The content.

        Raises:
            TableError: when it cannot be read.
        """
        if self.path is None:
            return self.data
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise TableError(f"{self.name}: cannot be read: {error.strerror}.") from error

    @property
    def stamp(self) -> tuple[str, int, int]:
        """Changes whenever the file does: name, size, time of the last change."""
        if self.path is None:
            return self.name, len(self.data), hash(self.data)
        try:
            told = self.path.stat()
        except OSError:
            return self.name, -1, 0
        return self.name, told.st_size, told.st_mtime_ns


@dataclass(frozen=True)
class LoadedFile:
    """A file's rows as they are.

    Attributes:
        file: where they come from.
        frame: a row a row; the columns `_file` and `_row` say where each stands.
        problems: rows that could not be read.
    """

    file: RolloutFile
    frame: pd.DataFrame
    problems: tuple[RolloutProblem, ...] = ()


def find_files(source: Path) -> tuple[RolloutFile, ...]:
    """The files of a folder and the folders within it, or the one file, by name.

    Hidden files, half-written ones (`.partial`) and links that lead out of the folder are passed
    over.

    Raises:
        TableError: when there is none, or too many.
    """
    if source.is_file():
        return (RolloutFile(source.name, source),)
    root = source.resolve()
    found: list[RolloutFile] = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
        if hidden or not name.lower().endswith(ROLLOUT_SUFFIXES) or not path.is_file():
            continue
        if path.resolve().is_relative_to(root):
            found.append(RolloutFile(name, path))
        if len(found) > MAX_FILES:
            raise TableError(
                f"{source}: more than {MAX_FILES:,} files.", fix="Name a folder in it."
            )
    if not found:
        known = ", ".join(ROLLOUT_SUFFIXES)
        raise TableError(f"{source}: no rollouts in this folder.", fix=f"Files read: {known}.")
    return tuple(found)


def load_table(file: RolloutFile, *, without: Collection[str] = ()) -> LoadedFile:
    """Reads a table file: Parquet, CSV, JSON or JSON lines.

    Args:
        file: the file.
        without: columns of a Parquet file that are not read.

    Raises:
        TableError: when nothing of it can be read.
    """
    if file.name.lower().endswith(".parquet"):
        return _load_parquet(file, without)
    label = file.name
    table = parse_table(file.read(), label)
    frame = pd.DataFrame([row.cells for row in table.readable], dtype=object)
    frame = _placed(frame, label, table.unit, [row.number for row in table.readable])
    problems = tuple(
        RolloutProblem(f"{label}, {row.problem.unit} {row.number}", "", row.problem.message)
        for row in table.rows
        if row.problem is not None
    )
    return LoadedFile(file, frame, problems)


def parquet_columns(file: RolloutFile) -> tuple[str, ...]:
    """The columns of a Parquet file, without reading its rows.

    Raises:
        TableError: when it is no complete Parquet file.
    """
    import pyarrow.parquet as pq

    return tuple(_opened(file, pq.read_schema).names)


def parquet_rows(file: RolloutFile) -> int:
    """The rows of a Parquet file, without reading them.

    Raises:
        TableError: when it is no complete Parquet file.
    """
    import pyarrow.parquet as pq

    return int(_opened(file, pq.read_metadata).num_rows)


def _load_parquet(file: RolloutFile, without: Collection[str]) -> LoadedFile:
    import pyarrow.parquet as pq

    wanted = None
    if without:
        wanted = [name for name in parquet_columns(file) if name not in without]
    frame = _opened(file, lambda source: pq.read_table(source, columns=wanted)).to_pandas()
    frame.columns = [str(name) for name in frame.columns]
    if frame.empty:
        raise TableError(f"{file.name}: the file has no rows.")
    frame = frame.reset_index(drop=True)
    return LoadedFile(file, _placed(frame, file.name, "row", range(1, len(frame) + 1)))


def matching_rows(file: RolloutFile, wanted: Mapping[str, str]) -> LoadedFile | None:
    """The rows of a Parquet file whose columns hold what is wanted; None without any.

    One row group is held at a time, and only those with such rows are read whole.

    Args:
        file: the file.
        wanted: what is wanted, as text ("7" for the number 7), by column.

    Raises:
        TableError: when it is no complete Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    opened = _opened(file, pq.ParquetFile)
    if not set(wanted) <= set(opened.schema_arrow.names):
        return None
    parts = []
    for group in range(opened.num_row_groups):
        keys = opened.read_row_group(group, columns=list(wanted)).to_pandas()
        fits = np.ones(len(keys), dtype=bool)
        for name, value in wanted.items():
            fits &= (keys[name].astype("str") == value).to_numpy()
        if fits.any():
            parts.append(opened.read_row_group(group).filter(pa.array(fits)))
    if not parts:
        return None
    frame = pa.concat_tables(parts).to_pandas().reset_index(drop=True)
    return LoadedFile(file, _placed(frame, file.name, "row", range(1, len(frame) + 1)))


def _placed(frame: pd.DataFrame, name: str, unit: str, numbers: Sequence[int]) -> pd.DataFrame:
    places = {FILE: pd.Categorical([f"{name}, {unit}"] * len(frame)), ROW: list(numbers)}
    return pd.concat([frame, pd.DataFrame(places, index=frame.index)], axis=1)


def _opened(file: RolloutFile, read: Callable[[Any], Any]) -> Any:
    import pyarrow as pa

    try:
        return read(file.path if file.path is not None else io.BytesIO(file.data))
    except FileNotFoundError as error:
        raise TableError(f"{file.name}: there is no such file.") from error
    except (pa.ArrowException, OSError) as error:
        raise TableError(
            f"{file.name}: not a complete Parquet file: {str(error).splitlines()[0]}",
            fix="Copy it again, or wait until it is written.",
        ) from error
