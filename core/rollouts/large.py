"""Summaries of rollout files that are too large to load: DuckDB reads only the columns they need.

Texts stay on the disk. A table of a million rollouts becomes one row a step, or one row a problem
and step, which is what the curves and heat-maps of the labs are drawn from.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from core.errors import TableError
from core.rollouts.files import RolloutFile, find_files, parquet_columns
from core.schema import ROLLOUT_COLUMNS

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "1200MB"
"""What DuckDB may hold at once; beyond it, it works on the disk."""

CONFIDENCE = 0.95

_KEYS = ("run", "split", "step")


@dataclass(frozen=True)
class LargeRollouts:
    """Parquet files with the columns of a rollout table, read only as far as a question needs.

    Attributes:
        files: the files, all of one shape.
        columns: the names of their columns by the names of a rollout table.
        n_rows: rows in all.
        threads: threads a question may use.
    """

    files: tuple[Path, ...]
    columns: Mapping[str, str]
    n_rows: int
    threads: int = 2

    def by_step(self) -> pd.DataFrame:
        """One row a run, split and step: what was drawn and how it went.

        Columns: run, split (where there is one), step, n, n_problems, mean_reward with
        reward_low and reward_high, n_no_reward, share_correct with correct_low and correct_high,
        n_no_verdict, n_unreadable (rows without an answer), n_answers (different answers, counted
        within each problem). The intervals are for 95 %, over problems: the ratio of sums over
        problems with its linearised standard error and Student's t on one problem less than there
        are (Cochran 1977, eq. 6.12-6.13); NaN for a single problem.
        """
        keys = self._keys()
        query = f"""
            SELECT {_list(keys)}, count(*) AS problems, sum(n) AS n, sum(n_unreadable) AS unread,
                   sum(n_answers) AS answers,
                   {_moments("reward")}, {_moments("correct")}
            FROM ({self._by_problem_query()}) GROUP BY {_list(keys)} ORDER BY {_list(keys)}"""  # noqa: S608 - names, no values
        told = self._ask(query)
        made = told[list(keys)].copy()
        made["n"], made["n_problems"] = told["n"].astype("int64"), told["problems"].astype("int64")
        for what, mean, left_out in (
            ("reward", "mean_reward", "n_no_reward"),
            ("correct", "share_correct", "n_no_verdict"),
        ):
            value, low, high = _ratio_interval(told, what)
            made[mean], made[f"{what}_low"], made[f"{what}_high"] = value, low, high
            made[left_out] = (told["n"] - told[f"{what}_rows"]).astype("int64")
        made["n_unreadable"] = told["unread"].astype("int64")
        made["n_answers"] = told["answers"].astype("int64")
        return made

    def by_problem(self, *, runs: Sequence[str] | None = None) -> pd.DataFrame:
        """One row a run, split, step and problem: the counts that pass@k and heat-maps need.

        Columns: run, split (where there is one), step, problem_id, n, n_correct, n_verdicts,
        n_answers (different ones), n_unreadable, reward_sum, n_rewards.

        Args:
            runs: only these runs; all where it is None.
        """
        keys = (*self._keys(), "problem_id")
        where, values = "", []
        if runs is not None:
            marks = ", ".join("?" * len(runs)) or "NULL"
            where, values = f"WHERE run IN ({marks})", list(runs)
        query = f"{self._by_problem_query(where)} ORDER BY {_list(keys)}"
        made = self._ask(query, values)
        made = made.rename(columns={"correct_sum": "n_correct", "correct_n": "n_verdicts"})
        made = made.rename(columns={"reward_n": "n_rewards"})
        whole = ["n", "n_correct", "n_verdicts", "n_answers", "n_unreadable", "n_rewards"]
        made[whole] = made[whole].fillna(0).astype("int64")
        return made[[*keys, *whole[:5], "reward_sum", "n_rewards"]]

    def answer_counts(self, run: str, problem_id: str) -> pd.DataFrame:
        """How often each answer of one problem was given: split (if any), step, answer, count."""
        keys = [key for key in self._keys() if key != "run"]
        query = f"""SELECT {_list(keys)}, answer, count(*) AS count FROM ({self._rows()})
            WHERE run = ? AND problem_id = ? GROUP BY {_list(keys)}, answer
            ORDER BY {_list(keys)}, count DESC, answer"""  # noqa: S608 - names, no values
        return self._ask(query, [run, problem_id])

    def samples(
        self, run: str, problem_id: str, *, step: int | None = None, most: int = 200
    ) -> pd.DataFrame:
        """The rollouts of one problem with their texts, at most `most` of them.

        Args:
            run: the run.
            problem_id: the problem.
            step: only this step; all where it is None.
            most: rows that are read.
        """
        at = "" if step is None else "AND step = ?"
        values: list[Any] = [run, problem_id] + ([] if step is None else [step])
        wanted = [name for name in ROLLOUT_COLUMNS if name in self.columns or name in _KEYS]
        query = f"""SELECT {_list(dict.fromkeys([*self._keys(), *wanted]))}
            FROM ({self._rows(every=True)}) WHERE run = ? AND problem_id = ? {at}
            ORDER BY step LIMIT {int(most)}"""  # noqa: S608 - names, no values
        return self._ask(query, values)

    def load(self, *, columns: Sequence[str], runs: Sequence[str] | None = None) -> pd.DataFrame:
        """Some columns of all rollouts, without the texts that nobody asked for.

        Args:
            columns: names of a rollout table.
            runs: only these runs.
        """
        held = [name for name in columns if name in self.columns or name == "run"]
        where, values = "", []
        if runs is not None:
            where, values = f"WHERE run IN ({', '.join('?' * len(runs)) or 'NULL'})", list(runs)
        query = f"SELECT {_list(held)} FROM ({self._rows(every=True)}) {where}"  # noqa: S608
        return self._ask(query, values)

    def _keys(self) -> tuple[str, ...]:
        return tuple(key for key in _KEYS if key in self.columns or key == "run")

    def _rows(self, *, every: bool = False) -> str:
        """The rows under the names of a rollout table."""
        needed = [*_KEYS, "problem_id", "answer", "correct", "reward"]
        names = list(self.columns) if every else [name for name in needed if name in self.columns]
        parts = [f"{_quoted(self.columns[name])} AS {_quoted(name)}" for name in names]
        if "run" not in self.columns:
            parts.append("'run' AS run")
        parts += [f"NULL AS {name}" for name in ("answer",) if name not in names]
        parts += [f"NULL AS {name}" for name in ("correct", "reward") if name not in names]
        listed = ", ".join(_text(str(path)) for path in self.files)
        return f"SELECT {', '.join(parts)} FROM read_parquet([{listed}], union_by_name=true)"  # noqa: S608

    def _by_problem_query(self, where: str = "") -> str:
        keys = (*self._keys(), "problem_id")
        reward = "try_cast(reward AS DOUBLE)"
        finite = f"CASE WHEN isfinite({reward}) THEN {reward} END"
        verdict = "try_cast(correct AS BOOLEAN)::INTEGER"
        return f"""SELECT {_list(keys)}, count(*) AS n, count(*) - count(answer) AS n_unreadable,
            count(DISTINCT answer) AS n_answers, sum({finite}) AS reward_sum,
            count({finite}) AS reward_n, sum({verdict}) AS correct_sum,
            count({verdict}) AS correct_n
            FROM ({self._rows()}) {where} GROUP BY {_list(keys)}"""  # noqa: S608 - names, no values

    def _ask(self, query: str, values: Sequence[Any] = ()) -> pd.DataFrame:
        import duckdb

        with self._connection() as connection:
            try:
                made: pd.DataFrame = connection.execute(query, list(values)).df()
            except duckdb.Error as error:
                told = str(error).splitlines()[0]
                raise TableError(f"The files cannot be summarised: {told}") from error
        texts = [name for name in ("run", "split", "problem_id") if name in made.columns]
        return made.astype(dict.fromkeys(texts, "str"))

    @contextlib.contextmanager
    def _connection(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        import duckdb

        # No extension is fetched from anywhere: what reads Parquet is built in.
        connection = duckdb.connect(
            config={
                "threads": str(self.threads),
                "memory_limit": MEMORY_LIMIT,
                "preserve_insertion_order": "false",
                "autoinstall_known_extensions": "false",
            }
        )
        try:
            yield connection
        finally:
            connection.close()


def open_large(
    source: Path | Sequence[Path], *, columns: Mapping[str, str] | None = None, threads: int = 2
) -> LargeRollouts:
    """Opens Parquet files of rollouts without reading their rows.

    Args:
        source: a file, a folder of files, or files.
        columns: the names of their columns by the names of a rollout table, where they differ.
        threads: threads a question may use.

    Raises:
        TableError: when there is no complete Parquet file, or step or problem_id is missing.
    """
    import pyarrow.parquet as pq

    paths = [source] if isinstance(source, Path) else list(source)
    found = [file for path in paths for file in find_files(path)]
    parquet = [file for file in found if file.name.lower().endswith(".parquet")]
    if not parquet:
        raise TableError(f"{paths[0]}: there is no Parquet file.", fix="Convert the table first.")
    held = [name for name in parquet_columns(parquet[0]) if not name.startswith("__")]
    named = {name: name for name in held} | dict(columns or {})
    for name in ("step", "problem_id"):
        if named.get(name) not in held:
            raise TableError(
                f"{parquet[0].name}: there is no column for {name}.",
                fix=f"Name it; the file has {', '.join(held)}.",
            )
    n_rows = sum(pq.read_metadata(path).num_rows for path in _paths(parquet))
    return LargeRollouts(tuple(_paths(parquet)), named, n_rows, threads)


def _paths(files: Sequence[RolloutFile]) -> list[Path]:
    return [file.path for file in files if file.path is not None]


def _moments(what: str) -> str:
    """Sums over problems from which a ratio and its standard error come."""
    total, rows = f"{what}_sum", f"{what}_n"
    return f"""sum({total}) AS {what}_total, sum({rows}) AS {what}_rows,
        sum({total} * {total}) AS {what}_total2, sum({rows} * {rows}) AS {what}_rows2,
        sum({total} * {rows}) AS {what}_cross, count(*) FILTER ({rows} > 0) AS {what}_problems"""


def _ratio_interval(told: pd.DataFrame, what: str) -> tuple[Any, Any, Any]:
    """Mean over rows with its interval over problems, from sums over problems."""
    columns = ("total", "rows", "total2", "rows2", "cross", "problems")
    total, rows, total2, rows2, cross, problems = (
        told[f"{what}_{name}"].to_numpy(dtype=np.float64, na_value=np.nan) for name in columns
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / rows
        squares = np.maximum(total2 - 2 * mean * cross + mean**2 * rows2, 0.0)
        error = np.sqrt(problems / (problems - 1) * squares) / rows
    error[~(problems > 1)] = np.nan
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, np.maximum(problems - 1, 1)) * error
    return mean, mean - half, mean + half


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _list(names: Iterable[str]) -> str:
    return ", ".join(_quoted(name) for name in names)
