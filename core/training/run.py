"""One training run from recipe to published adapter: the order in which the parts are used."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import torch
from transformers import AutoTokenizer

from core.errors import SettingsError
from core.models import precision, weights
from core.models.base import FloatArray
from core.paths import cache_folder, data_folder
from core.schema import Conversation, content_id
from core.training.annotations import annotate, n_without_value
from core.training.biases import plant
from core.training.classifier import TrainableClassifier, base_path
from core.training.evaluate import Score
from core.training.frozen import States, Tick
from core.training.groups import (
    Encode,
    TrainingGroup,
    make_groups,
    readable_data,
    template_encoder,
    under_foreign_prompts,
    validation_split,
)
from core.training.objectives import Objective, batch_texts, objective_of
from core.training.preferences import AuthoredPrompt
from core.training.publish import publish
from core.training.recipe import Recipe
from core.training.reward_model import Report, RewardTrainer, TrainingResult
from core.training.sources import ResponseGroup, TrainingData, read_training_data

MEMORY_SHARE = 0.4
"""Of the free memory, what the states of the lower layers may take."""

KEPT_STATES_BYTES = 2 * 2**30
"""What the states kept between runs may take on disk; the ones used longest ago go first."""

_BIAS_STREAM = 4


@dataclass(frozen=True)
class Destination:
    """Where a run's result goes.

    Attributes:
        output: folder of the adapter and its checkpoints.
        cards: folder of the cards.
    """

    output: Path
    cards: Path

    @staticmethod
    def of(recipe: Recipe, output: Path | None) -> "Destination":
        """`output` with its cards inside; the package's own data folder when None."""
        if output is None:
            data = data_folder()
            return Destination(data / "adapters" / recipe.name, data / "cards")
        return Destination(output, output / "cards")


def train_reward_model(
    recipe: Recipe,
    destination: Destination,
    *,
    data: Path | TrainingData | None = None,
    objective: Objective | None = None,
    device: str | None = None,
    report: Report | None = None,
    tick: Tick | None = None,
) -> TrainingResult:
    """Trains by a recipe on `data` and publishes the result.

    A run that was killed continues when it is started again with the same arguments. Its state is
    in the cache folder until it ends.

    Args:
        recipe: every choice.
        destination: where adapter and cards go.
        data: authored prompts (their training part is used) or a table of pairs; the package's own
            set when None. See `core.training.sources.read_training_data`.
        objective: what is minimised; the recipe's when None.
        device: "cpu", "cuda:0", ...; by default the first GPU, else the CPU.
        report: told the progress of training.
        tick: told the progress of the lower layers' one pass.

    Raises:
        WorkbenchError: data, base or recipe cannot be used; says what to do.
    """
    found = data if isinstance(data, TrainingData) else read_training_data(data)
    base = base_path(recipe.base)
    encode = base_encoder(recipe, base)
    if not found.is_authored:
        found = readable_data(found, encode)
    fit, validation = training_groups(recipe, found.groups, encode)
    classifier = TrainableClassifier(recipe, base, device=training_device(device))
    if recipe.start:
        classifier.start_from(data_folder() / "adapters" / recipe.start)
    work = work_folder(recipe, found.source)
    trainer = RewardTrainer(
        classifier,
        _lower_states(classifier, [*fit, *validation], tick),
        fit,
        validation,
        objective=objective or objective_of(recipe),
        work=work,
        report=report,
    )
    result = replace(trainer.run(), left_out=_left_out(recipe, found, [*fit, *validation]))
    publish(result, classifier, destination.output, cards=destination.cards)
    shutil.rmtree(work, ignore_errors=True)
    return result


def _left_out(
    recipe: Recipe, data: TrainingData, groups: Sequence[TrainingGroup]
) -> dict[str, int]:
    """Pairs that were not read and texts that have no say in the penalty, by reason."""
    found = {f"pairs: {reason}": count for reason, count in data.left_out.items()}
    if recipe.objective in ("invariant", "odin"):
        found[f"texts without a value of {recipe.attribute}"] = n_without_value(groups)
    if recipe.objective == "paraphrase-consistent":
        texts = [text for group in groups for text in group.texts]
        found["texts that no rule paraphrases"] = sum(t.paraphrase is None for t in texts)
    return {reason: count for reason, count in found.items() if count}


