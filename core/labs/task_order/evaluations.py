"""Test scores of the tasks after each stage of training, as recorded or uploaded.

One row: a policy (a run of one order and seed, after a stage) on one problem of one task. The same
table serves reward models whose checkpoints were fine-tuned on subsets of a benchmark in different
orders: tasks are then the subsets and scores their accuracies.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from core.errors import TableError
from core.labs.task_order.transfer import IntArray
from core.stats import FloatArray

T = TypeVar("T")

REQUIRED = ("order", "stage", "task", "score")
OPTIONAL = ("problem_id", "seed", "trained", "entropy", "run", "n_samples")

JOINT = "joint"
"""The `order` of runs trained on all tasks at once."""

STAGE_SEPARATOR = ">"
NO_PROBLEM = "(whole task)"

_SYNONYMS = {
    "trained_task": "trained",
    "evaluated": "task",
    "task_evaluated": "task",
    "evaluated_task": "task",
    "problem": "problem_id",
}

_MOST_CELLS = 40_000_000


@dataclass(frozen=True)
class Evaluations:
    """Scores by task, problem, seed, order and stage.

    Attributes:
        tasks: (K,) names.
        orders: what was trained, one tuple of tasks' numbers a recorded order, in order of first
            appearance. An order may leave tasks out, as single-task runs do. Runs of several tasks
            at once are in `joint`.
        seeds: names of the seeds.
        scores: by task, (n_problems, S, O, T) the score of each problem after each stage (0 is the
            untrained policy), NaN where it was not measured. Equal problems lie in equal places for
            all policies, so that resampling is paired.
        entropies: the same for the mean entropy per token in nats; empty without such a column.
        joint: by task, (n_problems, S) scores of joint training after its last stage.
        problems: by task, names of the problems.
        left_out: rows that could not be used, by reason.
        notes: what a reader must know besides.
    """

    tasks: tuple[str, ...]
    orders: tuple[tuple[int, ...], ...]
    seeds: tuple[str, ...]
    scores: tuple[FloatArray, ...]
    entropies: tuple[FloatArray, ...]
    joint: tuple[FloatArray, ...]
    problems: tuple[tuple[str, ...], ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def n_stages(self) -> int:
        """Stages of the longest order."""
        return int(self.scores[0].shape[3]) - 1

    @property
    def n_problems(self) -> tuple[int, ...]:
        """Problems of each task."""
        return tuple(len(names) for names in self.problems)

    @property
    def full_orders(self) -> tuple[int, ...]:
        """Places, in `orders`, of those that hold each task once."""
        every = set(range(len(self.tasks)))
        return tuple(
            at
            for at, order in enumerate(self.orders)
            if len(order) == len(self.tasks) and set(order) == every
        )

    @property
    def has_items(self) -> bool:
        """Whether every task has problems to resample."""
        return all(n > 1 for n in self.n_problems)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """0 and 1 where all scores lie between, and None otherwise."""
        every = [values[np.isfinite(values)] for values in self.scores]
        inside = all(((values >= 0) & (values <= 1)).all() for values in every)
        return (0.0, 1.0) if inside else None

    def named(self, order: int) -> str:
        """One of `orders` in words."""
        return f" {STAGE_SEPARATOR} ".join(self.tasks[at] for at in self.orders[order])


def read_evaluations(
    table: pd.DataFrame, *, left_out: Mapping[str, int] | None = None
) -> Evaluations:
    """Reads a table of scores.

    Columns: `order` (names of the tasks in the order of training joined by ">", or "joint"),
    `stage` (0 is the untrained policy, 1 is after the first task), `task` (that was tested),
    `score`; optionally `problem_id`, `seed` (one seed where it is missing), `entropy`, and
    `trained`, which is checked against the order. Rows of stage 0 count for every order of their
    seed that has none of its own. Several rows of one problem and policy are averaged.

    Args:
        table: the rows.
        left_out: rows that the caller could not read, by reason.

    Raises:
        TableError: a column is missing, nothing can be used, a task was never tested, or the table
            is too large to hold at once.
    """
    rows = _named_columns(table)
    counts = Counter[str](left_out or {})
    rows = _usable(rows, counts)
    tasks = tuple(dict.fromkeys(rows["task"]))
    trained = {name: _parts(name) for name in dict.fromkeys(rows["order"])}
    _check_tasks(tasks, trained)
    rows = _consistent(rows, trained, counts)
    notes = list(_notes(rows, counts))
    orders = tuple(parts for parts in dict.fromkeys(trained.values()) if parts)
    seeds = tuple(sorted(set(rows["seed"])))
    grid = _Grid(tasks, orders, seeds, max((len(parts) for parts in orders), default=0) + 1)
    grid.check_size(rows)
    of_task = [rows.loc[rows["task"] == task] for task in tasks]
    problems = [tuple(dict.fromkeys(part["problem_id"])) for part in of_task]
    rows_of = list(zip(of_task, problems, strict=True))
    entropies = (
        tuple(grid.stages(part, names, trained, "entropy") for part, names in rows_of)
        if rows["entropy"].notna().any()
        else ()
    )
    if sum(len(names) == 1 for names in problems):
        notes.append("There is a task without several problems: nothing can be resampled over.")
    return Evaluations(
        tasks=tasks,
        orders=tuple(tuple(tasks.index(task) for task in parts) for parts in orders),
        seeds=seeds,
        scores=tuple(grid.stages(part, names, trained, "score") for part, names in rows_of),
        entropies=entropies,
        joint=tuple(grid.joint(part, names) for part, names in rows_of),
        problems=tuple(problems),
        left_out=dict(counts),
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Grid:
    """Where each row's number goes."""

    tasks: tuple[str, ...]
    orders: tuple[tuple[str, ...], ...]
    seeds: tuple[str, ...]
    n_stages: int

    def check_size(self, rows: pd.DataFrame) -> None:
        n_problems = rows.groupby("task")["problem_id"].nunique().sum()
        cells = int(n_problems) * len(self.seeds) * len(self.orders) * self.n_stages
        if cells > _MOST_CELLS:
            raise TableError(
                f"{cells:,} scores are too many to hold at once (problems × seeds × orders × "
                "stages).",
                fix=f"Take fewer problems or orders, at most {_MOST_CELLS:,} scores.",
            )

    def stages(
        self,
        rows: pd.DataFrame,
        problems: Sequence[str],
        trained: Mapping[str, tuple[str, ...]],
        column: str,
    ) -> FloatArray:
        """(n_problems, S, O, T) of one task."""
        found = np.full((len(problems), len(self.seeds), len(self.orders), self.n_stages), np.nan)
        measured = rows.loc[rows[column].notna()]
        ordered = measured.loc[_mapped(measured["order"], lambda name: bool(trained[name]))]
        places = {name: self.orders.index(parts) for name, parts in trained.items() if parts}
        keys = [
            _codes(ordered["problem_id"], problems),
            _codes(ordered["seed"], self.seeds),
            np.array(_mapped(ordered["order"], places.__getitem__), dtype=np.intp),
            ordered["stage"].to_numpy(np.intp),
        ]
        _set_means(found, keys, ordered[column].to_numpy(np.float64))
        # The untrained policy is the same for all orders of a seed.
        first = measured.loc[measured["stage"] == 0]
        shared = np.full(found.shape[:2], np.nan)
        keys = [_codes(first["problem_id"], problems), _codes(first["seed"], self.seeds)]
        _set_means(shared, keys, first[column].to_numpy(np.float64))
        # Where a seed has none, that of the others stands in.
        shared = np.where(np.isfinite(shared), shared, _row_means(shared)[:, None])
        start = found[:, :, :, 0]
        found[:, :, :, 0] = np.where(np.isfinite(start), start, shared[:, :, None])
        return found

    def joint(self, rows: pd.DataFrame, problems: Sequence[str]) -> FloatArray:
        """(n_problems, S) of one task after the last stage of joint training."""
        found = np.full((len(problems), len(self.seeds)), np.nan)
        trained = rows.loc[(rows["order"] == JOINT) & (rows["stage"] > 0)]
        if len(trained):
            last = trained.groupby("seed")["stage"].transform("max")
            trained = trained.loc[trained["stage"] == last]
            keys = [_codes(trained["problem_id"], problems), _codes(trained["seed"], self.seeds)]
            _set_means(found, keys, trained["score"].to_numpy(np.float64))
        return found


