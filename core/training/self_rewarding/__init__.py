"""Self-rewarding DPO, recorded: a policy trained on its own samples as a judge ranks them."""

from core.training.self_rewarding.card import write_card
from core.training.self_rewarding.loop import run_self_rewarding
from core.training.self_rewarding.recipe import (
    SelfRewardingRecipe,
    read_self_rewarding_recipe,
    recipe_names,
    write_self_rewarding_recipe,
)
from core.training.self_rewarding.record import collect_runs

__all__ = [
    "SelfRewardingRecipe",
    "collect_runs",
    "read_self_rewarding_recipe",
    "recipe_names",
    "run_self_rewarding",
    "write_card",
    "write_self_rewarding_recipe",
]
