"""Text drawn from a causal language model, many at a time, with what it thought of each token.

A prompt is read once and its state is shared by all its samples; rows that have ended leave the
batch. The uniform number behind every token comes from the seed, the prompt's position and the
sample's number, not from the order of the batches, so a batch of another size draws the same
responses (but for rounding).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from transformers import DynamicCache

from core.errors import SettingsError
from core.models.precision import Precision

Tokens = tuple[int, ...]

TOP_P_SORTED = 512
"""A nucleus is looked for among so many of the likeliest tokens before all are sorted."""


class Samplable(Protocol):
    """What is drawn from: a causal language model with its tokenizer.

    Attributes:
        network: the model; its `model` gives last hidden states, its `lm_head` logits.
        tokenizer: of the model.
        precision: the number format of its passes.
        device: where the weights are.
        pad_id: fills shorter rows.
        end_ids: tokens that end a text.
    """

    network: Any
    tokenizer: Any
    precision: Precision
    device: torch.device
    pad_id: int
    end_ids: frozenset[int]

    def text(self, response: Tokens) -> str:
        """The text of a response's tokens, without the end token and outer blanks."""


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn.

    Attributes:
        temperature: the logits are divided by it; above 0.
        top_p: only the likeliest tokens that together reach this probability can be drawn; (0, 1].
        max_new_tokens: a response is cut there.
        rows: responses drawn side by side at most (at least one prompt's).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 48
    rows: int = 96

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and 0 < self.top_p <= 1):
            raise SettingsError(
                f"Sampling: temperature is {self.temperature} and top_p {self.top_p}.",
                fix="Give a temperature above 0 and a top_p above 0 and at most 1.",
            )
        if self.max_new_tokens < 1 or self.rows < 1:
            raise SettingsError("Sampling: max_new_tokens and rows must be at least 1.")


@dataclass(frozen=True)
class Sample:
    """One response drawn.

    Attributes:
        prompt: position of its prompt among those asked for.
        sample: its number among that prompt's responses.
        text: without the end token.
        tokens: its tokens, the end token included when it came.
        log_probability: nats, summed over the tokens, by the policy at temperature 1 and without
            top-p, whatever it was drawn with.
        entropy: mean over the tokens of the entropy (nats) of that same distribution.
        truncated: it was cut, at the limit or by whoever watched, before it ended.
    """

    prompt: int
    sample: int
    text: str
    tokens: Tokens
    log_probability: float
    entropy: float
    truncated: bool


@dataclass
class _Row:
    """A response while it is drawn."""

    prompt: int
    sample: int
    uniforms: npt.NDArray[np.float64]
    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    entropies: list[float] = field(default_factory=list)


Progress = Callable[[int, int], None]
Watch = Callable[[int, int, Tokens], bool]
"""Told after every token: prompt, sample and the tokens so far; True ends that text there."""


