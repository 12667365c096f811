"""Results saved as runs: one folder each, with tables, manifest, options and the Python of it.

A run's folder holds `options.json` (what it is), `manifest.json` (what gave the numbers) and one
Parquet file a table, so that it can be read without the workbench too. A run is written whole or
not at all; a damaged one is reported and its neighbours open as ever.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from core.errors import WorkbenchError
from core.paths import user_folder
from core.runs.tables import RunError, RunTables, check_table, slug, write_tables
from core.tables.writing import json_ready

if TYPE_CHECKING:
    from core.manifest import Manifest

FORMAT = 1
"""Version of the folder's layout, in `options.json`."""

OPTIONS_FILE = "options.json"
MANIFEST_FILE = "manifest.json"

_ID = re.compile(r"[0-9a-z][0-9a-z-]{0,99}")
_MAX_NAMES = 1_000
_ABANDONED_S = 86_400.0


@dataclass(frozen=True)
class Run:
    """One saved result.

    Attributes:
        id: name of its folder: when it was made, and its title.
        kind: what made it ("battery", "prompt-matrix", "evaluation", ...).
        title: what a person calls it.
        created: when it was saved, ISO 8601 in UTC.
        tables: the result's tables by name, read when asked for.
        manifest: what gave the numbers, as JSON-like values.
        options: what the caller chose, as JSON-like values.
        python: the lines that give the numbers again, or "".
        notes: what a reader must know, such as what was left out.
        folder: where it is.
    """

    id: str
    kind: str
    title: str
    created: str
    tables: RunTables
    manifest: Mapping[str, Any]
    options: Mapping[str, Any]
    python: str
    notes: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class RunProblem:
    """A run that cannot be opened, and why; the others are unaffected."""

    path: Path
    message: str


@dataclass(frozen=True)
class SavedRuns:
    """The runs in a folder, newest first, and those that cannot be opened."""

    runs: tuple[Run, ...]
    problems: tuple[RunProblem, ...] = field(default_factory=tuple)

    def of_kind(self, kind: str) -> list[Run]:
        """The runs of one kind, newest first."""
        return [run for run in self.runs if run.kind == kind]


