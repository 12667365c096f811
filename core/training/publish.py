"""What a finished run leaves: the adapter, its checkpoints, their cards, the record of the run."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from core.models import embedded
from core.models.card import (
    AdapterSource,
    BaseSource,
    EmbeddedSource,
    HubSource,
    InputPart,
    LocalSource,
    PaddingPart,
    RewardModelCard,
    write_card,
)
from core.training.classifier import (
    TrainableClassifier,
    adapter_config,
    base_source,
    save_adapter,
)
from core.training.recipe import PLANTED, Recipe, write_recipe
from core.training.reward_model import TrainingResult


def checkpoint_name(step: int) -> str:
    """Folder name and id suffix of the checkpoint after `step` steps."""
    return f"step-{step:04d}"


def publish(
    result: TrainingResult, classifier: TrainableClassifier, output: Path, *, cards: Path
) -> None:
    """Writes a run's result.

    Args:
        result: of the run.
        classifier: the network that was trained.
        output: gets the final adapter, recipe.yaml, training.csv, training.json and, where more
            than one point of training is kept, checkpoints/.
        cards: folder that gets a card for the model and for each checkpoint.
    """
    recipe = classifier.recipe
    base_config = classifier.model.get_base_model().config.get_text_config()
    n_layers = base_config.num_hidden_layers
    base_name = _base_name(base_source(recipe.base))
    config = adapter_config(recipe, n_layers, base_name=base_name)
    cards.mkdir(parents=True, exist_ok=True)
    save_adapter(result.snapshots[result.best_step], output, config=config)
    write_card(make_card(recipe, output, cards=cards), cards / f"{recipe.name}.yaml")
    for step, state in result.snapshots.items() if len(result.snapshots) > 1 else ():
        folder = output / "checkpoints" / checkpoint_name(step)
        save_adapter(state, folder, config=config)
        card = make_card(recipe, folder, cards=cards, step=step)
        write_card(card, cards / f"{card.id}.yaml")
    write_recipe(recipe, output / "recipe.yaml")
    pd.DataFrame([asdict(validation) for validation in result.validations]).to_csv(
        output / "training.csv", index=False
    )
    record: dict[str, object] = {
        "best_step": result.best_step,
        "seconds": round(result.seconds),
    }
    if result.left_out:
        record["left_out"] = dict(result.left_out)
    (output / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def make_card(
    recipe: Recipe, adapter: Path, *, cards: Path, step: int | None = None
) -> RewardModelCard:
    """The card of a trained adapter.

    Args:
        recipe: what it was trained by.
        adapter: its folder; the card names it relative to `cards`.
        cards: the folder the card will be in.
        step: for a checkpoint, the steps it was trained for.
    """
    base = base_source(recipe.base)
    is_embedded = isinstance(base, EmbeddedSource)
    relative = Path(os.path.relpath(adapter.resolve(), cards.resolve()))
    name = recipe.name if step is None else f"{recipe.name}-{checkpoint_name(step)}"
    when = "" if step is None else f", after {step} training steps"
    return RewardModelCard(
        id=name,
        title=f"{recipe.name}{when}",
        summary=(
            f"{_kind(recipe)}{when}: low-rank adapters on the layers from "
            f"{recipe.frozen_layers} up and a scalar head over {recipe.base}."
        ),
        source=AdapterSource(
            kind="adapter", adapter=LocalSource(kind="local", path=relative), base=base
        ),
        family="sequence-classifier",
        input=(
            InputPart(form="raw-template", template=recipe.template)
            if recipe.template
            else InputPart(form="chat-template")
        ),
        max_length=recipe.max_length,
        padding=PaddingPart(token=embedded.PAD_TOKEN if is_embedded else None),
        dtype="bfloat16-matmul",
        license="Apache-2.0" if is_embedded else "unknown",
    )


def _base_name(source: BaseSource) -> str:
    """What PEFT's configuration calls the base."""
    if isinstance(source, EmbeddedSource):
        return embedded.HUB_REPO
    return source.repo if isinstance(source, HubSource) else str(source.path)


def _kind(recipe: Recipe) -> str:
    """What a recipe makes, in one phrase that names the objective and every planted flaw."""
    attribute = f"planted {recipe.bias}" if recipe.attribute == PLANTED else recipe.attribute
    own_terms = {
        "bradley-terry": "Bradley-Terry reward model",
        "invariant": (
            f"Reward model made invariant to {attribute} "
            f"({'conditional' if recipe.conditional else 'unconditional'} MMD penalty, "
            f"coefficient {recipe.coefficient:g})"
        ),
        "paraphrase-consistent": (
            f"Paraphrase-consistent reward model (coefficient {recipe.coefficient:g})"
        ),
        "odin": (
            f"Quality head of a two-headed reward model that keeps {attribute} apart (ODIN, "
            f"coefficient {recipe.coefficient:g})"
        ),
    }
    parts = [own_terms[recipe.objective]]
    if recipe.bias:
        parts.append(
            f"trained on responses with a planted {recipe.bias} bias ({recipe.bias_chosen:.0%} of "
            f"the chosen, {recipe.bias_rejected:.0%} of the rejected)"
        )
    if recipe.foreign_prompts:
        parts.append("trained without ever seeing a response under its own prompt")
    if recipe.tie_weight:
        parts.append("trained with ties between answers to another prompt")
    return ", ".join(parts)
