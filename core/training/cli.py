"""`reward-workbench train`: train reward models and see how well they rank."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from core.training.rollouts.command import rollouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.models.base import FloatArray
    from core.schema import Conversation
    from core.training.evaluate import Score
    from core.training.reward_model import TrainingProgress, Validation
    from core.training.run import Destination

train_app = typer.Typer(
    help="Train reward models and small policies, and see how well reward models rank.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@train_app.callback()
def _train() -> None:
    """Train reward models and small policies, and see how well reward models rank."""


@contextmanager
def told(stopped: str) -> Iterator[None]:
    """Mistakes that a user can act on, and Ctrl-C, end with a line on stderr, not a traceback."""
    from core.errors import WorkbenchError

    try:
        yield
    except WorkbenchError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as stop:
        typer.echo(stopped, err=True)
        raise typer.Exit(130) from stop


@train_app.command("reward-model")
def reward_model(
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Name of a recipe of the package (pocket, pocket-length, ...), or a YAML file; "
            "the other options change it. Without it, --output is needed."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Table of pairs with columns prompt, chosen and rejected (CSV, JSON, JSON lines, "
            "Parquet), or authored prompts. By default the package's own prompts."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Language model to start from: smollm2-135m-instruct (the default), a local "
            "folder, or a hub id (org/name)."
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="bradley-terry (the default): likelihood of the preferences. invariant: and "
            "rewards alike over the bins of --attribute. paraphrase-consistent: and the same "
            "reward for a reworded response. odin: a second head takes --attribute away."
        ),
    ] = None,
    attribute: Annotated[
        str | None,
        typer.Option(
            help="What the reward shall not follow, for invariant and odin: length (the default), "
            "or an attribute such as agreement_opener."
        ),
    ] = None,
    coefficient: Annotated[
        float | None,
        typer.Option(
            "--lambda",
            min=0,
            help="Weight of the objective's own term, for all objectives but bradley-terry; 1.",
        ),
    ] = None,
    bins: Annotated[
        int | None,
        typer.Option(min=2, help="Into how many bins invariant divides the attribute at most; 3."),
    ] = None,
    conditional: Annotated[
        bool | None,
        typer.Option(
            "--conditional/--unconditional",
            help="Whether invariant compares bins within the chosen and within the rejected "
            "responses (the default), or over all.",
        ),
    ] = None,
    checkpoints: Annotated[
        int | None, typer.Option(min=1, help="Points of training to keep, the last included; 5.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the adapter, its checkpoints and cards. Of a named recipe, by default "
            "the package's own data, which it overwrites."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Id of the model; by default the output folder's name.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of all randomness; 0.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the data at most; 4.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=0, help="Validations without a better loss before it stops; 4, and 0 never stops."
        ),
    ] = None,
    frozen_layers: Annotated[
        int | None,
        typer.Option(min=0, help="How many of the lowest layers stay as they are; half of them."),
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens of a text at most; longer pairs are left out. 2048."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0, help="Peak, for the adapters; 0.0005.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda or cuda:1; by default the first GPU, else the CPU."),
    ] = None,
) -> None:
    """Train a reward model from preference pairs.

    Adapters (LoRA) on the upper layers of a language model and a scalar head; small bases train on
    two cores, larger ones on a GPU. What is saved loads by its card. Numbers at the end of an
    option's help are its value without a recipe. Run the same command again to continue after an
    interruption.

    \b
    reward-workbench train reward-model --recipe pocket-length --output my-pocket-length
    reward-workbench train reward-model --data pairs.csv --output my-model
    reward-workbench train reward-model --data pairs.csv --base org/name --objective invariant \\
        --attribute length --lambda 1.0 --checkpoints 5 --output my-model

    Exit status: 0 trained, 2 the command or its input is unusable, 130 stopped by Ctrl-C.
    """
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
    with told("Stopped. The same command continues from the last validation."):
        _check_input(data, attribute)
        chosen = _recipe(recipe, base, output).with_changes(**changes)
        _tell_unused(chosen, changes)
        destination = _destination(chosen, output)
        _train_with_progress(chosen, destination, data, device, Console())
    card = destination.cards / f"{chosen.name}.yaml"
    typer.echo(
        f"Adapter in {destination.output}, cards in {destination.cards}. "
        f"Add it to the catalogue: reward-workbench models add {card}"
    )


def _check_input(data: Path | None, attribute: str | None) -> None:
    """What can be wrong without a look at the base, which may take minutes to be had."""
    from core.errors import TableError
    from core.training.annotations import check_attribute

    if data is not None and not data.exists():
        raise TableError(
            f"--data {data}: there is no such file.",
            fix="Give a table with columns prompt, chosen and rejected.",
        )
    if attribute is not None:
        check_attribute(attribute)


_USED_BY = {
    "coefficient": ("--lambda", ("invariant", "odin", "paraphrase-consistent")),
    "attribute": ("--attribute", ("invariant", "odin")),
    "bins": ("--bins", ("invariant",)),
    "conditional": ("--conditional/--unconditional", ("invariant",)),
}


def _tell_unused(recipe: Recipe, changes: Mapping[str, object]) -> None:
    for name, (option, objectives) in _USED_BY.items():
        if changes[name] is not None and recipe.objective not in objectives:
            typer.echo(
                f"Note: {option} has no effect with objective {recipe.objective}; it is for "
                f"{', '.join(objectives)}.",
                err=True,
            )


def _destination(recipe: Recipe, output: Path | None) -> "Destination":
    from core.errors import SettingsError
    from core.training.run import Destination

    if output is not None and output.exists() and not output.is_dir():
        raise SettingsError(f"--output {output}: this is a file.", fix="Name a folder.")
    return Destination.of(recipe, output)


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
        raise SettingsError(
            "Neither a recipe nor an output folder is named.",
            fix="Add --output FOLDER, or --recipe NAME.",
        )
    base = base or BASE_NAME
    return default_recipe(output.resolve().name, base, base_path(base))


def _train_with_progress(
    recipe: Recipe,
    destination: "Destination",
    data: Path | None,
    device: str | None,
    console: Console,
) -> None:
    from core.training.run import train_reward_model, training_device
    from core.training.sources import read_training_data

    # What can be wrong is found before the bars of a run are drawn.
    training_device(device)
    found = read_training_data(data)
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
            recipe, destination, data=found, device=device, report=report, tick=tick
        )
    for reason, count in result.left_out.items():
        console.print(f"Left out: {count} {reason}.", highlight=False, markup=False)
    console.print(f"Best after {result.best_step} steps, {result.seconds:.0f} s of training.")


def _validation_line(progress: "TrainingProgress", found: "Validation") -> str:
    penalty = f" (penalty {found.penalty:.3f})" if found.penalty else ""
    judged = f"validation loss {found.loss:.3f}{penalty}, accuracy {found.accuracy:.1%}"
    if math.isnan(found.loss):
        judged = "too few prompts to set some aside for validation"
    return (
        f"step {found.step}: training loss {found.training_loss:.3f}, {judged}, "
        f"{progress.tokens_per_s:.0f} tokens/s, {progress.remaining_s:.0f} s left"
    )


@train_app.command("evaluate")
def evaluate(
    model: Annotated[str, typer.Argument(help="Card id, hub id or folder of a reward model.")],
    public: Annotated[
        Path | None,
        typer.Option(
            help="Folder with llmbar/natural.json and rm-bench/chat.json, to be scored as well."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Authored prompts, of which the held-out part is used; by default the package's."
        ),
    ] = None,
) -> None:
    """Say how well a model ranks the held-out authored prompts.

    By flaw and by category, with the public sets of --public where they are. For your own pairs
    and for whole benchmarks use `reward-workbench evaluate`.
    """
    from core.training.evaluate import evaluate_llmbar, evaluate_prompts, evaluate_rm_bench
    from core.training.preferences import read_preferences, split_prompts
    from core.training.report import held_out_text, public_text

    console = Console(soft_wrap=True, markup=False, highlight=False)
    with told("Stopped. What was scored is kept in the cache."):
        held_out = split_prompts(read_preferences(data)).held_out
        score = _service_score(model)
        console.print(held_out_text(evaluate_prompts(score, held_out)))
        if public is not None:
            styles = evaluate_rm_bench(score, public)
            console.print(public_text(evaluate_llmbar(score, public), styles))


def _service_score(model: str) -> "Score":
    from core.engine.service import get_service
    from core.errors import ScoringError

    get_service().model(model)  # a misspelt name is one mistake, not one a conversation

    def score(conversations: "Sequence[Conversation]") -> "FloatArray":
        frame = get_service().score(model, conversations).sort_values("index")
        failed = frame[frame["error"] != ""]
        if len(failed):
            raise ScoringError(f"{len(failed)} conversations failed: {failed['error'].iloc[0]}")
        return frame["reward"].to_numpy(dtype=float)

    return score


train_app.command("rollouts")(rollouts)
