"""`reward-workbench evaluate`: a benchmark in, its scores with intervals out, saved as a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.score import SHOWN_PROBLEMS

if TYPE_CHECKING:
    import pandas as pd

    from core.labs.benchmarks import BenchmarkOptions, BenchmarkResult
    from core.labs.plan import Plan
    from core.manifest import ModelRecord
    from core.runs import Run
    from core.tables.benchmarks import BenchmarkTable

NOT_SCORED = "not scored: the run was stopped"
KIND = "evaluation"
"""Kind of the runs that are saved."""

OWN_TABLES = ("pairs", "styles")
"""Tables of a user's own file, which have columns to slice by."""


@dataclass
class _Evaluation:
    """What has been evaluated so far."""

    results: dict[tuple[str, str], "BenchmarkResult"] = field(default_factory=dict)
    models: dict[str, "ModelRecord"] = field(default_factory=dict)
    n_scored: int = 0
    n_failed: int = 0
    stopped: bool = False


def evaluate(
    model: Annotated[
        list[str],
        typer.Option("--model", "-m", help="Card id, hub id or local folder; may be repeated."),
    ],
    benchmark: Annotated[
        str,
        typer.Option(
            "--benchmark",
            "-b",
            help="rm-bench, llmbar, rewardbench, rewardbench2, ppe, or your own file of pairs: "
            "a table with columns prompt, chosen and rejected.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "-d",
            help="Folder of the benchmark's files. Without it they come from the Hugging Face hub.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder to save the run in. Without it, your own runs, which the pages show too.",
        ),
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            help="For a file of pairs: a column, whose values get an accuracy each; may be "
            "repeated. By default every column of few values.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the intervals.")] = 0,
) -> None:
    """Score a benchmark as its authors do.

    Every score has its interval over prompts. A benchmark of which something is missing tells what,
    and has no overall score under its name. A file of pairs is scored in all and by slice, and as a
    style matrix where its rows hold lists of responses, one a style. The result is saved as a run
    with its manifest; `reward-workbench report` makes it one HTML file.

    \b
    reward-workbench evaluate -m pocket -b rm-bench -d path/to/rm-bench
    reward-workbench evaluate -m pocket -m pocket-step-0015 -b my-pairs.csv --slice topic

    Exit status: 0 all scored, 1 some rows or rewards bad (the others are scored), 2 nothing could
    be done, 130 stopped by Ctrl-C. A stopped run shows what is done, and running it again goes on
    from there.
    """
    _check_output(output)
    tables = _read(benchmark, data)
    _check_slices(tables[0], slices)
    problems = _report_input(tables)
    options = {table.name: _options(table, slices, seed) for table in tables}
    names = list(dict.fromkeys(model))
    done = _evaluate(names, tables, options)
    if not done.n_scored:
        typer.echo("Nothing was scored; nothing is saved.", err=True)
        raise typer.Exit(130 if done.stopped else 1)
    _print(done)
    saved = _save(done, benchmark, data, output, tables, options)
    unfinished = "unfinished, run again to go on: " if done.stopped else ""
    typer.echo(f"{unfinished}saved as {saved.id} in {saved.folder.parent}")
    if done.stopped:
        raise typer.Exit(130)
    if done.n_failed or problems:
        raise typer.Exit(1)


def _read(benchmark: str, data: Path | None) -> list["BenchmarkTable"]:
    from core.errors import TableError
    from core.tables import INPUT_SUFFIXES, read_table
    from core.tables.benchmarks import HUB, read_benchmark, read_hub_benchmark, read_own_pairs

    if benchmark in HUB:
        if data is None:
            typer.echo(f"Reading {benchmark} from the hub ...", err=True)
            return [read_hub_benchmark(benchmark)]
        return [read_benchmark(benchmark, data)]
    if not benchmark.lower().endswith(INPUT_SUFFIXES):
        known = ", ".join(HUB)
        raise TableError(
            f"There is no benchmark {benchmark!r}.", fix=f"Known: {known}, or a file of pairs."
        )
    path = Path(benchmark)
    return read_own_pairs(read_table(path if data is None or path.is_file() else data / path))


