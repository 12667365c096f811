"""`reward-workbench models`: which reward models there are, whether one holds, adding one."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from core.models.card import RewardModelCard

models_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The reward models that can be used."
)

_HEADINGS = ("id", "family", "parameters", "source", "license", "title")


@models_app.command(name="list")
def list_models() -> None:
    """List every model with a card; tab-separated where the output is no terminal."""
    from core.models.catalogue import catalogue

    known = catalogue()
    for problem in known.problems:
        typer.echo(problem.message, err=True)
    rows = [_row(card) for card in known.cards]
    if not sys.stdout.isatty():
        for row in (_HEADINGS, *rows):
            typer.echo("\t".join(row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*_HEADINGS, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    Console(markup=False).print(table)


def _row(card: "RewardModelCard") -> tuple[str, ...]:
    from core.models.catalogue import describe_source

    title = " ".join(card.title.split())
    source = describe_source(card)
    return (card.id, card.family, card.parameters, source, card.license, title)


@models_app.command()
def check(
    model: Annotated[str, typer.Argument(help="A card's id, a hub id or a local folder.")],
) -> None:
    """Load a model and check that its rewards can be trusted; exit status 1 if a line fails."""
    from core.engine.service import get_service

    report = get_service().conformance(model)
    width = max(len(line.name) for line in report.lines)
    for line in report.lines:
        typer.echo(f"{line.name:<{width}}  {line.verdict:<14}  {line.detail}".rstrip())
        if line.verdict == "fails" and line.fix:
            typer.echo(f"{'':<{width}}  {'':<14}  Fix: {line.fix}")
    typer.echo(
        f"noise floor {report.noise_floor:.2g}, where rewards spread by {report.probe_spread:.2g}; "
        f"checked in {report.seconds:.1f} s"
    )
    typer.echo(f"{report.model}: {'holds' if report.holds else 'does not hold'}")
    if not report.holds:
        raise typer.Exit(1)


@models_app.command()
def add(
    card: Annotated[str, typer.Argument(help="A card file, a hub id or a local model folder.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite your own card of that id.")
    ] = False,
) -> None:
    """Add a model to your own cards."""
    from core.models.catalogue import add_card

    added = add_card(card, replace=replace)
    typer.echo(f"Added {added.id}. Check it with: reward-workbench models check {added.id}")
