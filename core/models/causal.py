"""Sequence classifiers over a causal decoder (Llama, Qwen, Gemma, Mistral and their like).

The reward is read from one token, the last that is not padding, and a causal model's states never
depend on what follows. That allows two things beside the plain batch: extending a conversation
whose beginning was read before, and reading many endings of one beginning together.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerFast
from transformers.cache_utils import DynamicLayer

from core.models.base import (
    Capability,
    FloatArray,
    ModelOutput,
    PaddingSide,
    TokenRewardModel,
    TokenSequence,
)
from core.models.card import RewardModelCard
from core.models.precision import Precision
from core.models.reading import read_rewards

LayerStates = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class PrefixState:
    """What a model keeps of the beginning of a conversation.

    Attributes:
        ids: the tokens read.
        layers: keys and values of each layer, (1, heads, len(ids), head size).
    """

    ids: tuple[int, ...]
    layers: tuple[LayerStates, ...]

    def cropped(self, length: int) -> "PrefixState":
        """The state after the first `length` tokens; shares memory with this one."""
        layers = tuple((k[:, :, :length], v[:, :, :length]) for k, v in self.layers)
        return PrefixState(self.ids[:length], layers)

    @property
    def n_bytes(self) -> int:
        """Memory of the keys and values."""
        return sum(t.numel() * t.element_size() for layer in self.layers for t in layer)


@dataclass(frozen=True)
class Branch:
    """One ending: the first `start` tokens are the shared beginning's, `ids` follow."""

    start: int
    ids: tuple[int, ...]


EMPTY_PREFIX = PrefixState((), ())


