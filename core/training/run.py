"""One training run from recipe to published adapter: the order in which the parts are used."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer

from core.models.base import FloatArray
from core.paths import cache_folder, data_folder
from core.schema import Conversation, content_id
from core.training.classifier import TrainableClassifier, base_path
from core.training.evaluate import Score
from core.training.frozen import Tick
from core.training.groups import Encode, make_groups, template_encoder, validation_split
from core.training.objectives import Objective, bradley_terry
from core.training.preferences import AuthoredPrompt, read_preferences, split_prompts
from core.training.publish import publish
from core.training.recipe import Recipe
from core.training.reward_model import Report, RewardTrainer, TrainingResult


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
    data: Path | None = None,
    objective: Objective | None = None,
    report: Report | None = None,
    tick: Tick | None = None,
) -> TrainingResult:
    """Trains by a recipe on the training prompts of `data` and publishes the result.

    A run that was killed continues when it is started again with the same arguments. Its state is
    in the cache folder until it ends.

    Args:
        recipe: every choice.
        destination: where adapter and cards go.
        data: authored prompts (file or folder); the package's own set when None.
        objective: what is minimised; Bradley-Terry with the recipe's centring when None.
        report: told the progress of training.
        tick: told the progress of the lower layers' one pass.
    """
    prompts = split_prompts(read_preferences(data)).train
    base = base_path(recipe.base)
    work = work_folder(recipe, prompts)
    encode = base_encoder(recipe, base)
    fit, validation = (
        make_groups(
            part,
            encode,
            n_swapped=recipe.swapped_pool,
            n_nearest=recipe.swapped_nearest,
            seed=recipe.seed,
        )
        for part in validation_split(prompts, share=recipe.validation_share, seed=recipe.seed)
    )
    classifier = TrainableClassifier(recipe, base)
    states = classifier.frozen_states(
        [*fit, *validation], file=work / "states.safetensors", tick=tick
    )
    trainer = RewardTrainer(
        classifier,
        states,
        fit,
        validation,
        objective=objective or bradley_terry(centring=recipe.centring),
        work=work,
        report=report,
    )
    result = trainer.run()
    publish(result, classifier, destination.output, cards=destination.cards)
    shutil.rmtree(work, ignore_errors=True)
    return result


def base_encoder(recipe: Recipe, base: Path) -> Encode:
    """The recipe's template with the base's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    return template_encoder(tokenizer, recipe.template, max_length=recipe.max_length)


def work_folder(recipe: Recipe, prompts: Sequence[AuthoredPrompt]) -> Path:
    """Where an unfinished run of this recipe on these prompts keeps its state."""
    key = content_id([asdict(recipe), [asdict(prompt) for prompt in prompts]])
    return cache_folder() / "training" / f"{recipe.name}-{key}"


def classifier_score(classifier: TrainableClassifier, encode: Encode, *, batch: int = 8) -> Score:
    """Scores conversations with a network in training, in batches of similar length."""
    import torch

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
