"""Training objectives: functions from the rewards of a batch to the loss that is minimised."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from core.training.groups import TrainingGroup


@dataclass(frozen=True)
class RewardBatch:
    """The rewards of a batch of groups and who is compared with whom.

    Attributes:
        rewards: (n,) float32, one a text, in the order of the groups' texts.
        chosen: (p,) positions in `rewards` of each pair's chosen text.
        rejected: (p,) positions of its rejected text.
        groups: the groups, for objectives that look at what the texts are.
    """

    rewards: torch.Tensor
    chosen: torch.Tensor
    rejected: torch.Tensor
    groups: tuple[TrainingGroup, ...]

    @property
    def margins(self) -> torch.Tensor:
        """(p,) reward of the chosen minus reward of the rejected text."""
        return self.rewards[self.chosen] - self.rewards[self.rejected]


Objective = Callable[[RewardBatch], torch.Tensor]
"""A differentiable scalar to minimise."""


def reward_batch(rewards: torch.Tensor, groups: Sequence[TrainingGroup]) -> RewardBatch:
    """Pairs every group's first text with each of its others."""
    chosen, rejected, start = [], [], 0
    for group in groups:
        others = range(start + 1, start + len(group.texts))
        chosen += [start] * len(others)
        rejected += list(others)
        start += len(group.texts)
    device = rewards.device
    pairs = torch.tensor([chosen, rejected], dtype=torch.long, device=device)
    return RewardBatch(rewards, pairs[0], pairs[1], tuple(groups))


def bradley_terry(*, centring: float = 0.0) -> Objective:
    """The negative log-likelihood that every chosen text beats its rejected one.

    Mean of softplus(-margin), plus `centring` times the mean squared sum of the two rewards:
    margins leave the level of the rewards open, and the second term puts it near 0.

    Source: Bradley and Terry 1952; centring after Eisenstein et al. 2023, section 3.
    """

    def loss(batch: RewardBatch) -> torch.Tensor:
        likelihood = functional.softplus(-batch.margins).mean()
        if not centring:
            return likelihood
        level = batch.rewards[batch.chosen] + batch.rewards[batch.rejected]
        return likelihood + centring * level.square().mean()

    return loss
