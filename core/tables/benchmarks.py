"""Benchmarks from a local folder or from the hub, and the user's own pairs, as candidates tables.

A bad row is reported with its file, row and column, and the others are read; a file that is no
table is told and passed over. Nothing is downloaded unless the caller asks for the hub.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import TableError
from core.labs.benchmarks.candidates import (
    CANDIDATE_COLUMNS,
    ITEM,
    candidate,
    candidates_table,
)
from core.labs.benchmarks.reward_bench import PRIOR_SETS
from core.tables.benchmark_rows import READERS, RowFault, RowReader
from core.tables.conversations import ConversationTable, read_conversations
from core.tables.files import (
    INPUT_SUFFIXES,
    InputTable,
    RowProblem,
    read_table,
    table_from_frame,
)
from core.tables.results import INPUT_SUFFIX

_SHOWN_NOTES = 3
"""Files that were passed over, told where nothing at all could be read."""


@dataclass(frozen=True)
class FileProblem:
    """One thing wrong with one row of one file."""

    file: str
    problem: RowProblem

    def __str__(self) -> str:
        return f"{self.file}, {self.problem}"


@dataclass(frozen=True)
class BenchmarkTable:
    """A benchmark as it was read.

    Attributes:
        name: the benchmark's name; "pairs" or "styles" for the user's own texts.
        candidates: one row a response (see `core.labs.benchmarks.candidates`).
        files: what it was read from.
        problems: rows that could not be used.
        notes: decisions worth telling (which files were passed over, and why).
    """

    name: str
    candidates: pd.DataFrame
    files: tuple[str, ...]
    problems: tuple[FileProblem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return int(self.candidates[ITEM].nunique())


@dataclass(frozen=True)
class HubSource:
    """One split of one data set on the hub.

    Attributes:
        dataset: its name, or "json" for `files`.
        split: the split.
        files: addresses of JSON files by split, for data that the hub holds only as a script.
    """

    dataset: str
    split: str
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the rows are called in messages."""
        return f"{self.dataset if not self.files else 'LLMBar'}/{self.split}"


_LLMBAR = "https://raw.githubusercontent.com/princeton-nlp/LLMBar/main/Dataset/LLMBar"
_LLMBAR_FILES = {
    "natural": f"{_LLMBAR}/Natural/dataset.json",
    "adversarial_neighbor": f"{_LLMBAR}/Adversarial/Neighbor/dataset.json",
    "adversarial_gptinst": f"{_LLMBAR}/Adversarial/GPTInst/dataset.json",
    "adversarial_gptout": f"{_LLMBAR}/Adversarial/GPTOut/dataset.json",
    "adversarial_manual": f"{_LLMBAR}/Adversarial/Manual/dataset.json",
}
_PPE = ("MMLU-Pro", "MATH", "GPQA", "MBPP-Plus", "IFEval")

HUB: Mapping[str, tuple[HubSource, ...]] = {
    "rm-bench": (HubSource("THU-KEG/RM-Bench", "train"),),
    "llmbar": tuple(HubSource("json", split, _LLMBAR_FILES) for split in _LLMBAR_FILES),
    "rewardbench": (HubSource("allenai/reward-bench", "filtered"),),
    "rewardbench2": (HubSource("allenai/reward-bench-2", "test"),),
    "ppe": (
        HubSource("lmarena-ai/PPE-Human-Preference-V1", "test"),
        *(HubSource(f"lmarena-ai/PPE-{name}-Best-of-K", "train") for name in _PPE),
    ),
}
"""Where each benchmark is on the hub."""

FOLDERS: Mapping[str, tuple[str, ...]] = {
    "rm-bench": ("rm-bench", "RM-Bench"),
    "llmbar": ("llmbar", "LLMBar"),
    "rewardbench": ("rewardbench", "reward-bench"),
    "rewardbench2": ("rewardbench2", "reward-bench-2"),
    "ppe": ("ppe", "PPE"),
}
"""Names of a benchmark's own folder within a folder of several."""


