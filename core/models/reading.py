"""From a model's raw output to rewards: which logit, which sign, which objectives."""

import numpy as np

from core.models.base import FloatArray, ModelOutput
from core.models.card import RewardPart


def read_rewards(logits: FloatArray, part: RewardPart) -> ModelOutput:
    """Rewards from the logits of a batch.

    Args:
        logits: (n, labels) float64.
        part: the card's reward section.

    Returns:
        One reward a row. With objectives the reward is their weighted sum.

    Raises:
        IndexError: when the card asks for a logit that the model does not have.
    """
    if part.objectives:
        objectives = logits[:, : len(part.objectives)]
        weights = np.array([objective.weight for objective in part.objectives])
        return ModelOutput(part.sign * (objectives @ weights), objectives)
    return ModelOutput(part.sign * logits[:, part.index])