def draw(
    policy: Samplable,
    encoded: Sequence[Tokens],
    n: int,
    how: Sampling,
    *,
    seed: int | Sequence[int],
    seeds: Sequence[Sequence[int]] | None = None,
    first: int = 0,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> list[Sample]:
    """n continuations for every prompt, in the order of the prompts.

    Args:
        policy: the model, its adapter as it is.
        encoded: the prompts' tokens, at least one each.
        n: continuations of each.
        how: temperature, top-p and limits.
        seed: of all randomness.
        seeds: one more for each prompt in place of its position: then what is drawn for a prompt
            does not depend on which prompts stand beside it.
        first: number of the first sample, to go on where an earlier draw ended.
        progress: told how many are done, of how many.
        watch: told of every token as it is drawn; may raise to stop everything.
    """
    say = progress or (lambda _done, _total: None)
    by_length = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    together = max(1, how.rows // n)
    found: list[Sample] = []
    for start in range(0, len(by_length), together):
        part = by_length[start : start + together]
        rows = [
            _new_row(index, sample, how, seed, seeds)
            for index in part
            for sample in range(first, first + n)
        ]
        with torch.inference_mode():
            _complete(policy, [encoded[index] for index in part], rows, how, watch)
        found += [_finished(policy, row) for row in rows]
        say(len(found), n * len(encoded))
    return sorted(found, key=lambda each: (each.prompt, each.sample))


def _new_row(
    prompt: int,
    sample: int,
    how: Sampling,
    seed: int | Sequence[int],
    seeds: Sequence[Sequence[int]] | None,
) -> _Row:
    base = [seed] if isinstance(seed, int) else list(seed)
    own = [prompt] if seeds is None else list(seeds[prompt])
    rng = np.random.default_rng([*base, *own, sample])
    return _Row(prompt, sample, rng.random(how.max_new_tokens))


def _finished(policy: Samplable, row: _Row) -> Sample:
    return Sample(
        prompt=row.prompt,
        sample=row.sample,
        text=policy.text(tuple(row.tokens)),
        tokens=tuple(row.tokens),
        log_probability=row.log_probability,
        entropy=float(np.mean(row.entropies)),
        truncated=row.tokens[-1] not in policy.end_ids,
    )


def _complete(
    policy: Samplable,
    prompts: Sequence[Tokens],
    rows: Sequence[_Row],
    how: Sampling,
    watch: Watch | None,
) -> None:
    """Draws the responses of one batch; `rows` holds the same number for each prompt in turn."""
    logits, cache, mask = _read_prompts(policy, prompts)
    n = len(rows) // len(prompts)
    cache.batch_repeat_interleave(n)
    logits, mask = logits.repeat_interleave(n, 0), mask.repeat_interleave(n, 0)
    live = list(rows)
    for position in range(how.max_new_tokens):
        tokens = _draw_tokens(logits, live, how, position)
        kept = [
            i
            for i, row in enumerate(live)
            if not (watch is not None and watch(row.prompt, row.sample, tuple(row.tokens)))
            and row.tokens[-1] not in policy.end_ids
        ]
        if not kept or position + 1 == how.max_new_tokens:
            return
        if len(kept) < len(live):
            index = torch.tensor(kept, device=policy.device)
            cache.batch_select_indices(index)
            tokens, mask, live = tokens[index], mask[index], [live[i] for i in kept]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
        logits = _forward(policy, tokens[:, None], mask, cache)


def _read_prompts(
    policy: Samplable, prompts: Sequence[Tokens]
) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
    """Logits after the prompts, padded on the left, and the state to go on from."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), policy.pad_id, device=policy.device)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(prompts):
        ids[row, width - len(tokens) :] = torch.tensor(tokens, device=policy.device)
        mask[row, width - len(tokens) :] = 1
    cache = DynamicCache(config=policy.network.config)
    return _forward(policy, ids, mask, cache), cache, mask


def _forward(
    policy: Samplable, ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache
) -> torch.Tensor:
    """Float32 logits (rows, vocabulary) after the last of `ids`, which join the cache."""
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    with policy.precision.computing(policy.device):
        states = policy.network.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        logits: torch.Tensor = policy.network.lm_head(states[:, -1])
    return logits.float()


def _draw_tokens(
    logits: torch.Tensor, rows: Sequence[_Row], how: Sampling, position: int
) -> torch.Tensor:
    """One more token for every row, noted with its log-probability and the entropy there."""
    own = logits.log_softmax(-1)
    entropies = -(own.exp() * own.clamp(min=-1e4)).sum(-1)
    uniforms = torch.tensor([row.uniforms[position] for row in rows], device=logits.device)
    tokens = _inverse(logits, uniforms, how)
    found = own.gather(1, tokens[:, None])[:, 0]
    noted = zip(rows, tokens.tolist(), found.tolist(), entropies.tolist(), strict=True)
    for row, token, log_probability, entropy in noted:
        row.tokens.append(token)
        row.log_probability += log_probability
        row.entropies.append(entropy)
    return tokens


def _inverse(logits: torch.Tensor, uniforms: torch.Tensor, how: Sampling) -> torch.Tensor:
    """(rows,) tokens: the inverse of the cumulative distribution at the uniform numbers."""
    probabilities = (logits / how.temperature).softmax(-1)
    if how.top_p == 1:
        return _position(probabilities, uniforms)
    size = min(TOP_P_SORTED, probabilities.shape[-1])
    values, order = probabilities.topk(size, dim=-1)
    if bool((values.sum(-1) < how.top_p).any()):
        values, order = probabilities.sort(dim=-1, descending=True)
    before = values.cumsum(-1) - values
    nucleus = values * (before < how.top_p)
    return order.gather(1, _position(nucleus, uniforms)[:, None])[:, 0]


def _position(weights: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """(rows,) where the cumulative weights first exceed `uniforms` times their sum."""
    cumulative = weights.cumsum(-1, dtype=torch.float64)
    wanted = uniforms[:, None] * cumulative[:, -1:]
    found = torch.searchsorted(cumulative, wanted, right=True)[:, 0]
    return found.clamp(max=weights.shape[-1] - 1)