def read_benchmark(name: str, folder: Path) -> BenchmarkTable:
    """A benchmark from a local folder.

    Args:
        name: one of `READERS`.
        folder: the folder of its files, or of a folder named after it, or one file.

    Raises:
        TableError: when the benchmark is not known, or nothing of it can be read.
    """
    _check_name(name)
    named = (folder / each for each in FOLDERS[name] if (folder / each).is_dir())
    place = next(named, folder)
    files, notes = _files_of(name, place)
    tables: list[tuple[str, InputTable]] = []
    for path in files:
        label = path.relative_to(place).as_posix() if path != place else path.name
        try:
            tables.append((label, read_table(path)))
        except TableError as error:
            notes.append(f"{label} is passed over: {error.message}")
    return _benchmark_table(name, tables, notes, str(place))


def read_hub_benchmark(name: str) -> BenchmarkTable:
    """A benchmark from the hub, through the `datasets` library.

    Raises:
        TableError: when the benchmark is not known, the library is not installed, or the hub cannot
            be reached.
    """
    _check_name(name)
    tables = [(source.label, _hub_table(source)) for source in HUB[name]]
    return _benchmark_table(name, tables, [], "the hub")


def read_own_pairs(table: InputTable) -> list[BenchmarkTable]:
    """The user's own pairs: a table of pairs, and one of styles where every row has lists.

    Args:
        table: rows of a paired shape (see `core.tables.SHAPES`).

    Raises:
        TableError: when it holds no pairs.
    """
    conversations = read_conversations(table)
    if not conversations.shape.is_paired:
        raise TableError(
            f"{table.name}: no pairs in it; it was read as {conversations.shape}.",
            fix="A benchmark of your own needs prompt, chosen and rejected.",
        )
    problems = tuple(FileProblem(table.name, problem) for problem in conversations.problems)
    files, notes = (table.name,), conversations.notes
    pairs = candidates_table(_own_pairs(conversations))
    found = [BenchmarkTable("pairs", pairs, files, problems, notes)]
    styles = candidates_table(_own_styles(conversations))
    if len(styles):
        found.append(BenchmarkTable("styles", styles, files, problems, notes))
    return found


def _check_name(name: str) -> None:
    if name not in READERS:
        raise TableError(f"There is no benchmark {name!r}.", fix=f"Known: {', '.join(READERS)}.")


def _files_of(name: str, place: Path) -> tuple[list[Path], list[str]]:
    """The files that hold the benchmark, and notes on those passed over."""
    if place.is_file():
        return [place], []
    if not place.is_dir():
        raise TableError(f"{place}: there is no such folder.", fix=f"Name the folder of {name}.")
    found = sorted(
        path
        for path in place.rglob("*")
        if path.is_file()
        and path.name.lower().endswith(INPUT_SUFFIXES)
        and not path.name.endswith(".manifest.json")
        and not any(part.startswith(".") for part in path.relative_to(place).parts)
    )
    kept = [path for path in found if _belongs(name, path.relative_to(place).as_posix())]
    whole = {"rm-bench": "total_dataset", "rewardbench": "filtered"}.get(name, "")
    if whole and any(path.name.startswith(whole) for path in kept):
        priors = [path for path in kept if path.name.startswith(PRIOR_SETS)]
        kept = [path for path in kept if path.name.startswith(whole)] + priors
    passed = [path.relative_to(place).as_posix() for path in found if path not in kept]
    if not kept:
        known = ", ".join(INPUT_SUFFIXES)
        raise TableError(
            f"{place}: no file of {name} in it.",
            fix=f"Files it can be read from: {known}.",
        )
    return kept, [f"Passed over: {', '.join(passed)}."] if passed else []


def _belongs(name: str, path: str) -> bool:
    lower = path.lower()
    if name == "llmbar":
        return not any(part in lower for part in ("evaluators/", "casestudy/", "processed/"))
    if name == "rewardbench":
        others = ("raw-", "anthropic_harmless", "pku_", "mtbench_", "summarize_prompted")
        return not path.rpartition("/")[2].startswith(others)
    return not lower.rpartition("/")[2].startswith(("dataset_info", "state."))


def _benchmark_table(
    name: str, tables: Iterable[tuple[str, InputTable]], notes: list[str], where: str
) -> BenchmarkTable:
    rows: list[dict[str, Any]] = []
    problems: list[FileProblem] = []
    files: list[str] = []
    taken: set[str] = set()
    for label, table in tables:
        files.append(label)
        for found in _read_rows(name, label, table, taken):
            if isinstance(found, RowProblem):
                problems.append(FileProblem(label, found))
            else:
                rows += found
    if not rows:
        first = f"; the first problem: {problems[0]}" if problems else ""
        shown = [*notes[:_SHOWN_NOTES]]
        if len(notes) > _SHOWN_NOTES:
            shown.append(f"And {len(notes) - _SHOWN_NOTES} more files.")
        told = f" {' '.join(shown)}" if shown else ""
        raise TableError(f"{where}: nothing of {name} can be read{first}.{told}")
    return BenchmarkTable(name, candidates_table(rows), tuple(files), tuple(problems), tuple(notes))