def _codes(column: "pd.Series[str]", names: Sequence[str]) -> IntArray:
    return np.asarray(pd.Index(list(names)).get_indexer(pd.Index(column)), dtype=np.intp)


def _mapped(column: "pd.Series[Any]", function: Callable[[Any], T]) -> list[T]:
    """The function of each cell, computed once for equal ones."""
    codes, values = pd.factorize(column, use_na_sentinel=False)
    found = [function(value) for value in values]
    return [found[code] for code in codes.tolist()]


def _set_means(found: FloatArray, keys: Sequence[IntArray], values: FloatArray) -> None:
    """Puts the mean of the values of each cell where it belongs."""
    if not len(values):
        return
    flat = np.ravel_multi_index(tuple(keys), found.shape)
    cells, at = np.unique(flat, return_inverse=True)
    found.ravel()[cells] = np.bincount(at, weights=values) / np.bincount(at)


def _row_means(values: FloatArray) -> FloatArray:
    """Mean of what is there in each row, NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _named_columns(table: pd.DataFrame) -> pd.DataFrame:
    known = {
        name: _SYNONYMS[str(name)]
        for name in table.columns
        if str(name) in _SYNONYMS and _SYNONYMS[str(name)] not in table.columns
    }
    rows = table.rename(columns=known)
    missing = [name for name in REQUIRED if name not in rows.columns]
    if missing:
        raise TableError(
            f"The table of scores has no column {', '.join(missing)}.",
            fix=f"It needs {', '.join(REQUIRED)}, and may have {', '.join(OPTIONAL)}. It has "
            f"{', '.join(str(name) for name in table.columns) or 'none'}.",
        )
    defaults: dict[str, Any] = {
        "problem_id": NO_PROBLEM,
        "seed": "0",
        "entropy": np.nan,
        "trained": None,
    }
    for name, value in defaults.items():
        if name not in rows.columns:
            rows = rows.assign(**{name: value})
    return rows[[*REQUIRED, *defaults]]


def _usable(rows: pd.DataFrame, counts: Counter[str]) -> pd.DataFrame:
    """The rows with an order, a stage, a task and a finite score, all of the right type."""
    score = pd.to_numeric(rows["score"], errors="coerce").astype("float64")
    stage = pd.to_numeric(rows["stage"], errors="coerce").astype("float64")
    entropy = pd.to_numeric(rows["entropy"], errors="coerce").astype("float64")
    order = pd.Series(_mapped(rows["order"], _tidy), rows.index)
    task = pd.Series(_mapped(rows["task"], _text), rows.index)
    whole = np.isfinite(stage) & (stage >= 0) & (stage == np.floor(stage))
    reasons = (
        ("no task", task == ""),
        ("stage is not a whole number from 0 up", ~whole),
        ("no order after stage 0", (order == "") & (stage > 0)),
        ("no finite score", ~np.isfinite(score)),
    )
    bad = np.zeros(len(rows), dtype=bool)
    for reason, found in reasons:
        new = np.asarray(found, dtype=bool) & ~bad
        counts[reason] += int(new.sum())
        bad |= new
    for reason in [reason for reason, n in counts.items() if not n]:
        del counts[reason]
    if bad.all():
        told = "; ".join(f"{reason} ({n})" for reason, n in counts.items()) or "it has no rows"
        raise TableError(f"No row of the table of scores can be used: {told}.")
    kept = pd.DataFrame(
        {
            "order": order,
            "stage": stage.where(whole, 0).astype(int),
            "task": task,
            "score": score,
            "entropy": entropy.where(np.isfinite(entropy)),
            "problem_id": _mapped(rows["problem_id"], lambda cell: _text(cell) or NO_PROBLEM),
            "seed": _mapped(rows["seed"], _seed_name),
            "trained": _mapped(rows["trained"], _text),
        }
    )
    return kept.loc[~bad].reset_index(drop=True)


def _text(cell: object) -> str:
    """A cell as text without spaces around it; nothing for a missing one."""
    missing = cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell))
    return "" if missing else str(cell).strip()


def _seed_name(cell: object) -> str:
    """Seeds as a file writes them: 0, "0" and 0.0 are one seed."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return _text(cell) or "0"


