"""Responses drawn from the small policy, token by token, with what the policy thought of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import LlamaForCausalLM

from core.training.rollouts import tokens


@dataclass(frozen=True)
class Continuation:
    """What a policy wrote after a prefix.

    Attributes:
        ids: its tokens, the one that ended it included.
        log_probability: nats, summed over them.
        entropy: nats, summed over the distributions they were drawn from.
        ended: whether a token of the end came before the limit.
    """

    ids: list[int]
    log_probability: float
    entropy: float
    ended: bool


@torch.inference_mode()
def continuations(
    policy: LlamaForCausalLM,
    prefixes: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    generator: torch.Generator,
    end_ids: Sequence[int] = (tokens.EOS_ID,),
    temperature: float = 1.0,
) -> list[Continuation]:
    """One continuation of each prefix, all in one batch.

    Args:
        policy: in evaluation mode.
        prefixes: token ids, at least one row of at least one token.
        max_new_tokens: a continuation is cut there.
        generator: of all randomness.
        end_ids: a continuation ends with the first of these.
        temperature: above 0; log-probability and entropy are those at this temperature.
    """
    rows, masks = tokens.left_padded(prefixes)
    ids, mask = torch.tensor(rows), torch.tensor(masks)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    ends = torch.tensor(list(end_ids))
    live = torch.ones(len(rows), dtype=torch.bool)
    drawn, log_probabilities, entropies, cache = [], [], [], None
    lengths = torch.zeros(len(rows), dtype=torch.long)
    for _ in range(max_new_tokens):
        out = policy(
            ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.past_key_values
        scores = torch.log_softmax(out.logits[:, -1].float() / temperature, -1)
        ids = torch.multinomial(scores.exp(), 1, generator=generator).masked_fill(
            ~live[:, None], tokens.PAD_ID
        )
        log_probabilities.append(scores.gather(1, ids)[:, 0] * live)
        entropies.append(-(scores.exp() * scores).sum(1) * live)
        drawn.append(ids[:, 0])
        lengths += live
        live = live & ~torch.isin(ids[:, 0], ends)
        if not live.any():
            break
        mask = torch.cat([mask, torch.ones_like(ids)], 1)
        positions = positions[:, -1:] + 1
    written = torch.stack(drawn, 1).tolist()
    return [
        Continuation(row[:length], float(p), float(h), not going)
        for row, length, p, h, going in zip(
            written,
            lengths.tolist(),
            torch.stack(log_probabilities).sum(0),
            torch.stack(entropies).sum(0),
            live.tolist(),
            strict=True,
        )
    ]
