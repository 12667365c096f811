import math

import pytest
import torch

from core.training.groups import TrainingGroup, TrainingText
from core.training.objectives import bradley_terry, reward_batch


def group(n_texts: int) -> TrainingGroup:
    texts = tuple(TrainingText("good" if i == 0 else "rude", (1, i)) for i in range(n_texts))
    return TrainingGroup("p", "facts", texts)


def test_every_group_pairs_its_first_text_with_each_other_one():
    batch = reward_batch(torch.arange(5.0), [group(3), group(2)])
    assert batch.chosen.tolist() == [0, 0, 3]
    assert batch.rejected.tolist() == [1, 2, 4]
    assert batch.margins.tolist() == [-1.0, -2.0, -1.0]


def test_loss_is_softplus_of_the_negative_margin():
    batch = reward_batch(torch.tensor([2.0, 0.5, 3.0]), [group(3)])
    # Margins 1.5 and -1: log(1 + exp(-1.5)) and log(1 + exp(1)).
    expected = (math.log(1 + math.exp(-1.5)) + math.log(1 + math.exp(1.0))) / 2
    assert bradley_terry()(batch).item() == pytest.approx(expected, abs=1e-6)


def test_equal_rewards_lose_one_bit():
    batch = reward_batch(torch.zeros(2), [group(2)])
    assert bradley_terry()(batch).item() == pytest.approx(math.log(2), abs=1e-6)


def test_centring_adds_the_mean_squared_sum_of_both_rewards():
    batch = reward_batch(torch.tensor([2.0, 0.5, 3.0]), [group(3)])
    # Sums 2.5 and 5: (6.25 + 25) / 2 = 15.625, a tenth of it is 1.5625.
    difference = bradley_terry(centring=0.1)(batch) - bradley_terry()(batch)
    assert difference.item() == pytest.approx(1.5625, abs=1e-5)


def test_gradient_of_a_pair_is_minus_the_chance_of_the_wrong_order():
    rewards = torch.tensor([1.0, 0.0], requires_grad=True)
    bradley_terry()(reward_batch(rewards, [group(2)])).backward()
    wrong = 1 / (1 + math.exp(1.0))
    assert rewards.grad.tolist() == pytest.approx([-wrong, wrong], abs=1e-6)
