import math

import numpy as np
import pytest
import torch

from core.training.objectives import bradley_terry, invariant, reward_batch
from core.training.objectives.invariant import bin_discrepancy, median_bandwidth, mmd_matrix
from tests.core.training.objectives.batches import brute_force_mmd, group, pairs_batch

SIGMA = math.sqrt(0.5)
"""Makes the kernel exp(-(x - y)^2)."""


def matrix(samples, *, sigma=SIGMA, unbiased=False):
    rewards = torch.tensor([float(x) for sample in samples for x in sample], dtype=torch.float64)
    bins = torch.tensor([place for place, sample in enumerate(samples) for _ in sample])
    return mmd_matrix(rewards, bins, sigma, unbiased=unbiased)


@pytest.mark.parametrize(
    ("first", "second", "unbiased", "expected"),
    [
        ([0], [1], False, 1.264241),
        ([0, 1], [1, 2], False, 0.490842),
        ([0, 1], [0, 1], False, 0.0),
        ([0, 1], [0, 1], True, -0.632121),
    ],
)
def test_discrepancies_of_two_samples_worked_out_by_hand(first, second, unbiased, expected):
    found = matrix([first, second], unbiased=unbiased)
    assert found[0, 1].item() == pytest.approx(expected, abs=1e-6)
    assert found[1, 0].item() == pytest.approx(expected, abs=1e-6)
    assert found.diagonal().tolist() == [0, 0]


def test_three_bins_sum_over_ordered_pairs():
    assert matrix([[0], [1], [1]]).sum().item() == pytest.approx(5.056964, abs=1e-6)


@pytest.mark.parametrize("unbiased", [True, False])
def test_every_cell_is_the_discrepancy_by_brute_force(unbiased):
    rng = np.random.default_rng(4)
    samples = [rng.normal(size=n).tolist() for n in (2, 5, 3, 7)]
    found = matrix(samples, sigma=0.8, unbiased=unbiased)
    for i, first in enumerate(samples):
        for j, second in enumerate(samples):
            expected = brute_force_mmd(first, second, 0.8, unbiased=unbiased) if i != j else 0.0
            assert found[i, j].item() == pytest.approx(expected, abs=1e-9)


def test_bins_too_small_for_the_unbiased_form_take_no_part():
    assert matrix([[0, 1], [5], [1, 2]], unbiased=True).shape == (2, 2)
    assert matrix([[0, 1], [5], [1, 2]], unbiased=False).shape == (3, 3)
    assert matrix([[0], [5]], unbiased=True).sum().item() == 0


def test_the_conditional_form_compares_chosen_with_chosen_and_rejected_with_rejected():
    # Chosen: bins 0 and 1 hold {0} and {1}; rejected: {5} and {5}. Kernel exp(-(x - y)^2).
    batch = pairs_batch([0.0, 1.0], [5.0, 5.0], bins=[(0, 0), (1, 1)])
    options = {"unbiased": False, "bandwidth": SIGMA}
    conditional = bin_discrepancy(batch, conditional=True, **options)
    assert conditional.item() == pytest.approx(2 * 1.264241, abs=1e-6)
    over_all = bin_discrepancy(batch, conditional=False, **options)
    expected = 2 * brute_force_mmd([0, 5], [1, 5], SIGMA, unbiased=False)
    assert over_all.item() == pytest.approx(expected, abs=1e-9)


def test_a_text_without_a_bin_takes_no_part():
    with_stray = pairs_batch([0.0, 1.0, 9.0], [5.0, 5.0, 9.0], bins=[(0, 0), (1, 1), (-1, -1)])
    without = pairs_batch([0.0, 1.0], [5.0, 5.0], bins=[(0, 0), (1, 1)])
    options = {"conditional": True, "unbiased": False, "bandwidth": SIGMA}
    assert bin_discrepancy(with_stray, **options).item() == pytest.approx(
        bin_discrepancy(without, **options).item()
    )


def test_the_loss_is_the_likelihood_plus_lambda_times_the_discrepancy():
    batch = pairs_batch([0.0, 1.0], [5.0, 5.0], bins=[(0, 0), (1, 1)])
    loss = invariant(coefficient=3.0, unbiased=False, bandwidth=SIGMA)(batch)
    assert loss.likelihood.item() == pytest.approx(bradley_terry()(batch).total.item())
    assert loss.penalty.item() == pytest.approx(3 * 2 * 1.264241, abs=1e-5)
    assert loss.total.item() == pytest.approx(loss.likelihood.item() + loss.penalty.item())


