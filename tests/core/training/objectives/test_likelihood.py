import math

import pytest
import torch

from core.training.groups import SWAPPED, SWAPPED_FLAWED, TrainingGroup, TrainingText
from core.training.objectives import bradley_terry, reward_batch
from tests.core.training.objectives.batches import group


def likelihood(batch, **options):
    loss = bradley_terry(**options)(batch)
    assert loss.penalty.item() == 0
    return loss.total.item()


def test_every_group_pairs_its_first_text_with_each_other_one():
    batch = reward_batch(torch.arange(5.0), [group(3), group(2)])
    assert batch.chosen.tolist() == [0, 0, 3]
    assert batch.rejected.tolist() == [1, 2, 4]
    assert batch.margins.tolist() == [-1.0, -2.0, -1.0]
    assert batch.is_chosen().tolist() == [True, False, False, True, False]


def test_loss_is_softplus_of_the_negative_margin():
    batch = reward_batch(torch.tensor([2.0, 0.5, 3.0]), [group(3)])
    # Margins 1.5 and -1: log(1 + exp(-1.5)) and log(1 + exp(1)).
    expected = (math.log(1 + math.exp(-1.5)) + math.log(1 + math.exp(1.0))) / 2
    assert likelihood(batch) == pytest.approx(expected, abs=1e-6)


def test_equal_rewards_lose_one_bit():
    batch = reward_batch(torch.zeros(2), [group(2)])
    assert likelihood(batch) == pytest.approx(math.log(2), abs=1e-6)


def test_centring_adds_the_mean_squared_sum_of_both_rewards():
    batch = reward_batch(torch.tensor([2.0, 0.5, 3.0]), [group(3)])
    # Sums 2.5 and 5: (6.25 + 25) / 2 = 15.625, a tenth of it is 1.5625.
    difference = likelihood(batch, centring=0.1) - likelihood(batch)
    assert difference == pytest.approx(1.5625, abs=1e-5)


def test_gradient_of_a_pair_is_minus_the_chance_of_the_wrong_order():
    rewards = torch.tensor([1.0, 0.0], requires_grad=True)
    bradley_terry()(reward_batch(rewards, [group(2)])).total.backward()
    wrong = 1 / (1 + math.exp(1.0))
    assert rewards.grad.tolist() == pytest.approx([-wrong, wrong], abs=1e-6)


def tied_group():
    kinds = ["good", "rude", SWAPPED, SWAPPED_FLAWED, SWAPPED]
    texts = tuple(TrainingText(kind, (1, place)) for place, kind in enumerate(kinds))
    return TrainingGroup("p", "facts", texts)


def test_a_swapped_text_ties_with_the_flawed_one_it_brought_along():
    batch = reward_batch(torch.zeros(7), [group(2), tied_group()])
    assert batch.tied.tolist() == [[4, 5]]
    assert batch.rejected.tolist() == [1, 3, 4, 5, 6]


def test_a_tie_counts_as_many_pairs_as_its_weight_and_is_least_at_even_rewards():
    rewards = torch.tensor([3.0, 1.0, 0.5, -0.5, 0.0])
    batch = reward_batch(rewards, [tied_group()])
    pairs = [math.log(1 + math.exp(-margin)) for margin in (2.0, 2.5, 3.5, 3.0)]
    # The cross-entropy of even odds against a gap of 1.
    tie = (math.log(1 + math.exp(1.0)) + math.log(1 + math.exp(-1.0))) / 2
    for weight in (1.0, 2.5):
        expected = (sum(pairs) + weight * tie) / (4 + weight)
        assert likelihood(batch, tie_weight=weight) == pytest.approx(expected, abs=1e-6)
    assert likelihood(batch) == pytest.approx(sum(pairs) / 4, abs=1e-6)
    assert tie > math.log(2)
