"""What an objective needs to know of each text: its attribute's value and bin, its paraphrase."""

import difflib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from core.errors import SettingsError
from core.labs.attributes import attribute_table, attributes, bin_by_quantiles
from core.models.base import FloatArray
from core.perturbations import registry
from core.schema import content_id, with_response
from core.training.groups import NO_BIN, Encode, TrainingGroup, TrainingText
from core.training.recipe import PLANTED, Recipe

LENGTH_ATTRIBUTE = "words"
"""What "length" means as the name of an attribute."""

Change = Callable[[TrainingGroup, TrainingText], TrainingText]


def check_attribute(name: str) -> None:
    """Says whether there is an attribute to train against, before anything heavy is done.

    Raises:
        SettingsError: there is none of this name; names the closest one, or all.
    """
    known = ("length", PLANTED, *(each.name for each in attributes()))
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        meant = f"Did you mean {close[0]}? " if close else ""
        raise SettingsError(
            f"There is no attribute named {name!r}.", fix=f"{meant}There are: {', '.join(known)}."
        )


def annotate(
    fit: Sequence[TrainingGroup],
    validation: Sequence[TrainingGroup],
    recipe: Recipe,
    encode: Encode,
) -> tuple[list[TrainingGroup], list[TrainingGroup]]:
    """The groups with what the recipe's objective looks at; edges of bins come from `fit` alone.

    Raises:
        SettingsError: no two texts to fit differ in the recipe's attribute.
        AttributeDefinitionError: there is no attribute of this name.
        PerturbationError: there is no perturbation of a name in the recipe's paraphrases.
    """
    if recipe.objective == "paraphrase-consistent":
        reworded = _paraphraser(recipe, encode)
        return _changed(fit, reworded), _changed(validation, reworded)
    if recipe.objective not in ("invariant", "odin"):
        return list(fit), list(validation)
    value_of = _values(recipe.attribute, [*fit, *validation])
    values = np.array([value_of(text) for group in fit for text in group.texts])
    edges = bin_edges(values, recipe.bins)
    if not len(edges):
        raise SettingsError(
            f"Recipe {recipe.name}: attribute {recipe.attribute} is the same for all responses, "
            "or has no value, so there is nothing to be invariant to.",
            fix="Name an attribute in which the responses differ.",
        )

    def placed(_group: TrainingGroup, text: TrainingText) -> TrainingText:
        value = value_of(text)
        place = NO_BIN if math.isnan(value) else int(np.searchsorted(edges, value, side="right"))
        return replace(text, value=value, bin=place)

    return _changed(fit, placed), _changed(validation, placed)


def bin_edges(values: FloatArray, n_bins: int) -> FloatArray:
    """Inner edges of the bins that `core.labs.attributes.bin_by_quantiles` makes of values.

    Args:
        values: (n,) float; NaN is left out.
        n_bins: at most so many bins, at least 1.

    Returns:
        (bins - 1,) rising; a value on an edge belongs to the bin above it.
    """
    found = bin_by_quantiles(values, n_bins)
    return np.array([values[found.bins == place].min() for place in range(1, len(found))])


def n_without_value(groups: Sequence[TrainingGroup]) -> int:
    """Number of texts whose attribute could not be read."""
    return sum(math.isnan(text.value) for group in groups for text in group.texts)


def _changed(groups: Sequence[TrainingGroup], change: Change) -> list[TrainingGroup]:
    return [
        replace(group, texts=tuple(change(group, text) for text in group.texts)) for group in groups
    ]


def _values(name: str, groups: Sequence[TrainingGroup]) -> Callable[[TrainingText], float]:
    """Gives the attribute of any text of the groups; NaN where it cannot be read."""
    if name == PLANTED:
        return lambda text: text.planted
    responses = list({text.response for group in groups for text in group.texts})
    name = LENGTH_ATTRIBUTE if name == "length" else name
    found = dict(zip(responses, attribute_table(responses, [name])[name], strict=True))
    return lambda text: float(found[text.response])


def _paraphraser(recipe: Recipe, encode: Encode) -> Change:
    perturbations = [registry.get(name) for name in recipe.paraphrases]

    def reworded(group: TrainingGroup, text: TrainingText) -> TrainingText:
        conversation = with_response(group.messages, text.response)
        order = list(perturbations)
        random.Random(f"{recipe.seed}:{content_id(conversation)}").shuffle(order)  # noqa: S311
        for perturbation in order:
            outcome = perturbation.apply(conversation, recipe.seed)
            if outcome.applied:
                return replace(text, paraphrase=encode(outcome.conversation))
        return text

    return reworded