def _check_output(output: Path | None) -> None:
    from core.errors import TableError

    if output is not None and output.exists() and not output.is_dir():
        raise TableError(f"--output {output}: this is a file.", fix="Name a folder.")


def _check_slices(table: "BenchmarkTable", slices: Sequence[str] | None) -> None:
    """A misspelt column is told before anything is scored."""
    from core.errors import TableError
    from core.labs.benchmarks.candidates import CANDIDATE_COLUMNS

    if not slices:
        return
    if table.name not in OWN_TABLES:
        raise TableError(
            f"--slice {slices[0]}: {table.name} is divided as its authors do.",
            fix="Leave --slice out; it is for a file of pairs.",
        )
    own = [str(name) for name in table.candidates.columns if name not in CANDIDATE_COLUMNS]
    missing = [name for name in slices if name not in own]
    if missing:
        columns = f"Its own columns: {', '.join(own)}." if own else "It has no columns of its own."
        raise TableError(
            f"{', '.join(table.files)}: there is no column {missing[0]!r} to slice by.", fix=columns
        )


def _report_input(tables: Sequence["BenchmarkTable"]) -> int:
    for table in tables:
        typer.echo(
            f"{table.name}: {table.n_items:,} items, {len(table.candidates):,} conversations "
            f"from {', '.join(table.files)}",
            err=True,
        )
    first = tables[0]
    for note in first.notes:
        typer.echo(f"Note: {note}", err=True)
    for problem in first.problems[:SHOWN_PROBLEMS]:
        typer.echo(f"Bad row: {problem}", err=True)
    if len(first.problems) > SHOWN_PROBLEMS:
        typer.echo(f"... and {len(first.problems) - SHOWN_PROBLEMS:,} more", err=True)
    return len(first.problems)


def _options(
    table: "BenchmarkTable", slices: Sequence[str] | None, seed: int
) -> "BenchmarkOptions":
    from core.labs.benchmarks import BenchmarkOptions, PairOptions
    from core.labs.benchmarks.candidates import CANDIDATE_COLUMNS
    from core.labs.pairs import slice_columns

    if table.name != "pairs":
        return BenchmarkOptions(seed=seed)
    own = table.candidates.drop(columns=list(CANDIDATE_COLUMNS))
    return PairOptions(seed=seed, slices=tuple(slices if slices else slice_columns(own)))


def _evaluate(
    names: Sequence[str],
    tables: Sequence["BenchmarkTable"],
    options: Mapping[str, "BenchmarkOptions"],
) -> _Evaluation:
    from core.engine.service import get_service
    from core.labs.benchmarks import BENCHMARKS
    from core.manifest import model_record
    from core.models.catalogue import load_card

    service = get_service()
    resident = {each.id for each in service.resident()}
    for name in names:
        if name not in resident:
            load_card(name)  # a misspelt second name is told before the first is scored
    plans = {table.name: BENCHMARKS[table.name].plan(table.candidates) for table in tables}
    done = _Evaluation()
    for name in names:
        try:
            typer.echo(f"Loading {name} ...", err=True)
            done.models[name] = model_record(service.model(name))
        except KeyboardInterrupt:
            done.stopped = True
        for table, plan in plans.items():
            if done.stopped:
                break
            scored = _score(name, plan, done)
            if scored is not None:
                found = BENCHMARKS[table].run(scored, options[table])
                done.results[name, table] = _told(found, stopped=done.stopped)
        if done.stopped:
            break
    return done


def _score(name: str, plan: "Plan", done: _Evaluation) -> "pd.DataFrame | None":
    """The plan with this model's rewards as far as they go; None where there is not one."""
    import numpy as np

    from core.cli.progress import follow
    from core.engine.service import get_service

    job = get_service().submit(name, plan.conversations())
    done.stopped = follow(job) == "interrupted"
    if job.error is not None:
        raise job.error
    rows = job.rows()
    rewards, errors = np.full(len(plan), np.nan), [NOT_SCORED] * len(plan)
    for row in rows:
        rewards[row.index], errors[row.index] = row.reward, row.error
    failed = sum(bool(row.error) for row in rows)
    done.n_failed += failed
    done.n_scored += len(rows) - failed
    return plan.scored(rewards, errors) if rows else None


