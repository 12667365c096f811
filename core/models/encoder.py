"""Classifiers over a bidirectional encoder (DeBERTa, ModernBERT): one or two texts in, logits out.

Every token sees every other, so nothing of one conversation can be reused for the next.
"""

import threading
from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from core.models.base import (
    Capability,
    FloatArray,
    ModelOutput,
    PaddingSide,
    TokenRewardModel,
    TokenSequence,
)
from core.models.card import RewardModelCard
from core.models.causal import read_reward_tensor
from core.models.precision import Precision
from core.models.reading import read_rewards


class EncoderRewardModel(TokenRewardModel):
    """Any `...ForSequenceClassification` that is called with an attention mask and gives logits."""

    def __init__(
        self,
        card: RewardModelCard,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        *,
        fingerprint: str,
        pad_id: int | None,
        precision: Precision,
        n_bytes: int = 0,
    ) -> None:
        self.card = card
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.pad_id = pad_id
        self.precision = precision
        self.device = model.device
        self._model = model
        self._n_bytes = n_bytes
        self._lock = threading.RLock()

    @property
    def capabilities(self) -> frozenset[Capability]:
        found = {Capability.REWARD, Capability.TOKEN_GRADIENTS}
        if self.card.reward.objectives:
            found.add(Capability.OBJECTIVES)
        return frozenset(found)

    @property
    def n_bytes(self) -> int:
        return self._n_bytes

    @property
    def padding_sides(self) -> tuple[PaddingSide, ...]:
        # The head reads the first token, which padding on the left would replace.
        return ("right",)

    def read_position(self, ids: Sequence[int]) -> int:  # noqa: ARG002
        """Index of the token the head reads: the first (the classification token)."""
        return 0

    def rewards(
        self, sequences: Sequence[TokenSequence], *, padding_side: PaddingSide | None = None
    ) -> ModelOutput:
        if padding_side == "left":
            raise ValueError(
                "An encoder reads its first token: it can be padded only on the right."
            )
        longest = max(len(sequence) for sequence in sequences)
        fill = self.pad_id if self.pad_id is not None else 0
        ids = torch.full((len(sequences), longest), fill)
        mask = torch.zeros_like(ids)
        types = torch.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            place = slice(0, len(sequence))
            ids[row, place] = torch.tensor(sequence.ids)
            mask[row, place] = 1
            if sequence.type_ids is not None:
                types[row, place] = torch.tensor(sequence.type_ids)
        inputs = {"input_ids": ids, "attention_mask": mask}
        if any(sequence.type_ids is not None for sequence in sequences):
            inputs["token_type_ids"] = types
        with self._lock, torch.inference_mode(), self.precision.computing(self.device):
            moved = {name: tensor.to(self.device) for name, tensor in inputs.items()}
            logits = getattr(self._model(**moved), self.card.reward.output)
        return read_rewards(logits.float().cpu().numpy().astype(np.float64), self.card.reward)

    def gradient_times_input(self, sequence: TokenSequence) -> FloatArray:
        """Gradient of the reward by each token's embedding, times that embedding, summed.

        Returns:
            (len(sequence),) float64: positive where a token's embedding pushes the reward up.
        """
        with self._lock, self.precision.computing(self.device):
            ids = torch.tensor([sequence.ids], device=self.device)
            embeddings = self._model.get_input_embeddings()(ids).detach().requires_grad_(True)
            inputs = {"inputs_embeds": embeddings, "attention_mask": torch.ones_like(ids)}
            if sequence.type_ids is not None:
                inputs["token_type_ids"] = torch.tensor([sequence.type_ids], device=self.device)
            logits = getattr(self._model(**inputs), self.card.reward.output)
            reward = read_reward_tensor(logits[0], self.card)
            (gradient,) = torch.autograd.grad(reward, embeddings)
            product = (gradient.float() * embeddings.float()).sum(-1)[0]
        values: FloatArray = product.detach().cpu().numpy().astype(np.float64)
        return values