def _read_rows(
    name: str, label: str, table: InputTable, taken: set[str]
) -> Iterator[list[dict[str, Any]] | RowProblem]:
    reader = RowReader(label, table.unit)
    for row in table.rows:
        if row.problem is not None:
            yield row.problem
            continue
        try:
            candidates = READERS[name](reader, row)
        except RowFault as fault:
            yield fault.problem
            continue
        item = str(candidates[0][ITEM])
        if item in taken:
            if item.startswith(("ref:", "tied:")):
                yield RowProblem(row.number, f"{item} is there twice", "id", table.unit)
                continue
            # Ids that repeat name different rows in some of the published files.
            item = f"{item}@{label}#{row.number}"
            candidates = [{**one, ITEM: item} for one in candidates]
        taken.add(item)
        yield candidates


def _hub_table(source: HubSource) -> InputTable:
    try:
        import datasets
    except ImportError as error:
        raise TableError(
            "Reading benchmarks from the hub needs the package datasets.",
            fix="Install it (pip install 'reward-workbench[hub]'), or name a folder with the data.",
        ) from error
    try:
        if source.files:
            loaded = datasets.load_dataset(
                "json", data_files={source.split: source.files[source.split]}, split=source.split
            )
        else:
            loaded = datasets.load_dataset(source.dataset, split=source.split)
    except Exception as error:  # any of the libraries under it may fail in its own way
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise TableError(
            f"{source.label} cannot be read from the hub: {reason.rstrip('.')}.",
            fix="Is there a network? Otherwise download the data set and name its folder.",
        ) from error
    return table_from_frame(loaded.to_pandas(), source.label)


def _own_columns(table: ConversationTable, row: int) -> dict[str, Any]:
    """The user's own cells of a row, renamed where ours is the same."""
    used = set(table.shape.columns) | {"system", "pair_id", "prompt_id", "id"}
    cells = table.source.rows[row].cells
    return {
        name + INPUT_SUFFIX if name in (*CANDIDATE_COLUMNS, "reward", "error") else name: value
        for name, value in ((name, cells.get(name)) for name in table.source.columns)
        if name not in used
    }


def _own_pairs(table: ConversationTable) -> Iterator[dict[str, Any]]:
    taken: dict[str, int] = {}
    for pair in table.pairs:
        sides = {"chosen": table.entries[pair.chosen], "rejected": table.entries[pair.rejected]}
        conversations = {side: entry.conversation for side, entry in sides.items()}
        # Equal pairs have equal ids; each row is an item of its own.
        taken[pair.pair_id] = taken.get(pair.pair_id, 0) + 1
        times = taken[pair.pair_id]
        item = pair.pair_id if times == 1 else f"{pair.pair_id}#{times}"
        own = _own_columns(table, pair.row)
        for side, conversation in conversations.items():
            if all(conversations.values()) and conversation is not None:
                *prompt, last = conversation
                yield candidate(item, pair.prompt_id, prompt, last["content"], side=side, **own)


def _own_styles(table: ConversationTable) -> Iterator[dict[str, Any]]:
    """Rows with a list of as many responses on either side, in the order of their styles."""
    by_row: dict[int, dict[str, list[Any]]] = {}
    for entry in table.entries:
        if entry.style_index is not None and entry.conversation is not None:
            sides = by_row.setdefault(entry.row, {"chosen": [], "rejected": []})
            sides[entry.role].append(entry)
    for row, sides in by_row.items():
        if not len(sides["chosen"]) == len(sides["rejected"]) > 1:
            continue
        number = table.source.rows[row].number
        for side, entries in sides.items():
            for place, entry in enumerate(entries):
                *prompt, last = entry.conversation
                yield candidate(
                    f"{table.source.unit} {number}",
                    entry.prompt_id,
                    prompt,
                    last["content"],
                    side=side,
                    place=place,
                    **_own_columns(table, row),
                )