def test_bandwidth_is_the_median_distance_of_all_pairs():
    # Distances of 0, 1, 3, 10: 1, 2, 3, 7, 9, 10; their median is 5.
    assert median_bandwidth(torch.tensor([0.0, 10.0, 1.0, 3.0])) == pytest.approx(5.0)


@pytest.mark.parametrize("rewards", [[2.0, 2.0, 2.0], [2.0], [0.0, 1e-3, 2e-3]])
def test_bandwidth_has_a_floor_where_rewards_lie_together(rewards):
    assert median_bandwidth(torch.tensor(rewards)) == 0.5


def test_bandwidth_of_many_rewards_is_that_of_their_quantiles():
    rewards = torch.arange(9000.0).flip(0)
    # The median distance of points spread evenly over [0, L] is L (1 - sqrt(1/2)).
    assert median_bandwidth(rewards) == pytest.approx(9000 * (1 - math.sqrt(0.5)), rel=2e-3)


@pytest.mark.parametrize("chosen", [[0.0] * 4, [0.0, 1.0, 2.0, 1e4]])
@pytest.mark.parametrize("conditional", [True, False])
def test_gradients_are_finite_also_for_ties_and_far_rewards(chosen, conditional):
    batch = pairs_batch(chosen, [0.0] * 4, bins=[(0, 1), (0, 1), (1, 0), (1, 0)], gradient=True)
    leaf = batch.rewards
    leaf.retain_grad()
    invariant(coefficient=1.0, conditional=conditional)(batch).total.backward()
    assert torch.isfinite(leaf.grad).all()


def test_gradient_of_the_discrepancy_is_that_of_finite_differences():
    rewards = torch.tensor([0.3, -0.2, 1.1, 0.9, 0.4, -0.5, 0.8, 0.0], dtype=torch.float64)
    groups = [group(2, bin=bins) for bins in [(0, 1), (0, 0), (1, 1), (1, 0)]]

    def penalty(values):
        batch = reward_batch(values, groups)
        return bin_discrepancy(batch, conditional=True, bandwidth=0.7)

    assert torch.autograd.gradcheck(penalty, rewards.requires_grad_())


def planted(rng, n_groups):
    """Features (2 n, 2) of chosen and rejected in turn: quality and length, both predictive."""
    longer = rng.random(n_groups) < 0.8
    quality = np.stack([rng.normal(0.7, 1, n_groups), rng.normal(-0.7, 1, n_groups)], axis=1)
    base = rng.normal(0, 1, n_groups)
    length = np.stack([base + longer, base + ~longer], axis=1)
    return torch.tensor(np.stack([quality, length], axis=2)).reshape(-1, 2), length


def fit_linear(objective, seed, *, n_groups=256, batch_groups=16, n_steps=400):
    """A linear head on the planted features, trained in batches of the size of a recipe."""
    rng = np.random.default_rng(seed)
    features, length = planted(rng, n_groups)
    edges = np.quantile(length, [1 / 3, 2 / 3])
    bins = np.searchsorted(edges, length, side="right")
    weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=0.03)
    for _ in range(n_steps):
        drawn = rng.choice(n_groups, batch_groups, replace=False)
        rows = np.stack([2 * drawn, 2 * drawn + 1], axis=1).ravel()
        groups = [group(2, bin=tuple(int(b) for b in bins[place])) for place in drawn]
        loss = objective(reward_batch(features[rows] @ weight, groups)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    groups = [group(2, bin=tuple(int(b) for b in row)) for row in bins]
    rewards = (features @ weight).detach()
    mmd = bin_discrepancy(reward_batch(rewards, groups), conditional=True).item()
    margins = rewards[::2] - rewards[1::2]
    return weight.detach().numpy(), mmd, (margins > 0).double().mean().item()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_length_bias_is_picked_up_plainly_and_at_least_halved_by_the_penalty(seed):
    plain_weight, plain_mmd, _ = fit_linear(bradley_terry(), seed)
    weight, mmd, accuracy = fit_linear(invariant(coefficient=1.0), seed)
    assert plain_weight[1] > 0.5
    assert abs(weight[1]) < plain_weight[1] / 2
    assert mmd < plain_mmd / 2
    # What is left is the quality, which alone ranks Phi(1.4 / sqrt(2)) = 84 % rightly.
    assert weight[0] > 0.5
    assert accuracy > 0.75
