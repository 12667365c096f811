"""`reward-workbench score`: a file of conversations in, a table of rewards out."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

    from core.manifest import ModelRecord
    from core.tables import ConversationTable

SHOWN_PROBLEMS = 20
"""Problems printed one by one; the rest are counted, and all are in the output's error column."""

_SHAPES = "responses, pairs, implicit-pairs, messages, labelled"


@dataclass
class _Run:
    """What has been scored so far."""

    frames: list["pd.DataFrame"] = field(default_factory=list)
    models: dict[str, "ModelRecord"] = field(default_factory=dict)
    stopped: bool = False
    failed_strictly: bool = False

    @property
    def complete(self) -> bool:
        return not (self.stopped or self.failed_strictly)


def score(
    model: Annotated[
        list[str],
        typer.Option("--model", "-m", help="Card id, hub id or local folder; may be repeated."),
    ],
    input_file: Annotated[
        Path,
        typer.Option("--input", "-i", help="JSONL, JSON, CSV or Parquet file of conversations."),
    ],
    output_file: Annotated[
        Path,
        typer.Option("--output", "-o", help="CSV, JSONL, JSON or Parquet file to write."),
    ],
    pairs: Annotated[
        bool, typer.Option("--pairs", help="One row per pair with its margin, and the accuracy.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad row.")] = False,
    shape: Annotated[
        str | None,
        typer.Option(help=f"How to read the columns where several ways fit: {_SHAPES}."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the accuracy's interval.")] = 0,
) -> None:
    """Score every conversation of a file.

    Columns it understands: prompt and response; prompt, chosen and rejected (text, message lists
    or lists of texts); chosen and rejected (message lists); messages; input, output_1, output_2
    and label; each with an optional system column.

    The output keeps every input column, and its manifest is written beside it. Rows are counted
    from 1; a CSV's header is not counted. Exit status: 0 all rows scored, 1 some rows bad (the
    others are scored), 2 nothing could be done, 130 stopped by Ctrl-C. A stopped run keeps what is
    done, and running it again goes on from there.
    """
    from core.tables import check_output, read_conversations, read_table

    check_output(output_file)
    if output_file.resolve() == input_file.resolve():
        raise TableError(f"{output_file}: input and output are the same file.")
    table = read_conversations(read_table(input_file), shape)
    if pairs and not table.shape.is_paired:
        raise TableError(
            f"{input_file}: no pairs in it; it was read as {table.shape}.",
            fix="Leave out --pairs.",
        )
    _report_input(table, strict=strict)
    run = _score_models(list(dict.fromkeys(model)), table, strict=strict)
    if sum(map(len, run.frames)) == 0:
        typer.echo("Stopped before the first reward; nothing is written.", err=True)
        raise typer.Exit(130)
    failed = _write_and_report(run, table, input_file, output_file, pairs=pairs, seed=seed)
    if run.stopped:
        raise typer.Exit(130)
    if failed or table.problems or run.failed_strictly:
        raise typer.Exit(1)


def _report_input(table: "ConversationTable", *, strict: bool) -> None:
    typer.echo(
        f"{table.source.name}: {len(table.source.rows):,} rows read as {table.shape}, "
        f"{len(table.scorable()):,} conversations to score",
        err=True,
    )
    for note in table.notes:
        typer.echo(f"Note: {note}", err=True)
    for problem in table.problems[: 1 if strict else SHOWN_PROBLEMS]:
        typer.echo(f"Bad {problem}", err=True)
    if strict and table.problems:
        typer.echo("Stopped at the first bad row (--strict); nothing is written.", err=True)
        raise typer.Exit(1)
    if len(table.problems) > SHOWN_PROBLEMS:
        typer.echo(f"... and {len(table.problems) - SHOWN_PROBLEMS:,} more", err=True)


def _score_models(names: list[str], table: "ConversationTable", *, strict: bool) -> _Run:
    from core.cli.progress import follow
    from core.engine.service import get_service
    from core.manifest import model_record
    from core.models.catalogue import load_card

    service = get_service()
    resident = {each.id for each in service.resident()}
    for name in names:
        if name not in resident:
            load_card(name)  # a misspelt second name is told before the first is scored
    conversations = table.conversations()
    run = _Run()
    for name in names:
        try:
            typer.echo(f"Loading {name} ...", err=True)
            run.models[name] = model_record(service.model(name))
            job = service.submit(name, conversations)
        except KeyboardInterrupt:
            run.stopped = True
            break
        outcome = follow(job, stop_at_error=strict)
        run.frames.append(job.frame())
        run.stopped = outcome == "interrupted"
        run.failed_strictly = outcome == "error"
        if job.error is not None:
            raise job.error
        if not run.complete:
            break
    return run


def _write_and_report(
    run: _Run,
    table: "ConversationTable",
    input_file: Path,
    output_file: Path,
    *,
    pairs: bool,
    seed: int,
) -> int:
    """Writes the table and its manifest, prints the summary; returns how many rewards failed."""
    import pandas as pd

    from core.cli.summary import pair_lines, score_lines
    from core.manifest import make_manifest, write_manifest
    from core.tables import pairs_table, scores_table, write_table

    rewards = pd.concat(run.frames, ignore_index=True)
    result = pairs_table(table, rewards) if pairs else scores_table(table, rewards)
    write_table(result, output_file)
    details = _details(run, table, input_file, len(result))
    kind = "pairs" if pairs else "scores"
    models = list(run.models.values())
    manifest = make_manifest(kind, models, seed=seed if pairs else None, details=details)
    path = write_manifest(manifest, output_file)
    lines = score_lines(table, rewards)
    if pairs:
        lines += pair_lines(result, seed=seed)
    for line in lines:
        typer.echo(line)
    unfinished = "" if run.complete else "unfinished, run again to go on: "
    typer.echo(f"{unfinished}{len(result):,} rows in {output_file}, manifest in {path.name}")
    return int((rewards["error"] != "").sum())


def _details(
    run: _Run, table: "ConversationTable", input_file: Path, n_rows: int
) -> dict[str, Any]:
    import hashlib

    with input_file.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "input": {
            "file": str(input_file),
            "sha256": digest,
            "rows": len(table.source.rows),
            "shape": table.shape.name,
            "notes": list(table.notes),
        },
        "model_ids": {name: record.id for name, record in run.models.items()},
        "rows": n_rows,
        "bad_rows": [str(problem) for problem in table.problems],
        "complete": run.complete,
    }
