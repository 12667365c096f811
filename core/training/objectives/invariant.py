"""A reward that is distributed alike over the bins of an attribute (counterfactual invariance)."""

import torch
from torch.nn import functional

from core.training.groups import NO_BIN
from core.training.objectives.batch import Loss, Objective, RewardBatch
from core.training.objectives.likelihood import level, pair_loss

LEAST_BANDWIDTH = 0.5
"""In units of reward, which are log odds under Bradley-Terry. Rewards start together at 0; without
a floor the kernel would tell their first thousandths apart and its gradient drown the
preferences'."""

_MOST_FOR_MEDIAN = 2000
"""Beyond so many rewards the median is taken over as many evenly spaced quantiles."""


def invariant(
    *,
    coefficient: float,
    conditional: bool = True,
    unbiased: bool = True,
    bandwidth: float | None = None,
    centring: float = 0.0,
    tie_weight: float = 0.0,
) -> Objective:
    """Bradley-Terry plus `coefficient` times the MMD of the rewards between the attribute's bins.

    The penalty is the sum over ordered pairs of bins of the squared MMD of their rewards (the
    reward is regularised, not the latent state), as the paper writes it; the conditional form sums
    it over the chosen and over the rejected texts, each among themselves. Bins with fewer than two
    texts in the batch take no part in the unbiased form.

    Args:
        coefficient: lambda.
        conditional: compare within the chosen and within the rejected texts, not over all.
        unbiased: leave a text's kernel with itself out. The biased form is above 0 for samples of
            one distribution, the more so the smaller they are, and pulls a batch's rewards
            together where nothing is to be removed: on planted data in batches of 16 groups it
            took nine tenths of the weight of quality, the unbiased form a tenth.
        bandwidth: of the kernel, in units of reward; by default `median_bandwidth` of each batch.
        centring: see `bradley_terry`.
        tie_weight: see `bradley_terry`.

    Source: Wang et al. 2025 (CRM, 2501.09620), objective with the MMD regulariser; estimators:
    Gretton et al. 2012, eq. 3 and 5.
    """

    def loss(batch: RewardBatch) -> Loss:
        likelihood = pair_loss(batch, tie_weight=tie_weight) + level(batch, centring)
        penalty = bin_discrepancy(
            batch, conditional=conditional, unbiased=unbiased, bandwidth=bandwidth
        )
        return Loss(likelihood, coefficient * penalty)

    return loss


def bin_discrepancy(
    batch: RewardBatch,
    *,
    conditional: bool,
    unbiased: bool = True,
    bandwidth: float | None = None,
) -> torch.Tensor:
    """Sum over ordered pairs of bins of the squared MMD of their rewards, a scalar."""
    bins = torch.tensor([text.bin for text in batch.texts], device=batch.rewards.device)
    if bandwidth is None:
        bandwidth = median_bandwidth(batch.rewards)
    chosen = batch.is_chosen()
    sides = [chosen, ~chosen] if conditional else [torch.ones_like(chosen)]
    total = batch.rewards.new_zeros(())
    for side in sides:
        part = side & (bins != NO_BIN)
        total = (
            total + mmd_matrix(batch.rewards[part], bins[part], bandwidth, unbiased=unbiased).sum()
        )
    return total


def mmd_matrix(
    rewards: torch.Tensor, bins: torch.Tensor, bandwidth: float, *, unbiased: bool
) -> torch.Tensor:
    """Squared MMD between the rewards of every two bins (m, m), differentiable, 0 on the diagonal.

    Args:
        rewards: (n,) float.
        bins: (n,) long.
        bandwidth: sigma of the kernel exp(-(x - y)^2 / (2 sigma^2)).
        unbiased: leave each reward's kernel with itself out.

    Returns:
        Rows and columns are the bins that have a reward (two, for the unbiased form), in order.
    """
    found, counts = torch.unique(bins, return_counts=True)
    usable = found[counts > int(unbiased)]
    belongs = (bins[:, None] == usable[None, :]).to(rewards.dtype)
    size = belongs.sum(dim=0)
    kernel = torch.exp(-(rewards[:, None] - rewards[None, :]).square() / (2 * bandwidth**2))
    sums = belongs.T @ kernel @ belongs
    own = sums.diagonal()
    within = (own - size) / (size * (size - 1)) if unbiased else own / size.square()
    squared = within[:, None] + within[None, :] - 2 * sums / (size[:, None] * size[None, :])
    matrix: torch.Tensor = squared * (
        1 - torch.eye(len(usable), dtype=rewards.dtype, device=rewards.device)
    )
    return matrix


def median_bandwidth(rewards: torch.Tensor, *, least: float = LEAST_BANDWIDTH) -> float:
    """The median of |x_i - x_j| over all pairs of the rewards (n,), and at least `least`.

    It is a number without gradient: training must not widen the kernel instead of moving rewards.

    Source: Gretton et al. 2012, section 8; the floor is ours.
    """
    values = rewards.detach().float().sort().values
    if len(values) > _MOST_FOR_MEDIAN:
        values = values[torch.linspace(0, len(values) - 1, _MOST_FOR_MEDIAN).round().long()]
    distances = functional.pdist(values[:, None])
    return max(float(distances.quantile(0.5)), least) if len(distances) else least