def _tidy(cell: object) -> str:
    return STAGE_SEPARATOR.join(part.strip() for part in _text(cell).split(STAGE_SEPARATOR))


def _parts(order: str) -> tuple[str, ...]:
    """The tasks of an order; none for joint training and rows of the untrained policy alone."""
    if order in ("", JOINT, "base", "untrained"):
        return ()
    return tuple(order.split(STAGE_SEPARATOR))


def _check_tasks(tasks: Sequence[str], trained: Mapping[str, tuple[str, ...]]) -> None:
    for order, parts in trained.items():
        untested = [task for task in parts if task not in tasks]
        if untested:
            raise TableError(
                f"The order {order!r} trains {', '.join(map(repr, untested))}, which no row tests.",
                fix=f"Tested are {', '.join(tasks)}. Write an order as the names of the tasks "
                f'joined by "{STAGE_SEPARATOR}", or "{JOINT}".',
            )
        if len(set(parts)) < len(parts):
            raise TableError(
                f"The order {order!r} trains a task twice.",
                fix="Each task has one stage here.",
            )
    if not any(trained.values()):
        raise TableError(
            "No row belongs to training in an order.",
            fix=f'Write the tasks as trained into `order`, such as "a{STAGE_SEPARATOR}b".',
        )


def _consistent(
    rows: pd.DataFrame, trained: Mapping[str, tuple[str, ...]], counts: Counter[str]
) -> pd.DataFrame:
    """Without rows beyond the last stage of their order, or that name another task as trained."""
    length = np.array(_mapped(rows["order"], lambda name: len(trained[name])), dtype=np.intp)
    stage = rows["stage"].to_numpy(np.intp)
    beyond = (length > 0) & (stage > length)
    step = pd.Series(list(zip(rows["order"], stage.tolist(), rows["trained"], strict=True)))
    other = np.array(_mapped(step, lambda cell: _names_another(cell, trained)), dtype=bool)
    for reason, found in (
        ("a stage beyond the end of its order", beyond),
        ("the trained task is not the one of the order", other & ~beyond),
    ):
        if found.any():
            counts[reason] += int(found.sum())
    kept: pd.DataFrame = rows.loc[~(beyond | other)].reset_index(drop=True)
    if kept.empty:
        raise TableError("No row of the table of scores fits its own order.")
    return kept


def _names_another(cell: tuple[str, int, str], trained: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a row's order and stage are of another task than the one it says was trained."""
    order, stage, told = cell
    parts = trained[order]
    return bool(told) and 1 <= stage <= len(parts) and parts[stage - 1] != told


def _notes(rows: pd.DataFrame, counts: Mapping[str, int]) -> Iterable[str]:
    keys = ["seed", "order", "stage", "task", "problem_id"]
    n_more = int(rows.duplicated(keys).sum())
    if n_more:
        yield (
            f"{n_more:,} rows measure a problem and policy again; their mean was taken. (Untrained "
            "policies of runs that share a seed count among them.)"
        )
    if counts:
        yield "Rows were left out: " + "; ".join(f"{why} ({n:,})" for why, n in counts.items())
