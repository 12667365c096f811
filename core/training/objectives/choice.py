"""The objective that a recipe names."""

from core.training.objectives.batch import Objective
from core.training.objectives.invariant import invariant
from core.training.objectives.likelihood import bradley_terry
from core.training.objectives.odin import odin
from core.training.objectives.paraphrase import paraphrase_consistent
from core.training.recipe import Recipe


def objective_of(recipe: Recipe) -> Objective:
    """The objective with the recipe's coefficients."""
    centring, tie_weight = recipe.centring, recipe.tie_weight
    own = recipe.coefficient
    if recipe.objective == "invariant":
        return invariant(
            coefficient=own,
            conditional=recipe.conditional,
            centring=centring,
            tie_weight=tie_weight,
        )
    if recipe.objective == "paraphrase-consistent":
        return paraphrase_consistent(coefficient=own, centring=centring, tie_weight=tie_weight)
    if recipe.objective == "odin":
        return odin(coefficient=own, centring=centring, tie_weight=tie_weight)
    return bradley_terry(centring=centring, tie_weight=tie_weight)
