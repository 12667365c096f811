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
    InputPart,
    LocalSource,
    PaddingPart,
    RewardModelCard,
    write_card,
)
from core.training.classifier import TrainableClassifier, adapter_config, save_adapter
from core.training.recipe import Recipe, write_recipe
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
        output: gets the final adapter, recipe.yaml, training.csv, training.json and checkpoints/.
        cards: folder that gets a card for the model and for each checkpoint.
    """
    recipe = classifier.recipe
    n_layers = classifier.model.get_base_model().config.num_hidden_layers
    is_embedded = recipe.base == embedded.BASE_NAME
    base_name = embedded.HUB_REPO if is_embedded else recipe.base
    config = adapter_config(recipe, n_layers, base_name=base_name)
    cards.mkdir(parents=True, exist_ok=True)
    save_adapter(result.snapshots[result.best_step], output, config=config)
    write_card(make_card(recipe, output, cards=cards), cards / f"{recipe.name}.yaml")
    for step, state in result.snapshots.items():
        folder = output / "checkpoints" / checkpoint_name(step)
        save_adapter(state, folder, config=config)
        card = make_card(recipe, folder, cards=cards, step=step)
        write_card(card, cards / f"{card.id}.yaml")
    write_recipe(recipe, output / "recipe.yaml")
    pd.DataFrame([asdict(validation) for validation in result.validations]).to_csv(
        output / "training.csv", index=False
    )
    record = {"best_step": result.best_step, "seconds": round(result.seconds)}
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
    is_embedded = recipe.base == embedded.BASE_NAME
    base: BaseSource = (
        EmbeddedSource(kind="embedded", name=recipe.base)
        if is_embedded
        else LocalSource(kind="local", path=Path(recipe.base).resolve())
    )
    relative = Path(os.path.relpath(adapter.resolve(), cards.resolve()))
    name = recipe.name if step is None else f"{recipe.name}-{checkpoint_name(step)}"
    when = "" if step is None else f", after {step} training steps"
    return RewardModelCard(
        id=name,
        title=f"{recipe.name}{when}",
        summary=(
            f"Bradley-Terry reward model{when}: low-rank adapters on the layers from "
            f"{recipe.frozen_layers} up and a scalar head over {recipe.base}."
        ),
        source=AdapterSource(
            kind="adapter", adapter=LocalSource(kind="local", path=relative), base=base
        ),
        family="sequence-classifier",
        input=InputPart(form="raw-template", template=recipe.template),
        max_length=recipe.max_length,
        padding=PaddingPart(token=embedded.PAD_TOKEN if is_embedded else None),
        dtype="bfloat16-matmul",
        license="Apache-2.0" if is_embedded else "unknown",
    )
