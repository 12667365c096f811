"""`reward-workbench report`: a saved run as one HTML file that opens without the workbench."""

from pathlib import Path
from typing import Annotated

import typer

from core.errors import TableError


def report(
    run: Annotated[
        str,
        typer.Argument(
            help="A saved run's id, as `evaluate` prints it and the page Saved runs lists it, or "
            "the path of its folder."
        ),
    ],
    output_file: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")],
) -> None:
    """Write a saved run as one HTML file.

    Figures are live, tables can be sorted and searched, and the manifest and the Python that gives
    the numbers again are in it. It opens in any browser, without the workbench and without a
    network.

    \b
    reward-workbench report 20260501-120000-my-pairs --output my-pairs.html

    Exit status: 0 written, 2 nothing could be done.
    """
    from core.report import MAX_REPORT_BYTES, run_report, write_report
    from core.runs import open_run

    if output_file.suffix.lower() not in (".html", ".htm"):
        raise TableError(f"{output_file}: a report is an HTML file.", fix="Name it .html.")
    if not output_file.parent.is_dir():
        raise TableError(
            f"{output_file}: there is no folder {output_file.parent}.", fix="Make it first."
        )
    saved = open_run(run)
    text = run_report(saved)
    write_report(text, output_file)
    n_bytes = output_file.stat().st_size
    typer.echo(f"{saved.title} ({saved.kind}): {n_bytes / 1e6:.1f} MB in {output_file}")
    if n_bytes > MAX_REPORT_BYTES:
        typer.echo(
            f"It is larger than {MAX_REPORT_BYTES / 1e6:.0f} MB: its figures alone take that much.",
            err=True,
        )