def save_run(
    kind: str,
    title: str,
    tables: Mapping[str, pd.DataFrame],
    manifest: "Manifest | Mapping[str, Any]",
    options: Mapping[str, Any],
    python: str = "",
    notes: Sequence[str] = (),
    folder: Path | None = None,
) -> Run:
    """Saves a result and returns it as `load_run` would.

    Args:
        kind: what made it; decides how its report looks.
        title: what a person calls it; the folder is named after it.
        tables: the result's tables by name. The index is not kept. Lists and mappings in cells are,
            though a mapping gains (empty) the keys of the others in its column; cells of several
            types in one column become text.
        manifest: what gave the numbers.
        options: JSON-like values: what the caller chose.
        python: the lines that give the numbers again.
        notes: what a reader must know.
        folder: the folder of runs; by default `runs` in the user's folder.

    Raises:
        RunError: when it cannot be written; nothing is left behind then.
        ValueError: when a table has two columns of one name.
    """
    _check_columns(tables)
    target = _runs_folder(folder)
    moment = datetime.now(UTC)
    try:
        target.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        scratch = Path(tempfile.mkdtemp(prefix=".saving-", dir=target))
    except OSError as error:
        raise _cannot_save(title, target, error) from error
    try:
        content = {
            "format": FORMAT,
            "kind": kind,
            "title": title,
            "created": moment.isoformat(timespec="seconds"),
            "python": python,
            "notes": list(notes),
            "options": dict(options),
            "tables": write_tables(tables, scratch),
        }
        told = manifest if isinstance(manifest, Mapping) else manifest.to_dict()
        _write_json(scratch / MANIFEST_FILE, told)
        _write_json(scratch / OPTIONS_FILE, content)
        run_folder = _move_in_place(scratch, target, f"{moment:%Y%m%d-%H%M%S}-{slug(title, kind)}")
    except (OSError, WorkbenchError) as error:
        raise _cannot_save(title, target, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return _open(run_folder)


def list_runs(folder: Path | None = None) -> SavedRuns:
    """Every run in a folder, newest first; no table is read.

    Args:
        folder: the folder of runs; by default `runs` in the user's folder.
    """
    runs: list[Run] = []
    problems: list[RunProblem] = []
    for path in _run_folders(_runs_folder(folder)):
        try:
            runs.append(_open(path))
        except RunError as error:
            problems.append(RunProblem(path, str(error)))
    runs.sort(key=lambda run: (run.created, run.id), reverse=True)
    return SavedRuns(tuple(runs), tuple(problems))


def load_run(id: str, folder: Path | None = None) -> Run:  # noqa: A002 - a run's own word for it
    """The run with this id.

    Args:
        id: the run's id.
        folder: the folder of runs; by default `runs` in the user's folder.

    Raises:
        RunError: when there is no such run, or it is damaged.
    """
    return _open(_folder_of(id, folder))


def open_run(name: str | Path, folder: Path | None = None) -> Run:
    """The run with this id, or the one in this folder: what a person types in a shell.

    Raises:
        RunError: when there is neither, or it is damaged.
    """
    path = Path(name)
    if (path / OPTIONS_FILE).is_file():
        return _open(path)
    return load_run(str(name), folder)


def delete_run(id: str, folder: Path | None = None) -> None:  # noqa: A002
    """Removes a run, damaged or not.

    Raises:
        RunError: when there is no such run, or it cannot be removed.
    """
    path = _folder_of(id, folder)
    # Moved first: a removal cut short leaves no half run in the list.
    doomed = path.with_name(f".deleting-{path.name}-{time.time_ns():x}")
    try:
        path.rename(doomed)
    except OSError as error:
        raise RunError(f"Run {id} cannot be removed: {error.strerror}.") from error
    shutil.rmtree(doomed, ignore_errors=True)


def _check_columns(tables: Mapping[str, pd.DataFrame]) -> None:
    for name, frame in tables.items():
        columns = [str(column) for column in frame.columns]
        twice = next((column for column in columns if columns.count(column) > 1), None)
        if twice is not None:
            raise ValueError(f"Table {name!r} has two columns named {twice!r}.")


def _runs_folder(folder: Path | None) -> Path:
    return folder if folder is not None else user_folder() / "runs"


def _run_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    try:
        return sorted(path for path in folder.iterdir() if _ID.fullmatch(path.name))
    except OSError as error:
        raise RunError(f"{folder}: cannot be read: {error.strerror}.") from error


def _folder_of(name: str, folder: Path | None) -> Path:
    # The name may come from an address line: nothing but an id of ours may become a path.
    target = _runs_folder(folder)
    path = target / name
    if _ID.fullmatch(name) and path.is_dir():
        return path
    known = [each.name for each in _run_folders(target)][::-1]
    shown = ", ".join(known[:5]) + (f" and {len(known) - 5} more" if len(known) > 5 else "")
    fix = f"Saved runs: {shown}." if known else "No run is saved yet."
    raise RunError(f"There is no run {name!r} in {target}.", fix=fix)


def _open(path: Path) -> Run:
    content = _read_json(path / OPTIONS_FILE)
    if content.get("format") != FORMAT:
        raise RunError(
            f"Run {path.name} was saved in format {content.get('format')!r}; "
            f"this workbench reads format {FORMAT}.",
            fix="Open it with the version of the workbench that made it.",
        )
    manifest = _read_json(path / MANIFEST_FILE)
    try:
        entries = {str(entry["name"]): entry for entry in content["tables"]}
        for entry in entries.values():
            check_table(path, entry)
        return Run(
            id=path.name,
            kind=str(content["kind"]),
            title=str(content["title"]),
            created=str(content["created"]),
            tables=RunTables(path, entries),
            manifest=manifest,
            options=dict(content["options"]),
            python=str(content["python"]),
            notes=tuple(str(note) for note in content["notes"]),
            folder=path,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"Run {path.name}: {OPTIONS_FILE} lacks something: {error!r}.") from error


def _read_json(path: Path) -> dict[str, Any]:
    where = f"Run {path.parent.name}: {path.name}"
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise RunError(f"{where} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{where} is damaged: {error}.", fix="Copy the folder again.") from error
    if not isinstance(content, dict):
        raise RunError(f"{where} is damaged: expected an object.")
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(json_ready(content), ensure_ascii=False, indent=2) + "\n"
    path.write_bytes(text.encode("utf-8", "backslashreplace"))


def _move_in_place(scratch: Path, target: Path, stem: str) -> Path:
    # mkdtemp makes folders for their owner only; a result is an ordinary folder.
    scratch.chmod(0o777 & ~_umask())
    for number in range(1, _MAX_NAMES):
        path = target / (stem if number == 1 else f"{stem}-{number}")
        if path.exists():
            continue
        try:
            return scratch.rename(path)
        except OSError:
            # Somebody else took the name in between.
            if not path.exists():
                raise
    raise RunError(f"{target} holds {_MAX_NAMES} runs named {stem}.", fix="Remove some.")


def _sweep(folder: Path) -> None:
    """Removes what saves and removals that were cut short more than a day ago left behind."""
    for path in folder.glob(".*-*"):
        if not path.name.startswith((".saving-", ".deleting-")):
            continue
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _cannot_save(title: str, folder: Path, error: Exception) -> RunError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return RunError(
        f"The run {title!r} cannot be saved in {folder}: {reason.rstrip('.')}.",
        fix="Make room, or set REWARD_WORKBENCH_HOME to a folder that can be written to.",
    )
