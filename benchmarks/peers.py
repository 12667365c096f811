"""The same weights scored the way others do it: pipeline, RewardBench's loop, one at a time."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel, pipeline

from core.models import weights
from core.models.card import AdapterSource
from core.models.causal import CausalRewardModel
from core.models.loading import load_classifier, load_tokenizer, settle_padding

PEER_BATCH = 8
"""Batch size of the pipeline and of RewardBench's loop."""


class Peers:
    """Other ways to get the rewards of one model, on weights of their own in the same precision.

    Args:
        model: whose card says what to load.
        merged: fold an adapter into its base, which saves its extra matrix products.
    """

    def __init__(self, model: CausalRewardModel, *, merged: bool = False) -> None:
        card = model.card
        self._card = card
        self._precision, self._device = model.precision, model.device
        base = card.source.base if isinstance(card.source, AdapterSource) else card.source
        self._network = load_network(model, merged=merged)
        if self._network.config.num_labels != 1:
            raise SystemExit("The peers read one output: give a model with a single reward.")
        self._tokenizer = load_tokenizer(weights.fetch(base), card)
        self._tokenizer.pad_token_id = settle_padding(card, self._tokenizer, self._network)
        self._tokenizer.truncation_side = card.truncation_side
        self._options: dict[str, Any] = {
            "truncation": True,
            "max_length": card.max_length,
            "add_special_tokens": card.input.bos == "add",
        }
        self._pipeline = pipeline(
            "text-classification",
            model=self._network,
            tokenizer=self._tokenizer,
            device=self._device,
            function_to_apply="none",
        )

    def pipeline(self, texts: Sequence[str]) -> list[float]:
        """The transformers text-classification pipeline, batches of 8 in the order given."""
        with self._computing():
            rows = self._pipeline(list(texts), batch_size=PEER_BATCH, **self._options)
        return [self._card.reward.sign * row["score"] for row in rows]

    def reward_bench(self, chosen: Sequence[str], rejected: Sequence[str]) -> list[float]:
        """RewardBench's loop: 8 pairs in file order, their chosen texts, then their rejected ones.

        Returns:
            Rewards of chosen and rejected texts in turn.
        """
        rewards: list[float] = []
        for start in range(0, len(chosen), PEER_BATCH):
            stop = start + PEER_BATCH
            sides = [self._padded_texts(texts[start:stop]) for texts in (chosen, rejected)]
            rewards += [reward for pair in zip(*sides, strict=True) for reward in pair]
        return rewards

    def one_at_a_time(self, texts: Sequence[str]) -> list[float]:
        """One text after the other: no padding, no batch."""
        return [self._padded_texts([text])[0] for text in texts]

    def padded_ids(self, rows: Sequence[Sequence[int]]) -> list[float]:
        """Token ids in batches of 8 in the order given, each padded to its longest."""
        rewards: list[float] = []
        for start in range(0, len(rows), PEER_BATCH):
            batch = {"input_ids": [list(row) for row in rows[start : start + PEER_BATCH]]}
            rewards += self._forward(self._tokenizer.pad(batch, return_tensors="pt"))
        return rewards

    def _padded_texts(self, texts: Sequence[str]) -> list[float]:
        return self._forward(
            self._tokenizer(list(texts), padding=True, return_tensors="pt", **self._options)
        )

    def _forward(self, batch: Any) -> list[float]:
        inputs: dict[str, Tensor] = {
            name: batch[name].to(self._device) for name in ("input_ids", "attention_mask")
        }
        with self._computing():
            logits = self._network(**inputs, use_cache=False).logits
        rewards: list[float] = (self._card.reward.sign * logits[:, 0].float()).tolist()
        return rewards

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        with torch.inference_mode(), self._precision.computing(self._device):
            yield


def load_network(model: CausalRewardModel, *, merged: bool) -> PreTrainedModel:
    """The plain transformers classifier behind a reward model, loaded a second time."""
    card, precision, device = model.card, model.precision, model.device
    source = card.source
    if not isinstance(source, AdapterSource):
        return load_classifier(weights.fetch(source), card, precision, device)
    base = load_classifier(
        weights.fetch(source.base), card, precision, device, head_comes_later=True
    )
    adapted = PeftModel.from_pretrained(base, weights.fetch(source.adapter))
    adapted.eval().requires_grad_(False)
    return adapted.merge_and_unload() if merged else adapted.get_base_model()


def matrix_parameters(model: CausalRewardModel) -> int:
    """Parameters that every token is multiplied with: no embeddings, no adapters, no head."""
    network = load_network(model, merged=True)
    kept = [
        parameter.numel()
        for name, parameter in network.named_parameters()
        if "embed" not in name and "score" not in name and parameter.dim() > 1
    ]
    return sum(kept)
