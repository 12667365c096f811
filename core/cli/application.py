"""Commands around the workbench itself: prepare the embedded model, open the pages."""

import signal
import subprocess
import sys
from pathlib import Path

import typer

import core
from core.errors import WorkbenchError

GRACE_S = 3.0
"""How long the server may take to end of its own accord after Ctrl-C."""


class AppNotFoundError(WorkbenchError):
    """An installation without the pages."""


def prepare() -> None:
    """Make the embedded language model ready. Takes half a minute, once."""
    from core.models.embedded import base_folder, is_prepared, prepare_base

    if is_prepared():
        typer.echo(f"Already prepared: {base_folder()}")
        return
    folder = prepare_base(lambda line: typer.echo(line, err=True))
    typer.echo(f"Prepared: {folder}")


def app_file() -> Path:
    """The pages' entry: `app.py` of a checkout, or the copy inside an installed wheel.

    Raises:
        AppNotFoundError: when there is neither.
    """
    package = Path(core.__file__).resolve().parent
    for candidate in (package.parent / "app.py", package / "_app" / "app.py"):
        if candidate.is_file():
            return candidate
    raise AppNotFoundError(
        "The pages are not installed beside this package.",
        fix="Install reward-workbench again, or run from a checkout.",
    )


def open_app(context: typer.Context) -> None:
    """Open the workbench in the browser. Further options go to Streamlit (--server.port=9000)."""
    file = app_file()
    command = [sys.executable, "-m", "streamlit", "run", *context.args, str(file)]
    # Streamlit reads .streamlit/config.toml of the folder it runs in.
    process = subprocess.Popen(command, cwd=file.parent)  # noqa: S603 - our own interpreter
    # Whoever stops this command (a container, a service manager) means the server.
    signal.signal(signal.SIGTERM, lambda _number, _frame: process.terminate())
    try:
        code = process.wait()
    except KeyboardInterrupt:
        # A terminal sends Ctrl-C to the server as well, which then closes its sessions.
        code = _wait_or_end(process)
    raise typer.Exit(code if code >= 0 else 128 - code)


def _wait_or_end(process: "subprocess.Popen[bytes]") -> int:
    try:
        return process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        return process.wait()
