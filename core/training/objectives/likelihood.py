"""The likelihood of the preferences, which every objective has."""

import torch
from torch.nn import functional

from core.training.objectives.batch import Loss, Objective, RewardBatch


def bradley_terry(*, centring: float = 0.0, tie_weight: float = 0.0) -> Objective:
    """The negative log-likelihood that every chosen text beats its rejected one.

    Mean of softplus(-margin), plus `centring` times the mean squared sum of the two rewards:
    margins leave the level of the rewards open, and the second term puts it near 0. A tie adds the
    cross-entropy against even odds, `tie_weight` times that of a pair.

    Source: Bradley and Terry 1952; centring after Eisenstein et al. 2023, section 3; ties of
    off-topic responses after Liu et al. 2025 (RRM, 2409.13156).
    """

    def loss(batch: RewardBatch) -> Loss:
        likelihood = pair_loss(batch, tie_weight=tie_weight) + level(batch, centring)
        return Loss(likelihood, likelihood.new_zeros(()))

    return loss


def pair_loss(
    batch: RewardBatch, *, tie_weight: float = 0.0, rewards: torch.Tensor | None = None
) -> torch.Tensor:
    """Weighted mean over pairs and ties of -log P(the preference), a scalar.

    Args:
        batch: who is compared with whom.
        tie_weight: what a tie counts, where a pair counts 1.
        rewards: (n,) what is compared; the batch's rewards when None.
    """
    values = batch.rewards if rewards is None else rewards
    pairs = functional.softplus(values[batch.rejected] - values[batch.chosen])
    if not tie_weight or not len(batch.tied):
        return pairs.mean()
    gaps = values[batch.tied[:, 0]] - values[batch.tied[:, 1]]
    ties = (functional.softplus(gaps) + functional.softplus(-gaps)) / 2
    weight = len(pairs) + tie_weight * len(ties)
    return (pairs.sum() + tie_weight * ties.sum()) / weight


def level(batch: RewardBatch, centring: float) -> torch.Tensor:
    """`centring` times the mean squared sum of a pair's rewards, a scalar."""
    sums = batch.rewards[batch.chosen] + batch.rewards[batch.rejected]
    return centring * sums.square().mean()
