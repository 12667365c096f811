"""Two heads that share the work: one takes the attribute, the other is left with the quality."""

import torch
from torch.nn import functional

from core.training.objectives.batch import Loss, Objective, RewardBatch
from core.training.objectives.likelihood import level, pair_loss

_TINY = 1e-8


def odin(*, coefficient: float, centring: float = 0.0, tie_weight: float = 0.0) -> Objective:
    """Bradley-Terry on the sum of both heads, with the attribute driven into the second one.

    Adds `coefficient` times (1 - rho(value, l)) + |rho(value, q)| + |rho(value, q + l)| and the
    absolute cosine of the heads' centred weights, where q is the reward, l the second head and rho
    Pearson's correlation over the batch. Only q is used afterwards. The batch must come with the
    second head's outputs and both heads' weights.

    Source: Chen et al. 2024 (ODIN, 2402.07319), in the form of the authors' code; one coefficient
    stands for both of theirs, which are 1.
    """

    def loss(batch: RewardBatch) -> Loss:
        if batch.nuisance is None or batch.heads is None:
            raise ValueError("ODIN needs the outputs and weights of a second head.")
        quality, nuisance = batch.rewards, batch.nuisance
        likelihood = pair_loss(batch, tie_weight=tie_weight, rewards=quality + nuisance)
        values = torch.tensor([t.value for t in batch.texts], dtype=quality.dtype).to(quality)
        known = ~values.isnan()
        parts = [part[known] for part in (nuisance, quality, quality + nuisance)]
        to_second, to_first, to_both = (correlation(values[known], part) for part in parts)
        disentangled = (1 - to_second) + to_first.abs() + to_both.abs()
        orthogonal = _centred_cosine(batch.heads).abs()
        penalty = coefficient * (disentangled + orthogonal)
        return Loss(likelihood + level(batch, centring), penalty)

    return loss


def correlation(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Pearson's correlation of two samples (n,), a scalar; 0 where one of them does not vary."""
    x, y = first - first.mean(), second - second.mean()
    shared: torch.Tensor = (x * y).sum() / (x.norm() * y.norm()).clamp_min(_TINY)
    return shared


def _centred_cosine(heads: torch.Tensor) -> torch.Tensor:
    centred = heads - heads.mean(dim=1, keepdim=True)
    return functional.cosine_similarity(centred[0], centred[1], dim=0)
