"""A causal language model that is read and sampled: what judges and likelihood rewards stand on.

It gives log-probabilities of given tokens, log-probabilities of the next token, and drawn texts. A
beginning that several texts share is read once (`after`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.utils import logging as transformers_logging

from core.errors import ConversationError, ModelLoadError
from core.models import precision, weights
from core.models.card import BaseSource, Dtype
from core.models.sampling import Tokens
from core.schema import Conversation

FloatArray = npt.NDArray[np.float64]

TOKENS_AT_ONCE = 4096
"""Tokens of one forward pass, padding included."""


@dataclass(frozen=True)
class TokenReading:
    """What the model thought of tokens it was given.

    Attributes:
        log_probabilities: (n,) nats, of each token given all before it.
        entropies: (n,) nats, of the distribution each token was read against.
    """

    log_probabilities: FloatArray
    entropies: FloatArray


class LanguageModel:
    """A causal language model with its tokenizer, ready to be read and sampled.

    Args:
        network: a transformers `...ForCausalLM`, in evaluation mode.
        tokenizer: of the model.
        fingerprint: hash of the weights; part of every cache key.
        computing: the number format of its passes.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        *,
        fingerprint: str = "",
        computing: precision.Precision | None = None,
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.fingerprint = fingerprint
        self.precision = computing or precision.Precision(torch.float32)
        self.device: torch.device = next(network.parameters()).device
        ends = {network.config.eos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}
        self.end_ids: frozenset[int] = frozenset(each for each in ends if isinstance(each, int))
        pad = tokenizer.pad_token_id
        self.pad_id: int = 0 if pad is None else int(pad)

    def text(self, response: Tokens) -> str:
        """The text of a response's tokens, without the end token and outer blanks."""
        return str(self.tokenizer.decode(list(response), skip_special_tokens=True)).strip()

    def render(self, messages: Conversation, *, template: str | None = None) -> str:
        """The text of a conversation up to where the assistant's next turn begins.

        Raises:
            ConversationError: the model's chat template refuses the conversation.
        """
        try:
            rendered = self.tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                chat_template=template,
                tokenize=False,
                add_generation_prompt=True,
            )
        except Exception as error:
            raise ConversationError(
                f"The chat template refused the conversation: {error}"
            ) from error
        return str(rendered)

    def encode(self, text: str) -> Tokens:
        """Tokens of a text, none added; special tokens written in it are read as such."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False))

    def pieces(self, tokens: Tokens) -> tuple[str, ...]:
        """The text of each token, blanks kept, for showing."""
        return tuple(self.tokenizer.decode([token]) for token in tokens)

    @torch.inference_mode()
    def read(self, prefixes: Sequence[Tokens], targets: Sequence[Tokens]) -> list[TokenReading]:
        """How likely each target's tokens are after its prefix, in the order given.

        Args:
            prefixes: at least one token each.
            targets: at least one token each; they may differ in length.
        """
        found: list[TokenReading | None] = [None] * len(prefixes)
        order = sorted(range(len(prefixes)), key=lambda i: len(prefixes[i]) + len(targets[i]))
        for batch in _batches([len(prefixes[i]) + len(targets[i]) for i in order]):
            rows = [order[position] for position in batch]
            pairs = [(prefixes[i], targets[i]) for i in rows]
            for row, reading in zip(rows, self._read_batch(pairs), strict=True):
                found[row] = reading
        return [reading for reading in found if reading is not None]

    @torch.inference_mode()
    def after(
        self, prefix: Tokens, continuations: Sequence[tuple[Tokens, Tokens]]
    ) -> list[TokenReading]:
        """The same as `read` for texts that share a beginning, which is passed once.

        Args:
            prefix: the shared beginning, at least one token.
            continuations: for each text what follows the beginning, and the target after that;
                the first may be empty.
        """
        found: list[TokenReading | None] = [None] * len(continuations)
        whole = [(*between, *target) for between, target in continuations]
        for rows, states in self._states_after(prefix, whole):
            for row, of_row in zip(rows, states, strict=True):
                between, target = continuations[row]
                place = len(between)
                found[row] = self._reading(of_row[place : place + len(target)], target)
        return [reading for reading in found if reading is not None]

    @torch.inference_mode()
    def next_token_after(self, prefix: Tokens, continuations: Sequence[Tokens]) -> FloatArray:
        """The same as `next_token` for prompts that share a beginning, which is passed once.

        Args:
            prefix: the shared beginning, at least one token.
            continuations: what follows it in each prompt; may be empty.
        """
        found = np.empty((len(continuations), self.network.config.vocab_size))
        for rows, states in self._states_after(prefix, continuations):
            # The state at position k follows the prefix and k tokens, so the last one is at n.
            ends = torch.tensor([len(continuations[row]) for row in rows], device=self.device)
            with self.precision.computing(self.device):
                logits = self.network.lm_head(states[torch.arange(len(rows)), ends])
            found[rows] = logits.float().log_softmax(-1).double().cpu().numpy()
        return found

    def _states_after(
        self, prefix: Tokens, continuations: Sequence[Tokens]
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Batches of positions with the last states of their texts.

        Each (rows, 1 + longest, hidden): first that of the prefix's last token, then those of the
        continuation's tokens.
        """
        if not continuations:
            return
        head = torch.tensor([prefix], device=self.device)
        with self.precision.computing(self.device):
            out = self.network.model(input_ids=head, use_cache=True)
        last = out.last_hidden_state[:, -1]
        order = sorted(range(len(continuations)), key=lambda i: len(continuations[i]))
        sizes = [len(continuations[i]) for i in order]
        for batch in _batches(sizes, extra=len(prefix)):
            rows = [order[position] for position in batch]
            first = last.expand(len(rows), 1, -1)
            parts = [continuations[i] for i in rows]
            if not any(parts):
                yield rows, first
                continue
            cache = _copied(out.past_key_values, self.network.config)
            cache.batch_repeat_interleave(len(rows))
            yield rows, torch.cat([first, self._continue(cache, len(prefix), parts)], dim=1)

    @torch.inference_mode()
    def next_token(self, prompts: Sequence[Tokens]) -> FloatArray:
        """(n, vocabulary) log-probabilities (nats) of the token that follows each prompt."""
        found = np.empty((len(prompts), self.network.config.vocab_size))
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for batch in _batches([len(prompts[i]) for i in order]):
            rows = [order[position] for position in batch]
            ids, mask = self._right_padded([prompts[i] for i in rows])
            with self.precision.computing(self.device):
                states = self.network.model(
                    input_ids=ids, attention_mask=mask, use_cache=False
                ).last_hidden_state
                ends = torch.tensor([len(prompts[i]) - 1 for i in rows], device=self.device)
                logits = self.network.lm_head(states[torch.arange(len(rows)), ends])
            found[rows] = logits.float().log_softmax(-1).double().cpu().numpy()
        return found

    def _read_batch(self, pairs: Sequence[tuple[Tokens, Tokens]]) -> list[TokenReading]:
        ids, mask = self._right_padded([(*prefix, *target) for prefix, target in pairs])
        with self.precision.computing(self.device):
            states = self.network.model(
                input_ids=ids, attention_mask=mask, use_cache=False
            ).last_hidden_state
        return [
            self._reading(states[row, len(prefix) - 1 : len(prefix) + len(target) - 1], target)
            for row, (prefix, target) in enumerate(pairs)
        ]

    def _continue(
        self, cache: DynamicCache, n_prefix: int, parts: Sequence[Tokens]
    ) -> torch.Tensor:
        """(rows, longest part, hidden) last states of the parts after what the cache holds."""
        ids, own = self._right_padded(parts)
        mask = torch.cat([own.new_ones(len(parts), n_prefix), own], dim=1)
        positions = torch.arange(n_prefix, n_prefix + ids.shape[1], device=self.device)
        with self.precision.computing(self.device):
            out = self.network.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions.expand(len(parts), -1),
                past_key_values=cache,
                use_cache=True,
            )
        return torch.as_tensor(out.last_hidden_state)

    def _reading(self, states: torch.Tensor, target: Tokens) -> TokenReading:
        with self.precision.computing(self.device):
            logits = self.network.lm_head(states)
        each = logits.float().log_softmax(-1)
        chosen = each.gather(1, torch.tensor(target, device=self.device)[:, None])[:, 0]
        entropies = -(each.exp() * each.clamp(min=-1e4)).sum(-1)
        return TokenReading(chosen.double().cpu().numpy(), entropies.double().cpu().numpy())

    def _right_padded(self, rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.pad_id, device=self.device)
        mask = torch.zeros((len(rows), width), dtype=torch.long, device=self.device)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens, device=self.device)
            mask[row, : len(tokens)] = 1
        return ids, mask


