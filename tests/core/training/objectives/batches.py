"""Batches for objectives, from bare numbers."""

import math

import torch

from core.training.groups import TrainingGroup, TrainingText
from core.training.objectives import RewardBatch, reward_batch


def group(n_texts: int, **fields) -> TrainingGroup:
    """A chosen and n - 1 rejected texts; each of `fields` gives one value a text."""
    texts = tuple(
        TrainingText(
            "good" if i == 0 else "rude", (1, i), **{name: v[i] for name, v in fields.items()}
        )
        for i in range(n_texts)
    )
    return TrainingGroup("p", "facts", texts)


def pairs_batch(chosen, rejected, *, bins=None, gradient=False) -> RewardBatch:
    """One pair a group; `bins` holds (bin of chosen, bin of rejected) for each."""
    rewards = torch.tensor([r for pair in zip(chosen, rejected, strict=True) for r in pair])
    rewards = rewards.double().requires_grad_(gradient)
    groups = [group(2, bin=pair) for pair in bins or [(-1, -1)] * len(chosen)]
    return reward_batch(rewards, groups)


def brute_force_mmd(first, second, sigma, *, unbiased) -> float:
    """Squared MMD by loops over all pairs of rewards."""

    def kernel(x, y):
        return math.exp(-((x - y) ** 2) / (2 * sigma**2))

    def within(values):
        pairs = [
            kernel(x, y)
            for i, x in enumerate(values)
            for j, y in enumerate(values)
            if i != j or not unbiased
        ]
        return sum(pairs) / len(pairs)

    across = [kernel(x, y) for x in first for y in second]
    return within(first) + within(second) - 2 * sum(across) / len(across)