class CausalRewardModel(TokenRewardModel):
    """A decoder with a linear head, on its own or as one of several adapters over a shared base.

    Args:
        model: an `...ForSequenceClassification` whose backbone is causal.
        activate: called before each forward pass, with the lock held; selects the adapter.
        lock: guards the weights when several models share them.
    """

    def __init__(
        self,
        card: RewardModelCard,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        *,
        fingerprint: str,
        pad_id: int | None,
        precision: Precision,
        residence: str | None = None,
        n_bytes: int = 0,
        shared_bytes: int = 0,
        activate: Callable[[], None] | None = None,
        lock: "threading.RLock | None" = None,
    ) -> None:
        self.card = card
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.pad_id = pad_id
        self.precision = precision
        self.device = model.device
        self._model = model
        self._backbone = getattr(model, model.base_model_prefix)
        self._residence = residence or fingerprint
        self._n_bytes = n_bytes
        self._shared_bytes = shared_bytes
        self._activate = activate or (lambda: None)
        self._lock = lock or threading.RLock()
        self._masks = _MaskKind.of(model)

    @property
    def capabilities(self) -> frozenset[Capability]:
        found = {Capability.REWARD, Capability.TOKEN_GRADIENTS}
        if self.card.reward.objectives:
            found.add(Capability.OBJECTIVES)
        if self._masks.implementation in ("sdpa", "eager"):
            found.add(Capability.PREFIX_REUSE)
        return frozenset(found)

    @property
    def residence(self) -> str:
        return self._residence

    @property
    def n_bytes(self) -> int:
        return self._n_bytes

    @property
    def shared_bytes(self) -> int:
        return self._shared_bytes

    def read_position(self, ids: Sequence[int]) -> int:
        """Index of the token the reward is read from: the last that is not the padding token."""
        if self.pad_id is not None:
            for position in range(len(ids) - 1, -1, -1):
                if ids[position] != self.pad_id:
                    return position
            return 0
        return len(ids) - 1

    def rewards(
        self, sequences: Sequence[TokenSequence], *, padding_side: PaddingSide | None = None
    ) -> ModelOutput:
        with torch.inference_mode(), self._computing():
            hidden, reads = self._states(sequences, padding_side or self.card.padding.side)
            return self._read(hidden, reads)

    def last_states(self, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float32]:
        """The final hidden states that the head reads the rewards from, in one forward pass.

        Returns:
            (n, d) float32, in the order given.
        """
        with torch.inference_mode(), self._computing():
            hidden, reads = self._states(sequences, self.card.padding.side)
            rows = torch.arange(hidden.shape[0], device=hidden.device)
            pooled = hidden[rows, reads.to(hidden.device)].float().cpu().numpy()
        return np.asarray(pooled, dtype=np.float32)

    def _states(
        self, sequences: Sequence[TokenSequence], side: PaddingSide
    ) -> tuple[Tensor, Tensor]:
        """Final hidden states of every token of a padded batch, and where each row is read."""
        longest = max(len(sequence) for sequence in sequences)
        fill = self.pad_id if self.pad_id is not None else 0
        ids = torch.full((len(sequences), longest), fill)
        reads = torch.empty(len(sequences), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            begin = longest - len(sequence) if side == "left" else 0
            ids[row, begin : begin + len(sequence)] = torch.tensor(sequence.ids)
            mask[row, begin : begin + len(sequence)] = 1
            reads[row] = begin + self.read_position(sequence.ids)
        inputs: dict[str, Tensor] = {"input_ids": ids}
        if side == "left" and not bool(mask.all()):
            inputs["attention_mask"] = mask
            inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
        # With padding on the right a causal model needs no mask: nothing looks ahead.
        moved = {name: tensor.to(self.device) for name, tensor in inputs.items()}
        hidden: Tensor = self._backbone(**moved, use_cache=False).last_hidden_state
        return hidden, reads

    def extend(
        self, state: PrefixState, ids: Sequence[int], *, read: Sequence[int] = ()
    ) -> tuple[PrefixState, ModelOutput]:
        """Reads `ids` after the beginning in `state`.

        Args:
            state: `EMPTY_PREFIX` or what an earlier call returned.
            ids: at least one token.
            read: positions within `ids` whose rewards are wanted (none by default).

        Returns:
            The state after these tokens, and one reward for each position in `read`.
        """
        with torch.inference_mode(), self._computing():
            cache = _make_cache(state.layers)
            tokens = torch.tensor([list(ids)], device=self.device)
            past = len(state.ids)
            positions = torch.arange(past, past + tokens.shape[1], device=self.device)[None]
            mask = None
            if past and tokens.shape[1] > 1:
                ahead = torch.ones((1, 1, past + tokens.shape[1]), device=self.device).bool()
                mask = self._masks.build(positions, ahead.expand(1, tokens.shape[1], -1), positions)
            hidden = self._backbone(
                input_ids=tokens,
                position_ids=positions,
                attention_mask=mask,
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state
            layers = tuple((layer.keys, layer.values) for layer in cache.layers)
            rows = hidden.expand(len(read), -1, -1) if read else hidden[:0]
            reads = torch.tensor(read, dtype=torch.long)
            return PrefixState((*state.ids, *ids), layers), self._read(rows, reads)

    def branch_rewards(self, state: PrefixState, branches: Sequence[Branch]) -> ModelOutput:
        """Rewards of many endings of one beginning in one forward pass, in the order given.

        Each branch attends to the first `start` tokens of `state` and to its own tokens.
        """
        past = max(branch.start for branch in branches)
        longest = max(len(branch.ids) for branch in branches)
        count = len(branches)
        fill = self.pad_id if self.pad_id is not None else 0
        ids = torch.full((count, longest), fill)
        starts = torch.tensor([branch.start for branch in branches])
        reads = torch.empty(count, dtype=torch.long)
        for row, branch in enumerate(branches):
            ids[row, : len(branch.ids)] = torch.tensor(branch.ids)
            reads[row] = max(self.read_position(branch.ids), 0)
        own = torch.arange(longest)
        positions = starts[:, None] + own[None]
        # Keys are the beginning's first `past` tokens, of which a row sees `start`, then its own.
        seen_past = torch.arange(past)[None, None] < starts[:, None, None]
        visible = torch.cat(
            [
                seen_past.expand(count, longest, past),
                torch.ones(1, 1, longest, dtype=torch.bool).expand(count, longest, longest),
            ],
            dim=-1,
        )
        key_positions = torch.cat([torch.arange(past)[None].expand(count, past), positions], dim=-1)
        with torch.inference_mode(), self._computing():
            shared = state.cropped(past).layers
            layers = tuple(
                (k.expand(count, -1, -1, -1), v.expand(count, -1, -1, -1)) for k, v in shared
            )
            device = self.device
            mask = self._masks.build(
                positions.to(device), visible.to(device), key_positions.to(device)
            )
            hidden = self._backbone(
                input_ids=ids.to(device),
                position_ids=positions.to(device),
                attention_mask=mask,
                past_key_values=_make_cache(layers),
                use_cache=True,
            ).last_hidden_state
            return self._read(hidden, reads)

    def gradient_times_input(self, sequence: TokenSequence) -> FloatArray:
        """Gradient of the reward by each token's embedding, times that embedding, summed.

        Returns:
            (len(sequence),) float64: positive where a token's embedding pushes the reward up.
        """
        with self._computing():
            ids = torch.tensor([sequence.ids], device=self.device)
            embeddings = self._backbone.get_input_embeddings()(ids).detach().requires_grad_(True)
            positions = torch.arange(ids.shape[1], device=self.device)[None]
            hidden = self._backbone(
                inputs_embeds=embeddings, position_ids=positions, use_cache=False
            ).last_hidden_state
            pooled = hidden[:, self.read_position(sequence.ids)]
            reward = read_reward_tensor(self._head(pooled)[0], self.card)
            (gradient,) = torch.autograd.grad(reward, embeddings)
            product = (gradient.float() * embeddings.float()).sum(-1)[0]
        values: FloatArray = product.detach().cpu().numpy().astype(np.float64)
        return values

    def _computing(self) -> "_Turn":
        return _Turn(self._lock, self._activate, self.precision, self.device)

    def _read(self, hidden: Tensor, reads: Tensor) -> ModelOutput:
        rows = torch.arange(hidden.shape[0], device=hidden.device)
        pooled = hidden[rows, reads.to(hidden.device)]
        logits = self._head(pooled).float().cpu().numpy().astype(np.float64)
        return read_rewards(logits, self.card.reward)

    def _head(self, pooled: Tensor) -> Tensor:
        """The scalar head; in float32 when mixed, so that rewards do not come in coarse steps."""
        logits: Tensor
        if self.precision.mixed:
            with torch.autocast(self.device.type, enabled=False):
                logits = self._model.score(pooled.float())
        else:
            logits = self._model.score(pooled)
        return logits


def read_reward_tensor(logits: Tensor, card: RewardModelCard) -> Tensor:
    """The card's reward of one row of logits, differentiable."""
    if card.reward.objectives:
        weights = torch.tensor([o.weight for o in card.reward.objectives], device=logits.device)
        return card.reward.sign * (logits[: len(weights)].float() @ weights)
    return card.reward.sign * logits[card.reward.index].float()


class _Turn:
    """Holds the shared weights for one forward pass: lock, adapter, precision."""

    def __init__(
        self,
        lock: "threading.RLock",
        activate: Callable[[], None],
        precision: Precision,
        device: torch.device,
    ) -> None:
        self._lock = lock
        self._activate = activate
        self._context = precision.computing(device)

    def __enter__(self) -> None:
        self._lock.acquire()
        self._activate()
        self._context.__enter__()

    def __exit__(self, *details: object) -> None:
        try:
            self._context.__exit__(None, None, None)
        finally:
            self._lock.release()


@dataclass(frozen=True)
class _MaskKind:
    """How this model takes a prepared attention mask.

    Attributes:
        implementation: the attention kernel's name in transformers.
        layer_types: kinds of layers when the model takes one mask a kind, else empty.
        window: how far back a sliding-window layer sees, or None.
        dtype: of additive masks (eager attention); SDPA takes booleans.
    """

    implementation: str
    layer_types: tuple[str, ...]
    window: int | None
    dtype: torch.dtype

    @classmethod
    def of(cls, model: PreTrainedModel) -> "_MaskKind":
        config = model.config.get_text_config()
        layer_types = tuple(sorted(set(getattr(config, "layer_types", None) or ())))
        window = getattr(config, "sliding_window", None)
        if getattr(config, "use_sliding_window", True) is False:
            window = None
        return cls(config._attn_implementation, layer_types, window, model.dtype)

    def build(
        self, positions: Tensor, visible: Tensor, key_positions: Tensor
    ) -> Tensor | dict[str, Tensor]:
        """Masks for queries at `positions` (rows, q) over the `visible` (rows, q, keys) keys.

        `key_positions` (rows, own keys or all keys) are positions in the conversation; keys before
        them in `visible` are at positions 0, 1, ...
        """
        missing = visible.shape[-1] - key_positions.shape[-1]
        if missing:
            before = torch.arange(missing, device=positions.device).expand(visible.shape[0], -1)
            key_positions = torch.cat([before, key_positions], dim=-1)
        distance = positions[:, :, None] - key_positions[:, None, :]
        full = visible & (distance >= 0)
        if self.layer_types:
            return {
                kind: self._finish(self._windowed(full, distance, kind))
                for kind in self.layer_types
            }
        kind = "sliding_attention" if self.window is not None else "full_attention"
        return self._finish(self._windowed(full, distance, kind))

    def _windowed(self, full: Tensor, distance: Tensor, kind: str) -> Tensor:
        if kind == "sliding_attention" and self.window is not None:
            return full & (distance < self.window)
        return full

    def _finish(self, mask: Tensor) -> Tensor:
        mask = mask[:, None]
        if self.implementation == "sdpa":
            return mask
        lowest = torch.finfo(self.dtype).min
        return torch.where(mask, 0.0, lowest).to(self.dtype)


def _make_cache(layers: Sequence[LayerStates]) -> DynamicCache:
    cache = DynamicCache()
    for keys, values in layers:
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        cache.layers.append(layer)
    return cache
