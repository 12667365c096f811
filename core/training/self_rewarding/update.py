"""One DPO update of a policy, and what it was seen to do to each pair.

Loss of a pair (Rafailov et al. 2023, eq. 7): -log sigmoid(m), with the margin
m = beta [(log pi - log pi_ref)(chosen) - (log pi - log pi_ref)(rejected)]. The reference is the
policy as it was when the update began, so every margin begins at 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from core.errors import SettingsError
from core.models.sampling import Tokens
from core.training.policy import Policy
from core.training.policy.model import Reading
from core.training.self_rewarding.recipe import SelfRewardingRecipe

READ_ROWS = 16


@dataclass(frozen=True)
class TokenPair:
    """A preference pair as the policy reads it: prompt, chosen and rejected in tokens."""

    prompt: Tokens
    chosen: Tokens
    rejected: Tokens


@dataclass
class PairRecord:
    """What was measured of one pair.

    Attributes:
        policy_chosen_before: log-probability of the chosen before the update, in nats; the same as
            the reference's.
        policy_rejected_before: of the rejected.
        cosine: of the mean last-layer states of the two responses, before the update.
        distance: of those states.
        gradient_norm: length of the gradient of the pair's loss over all trained weights, before
            the update, where its weight is beta / 2.
        policy_chosen_after: log-probability of the chosen after the update.
        policy_rejected_after: of the rejected.
        losses: at each time the pair was used, just before the step.
    """

    policy_chosen_before: float
    policy_rejected_before: float
    cosine: float
    distance: float
    gradient_norm: float
    policy_chosen_after: float = float("nan")
    policy_rejected_after: float = float("nan")
    losses: list[float] = field(default_factory=list)


Progress = Callable[[str], None]


def update(
    policy: Policy,
    pairs: Sequence[TokenPair],
    recipe: SelfRewardingRecipe,
    *,
    seed: Sequence[int],
    after: bool = True,
    progress: Progress | None = None,
) -> list[PairRecord]:
    """Trains the policy's adapter on the pairs; the policy as it is now is the reference.

    Args:
        policy: with an adapter.
        pairs: any number; without one nothing changes.
        recipe: beta, epochs, learning rate and the like.
        seed: of the order of the pairs.
        after: read the pairs once more after the update; without it what would be known then is
            NaN.
        progress: told a line after every pass.

    Raises:
        SettingsError: when the loss is not finite.
    """
    if not pairs:
        return []
    say = progress or (lambda _line: None)
    optimizer = torch.optim.AdamW(
        policy.adapter_parameters(), lr=recipe.learning_rate, weight_decay=0.0
    )
    records = _first_step(policy, pairs, recipe, optimizer)
    rng = np.random.default_rng(list(seed))
    for epoch in range(1, recipe.epochs):
        order = rng.permutation(len(pairs))
        for start in range(0, len(pairs), recipe.pairs_per_step):
            part = order[start : start + recipe.pairs_per_step].tolist()
            _step(policy, [pairs[i] for i in part], [records[i] for i in part], recipe, optimizer)
        latest = float(np.mean([record.losses[-1] for record in records]))
        say(f"pass {epoch + 1} of {recipe.epochs} over {len(pairs)} pairs, loss {latest:.3f}")
    if after:
        _read_after(policy, pairs, records)
    return records


def dpo_losses(
    policy_log_probabilities: torch.Tensor, reference: torch.Tensor, beta: float
) -> torch.Tensor:
    """(n,) DPO losses.

    Args:
        policy_log_probabilities: (n, 2) of chosen and rejected, in nats.
        reference: (n, 2) the same under the reference.
        beta: of DPO.
    """
    moved = policy_log_probabilities - reference
    return -functional.logsigmoid(beta * (moved[:, 0] - moved[:, 1]))


def _read_pairs(policy: Policy, pairs: Sequence[TokenPair]) -> Reading:
    """Chosen of all pairs first, then the rejected."""
    responses = [*(pair.chosen for pair in pairs), *(pair.rejected for pair in pairs)]
    return policy.read([pair.prompt for pair in pairs] * 2, responses)


def _first_step(
    policy: Policy,
    pairs: Sequence[TokenPair],
    recipe: SelfRewardingRecipe,
    optimizer: torch.optim.AdamW,
) -> list[PairRecord]:
    """One step of all pairs together, each pair's gradient taken and measured for itself."""
    weights = policy.adapter_parameters()
    total = [torch.zeros_like(weight) for weight in weights]
    records = []
    for pair in pairs:
        reading = _read_pairs(policy, [pair])
        both = reading.log_probabilities[None]
        loss = dpo_losses(both, both.detach(), recipe.beta)[0]
        gradients = torch.autograd.grad(loss, weights)
        states = reading.mean_states.detach()
        chosen, rejected = both.detach()[0].tolist()
        records.append(
            PairRecord(
                policy_chosen_before=chosen,
                policy_rejected_before=rejected,
                cosine=float(functional.cosine_similarity(states[0], states[1], dim=0)),
                distance=float((states[0] - states[1]).norm()),
                gradient_norm=float(torch.stack([g.norm() for g in gradients]).norm()),
                losses=[float(loss.detach())],
            )
        )
        total = [t + g / len(pairs) for t, g in zip(total, gradients, strict=True)]
    for weight, gradient in zip(weights, total, strict=True):
        weight.grad = gradient
    _take(optimizer, weights, recipe)
    return records


def _step(
    policy: Policy,
    pairs: Sequence[TokenPair],
    records: Sequence[PairRecord],
    recipe: SelfRewardingRecipe,
    optimizer: torch.optim.AdamW,
) -> None:
    reading = _read_pairs(policy, pairs)
    reference = torch.tensor(
        [[r.policy_chosen_before, r.policy_rejected_before] for r in records],
        device=policy.device,
    )
    both = reading.log_probabilities.reshape(2, -1).T
    losses = dpo_losses(both, reference, recipe.beta)
    if not bool(torch.isfinite(losses).all()):
        raise SettingsError(
            f"Recipe {recipe.name}: the loss is not finite.", fix="Lower the learning_rate."
        )
    for record, loss in zip(records, losses.tolist(), strict=True):
        record.losses.append(loss)
    optimizer.zero_grad(set_to_none=True)
    losses.mean().backward()  # type: ignore[no-untyped-call]
    _take(optimizer, policy.adapter_parameters(), recipe)


def _take(
    optimizer: torch.optim.AdamW,
    weights: list[torch.nn.Parameter],
    recipe: SelfRewardingRecipe,
) -> None:
    torch.nn.utils.clip_grad_norm_(weights, recipe.max_grad_norm)
    optimizer.step()


def _read_after(policy: Policy, pairs: Sequence[TokenPair], records: Sequence[PairRecord]) -> None:
    chosen = log_probabilities(policy, [p.prompt for p in pairs], [p.chosen for p in pairs])
    rejected = log_probabilities(policy, [p.prompt for p in pairs], [p.rejected for p in pairs])
    for record, high, low in zip(records, chosen, rejected, strict=True):
        record.policy_chosen_after, record.policy_rejected_after = high, low


def log_probabilities(
    policy: Policy, prompts: Sequence[Tokens], responses: Sequence[Tokens]
) -> list[float]:
    """Log-probability of each response under its prompt, in nats, without gradient."""
    found: list[float] = []
    with torch.inference_mode():
        for start in range(0, len(prompts), READ_ROWS):
            part = slice(start, start + READ_ROWS)
            found += policy.read(prompts[part], responses[part]).log_probabilities.tolist()
    return found
