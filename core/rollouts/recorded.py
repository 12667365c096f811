"""Recorded training runs that come with the package: one collection an experiment.

A collection is a folder of `data/rollouts`: `card.yaml` says what was trained and how,
`rollouts.parquet` holds the rollouts, `problems.parquet` the texts of the problems, and further
Parquet files hold what else
was recorded. `data/rollouts/README.md` describes the files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from core.errors import TableError
from core.paths import data_folder
from core.schema import ROLLOUT_COLUMNS

ROLLOUTS = "rollouts"
PROBLEMS = "problems"


@dataclass(frozen=True)
class RecordedRun:
    """One recorded run.

    Attributes:
        run: its name in the tables, such as "ucb-con/seed-1".
        method: how the policy was trained, such as "ucb-con"; "base" for an untrained policy.
        seed: of all its randomness.
        base: whether it is an untrained policy sampled with the same budget.
        recipe: the recipe that makes it again.
    """

    run: str
    method: str
    seed: int
    base: bool
    recipe: str


@dataclass(frozen=True)
class Collection:
    """The recorded runs of one experiment.

    Attributes:
        name: its folder's name.
        title: in a few words.
        description: what was trained, on what, and how.
        command: what makes it again.
        findings: what came out, a sentence each, whether or not it agrees with the papers.
        runs: its runs.
        tables: names of what else was recorded beside the rollouts.
        folder: where it lies.
    """

    name: str
    title: str
    description: str
    command: str
    findings: tuple[str, ...]
    runs: tuple[RecordedRun, ...]
    tables: tuple[str, ...]
    folder: Path

    @property
    def base_runs(self) -> tuple[str, ...]:
        """Names of the runs of the untrained policy."""
        return tuple(run.run for run in self.runs if run.base)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods, each once, in the order of the card."""
        return tuple(dict.fromkeys(run.method for run in self.runs))


def rollouts_folder() -> Path:
    """The folder that holds the collections."""
    return data_folder() / "rollouts"


@cache
def collections() -> tuple[Collection, ...]:
    """All recorded collections, by name; a card without tables is none yet."""
    cards = sorted(rollouts_folder().glob("*/card.yaml"))
    there = [path for path in cards if any(path.parent.glob("*.parquet"))]
    return tuple(_read_card(path) for path in there)


def collection(name: str) -> Collection:
    """One collection.

    Raises:
        TableError: when there is none of that name; says which there are.
    """
    for each in collections():
        if each.name == name:
            return each
    listed = ", ".join(each.name for each in collections()) or "none"
    raise TableError(f"There are no recorded runs called {name!r}.", fix=f"Recorded are: {listed}.")


def read_rollouts(
    name: str, *, runs: Sequence[str] | None = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """The rollouts of a collection as a rollout table (`core.schema.ROLLOUT_COLUMNS`).

    Args:
        name: the collection.
        runs: only these runs.
        columns: only these columns; all where it is None.

    Raises:
        TableError: when there is no such collection, or it holds no rollouts.
    """
    found = collection(name)
    filters = [("run", "in", list(runs))] if runs is not None else None
    path = found.folder / f"{ROLLOUTS}.parquet"
    if not path.is_file():
        raise TableError(f"{name}: its rollouts are not installed.", fix=f"Add {path}.")
    stored = pd.read_parquet(path, filters=filters)
    table = _with_problems(stored, found)
    wanted = list(columns) if columns is not None else _ordered(table)
    return table[wanted]


def read_table(name: str, table: str) -> pd.DataFrame:
    """Another table of a collection, such as "evaluations" or "pairs".

    Raises:
        TableError: when there is no such collection or table.
    """
    found = collection(name)
    path = found.folder / f"{table}.parquet"
    if table not in found.tables or not path.is_file():
        listed = ", ".join(found.tables) or "no further tables"
        raise TableError(f"{name} has no table {table!r}.", fix=f"It has {listed}.")
    return _plain_texts(pd.read_parquet(path))


def _with_problems(stored: pd.DataFrame, found: Collection) -> pd.DataFrame:
    """The stored rows with their prompts, and with every column a rollout table has."""
    problems = pd.read_parquet(found.folder / f"{PROBLEMS}.parquet")
    table = _plain_texts(stored)
    known = _plain_texts(problems).set_index("problem_id")
    for column in known.columns:
        if column not in table.columns:
            table[column] = table["problem_id"].map(known[column])
    if "response" not in table.columns:
        # Where a response is its answer and nothing else, it is stored once.
        table["response"] = table["answer"]
    for column in ROLLOUT_COLUMNS:
        if column not in table.columns:
            table[column] = None
    return table.astype({"correct": "boolean", "reward": "float64"})


def _plain_texts(table: pd.DataFrame) -> pd.DataFrame:
    """Texts as texts: Parquet keeps repeated ones as dictionaries, which behave differently."""
    coded = table.select_dtypes("category").columns
    small = table.select_dtypes("float16").columns
    return table.astype({**dict.fromkeys(coded, "str"), **dict.fromkeys(small, "float32")})


def _ordered(table: pd.DataFrame) -> list[str]:
    return [*ROLLOUT_COLUMNS, *(name for name in table.columns if name not in ROLLOUT_COLUMNS)]


def _read_card(path: Path) -> Collection:
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    runs = tuple(RecordedRun(**each) for each in told["runs"])
    return Collection(
        name=path.parent.name,
        title=told["title"],
        description=told["description"],
        command=told["command"],
        findings=tuple(told["findings"]),
        runs=runs,
        tables=tuple(told["tables"]),
        folder=path.parent,
    )
