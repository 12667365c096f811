"""What every reward model offers, whatever its family: tokens or text in, rewards out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from core.models.card import RewardModelCard
from core.schema import Conversation

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

FloatArray = npt.NDArray[np.float64]
PaddingSide = Literal["right", "left"]


class Capability(StrEnum):
    """What a model can give. Pages ask for a capability, never for a class."""

    REWARD = "reward"
    OBJECTIVES = "objectives"
    TOKEN_GRADIENTS = "token gradients"  # noqa: S105
    PREFIX_REUSE = "prefix reuse"
    STEP_REWARDS = "step rewards"
    REASONING = "reasoning"
    TOKEN_RATIOS = "token ratios"  # noqa: S105
    CRITERIA = "criteria"
    REMOTE = "remote only"


@dataclass(frozen=True)
class TokenSequence:
    """One conversation as the model reads it.

    Attributes:
        ids: token ids, special tokens included, no padding.
        type_ids: segment ids of a text pair (same length as `ids`), or None.
    """

    ids: tuple[int, ...]
    type_ids: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class ModelOutput:
    """Rewards of a batch.

    Attributes:
        rewards: (n,) float64, higher is better (the card's sign is applied).
        objectives: (n, k) float64 in the order of the card's objectives, or None.
        errors: (n,) why a row has no reward, "" where it has one; its reward is then NaN. Empty
            where every row has one.
    """

    rewards: FloatArray
    objectives: FloatArray | None = None
    errors: tuple[str, ...] = ()

    @staticmethod
    def concatenate(outputs: Sequence["ModelOutput"]) -> "ModelOutput":
        """One output for batches scored one after the other."""
        parts = [output.objectives for output in outputs if output.objectives is not None]
        rewards = np.concatenate([output.rewards for output in outputs]) if outputs else np.empty(0)
        errors: tuple[str, ...] = ()
        if any(output.errors for output in outputs):
            errors = tuple(
                error
                for output in outputs
                for error in output.errors or ("",) * len(output.rewards)
            )
        return ModelOutput(rewards, np.concatenate(parts) if parts else None, errors)


class RewardModel(ABC):
    """Anything that maps a conversation to a reward.

    Attributes:
        card: how the model was loaded and is read.
        fingerprint: hash of weights, revision, dtype and head: two models that share it give the
            same rewards. Part of every cache key.
        tokenizer: the fast tokenizer, or None for models that read conversations as they are.
    """

    card: RewardModelCard
    fingerprint: str
    tokenizer: "PreTrainedTokenizerFast | None"

    @property
    @abstractmethod
    def capabilities(self) -> frozenset[Capability]:
        """What this model can give."""

    @property
    def n_bytes(self) -> int:
        """Memory this model needs that no other resident model shares, in bytes."""
        return 0

    @property
    def shared_bytes(self) -> int:
        """Memory that all resident models of one residence share, in bytes (a base of adapters)."""
        return 0

    @property
    def residence(self) -> str:
        """Names what several models load once (a shared base); they take turns on it."""
        return self.fingerprint


class TokenRewardModel(RewardModel):
    """A reward model that reads token sequences.

    Attributes:
        pad_id: the id that fills shorter rows of a batch, or None when there is none: such a model
            is scored one sequence at a time.
        device: where the weights are.
    """

    tokenizer: "PreTrainedTokenizerFast"
    pad_id: int | None
    device: "torch.device"

    @property
    def padding_sides(self) -> tuple[PaddingSide, ...]:
        """The sides on which a batch of this model can be padded without changing rewards."""
        return ("right", "left")

    @abstractmethod
    def read_position(self, ids: Sequence[int]) -> int:
        """Index of the token the reward is read from."""

    @abstractmethod
    def rewards(
        self, sequences: Sequence[TokenSequence], *, padding_side: PaddingSide | None = None
    ) -> ModelOutput:
        """Rewards of a batch in one forward pass, in the order given.

        Args:
            sequences: at least one sequence, each within the card's max_length.
            padding_side: overrides the card's side (the conformance check tries both).
        """


class ConversationRewardModel(RewardModel):
    """A reward model that reads conversations as they are, such as a Python function."""

    tokenizer = None

    @abstractmethod
    def conversation_rewards(self, conversations: Sequence[Conversation]) -> ModelOutput:
        """Rewards of the conversations, in the order given."""

    def token_counts(self, conversation: Conversation) -> tuple[int, int]:  # noqa: ARG002
        """Tokens read of a conversation and tokens cut off it; (0, 0) where nobody counts them."""
        return 0, 0


class StreamingRewardModel(ConversationRewardModel):
    """A conversation model that makes its own batches, such as one behind a server."""

    @abstractmethod
    def stream(
        self,
        conversations: Sequence[Conversation],
        *,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[list[int], ModelOutput]]:
        """Yields positions and rewards of one batch after the other, in whatever order they come.

        Args:
            should_stop: asked between batches; what is left when it says True is not yielded.
        """

    def conversation_rewards(self, conversations: Sequence[Conversation]) -> ModelOutput:
        n = len(conversations)
        rewards, errors = np.full(n, np.nan), [""] * n
        objectives: FloatArray | None = None
        for positions, output in self.stream(conversations):
            rewards[positions] = output.rewards
            if output.objectives is not None:
                if objectives is None:
                    objectives = np.full((n, output.objectives.shape[1]), np.nan)
                objectives[positions] = output.objectives
            for position, error in zip(positions, output.errors, strict=False):
                errors[position] = error
        return ModelOutput(rewards, objectives, tuple(errors) if any(errors) else ())
