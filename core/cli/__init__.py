"""The command line: the workbench's work from a shell. Entry point `core.cli:main`.

Exit status: 0 all is well; 1 the work was done but some rows could not be scored, or a check does
not hold; 2 the command or its input is unusable; 130 stopped by Ctrl-C, with what was done kept.

Nothing heavy is imported before a command needs it, so that `--help` answers at once.
"""

import os
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import core
from core.cli.application import open_app, prepare
from core.cli.cache import cache_app
from core.cli.evaluate import evaluate
from core.cli.judge import judge
from core.cli.models import models_app
from core.cli.report import report
from core.cli.score import score
from core.errors import WorkbenchError
from core.training.cli import train_app


class WorkbenchGroup(TyperGroup):
    """Commands whose mistakes a user can act on end with a message, not with a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; a `WorkbenchError` becomes a line on stderr and exit status 2."""
        try:
            return super().invoke(ctx)
        except WorkbenchError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    name="reward-workbench",
    cls=WorkbenchGroup,
    help="See what a reward model really rewards.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(score)
app.command()(evaluate)
app.command()(report)
app.command()(judge)
app.add_typer(models_app, name="models")
app.add_typer(cache_app, name="cache")
app.command()(prepare)
app.command(
    name="app", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)(open_app)
app.add_typer(train_app, name="train")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(core.__version__)
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """See what a reward model really rewards."""


def main() -> None:
    """Runs the command that the arguments name."""
    # What libraries tell their developers would bury what we tell the user.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.simplefilter("ignore", FutureWarning)
    app(prog_name="reward-workbench")


__all__ = ["app", "main"]
