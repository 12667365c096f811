"""Files of any trainer become one rollout table.

    read = read_rollout_files(Path("outputs/completions"))
    read.table          # core.schema.ROLLOUT_COLUMNS and what else is there
    read.checked.notes  # what was left out, guessed or missing

A file that is damaged, or half written because training goes on, is a problem beside the others.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from core.errors import TableError
from core.rollouts.answers import AnswerRule, read_answers, reference_answers
from core.rollouts.equivalence import verdicts
from core.rollouts.files import (
    LoadedFile,
    RolloutFile,
    find_files,
    load_table,
    matching_rows,
    parquet_columns,
    parquet_rows,
)
from core.rollouts.readers import Reader, inspect_logs, openrlhf, reader_of
from core.rollouts.readers.base import (
    ANSWER_TEXT,
    REFERENCE,
    Converted,
    run_in_name,
    run_of_folder,
)
from core.rollouts.readers.columns import ColumnMapping, convert_with
from core.rollouts.table import FILE, ROW, CheckedRollouts, RolloutProblem, check_rollouts
from core.schema import ROLLOUT_COLUMNS

LARGE_ROWS = 300_000
"""More rollouts than this are held without their texts, if they can be."""

TEXTS = ("prompt", "response", "messages")
_UNDERSTOOD = ("step", "problem_id", "answer")
"""What must have a column of its own where texts are left in the files."""


@dataclass(frozen=True)
class ReadRollouts:
    """What was read.

    Attributes:
        checked: the table with its problems and notes.
        formats: how many files each reader read, by its title.
        n_files: files that were read.
        unread: answers that could not be read, by reason.
        columns: columns of the files as they are named there, in order of first appearance.
        texts_left: whether prompts and responses were left in the files; `read_samples` reads them.
    """

    checked: CheckedRollouts
    formats: Mapping[str, int]
    n_files: int
    unread: Mapping[str, int]
    columns: tuple[str, ...]
    texts_left: bool = False

    @property
    def table(self) -> pd.DataFrame:
        """The rollout table."""
        return self.checked.table


def read_rollout_files(
    source: Path | Sequence[RolloutFile],
    *,
    name: str = "",
    mapping: ColumnMapping | None = None,
    rule: AnswerRule | None = None,
    algebra: bool = True,
    texts: bool | None = None,
) -> ReadRollouts:
    """Reads a folder, a file or handed-over files as rollouts.

    Args:
        source: a path, or files in the memory.
        name: of the run where neither columns nor folders tell it; the path's name otherwise.
        mapping: which column stands for what; without one every file is read by the trainer that
            it is recognised to be from, or by the names of its columns.
        rule: how answers are found in responses, where no column holds them.
        algebra: whether answers that differ as text from their reference are compared by computer
            algebra.
        texts: whether prompts and responses are read; where it is None, they are unless there are
            more than `LARGE_ROWS` rows in Parquet files that hold the answers besides, and no rule
            needs the responses.

    Raises:
        TableError: when nothing of it can be read.
    """
    files = find_files(source) if isinstance(source, Path) else tuple(source)
    if isinstance(source, Path) and not name and source.is_dir():
        name = run_of_folder(PurePosixPath(source.resolve().as_posix()))
    lean = not texts if texts is not None else rule is None and _is_large(files, mapping)
    without = _text_columns(mapping) if lean else ()
    parts, problems, columns = _convert_all(files, _named_without(mapping, without), without)
    frame, notes = _joined(parts, name)
    if lean:
        notes.append("Prompts and responses were left on the disk: there are too many to hold.")
    label = name or (files[0].name if len(files) == 1 else f"{len(files)} files")
    frame, unread, told = _with_answers(frame, rule, algebra)
    checked = check_rollouts(frame, name=label, run=name)
    return ReadRollouts(
        texts_left=lean,
        checked=CheckedRollouts(
            table=checked.table,
            problems=(*problems, *checked.problems),
            n_problems=len(problems) + checked.n_problems,
            left_out=dict(Counter(checked.left_out) + Counter(_unreadable(problems))),
            notes=tuple(dict.fromkeys((*notes, *told, *checked.notes))),
        ),
        formats=dict(Counter(reader.title for reader, _ in parts)),
        n_files=len(parts),
        unread=unread,
        columns=columns,
    )


@dataclass(frozen=True)
class Peek:
    """What files look like before they are read.

    Attributes:
        reader: what would read the first of them that can be read.
        columns: that file's columns.
        name: that file's name.
    """

    reader: Reader
    columns: tuple[str, ...]
    name: str


def peek(source: Path | Sequence[RolloutFile]) -> Peek:
    """Which reader would read files, and the columns of the first; reads no more than it must.

    Raises:
        TableError: when none of them can be read.
    """
    files = find_files(source) if isinstance(source, Path) else tuple(source)
    first: TableError | None = None
    for file in files:
        try:
            if file.name.lower().endswith(".parquet"):
                held = list(parquet_columns(file))
            else:
                held = [str(name) for name in load_file(file).frame.columns]
        except TableError as error:
            first = first or error
            continue
        own = tuple(name for name in held if name not in (FILE, ROW))
        return Peek(reader_of(held, file.name), own, file.name)
    raise first or TableError("There are no files.")


def load_file(file: RolloutFile, *, without: Collection[str] = ()) -> LoadedFile:
    """Reads a file's rows, whatever kind it is.

    Args:
        file: the file.
        without: columns of Parquet files that are not read.

    Raises:
        TableError: when nothing of it can be read.
    """
    if inspect_logs.is_log(file):
        return inspect_logs.load(file)
    if file.name.lower().endswith(".table.json"):
        rows = openrlhf.read_wandb(file)
        if rows is not None:
            rows[FILE], rows[ROW] = f"{file.name}, row", range(1, len(rows) + 1)
            return LoadedFile(file, rows)
    return load_table(file, without=without)


def _convert_all(
    files: Sequence[RolloutFile], mapping: ColumnMapping | None, without: Collection[str]
) -> tuple[list[tuple[Reader, Converted]], list[RolloutProblem], tuple[str, ...]]:
    """Each file by its reader; one that cannot be read is a problem unless it is the only one."""
    parts: list[tuple[Reader, Converted]] = []
    problems: list[RolloutProblem] = []
    columns: dict[str, None] = {}
    first: TableError | None = None
    for file in files:
        try:
            loaded = load_file(file, without=without)
            held = [str(column) for column in loaded.frame.columns if column not in (FILE, ROW)]
            columns |= dict.fromkeys(held)
            reader = reader_of(list(loaded.frame.columns), file.name)
            made = reader.convert(loaded) if mapping is None else convert_with(loaded, mapping)
        except TableError as error:
            first = first or error
            message = error.message.removeprefix(f"{file.name}: ")
            problems.append(RolloutProblem(file.name, "", message))
            continue
        problems.extend(loaded.problems)
        if "run" not in made.frame.columns:
            made.frame["run"] = run_in_name(file.name, "")
        parts.append((reader, made))
    if not parts:
        raise first or TableError("There are no files.")
    return parts, problems, tuple(columns)


def _joined(parts: Sequence[tuple[Reader, Converted]], name: str) -> tuple[pd.DataFrame, list[str]]:
    """All rows in one frame, once what concerns all files of a run has been done."""
    runs: dict[tuple[str, str], list[Converted]] = {}
    readers: dict[str, Reader] = {}
    for reader, part in parts:
        readers[reader.name] = reader
        runs.setdefault((reader.name, str(part.frame["run"].iloc[0])), []).append(part)
    frames: list[pd.DataFrame] = []
    notes: list[str] = []
    for (reader_name, _), of_run in runs.items():
        in_order = sorted(of_run, key=_first_step)
        for part in readers[reader_name].together(in_order):
            frames.append(part.frame)
            notes.extend(part.notes)
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    frame["run"] = frame["run"].replace("", name or "run")
    return frame, notes


def read_samples(
    source: Path | Sequence[RolloutFile],
    *,
    problem_id: str,
    step: int,
    mapping: ColumnMapping | None = None,
    name: str = "",
) -> pd.DataFrame:
    """The rollouts of one problem at one step with their texts, from Parquet files.

    For tables whose texts were left on the disk: nothing else of the files is held.

    Args:
        source: as for `read_rollout_files`.
        problem_id: the problem, as the table names it.
        step: the step.
        mapping: as for `read_rollout_files`.
        name: as for `read_rollout_files`.

    Returns:
        A rollout table; no rows where the files hold none of it.

    Raises:
        TableError: when no file can be read.
    """
    files = find_files(source) if isinstance(source, Path) else tuple(source)
    named = mapping.columns if mapping is not None else {}
    keys = (named.get("step", "step"), named.get("problem_id", "problem_id"))
    wanted = dict(zip(keys, (str(step), problem_id), strict=True))
    found: list[pd.DataFrame] = []
    for file in files:
        loaded = matching_rows(file, wanted)
        if loaded is None:
            continue
        reader = reader_of(list(loaded.frame.columns), file.name)
        made = reader.convert(loaded) if mapping is None else convert_with(loaded, mapping)
        if "run" not in made.frame.columns:
            made.frame["run"] = run_in_name(file.name, "") or name or "run"
        found.append(made.frame)
    if not found:
        return pd.DataFrame(columns=list(ROLLOUT_COLUMNS))
    frame = pd.concat(found, ignore_index=True).drop(columns=REFERENCE, errors="ignore")
    return check_rollouts(frame, run=name).table


def _is_large(files: Sequence[RolloutFile], mapping: ColumnMapping | None) -> bool:
    """Whether there are many rows, all in Parquet files that need no text to be understood."""
    if not all(file.name.lower().endswith(".parquet") for file in files):
        return False
    named = {name: name for name in _UNDERSTOOD} if mapping is None else mapping.columns
    if not set(_UNDERSTOOD) <= set(named):
        return False
    n_rows = 0
    for file in files:
        try:
            if not {named[name] for name in _UNDERSTOOD} <= set(parquet_columns(file)):
                return False
            n_rows += parquet_rows(file)
        except TableError:
            continue
    return n_rows > LARGE_ROWS


def _text_columns(mapping: ColumnMapping | None) -> tuple[str, ...]:
    """The columns of the files that hold texts."""
    if mapping is None:
        return TEXTS
    return tuple(mapping.columns[name] for name in TEXTS if name in mapping.columns)


def _named_without(mapping: ColumnMapping | None, without: Sequence[str]) -> ColumnMapping | None:
    """The mapping without columns that are not read."""
    if mapping is None or not without:
        return mapping
    kept = {known: column for known, column in mapping.columns.items() if column not in without}
    return ColumnMapping(kept, mapping.fixed_step)


def _first_step(part: Converted) -> float:
    if "step" not in part.frame.columns:
        return 0.0
    value = pd.to_numeric(part.frame["step"], errors="coerce").min()
    return float(value) if pd.notna(value) else 0.0


def _with_answers(
    frame: pd.DataFrame, rule: AnswerRule | None, algebra: bool
) -> tuple[pd.DataFrame, dict[str, int], list[str]]:
    """The frame with answers and verdicts where it has what they need."""
    unread: dict[str, int] = {}
    notes: list[str] = []
    texts = _answer_texts(frame)
    wanted = rule is not None or "answer" not in frame.columns
    if wanted and texts is not None:
        read = read_answers(texts, rule)
        frame["answer"] = read.answers
        unread = dict(read.left_out)
        if unread:
            why = "; ".join(f"{n:,} with {reason}" for reason, n in unread.items())
            notes.append(
                f"{len(frame) - read.n_read:,} of {len(frame):,} answers could not be read: {why}."
            )
    if REFERENCE in frame.columns:
        if "correct" not in frame.columns and "answer" in frame.columns:
            notes.extend(_judge(frame, algebra))
        frame = frame.drop(columns=REFERENCE)
    return frame.drop(columns=ANSWER_TEXT, errors="ignore"), unread, notes


def _answer_texts(frame: pd.DataFrame) -> pd.Series | None:
    """Where answers are looked for: the last message of a trajectory, else the response."""
    if "response" not in frame.columns:
        return None
    if ANSWER_TEXT not in frame.columns:
        return frame["response"]
    return frame[ANSWER_TEXT].where(frame[ANSWER_TEXT].notna(), frame["response"])


def _judge(frame: pd.DataFrame, algebra: bool) -> list[str]:
    """Sets `correct` from the reference answers; a sentence on how it was done."""
    references = reference_answers(frame[REFERENCE])
    if references.isna().all():
        return []
    judged = verdicts(reference_answers(frame["answer"]), references, algebra=algebra)
    frame["correct"] = judged.correct
    notes = [
        f"Right and wrong come from the reference answers: {int(judged.correct.sum()):,} of "
        f"{int(references.notna().sum()):,} are right, {judged.n_by_algebra:,} of them by algebra; "
        f"{judged.n_unread:,} answers that could not be read count as wrong."
    ]
    if judged.left_out:
        why = "; ".join(f"{n:,} {reason}" for reason, n in judged.left_out.items())
        notes.append(f"Not compared by algebra, so taken for different: {why}.")
    return notes


def _unreadable(problems: Iterable[RolloutProblem]) -> dict[str, int]:
    n = sum(1 for _ in problems)
    return {"a row or file that cannot be read": n} if n else {}