def training_device(name: str | None) -> torch.device:
    """Where to train.

    Args:
        name: "cpu", "cuda", "cuda:1"; by default the first GPU, else the CPU.

    Raises:
        SettingsError: there is no such device.
    """
    try:
        device = precision.default_device(name)
    except RuntimeError as error:
        raise SettingsError(f"{name!r} is no device.", fix="Name cpu, cuda or cuda:1.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SettingsError(f"There is no {name} here.", fix="Leave the device out, or name cpu.")
    return device


def training_groups(
    recipe: Recipe, groups: Sequence[ResponseGroup], encode: Encode
) -> tuple[list[TrainingGroup], list[TrainingGroup]]:
    """What is fitted and what decides when to stop, as the recipe makes it of the responses.

    Each part is made on its own, with its own shares of a planted bias and its own swaps, so that
    no text of one is in the other.
    """
    parts = validation_split(groups, share=recipe.validation_share, seed=recipe.seed)
    made = [_made(recipe, part, place, encode) for place, part in enumerate(parts)]
    return annotate(made[0], made[1], recipe, encode)


def _made(
    recipe: Recipe, part: Sequence[ResponseGroup], place: int, encode: Encode
) -> list[TrainingGroup]:
    if not part:
        return []
    groups = plant(
        part,
        recipe.bias,
        chosen_share=recipe.bias_chosen,
        rejected_share=recipe.bias_rejected,
        rng=np.random.default_rng([recipe.seed, _BIAS_STREAM, place]),
    )
    if recipe.foreign_prompts:
        groups = under_foreign_prompts(groups, recipe.foreign_prompts, seed=recipe.seed)
    return make_groups(
        groups,
        encode,
        n_swapped=recipe.swapped_pool if recipe.swapped_per_prompt else 0,
        n_nearest=recipe.swapped_nearest,
        with_flawed=recipe.tie_weight > 0,
        seed=recipe.seed,
    )


def _lower_states(
    classifier: TrainableClassifier, groups: Sequence[TrainingGroup], tick: Tick | None
) -> States:
    """States of all texts, shared on disk by runs that read the same texts with the same layers."""
    key = content_id(
        [
            weights.folder_hash(classifier.base),
            classifier.recipe.frozen_layers,
            str(classifier.compute_dtype),
            sorted(set(batch_texts(groups))),
        ]
    )
    folder = cache_folder() / "training-states"
    file = folder / f"{key}.safetensors"
    states = classifier.frozen_states(
        groups,
        file=file,
        tick=tick,
        most_bytes=MEMORY_SHARE * psutil.virtual_memory().available,
        most_file_bytes=KEPT_STATES_BYTES,
    )
    if file.is_file():
        file.touch()
        _drop_oldest(folder, keep=file)
    return states


def _drop_oldest(folder: Path, *, keep: Path) -> None:
    files = sorted(folder.glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
    excess = sum(file.stat().st_size for file in files) - KEPT_STATES_BYTES
    for file in files:
        if excess > 0 and file != keep:
            excess -= file.stat().st_size
            file.unlink(missing_ok=True)


def base_encoder(recipe: Recipe, base: Path) -> Encode:
    """The recipe's template, or the base's own, with the base's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    return template_encoder(tokenizer, recipe.template, max_length=recipe.max_length)


def work_folder(recipe: Recipe, source: Sequence[AuthoredPrompt | ResponseGroup]) -> Path:
    """Where an unfinished run of this recipe on these prompts keeps its state."""
    key = content_id([recipe.identity, [asdict(item) for item in source]])
    return cache_folder() / "training" / f"{recipe.name}-{key}"


def classifier_score(classifier: TrainableClassifier, encode: Encode, *, batch: int = 8) -> Score:
    """Scores conversations with a network in training, in batches of similar length."""

    def score(conversations: Sequence[Conversation]) -> FloatArray:
        texts = [encode(conversation) for conversation in conversations]
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        rewards = np.empty(len(texts))
        classifier.model.eval()
        with torch.no_grad():
            for start in range(0, len(order), batch):
                part = order[start : start + batch]
                found = classifier.plain_rewards([texts[index] for index in part])
                rewards[part] = found.cpu().numpy()
        return rewards

    return score
