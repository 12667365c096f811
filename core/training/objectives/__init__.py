"""Training objectives: functions from the rewards of a batch to the loss that is minimised.

`batch` says what an objective sees; each objective is a module; `choice` reads one from a recipe.
"""

from core.training.objectives.batch import Loss, Objective, RewardBatch, batch_texts, reward_batch
from core.training.objectives.choice import objective_of
from core.training.objectives.invariant import invariant
from core.training.objectives.likelihood import bradley_terry
from core.training.objectives.odin import odin
from core.training.objectives.paraphrase import paraphrase_consistent

__all__ = [
    "Loss",
    "Objective",
    "RewardBatch",
    "batch_texts",
    "bradley_terry",
    "invariant",
    "objective_of",
    "odin",
    "paraphrase_consistent",
    "reward_batch",
]
