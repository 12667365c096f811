"""A public benchmark, read from an upload, a folder or the hub, scored as its authors do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.evaluation.evaluated import Asked, draw, evaluate
from app_pages.common.evaluation.own_pairs import SEED_HELP, draw_problems, table_text
from app_pages.common.hosting import data_roots
from app_pages.common.lab_run import is_there, run_lab
from app_pages.common.markup import plain
from app_pages.common.pair_choice import FILE_TYPES
from core.labs.benchmarks import BENCHMARKS, BenchmarkOptions
from core.labs.benchmarks.sampling import first_items
from core.local_data import find_local_data
from core.schema import content_id
from core.tables.benchmark_uploads import ARCHIVE, read_uploaded_benchmark
from core.tables.benchmarks import HUB, BenchmarkTable, read_benchmark, read_hub_benchmark

UPLOAD, FOLDER, FROM_HUB = "Upload its files", "A folder of this machine", "From the hub"
SMALL = 50
"""Items scored at first: enough to see whether it works."""


@dataclass(frozen=True)
class _Source:
    """Where a benchmark is read from: what tells it from others, how, and the Python of it."""

    key: str
    read: Callable[[], BenchmarkTable]
    name: str
    python: str


def public_benchmark(models: Sequence[str]) -> None:
    """A benchmark of a paper, with the scores its authors give."""
    left, right = st.columns([0.4, 0.6], vertical_alignment="bottom")
    with left:
        name = st.selectbox(
            "Benchmark",
            list(HUB),
            format_func=lambda each: BENCHMARKS[each].title,
            key="benchmark",
            bind="query-params",
        )
    benchmark = BENCHMARKS[name]
    with right:
        st.caption(f"{benchmark.question} {benchmark.paper}")
    source = _choose_source(name)
    if source is None:
        return
    outcome = tasks().outcome(("benchmark", name, source.key), source.read)
    if not is_there(outcome, f"Reading {benchmark.title} from {plain(source.name)} …"):
        return
    table: BenchmarkTable = outcome.value
    st.caption(f":material/table: {table_text(table.candidates)} from {plain(source.name)}.")
    for note in table.notes:
        st.caption(f":material/info: {plain(note)}")
    draw_problems([str(problem) for problem in table.problems])
    _score(name, models, table, source)


def _score(name: str, models: Sequence[str], table: BenchmarkTable, source: _Source) -> None:
    left, right = st.columns(2)
    with left:
        n_items = st.number_input(
            "How many items",
            1,
            table.n_items,
            min(SMALL, table.n_items),
            key=f"benchmark-n-{name}-{source.key}",
            help="Whole prompts are drawn at random, always the same ones. Only all items give the "
            "score its authors give; what is scored stays known, so more items cost only "
            "the difference.",
        )
    with right:
        seed = st.number_input("Seed", 0, 10**6, 0, key="benchmark-seed", help=SEED_HELP)
    options = BenchmarkOptions(seed=int(seed))
    benchmark = BENCHMARKS[name]
    found = run_lab(
        "benchmark",
        models,
        [name, source.key, int(n_items)],
        plan=lambda: benchmark.plan(first_items(table.candidates, int(n_items))),
        result=lambda scored: evaluate(name, options, scored),
        extra=int(seed),
    )
    if found is None:
        return
    lines = [source.python, "table = benchmark_table.candidates"]
    notes = list(table.notes)
    if n_items < table.n_items:
        notes.append(f"{int(n_items):,} of {table.n_items:,} items, whole prompts drawn.")
        lines = [
            "from core.labs.benchmarks.sampling import first_items",
            *lines[:1],
            f"table = first_items(benchmark_table.candidates, {int(n_items)})",
        ]
    if table.problems:
        notes.append(f"{len(table.problems):,} rows could not be read.")
    asked = Asked(
        name,
        f"{benchmark.title}: {source.name}",
        models,
        options,
        "\n".join(lines),
        source.name,
        notes,
    )
    draw("benchmark", found, asked)


def _choose_source(name: str) -> _Source | None:
    roots = data_roots()
    places = [UPLOAD, *([FOLDER] if roots else []), FROM_HUB]
    where = st.segmented_control(
        "Where its data are",
        places,
        default=UPLOAD,
        key="benchmark-where",
        required=True,
        persist_state="session",
    )
    if where == FOLDER:
        return _folder(name, roots)
    return _hub(name) if where == FROM_HUB else _upload(name)


def _upload(name: str) -> _Source | None:
    files = st.file_uploader(
        f"Files of {BENCHMARKS[name].title}",
        [*FILE_TYPES, ARCHIVE.removeprefix(".")],
        accept_multiple_files=True,
        key=f"benchmark-files-{name}",
        help="The files as their authors publish them, or the folder as a ZIP file.",
    )
    field = f"benchmark-upload-{name}"
    if files:
        st.session_state[field] = [(file.name, file.getvalue()) for file in files]
    held: list[tuple[str, bytes]] = st.session_state.get(field, [])
    if not held:
        st.caption(
            "JSON, JSON lines, CSV or Parquet, or the benchmark's folder as one ZIP file. Some of "
            "its files are enough to begin with: what is missing is then reported."
        )
        return None
    listed = ", ".join(file_name for file_name, _ in held)
    if not files:
        st.caption(f":material/draft: Still using {plain(listed)}.")
    key = content_id([[file_name, hash(content)] for file_name, content in held])
    python = (
        "from pathlib import Path\n\n"
        "from core.tables.benchmarks import read_benchmark\n\n"
        f"# The folder that holds {listed}.\n"
        f"benchmark_table = read_benchmark({name!r}, Path('.'))"
    )
    return _Source(key, lambda: read_uploaded_benchmark(name, held), listed, python)


def _folder(name: str, roots: Sequence[Path]) -> _Source | None:
    typed = st.text_input(
        "Folder",
        key="benchmark-folder",
        placeholder="data/rm-bench",
        persist_state="session",
        help="The folder of the benchmark's files, or one file.",
    )
    if not typed or not typed.strip():
        st.caption(f"Type the path of a folder within {plain(', '.join(map(str, roots)))}.")
        return None
    allowed = data_roots()
    python = (
        "from pathlib import Path\n\n"
        "from core.tables.benchmarks import read_benchmark\n\n"
        f"benchmark_table = read_benchmark({name!r}, Path({typed.strip()!r}))"
    )
    return _Source(
        content_id(["folder", typed.strip()]),
        lambda: read_benchmark(name, find_local_data(typed, allowed)),
        typed.strip(),
        python,
    )


def _hub(name: str) -> _Source:
    python = (
        "from core.tables.benchmarks import read_hub_benchmark\n\n"
        f"benchmark_table = read_hub_benchmark({name!r})"
    )
    return _Source("hub", lambda: read_hub_benchmark(name), "the hub", python)
