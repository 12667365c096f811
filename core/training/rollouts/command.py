"""`reward-workbench train rollouts`: the recorded training runs, made again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from core.errors import SettingsError

SELF_REWARDING = "self-rewarding-"
TEMPERATURES = "temperatures-samples"


def rollouts(
    recipe: Annotated[
        str | None,
        typer.Option(help="Name of a recipe, such as collapse-plain; --list names them all."),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            min=0, help="Seed of a run; may be given again. By default the recorded ones."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(help="Folder for the runs, a folder each; finished ones are kept.")
    ] = Path("rollouts"),
    list_recipes: Annotated[bool, typer.Option("--list", help="Name the recipes and end.")] = False,
) -> None:
    """Train a small policy against a reward, and record every rollout.

    These are the runs that the pages on training show. The tables go to OUTPUT as Parquet files,
    which any of those pages opens. A run that was finished before is not trained again.
    """
    from core.training.cli import told

    console = Console(soft_wrap=True, markup=False, highlight=False)
    with told(f"Stopped. Finished runs are in {output}; the same command goes on after them."):
        if list_recipes:
            console.print("\n".join(_names()))
        elif recipe is None:
            raise SettingsError(
                "No recipe is named.", fix=f"Add --recipe NAME, one of: {', '.join(_names())}."
            )
        elif recipe.startswith(SELF_REWARDING):
            _self_rewarding(recipe, seed, output, console)
        elif recipe == TEMPERATURES:
            _temperatures(output / recipe, console)
        else:
            _policy_runs(recipe, seed, output, console)


def _names() -> list[str]:
    from core.training.rollouts.recipes import recipes
    from core.training.self_rewarding.recipe import recipe_names

    return [*(each.name for each in recipes()), *recipe_names(), TEMPERATURES]


def _policy_runs(name: str, seeds: list[int] | None, output: Path, console: Console) -> None:
    from core.training.rollouts.recipes import recipe

    wanted = recipe(name)
    from core.training.rollouts.record import record

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
    )
    for seed in seeds or wanted.seeds:
        with Progress(*columns, console=console) as bars:
            task = bars.add_task(name, total=None, rate="")

            def tick(done: int, total: int, what: str) -> None:
                speed = bars.tasks[task].speed or 0.0  # noqa: B023 - called within this turn only
                rate = f"{speed:.1f} steps/s" if speed else ""
                bars.update(task, completed=done, total=total, description=what, rate=rate)  # noqa: B023

            tables = record(wanted, seed, output, tick)
        console.print(f"{name}, seed {seed}: {len(tables['rollouts']):,} rollouts.")
    console.print(f"In {output / name}.")


def _self_rewarding(name: str, seeds: list[int] | None, output: Path, console: Console) -> None:
    from core.training.self_rewarding.loop import run_self_rewarding
    from core.training.self_rewarding.recipe import read_self_rewarding_recipe

    wanted = read_self_rewarding_recipe(name)
    for seed in seeds or (0, 1, 2):
        folder = output / name / f"seed-{seed}"
        console.print(f"{name}, seed {seed}, into {folder}")
        run_self_rewarding(wanted.with_changes(seed=seed), folder, console.print)


def _temperatures(folder: Path, console: Console) -> None:
    from core.training.policy.temperatures import read_temperatures_recipe, record_temperatures

    record_temperatures(read_temperatures_recipe(), folder, console.print)
