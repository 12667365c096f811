"""A decoder divided at a layer: states below it computed once per text, states above it on demand.

No adapter touches the lower layers, so what they give for a text never changes during training.
With these states kept in memory and on disk, an epoch costs only the upper layers.
"""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.schema import content_id

Tick = Callable[[int, int], None]
"""Told (done, total) texts."""


class DividedDecoder:
    """A decoder-only transformer as a lower and an upper part that share the modules of the whole.

    Works for decoders whose forward is embedding, `layers`, `norm` and nothing between (Llama,
    Qwen, Mistral), and for layers of alternating kinds (Gemma) when the division keeps their
    order; `check` finds the cases where it does not work.

    Args:
        decoder: the model without its head; adapters on its upper layers are used by `upper`.
        n_lower: layers in the lower part.
        compute_dtype: of the matrix products; the residual stream stays float32.
    """

    def __init__(self, decoder: nn.Module, n_lower: int, compute_dtype: torch.dtype) -> None:
        layers = decoder.get_submodule("layers")
        assert isinstance(layers, nn.ModuleList)  # noqa: S101
        self.decoder = decoder
        self.compute_dtype = compute_dtype
        self._lower = _part(decoder, layers[:n_lower], norm=nn.Identity())
        self._upper = _part(decoder, layers[n_lower:], norm=None)

    def lower(self, ids: torch.Tensor) -> torch.Tensor:
        """States (n, length, hidden) float32 after the lower layers, without gradient."""
        with torch.no_grad():
            return self._run(self._lower, self.embed(ids))

    def upper(self, states: torch.Tensor) -> torch.Tensor:
        """Final normalised states (n, length, hidden) from states after the lower layers."""
        return self._run(self._upper, states)

    def whole(self, ids: torch.Tensor) -> torch.Tensor:
        """Final normalised states from token ids, all layers in one go."""
        return self._run(self.decoder, self.embed(ids))

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """Token embeddings (n, length, hidden) in float32."""
        embedding = self.decoder.get_submodule("embed_tokens")
        states: torch.Tensor = embedding(ids)
        return states.float()

    def _run(self, part: nn.Module, states: torch.Tensor) -> torch.Tensor:
        # Rows are padded on the right and attention is causal, so no mask is needed: nothing that
        # is read looks at padding.
        with self._autocast(states.device):
            output = part(inputs_embeds=states, use_cache=False)
        result: torch.Tensor = output.last_hidden_state
        return result.float()

    def _autocast(self, device: torch.device) -> torch.autocast:
        reduced = self.compute_dtype != torch.float32
        return torch.autocast(device.type, dtype=self.compute_dtype, enabled=reduced)

    def check(self, ids: torch.Tensor, *, tolerance: float) -> None:
        """Compares lower then upper with the undivided decoder on token ids (n, length).

        Raises:
            ValueError: they differ by more than `tolerance`, as a share of the largest state.
        """
        training = self.decoder.training
        self.decoder.eval()
        with torch.no_grad():
            parts, whole = self.upper(self.lower(ids)), self.whole(ids)
        self.decoder.train(training)
        error = (parts - whole).abs().max() / whole.abs().max()
        if not error <= tolerance:
            raise ValueError(f"This decoder cannot be divided: states differ by {error:.2g}.")


def _part(decoder: nn.Module, layers: nn.ModuleList, norm: nn.Module | None) -> nn.Module:
    part = copy.copy(decoder)
    part._modules = dict(decoder._modules)
    # The layers count themselves from the config in some decoders.
    config = copy.copy(decoder.config)
    config.num_hidden_layers = len(layers)  # type: ignore[union-attr]
    part.config = config
    part._modules["layers"] = layers
    if norm is not None:
        part._modules["norm"] = norm
    return part


class States(Protocol):
    """What gives the states after the lower layers for any of the texts of a run."""

    def batch(self, texts: Sequence[tuple[int, ...]], device: torch.device) -> torch.Tensor:
        """States (n, length, hidden) float32, padded on the right."""