def _told(result: "BenchmarkResult", *, stopped: bool) -> "BenchmarkResult":
    if not stopped:
        return result
    return replace(
        result, notes=("Stopped before the end: only what was scored counts.", *result.notes)
    )


def _print(done: _Evaluation) -> None:
    from core.cli.score_tables import print_result
    from core.labs.benchmarks import BENCHMARKS

    for (model, table), result in done.results.items():
        print_result(model, BENCHMARKS[table].title, result)


def _save(
    done: _Evaluation,
    benchmark: str,
    data: Path | None,
    output: Path | None,
    tables: Sequence["BenchmarkTable"],
    options: Mapping[str, "BenchmarkOptions"],
) -> "Run":
    from core.labs.benchmarks import BENCHMARKS
    from core.manifest import make_manifest
    from core.runs import save_run

    first = tables[0]
    chosen = options[first.name]
    details = {
        "benchmark": benchmark,
        "files": list(first.files),
        "bad_rows": [str(problem) for problem in first.problems],
        "missing": {model: list(found.missing) for (model, _), found in done.results.items()},
        "left_out": {model: dict(found.left_out) for (model, _), found in done.results.items()},
        "complete": not done.stopped,
    }
    models = list(done.models.values())
    title = Path(benchmark).name if first.name == "pairs" else BENCHMARKS[first.name].title
    return save_run(
        KIND,
        f"{title}: {', '.join(done.models)}",
        _run_tables(done),
        make_manifest(KIND, models, seed=chosen.seed, details=details),
        {
            "benchmark": benchmark,
            "tables": [table.name for table in tables],
            "models": list(done.models),
            "data": None if data is None else str(data),
            "seed": chosen.seed,
            "confidence": chosen.confidence,
            "slices": list(getattr(chosen, "slices", ())),
        },
        python=_python(list(done.models), benchmark, data, chosen),
        notes=tuple(dict.fromkeys(note for each in done.results.values() for note in _notes(each))),
        folder=output,
    )


def _notes(result: "BenchmarkResult") -> list[str]:
    missing = [f"Missing for an official score: {'; '.join(result.missing)}."]
    return [*result.notes, *(missing if result.missing else [])]


def _run_tables(done: _Evaluation) -> dict[str, "pd.DataFrame"]:
    """The results' tables by name, those of all models in one, with a column `model` first."""
    import pandas as pd

    parts: dict[str, list[pd.DataFrame]] = {}
    for (model, table), result in done.results.items():
        prefix = "" if table != "styles" else "styles_"
        found = {"scores": result.scores, "items": result.items, **result.tables}
        for name, frame in found.items():
            labelled = frame.copy()
            labelled.insert(0, "model", model)
            parts.setdefault(prefix + name, []).append(labelled)
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


def _python(
    models: Sequence[str], benchmark: str, data: Path | None, options: "BenchmarkOptions"
) -> str:
    """The lines that give the numbers again."""
    from core.tables.benchmarks import HUB

    own = benchmark not in HUB
    read: tuple[str, Any]
    if own:
        read = ("read_own_pairs", f"read_own_pairs(read_table(Path({benchmark!r})))[0]")
    elif data is None:
        read = ("read_hub_benchmark", f"read_hub_benchmark({benchmark!r})")
    else:
        read = ("read_benchmark", f"read_benchmark({benchmark!r}, Path({str(data)!r}))")
    options_name = type(options).__name__
    lines = [
        "from pathlib import Path",
        "",
        "from core.engine.service import get_service",
        f"from core.labs.benchmarks import BENCHMARKS, {options_name}",
        *(["from core.tables import read_table"] if own else []),
        f"from core.tables.benchmarks import {read[0]}",
        "",
        f"table = {read[1]}",
        "benchmark = BENCHMARKS[table.name]",
        "plan = benchmark.plan(table.candidates)",
        f"for model in {list(models)!r}:",
        "    rewards = get_service().score(model, plan.conversations())",
        '    scored = plan.scored(rewards["reward"], rewards["error"].tolist())',
        f"    result = benchmark.run(scored, {options!r})",
        "    print(model, result.scores.to_string(index=False), sep='\\n')",
    ]
    return "\n".join(lines)
