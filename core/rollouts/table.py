"""A table that claims to hold rollouts becomes one that does, with what was wrong row by row.

Readers and recorders bring columns with the names of `core.schema.ROLLOUT_COLUMNS`; here their
types are made true, duplicates are found, and what cannot be used is counted and named. One bad
row never sinks the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.errors import TableError
from core.rollouts.messages import as_messages
from core.rollouts.normal_form import normal_form
from core.schema import OPTIONAL_ROLLOUT_COLUMNS, describe_type
from core.tables.files import plain_value

FILE, ROW = "_file", "_row"
"""Columns that a reader may add: where a row stands ("rollouts.jsonl, line" and 17)."""

MAX_PROBLEMS = 1000
"""More problems than this are counted, but not listed one by one."""

WHOLE_COLUMNS = ("tokens", "tool_calls", "tool_errors", "answer_tags", "turns")
NUMBER_COLUMNS = ("log_probability", "reference_log_probability", "entropy")
TRUTH_COLUMNS = ("truncated", "kept")
TEXT_COLUMNS = ("split", "task", "class_id", "source")

_TRUTHS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
_MAX_GAPS_TOLD = 3


@dataclass(frozen=True)
class RolloutProblem:
    """One thing wrong with one row.

    Attributes:
        place: where the row stands ("rollouts.jsonl, line 17").
        column: the column it is in, or "" when it is the whole row.
        message: what is wrong ("expected a whole number, found text").
    """

    place: str
    column: str
    message: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"{self.place}{column}: {self.message}"


@dataclass(frozen=True)
class CheckedRollouts:
    """A rollout table whose types hold.

    Attributes:
        table: `core.schema.ROLLOUT_COLUMNS` in this order, then the optional ones that are
            there, then others.
        problems: what is wrong, row by row, at most `MAX_PROBLEMS`.
        n_problems: how many there are, listed or not.
        left_out: how many rows are not in the table, by reason.
        notes: what else a reader of the table should know, a sentence each.
    """

    table: pd.DataFrame
    problems: tuple[RolloutProblem, ...]
    n_problems: int
    left_out: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def n_left_out(self) -> int:
        """Rows that are not in the table."""
        return sum(self.left_out.values())


def check_rollouts(frame: pd.DataFrame, *, name: str = "table", run: str = "") -> CheckedRollouts:
    """Makes a rollout table of a table with its columns, and says what was wrong.

    Rows without a usable step, problem or response are left out. A reward or a verdict that cannot
    be read becomes missing and its row stays. The same sample twice is one sample; a sample number
    given to two different responses is given anew. Where `sample` is missing the order of the rows
    in their group numbers them.

    Args:
        frame: a row a rollout; at least `step`, `problem_id` and one of response, answer, correct,
            reward. Columns `_file` and `_row` say where each row stands.
        name: of the table, for messages.
        run: the run's name where the table has no column `run`; the table's name otherwise.

    Raises:
        TableError: when a column that nothing can replace is missing, or no row can be used.
    """
    _require_columns(frame, name)
    work = _Work(frame.reset_index(drop=True), name)
    table = pd.DataFrame(index=work.frame.index)
    table["run"] = work.texts("run", default=run or name, required=True)
    table["step"] = work.whole("step", required=True)
    table["problem_id"] = work.texts("problem_id", required=True)
    table["prompt"] = work.texts("prompt", strict=True)
    table["sample"] = work.whole("sample")
    table["response"] = work.texts("response", strict=True, required=True, may_be_missing=True)
    table["answer"] = work.answers("answer")
    table["correct"] = work.truths("correct")
    table["reward"] = work.rewards()
    for column in OPTIONAL_ROLLOUT_COLUMNS:
        if column in frame.columns:
            table[column] = work.optional(column)
    for column in frame.columns:
        if column not in table.columns and column not in (FILE, ROW):
            table[str(column)] = work.frame[column]
    return _finish(table, work)


def _require_columns(frame: pd.DataFrame, name: str) -> None:
    if frame.empty:
        raise TableError(f"{name}: there are no rows.")
    if "step" not in frame.columns:
        raise TableError(
            f"{name}: there is no column for the training step.",
            fix="Name the column that holds it, or one step for the whole file.",
        )
    if "problem_id" not in frame.columns:
        raise TableError(
            f"{name}: nothing says which problem a row belongs to.",
            fix="Name a column with the prompt or with the problem's id.",
        )
    content = ("response", "answer", "correct", "reward")
    if not any(column in frame.columns for column in content):
        raise TableError(
            f"{name}: there is neither a response, an answer, a verdict nor a reward.",
            fix="Name the column of at least one of them.",
        )


class _Work:
    """The columns of a table on their way to true types, with what was wrong in them."""

    def __init__(self, frame: pd.DataFrame, name: str) -> None:
        self.frame = frame
        self.name = name
        self.problems: list[RolloutProblem] = []
        self.n_problems = 0
        self.left_out: dict[str, int] = {}
        self.notes: list[str] = []
        self.usable = np.ones(len(frame), dtype=bool)

    def cells(self, column: str) -> "pd.Series[Any]":
        if column in self.frame.columns:
            return self.frame[column]
        return pd.Series([None] * len(self.frame), dtype=object)

    def texts(
        self,
        column: str,
        *,
        default: str | None = None,
        required: bool = False,
        strict: bool = False,
        may_be_missing: bool = False,
    ) -> "pd.Series[Any]":
        """Texts; numbers become text unless `strict`; a row without one it must have goes."""
        if column not in self.frame.columns and default is not None:
            return pd.Series(default, index=self.frame.index, dtype="str")
        cells = self.cells(column)
        if pd.api.types.is_string_dtype(cells.dtype) and cells.dtype != object:
            made = cells.astype("str")
        else:
            made = _each_once(cells, lambda value: _text(value, strict))
        missing = made.isna()
        bad = missing & cells.notna()
        if required:
            bad_rows = bad if may_be_missing else missing
            self._leave_out(bad_rows, column, "expected text, found {}")
        elif bad.any():
            self._tell(bad, column, "expected text, found {}")
        return made

    def whole(self, column: str, *, required: bool = False) -> "pd.Series[Any]":
        """Whole numbers, missing where there is none."""
        cells = self.cells(column)
        numbers = _numbers(cells)
        with np.errstate(invalid="ignore"):
            fits = np.isfinite(numbers) & (numbers == np.round(numbers)) & (np.abs(numbers) < 2**53)
        bad = pd.Series(~fits) & (pd.Series(True, index=cells.index) if required else cells.notna())
        if required:
            self._leave_out(bad, column, "expected a whole number, found {}")
        elif bad.any():
            self._tell(bad, column, "expected a whole number, found {}")
        return pd.Series(np.where(fits, numbers, np.nan), index=cells.index).astype("Int64")

    def numbers(self, column: str) -> "pd.Series[Any]":
        """Finite numbers, NaN where there is none."""
        cells = self.cells(column)
        numbers = _numbers(cells)
        infinite = np.isinf(numbers)
        unread = np.isnan(numbers) & cells.notna().to_numpy() & ~_is_nan_text(cells)
        self._tell(pd.Series(unread), column, "expected a number, found {}")
        self._tell(pd.Series(infinite), column, "expected a finite number, found {}")
        return pd.Series(np.where(infinite, np.nan, numbers), index=cells.index, dtype="float64")

    def rewards(self) -> "pd.Series[Any]":
        """Rewards; how many rows have none is noted."""
        values = self.numbers("reward")
        n_none = int((values.isna() & self.usable).sum())
        if n_none and "reward" in self.frame.columns:
            self.notes.append(f"{n_none:,} of {len(values):,} rows have no finite reward.")
        return values

    def truths(self, column: str) -> "pd.Series[Any]":
        """Truth values, missing where there is none or it cannot be read."""
        cells = self.cells(column)
        if pd.api.types.is_bool_dtype(cells.dtype):
            return cells.astype("boolean")
        made = pd.Series([_truth(value) for value in cells], index=cells.index, dtype="boolean")
        bad = made.isna() & cells.notna()
        self._tell(bad, column, "expected true or false, found {}")
        return made

    def answers(self, column: str) -> "pd.Series[Any]":
        """Answers in their normal form, missing where there is none."""
        return _each_once(self.cells(column), _answer)

    def optional(self, column: str) -> "pd.Series[Any]":
        """An optional column in its type."""
        if column in WHOLE_COLUMNS:
            return self.whole(column)
        if column in NUMBER_COLUMNS:
            return self.numbers(column)
        if column in TRUTH_COLUMNS:
            return self.truths(column)
        if column == "messages":
            cells = self.frame[column]
            return pd.Series([as_messages(cell) for cell in cells], index=cells.index, dtype=object)
        return self.texts(column) if column in TEXT_COLUMNS else self.frame[column]

    def place(self, row: int) -> str:
        if FILE in self.frame.columns:
            return f"{self.frame[FILE].iloc[row]} {self.frame[ROW].iloc[row]}"
        return f"{self.name}, row {row + 1}"

    def _leave_out(self, bad: "pd.Series[Any]", column: str, message: str) -> None:
        fresh = bad.to_numpy() & self.usable
        n_fresh = int(fresh.sum())
        if n_fresh:
            reason = f"no usable {column.replace('_', ' ')}"
            self.left_out[reason] = self.left_out.get(reason, 0) + n_fresh
            self._tell(pd.Series(fresh), column, message)
            self.usable &= ~fresh

    def _tell(self, bad: "pd.Series[Any]", column: str, message: str) -> None:
        rows = np.flatnonzero(bad.to_numpy())
        self.n_problems += len(rows)
        cells = self.cells(column)
        for row in rows[: max(0, MAX_PROBLEMS - len(self.problems))]:
            found = _found(cells.iloc[row])
            self.problems.append(RolloutProblem(self.place(row), column, message.format(found)))


def _finish(table: pd.DataFrame, work: _Work) -> CheckedRollouts:
    table = table[work.usable]
    if table.empty:
        first = str(work.problems[0]) if work.problems else "no row has what it needs"
        raise TableError(f"{work.name}: none of its {len(work.frame):,} rows can be used; {first}.")
    table = table.astype({"step": "int64"})
    table = _number_samples(_drop_twins(table, work), work)
    work.notes.extend(step_gaps(table))
    return CheckedRollouts(
        table=table.reset_index(drop=True),
        problems=tuple(work.problems),
        n_problems=work.n_problems,
        left_out=dict(work.left_out),
        notes=tuple(work.notes),
    )


def group_columns(table: pd.DataFrame) -> list[str]:
    """The columns that name a group of samples, those the table has."""
    return [name for name in ("run", "split", "step", "problem_id") if name in table.columns]


def _sampled_together(table: pd.DataFrame) -> list[str]:
    """The columns within which samples are numbered: policies that sample in turn count apart."""
    return [*group_columns(table), *(["source"] if "source" in table.columns else [])]


def _drop_twins(table: pd.DataFrame, work: _Work) -> pd.DataFrame:
    """The table without rows that say the same sample twice."""
    if table["sample"].isna().all():
        return table
    keys = [*_sampled_together(table), "sample", "response", "answer", "reward"]
    twins = table.duplicated(keys) & table["sample"].notna()
    if twins.any():
        work.left_out["the same sample a second time"] = int(twins.sum())
    return table[~twins]


def _number_samples(table: pd.DataFrame, work: _Work) -> pd.DataFrame:
    """The table with a sample number in every row, none of them twice in its group."""
    keys = _sampled_together(table)
    clash = table.duplicated([*keys, "sample"], keep=False) | table["sample"].isna()
    in_order = table.groupby(keys, sort=False, dropna=False).cumcount()
    if not clash.any():
        return table.astype({"sample": "int64"})
    n_clashing = int((clash & table["sample"].notna()).sum())
    if n_clashing:
        work.notes.append(
            f"{n_clashing:,} rows share their sample number with another response of the same "
            "group; the samples of these groups are numbered in the order of the rows."
        )
    # All of a group's numbers, so that a given one cannot meet a number that was there.
    touched = clash.groupby([table[key] for key in keys], dropna=False).transform("any")
    return table.assign(
        sample=table["sample"].where(~touched, in_order.astype("Int64")).astype("int64")
    )


def step_gaps(table: pd.DataFrame) -> list[str]:
    """A sentence for every run whose steps have gaps.

    Steps are expected to come at the distance they mostly come at in their run and split.

    Args:
        table: with the columns run, step and perhaps split.
    """
    keys = [name for name in ("run", "split") if name in table.columns]
    notes = []
    for key, steps in table.groupby(keys, sort=False)["step"]:
        known = np.unique(steps.to_numpy())
        distances = np.diff(known)
        if len(distances) < 2:
            continue
        values, counts = np.unique(distances, return_counts=True)
        usual = int(values[counts.argmax()])
        wide = np.flatnonzero(distances > usual)
        # Runs recorded at irregular steps have no gaps; one that mostly is regular may.
        if not len(wide) or counts.max() <= len(distances) / 2:
            continue
        told = [f"between {known[i]} and {known[i + 1]}" for i in wide[:_MAX_GAPS_TOLD]]
        more = f" and in {len(wide) - len(told)} more places" if len(wide) > len(told) else ""
        label = " ".join(str(part) for part in (key if isinstance(key, tuple) else (key,)))
        notes.append(
            f"{label}: steps are missing {', '.join(told)}{more} (usual distance {usual})."
        )
    return notes


def _text(value: Any, strict: bool) -> str | None:
    if isinstance(value, str):
        return value
    plain = plain_value(value)
    if plain is None or strict or isinstance(plain, list | dict):
        return None
    if isinstance(plain, float) and plain.is_integer():
        return str(int(plain))
    return str(plain)


def _numbers(cells: "pd.Series[Any]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Numbers of cells that hold numbers or texts of numbers; NaN for others."""
    if pd.api.types.is_bool_dtype(cells.dtype):
        return np.asarray(cells, dtype=np.float64)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.array([_number(value) for value in cells], dtype=np.float64)


