"""`reward-workbench train`: train reward models and see how well they rank."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
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
    from core.training.reward_model import TrainingProgress, Validation
    from core.training.run import Destination

train_app = typer.Typer(help="Train reward models.", no_args_is_help=True)


@train_app.callback()
def _train() -> None:
    """Train reward models."""


@train_app.command("reward-model")
def reward_model(
    recipe: Annotated[
        str | None,
        typer.Option(help="Name of a recipe, or a YAML file; the other options change it."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Table of pairs (prompt, chosen, rejected) or authored prompts; the package's "
            "own prompts by default."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Embedded name, local folder or hub id; smollm2-135m-instruct."),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(help="bradley-terry, invariant, paraphrase-consistent or odin."),
    ] = None,
    attribute: Annotated[
        str | None, typer.Option(help="What the reward shall not follow (invariant, odin); length.")
    ] = None,
    coefficient: Annotated[
        float | None, typer.Option("--lambda", help="Weight of the objective's own term.")
    ] = None,
    bins: Annotated[int | None, typer.Option(help="Bins of the attribute (invariant).")] = None,
    conditional: Annotated[
        bool | None,
        typer.Option(
            "--conditional/--unconditional",
            help="Compare bins within chosen and within rejected responses, or over all.",
        ),
    ] = None,
    checkpoints: Annotated[int | None, typer.Option(help="Points of training to keep.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the adapter; of a named recipe, the package's data."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Id of the model; the folder's name.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all randomness.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data at most.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Validations without a better loss before it stops; 0 never.")
    ] = None,
    frozen_layers: Annotated[
        int | None, typer.Option(help="Lowest layers left as they are; half of them.")
    ] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens of a text at most.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak, for the adapters.")] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1; the first GPU if there is one.")
    ] = None,
) -> None:
    """Train a reward model. Run the same command again to continue after an interruption."""
    from core.errors import WorkbenchError
    from core.training.run import Destination

    console = Console()
    changes = {
        "objective": objective,
        "attribute": attribute or _default_attribute(recipe, objective),
        "coefficient": coefficient,
        "bins": bins,
        "conditional": conditional,
        "checkpoints": checkpoints,
        "name": name,
        "seed": seed,
        "epochs": epochs,
        "patience": patience,
        "frozen_layers": frozen_layers,
        "max_length": max_length,
        "learning_rate": learning_rate,
    }
    try:
        chosen = _recipe(recipe, base, output).with_changes(**changes)
        destination = Destination.of(chosen, output)
        _train_with_progress(chosen, destination, data, device, console)
    except WorkbenchError as error:
        console.print(f"[red]{escape(str(error))}[/red]", soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as stop:
        console.print("Stopped. The same command continues from the last validation.")
        raise typer.Exit(130) from stop
    card = destination.cards / f"{chosen.name}.yaml"
    console.print(
        f"Adapter in {destination.output}, cards in {destination.cards}. "
        f"Add it to the catalogue: reward-workbench models add {card}",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _default_attribute(recipe: str | None, objective: str | None) -> str | None:
    needs_one = objective in ("invariant", "odin")
    return "length" if needs_one and recipe is None else None


def _recipe(name: str | None, base: str | None, output: Path | None) -> Recipe:
    """The recipe named, over another base if one is given; or the default one for the base."""
    if name is not None:
        return read_recipe(name).with_changes(base=base)
    from core.errors import SettingsError
    from core.models.embedded import BASE_NAME
    from core.training.classifier import base_path
    from core.training.defaults import default_recipe

    if output is None:
        raise SettingsError("Neither a recipe nor an output folder is named.", fix="Add --output.")
    base = base or BASE_NAME
    return default_recipe(output.resolve().name, base, base_path(base))


def _train_with_progress(
    recipe: Recipe,
    destination: "Destination",
    data: Path | None,
    device: str | None,
    console: Console,
) -> None:
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

        def report(progress: "TrainingProgress") -> None:
            rate = f"loss {progress.loss:.3f}, {progress.tokens_per_s:.0f} tokens/s"
            bars.update(steps, completed=progress.step, total=progress.n_steps, rate=rate)
            if progress.validation is not None:
                line = _validation_line(progress, progress.validation)
                console.print(line, soft_wrap=True)

        result = train_reward_model(
            recipe, destination, data=data, device=device, report=report, tick=tick
        )
    for reason, count in result.left_out.items():
        console.print(f"Left out: {count} {reason}.", highlight=False, markup=False)
    console.print(f"Best after {result.best_step} steps, {result.seconds:.0f} s of training.")


def _validation_line(progress: "TrainingProgress", found: "Validation") -> str:
    penalty = f" (penalty {found.penalty:.3f})" if found.penalty else ""
    return (
        f"step {found.step}: training loss {found.training_loss:.3f}, "
        f"validation loss {found.loss:.3f}{penalty}, accuracy {found.accuracy:.1%}, "
        f"{progress.tokens_per_s:.0f} tokens/s, {progress.remaining_s:.0f} s left"
    )


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
