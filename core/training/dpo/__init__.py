"""A policy trained by DPO on the authored pairs: the embedded model with an implicit reward."""

from core.training.dpo.recipe import DpoRecipe, read_dpo_recipe, write_dpo_recipe
from core.training.dpo.train import DpoResult, train_dpo

__all__ = ["DpoRecipe", "DpoResult", "read_dpo_recipe", "train_dpo", "write_dpo_recipe"]