def _number(value: Any) -> float:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return float("inf")
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return float("nan")
    return float("nan")


def _is_nan_text(cells: "pd.Series[Any]") -> "np.ndarray[Any, np.dtype[np.bool_]]":
    if cells.dtype != object and not pd.api.types.is_string_dtype(cells.dtype):
        return np.zeros(len(cells), dtype=bool)
    return np.array(
        [isinstance(value, str) and value.strip().lower() in ("nan", "") for value in cells]
    )


def _truth(value: Any) -> bool | None:
    plain = plain_value(value)
    if isinstance(plain, bool):
        return plain
    if isinstance(plain, int | float) and plain in (0, 1):
        return bool(plain)
    return _TRUTHS.get(plain.strip().lower()) if isinstance(plain, str) else None


def _answer(value: Any) -> str | None:
    plain = plain_value(value)
    if plain is None or isinstance(plain, list | dict):
        return None
    return normal_form(str(plain)) or None


def _each_once(cells: "pd.Series[Any]", function: Callable[[Any], str | None]) -> "pd.Series[Any]":
    """The function of each cell as text; texts that come again are worked on once."""
    if cells.dtype == object and not all(isinstance(cell, str | None) for cell in cells):
        return pd.Series([function(cell) for cell in cells], index=cells.index, dtype="str")
    codes, distinct = pd.factorize(cells)
    made = pd.Series([*(function(cell) for cell in distinct), None], dtype="str")
    # What is missing has the code -1: the last, which is missing too.
    return made.take(codes % len(made)).set_axis(cells.index)


def _found(value: Any) -> str:
    plain = plain_value(value)
    if isinstance(plain, float) and np.isinf(plain):
        return "infinity"
    if isinstance(plain, float) and not plain.is_integer():
        return f"{plain:g}"
    if isinstance(plain, str) and len(plain) <= 20:
        return repr(plain)
    return describe_type(plain)