class StatesOnDemand:
    """States computed for each batch anew, where those of all texts would not fit in memory.

    Args:
        decoder: the divided decoder.
        pad_id: fills shorter rows on the right.
    """

    def __init__(self, decoder: DividedDecoder, pad_id: int) -> None:
        self._decoder = decoder
        self._pad_id = pad_id

    def batch(self, texts: Sequence[tuple[int, ...]], device: torch.device) -> torch.Tensor:
        """States (n, length, hidden) float32, padded on the right with those of padding."""
        return self._decoder.lower(pad_batch(texts, self._pad_id, device))


def n_state_bytes(
    texts: Sequence[tuple[int, ...]], hidden_size: int, state_dtype: torch.dtype
) -> int:
    """Bytes that the states of all distinct texts take."""
    return sum(map(len, set(texts))) * hidden_size * state_dtype.itemsize


class FrozenStates:
    """States after the lower layers of every text, bfloat16, in memory and optionally on disk.

    Args:
        states: token ids of a text to its states (length, hidden).
    """

    def __init__(self, states: dict[tuple[int, ...], torch.Tensor]) -> None:
        self._states = states

    def __len__(self) -> int:
        return len(self._states)

    def batch(self, texts: Sequence[tuple[int, ...]], device: torch.device) -> torch.Tensor:
        """States (n, length, hidden) float32, padded on the right with zeros."""
        rows = [self._states[ids] for ids in texts]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device).float()


def frozen_states(
    decoder: DividedDecoder,
    texts: Sequence[tuple[int, ...]],
    *,
    pad_id: int,
    device: torch.device,
    state_dtype: torch.dtype = torch.bfloat16,
    file: Path | None = None,
    batch_tokens: int = 2048,
    tick: Tick | None = None,
) -> FrozenStates:
    """Runs the lower layers once over every distinct text.

    Args:
        decoder: the divided decoder.
        texts: token ids.
        pad_id: fills shorter rows on the right.
        device: where the decoder is.
        state_dtype: what the states are kept in.
        file: where the states are kept; read instead of computed when it holds exactly these texts.
        batch_tokens: tokens of a batch, padding included.
        tick: told the progress.
    """
    distinct = sorted(set(texts), key=lambda ids: (len(ids), ids))
    if file is not None and (stored := _read(file, distinct)) is not None:
        return FrozenStates(stored)
    states: dict[tuple[int, ...], torch.Tensor] = {}
    for batch in _by_budget(distinct, batch_tokens):
        result = decoder.lower(pad_batch(batch, pad_id, device)).to(state_dtype).cpu()
        for row, text in zip(result, batch, strict=True):
            states[text] = row[: len(text)].clone()
        if tick is not None:
            tick(len(states), len(distinct))
    if file is not None:
        _write(file, distinct, states)
    return FrozenStates(states)


def pad_batch(texts: Sequence[tuple[int, ...]], pad_id: int, device: torch.device) -> torch.Tensor:
    """Token ids (n, length), padded on the right."""
    rows = [torch.tensor(ids) for ids in texts]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id).to(device)


def _by_budget(texts: list[tuple[int, ...]], budget: int) -> list[list[tuple[int, ...]]]:
    """Batches of texts sorted by length, each at most `budget` tokens with its padding."""
    batches: list[list[tuple[int, ...]]] = []
    for text in texts:
        if batches and (len(batches[-1]) + 1) * len(text) <= budget:
            batches[-1].append(text)
        else:
            batches.append([text])
    return batches


def _write(
    file: Path, texts: list[tuple[int, ...]], states: dict[tuple[int, ...], torch.Tensor]
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_suffix(".partial")
    flat = torch.cat([states[text] for text in texts])
    save_file({"states": flat}, scratch, metadata={"texts": content_id(texts)})
    scratch.replace(file)


def _read(file: Path, texts: list[tuple[int, ...]]) -> dict[tuple[int, ...], torch.Tensor] | None:
    from safetensors import safe_open

    if not file.is_file():
        return None
    with safe_open(file, framework="pt") as opened:
        if (opened.metadata() or {}).get("texts") != content_id(texts):
            return None
    flat = load_file(file)["states"]
    rows = torch.split(flat, [len(text) for text in texts])
    return dict(zip(texts, rows, strict=True))
