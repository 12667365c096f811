"""A Python function as a reward model, treated like any other model."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from core.models.base import Capability, ConversationRewardModel, ModelOutput
from core.models.card import EmbeddedSource, RewardModelCard
from core.schema import Conversation


class FunctionRewardModel(ConversationRewardModel):
    """Wraps `function(conversation) -> float`.

    Args:
        name: the id under which pages and tables show it.
        function: must give the same reward for the same conversation; rewards are cached by
            `name` and `version`.
        version: change it when the function changes, so that cached rewards are not reused.
    """

    def __init__(
        self, name: str, function: Callable[[Conversation], float], *, version: str = "1"
    ) -> None:
        self.card = RewardModelCard(
            id=name,
            title=name,
            source=EmbeddedSource(kind="embedded", name=f"function:{name}"),
            family="sequence-classifier",
        )
        self.fingerprint = hashlib.sha256(f"function:{name}:{version}".encode()).hexdigest()
        self._function = function

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.REWARD})

    def conversation_rewards(self, conversations: Sequence[Conversation]) -> ModelOutput:
        rewards = [float(self._function(conversation)) for conversation in conversations]
        return ModelOutput(np.array(rewards, dtype=np.float64))