def load_language_model(
    source: BaseSource, *, dtype: Dtype = "auto", device: str | None = None
) -> LanguageModel:
    """Loads a causal language model.

    Args:
        source: embedded, hub or local.
        dtype: number format, as in a card.
        device: "cpu", "cuda:0", ...; by default the first GPU, else the CPU.

    Raises:
        ModelLoadError: the files cannot be had, or are no causal language model.
    """
    where = precision.default_device(device)
    computing = precision.resolve(dtype, where)
    folder = weights.fetch(source)
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        network = AutoModelForCausalLM.from_pretrained(
            folder, dtype=computing.weights, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ModelLoadError(
            f"{folder.name}: cannot be loaded as a language model: {error}"
        ) from error
    finally:
        transformers_logging.set_verbosity(verbosity)
    network.eval().requires_grad_(False)
    if computing.mixed:
        _untie(network)
        computing.prepare(network)
    return LanguageModel(
        network.to(where),
        tokenizer,
        fingerprint=f"{weights.folder_hash(folder)}:{computing.name}",
        computing=computing,
    )


def _untie(network: Any) -> None:
    """Gives the output map its own weights, so that they can have another type than the input's."""
    network.lm_head.weight = torch.nn.Parameter(
        network.lm_head.weight.detach().clone(), requires_grad=False
    )
    network.config.tie_word_embeddings = False


def _copied(cache: DynamicCache, config: Any) -> DynamicCache:
    """A cache of its own with the same states: a pass that goes on writes into it."""
    copy = DynamicCache(config=config)
    for number, layer in enumerate(cache.layers):
        copy.update(layer.keys, layer.values, number)
    return copy


def _batches(sizes: Sequence[int], *, extra: int = 0) -> list[list[int]]:
    """Positions of ascending sizes cut into batches of at most TOKENS_AT_ONCE padded tokens."""
    batches: list[list[int]] = []
    for position, size in enumerate(sizes):
        if batches and (len(batches[-1]) + 1) * (size + extra) <= TOKENS_AT_ONCE:
            batches[-1].append(position)
        else:
            batches.append([position])
    return batches
