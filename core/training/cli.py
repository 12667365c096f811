"""`reward-workbench train`: train reward models by a recipe and see how well they rank."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from core.training.recipe import Recipe, read_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.models.base import FloatArray
    from core.schema import Conversation
    from core.training.evaluate import Score
    from core.training.run import Destination

train_app = typer.Typer(help="Train reward models by a recipe.", no_args_is_help=True)


@train_app.callback()
def _train() -> None:
    """Train reward models by a recipe."""


@train_app.command("reward-model")
def reward_model(
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a YAML file.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder for the adapter; the package's data by default.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Authored prompts (.jsonl file or folder).")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Folder of the base model.")] = None,
    checkpoints: Annotated[int | None, typer.Option(help="Points of training to keep.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all randomness.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data at most.")] = None,
) -> None:
    """Train a reward model. Run the same command again to continue after an interruption."""
    from core.errors import WorkbenchError
    from core.training.run import Destination

    console = Console()
    try:
        chosen = read_recipe(recipe).with_changes(
            base=base, checkpoints=checkpoints, seed=seed, epochs=epochs
        )
        destination = Destination.of(chosen, output)
        _train_with_progress(chosen, destination, data, console)
    except WorkbenchError as error:
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        raise typer.Exit(1) from error
    console.print(f"Adapter in {destination.output}, cards in {destination.cards}")


def _train_with_progress(
    recipe: Recipe, destination: "Destination", data: Path | None, console: Console
) -> None:
    from core.training.reward_model import TrainingProgress
    from core.training.run import train_reward_model

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        lower = bars.add_task("lower layers, once", total=None, rate="texts")
        steps = bars.add_task("training steps", total=None, rate="")

        def tick(done: int, total: int) -> None:
            bars.update(lower, completed=done, total=total)

        def report(progress: TrainingProgress) -> None:
            rate = f"loss {progress.loss:.3f}, {progress.tokens_per_s:.0f} tokens/s"
            bars.update(steps, completed=progress.step, total=progress.n_steps, rate=rate)
            if (found := progress.validation) is not None:
                console.print(
                    f"step {found.step}: training loss {found.training_loss:.3f}, "
                    f"validation loss {found.loss:.3f}, accuracy {found.accuracy:.1%}, "
                    f"{progress.tokens_per_s:.0f} tokens/s, {progress.remaining_s:.0f} s left"
                )

        result = train_reward_model(recipe, destination, data=data, report=report, tick=tick)
    console.print(f"Best after {result.best_step} steps, {result.seconds:.0f} s of training.")


@train_app.command("evaluate")
def evaluate(
    model: Annotated[str, typer.Argument(help="Card id, hub id or folder of a reward model.")],
    public: Annotated[
        Path | None,
        typer.Option(help="Folder with llmbar/natural.json and rm-bench/chat.json."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Authored prompts; their held-out part is used.")
    ] = None,
) -> None:
    """Say how well a model ranks the held-out prompts, and two public sets where they are."""
    from core.errors import WorkbenchError
    from core.training.evaluate import evaluate_llmbar, evaluate_prompts, evaluate_rm_bench
    from core.training.preferences import read_preferences, split_prompts
    from core.training.report import held_out_text, public_text

    console = Console(soft_wrap=True, markup=False, highlight=False)
    try:
        score = _service_score(model)
        held_out = split_prompts(read_preferences(data)).held_out
        console.print(held_out_text(evaluate_prompts(score, held_out)))
        if public is not None:
            styles = evaluate_rm_bench(score, public)
            console.print(public_text(evaluate_llmbar(score, public), styles))
    except WorkbenchError as error:
        console.print(str(error))
        raise typer.Exit(1) from error


def _service_score(model: str) -> "Score":
    from core.engine.service import get_service
    from core.errors import ScoringError

    def score(conversations: "Sequence[Conversation]") -> "FloatArray":
        frame = get_service().score(model, conversations).sort_values("index")
        failed = frame[frame["error"] != ""]
        if len(failed):
            raise ScoringError(f"{len(failed)} conversations failed: {failed['error'].iloc[0]}")
        return frame["reward"].to_numpy(dtype=float)

    return score
