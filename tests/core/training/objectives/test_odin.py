import math

import numpy as np
import pytest
import torch

from core.training.objectives import odin, reward_batch
from core.training.objectives.odin import correlation
from tests.core.training.objectives.batches import group


def test_correlation_worked_out_by_hand():
    lengths = torch.tensor([10.0, 20.0, 30.0, 40.0])
    found = correlation(lengths, torch.tensor([1.0, 2.0, 2.0, 3.0]))
    assert found.item() == pytest.approx(0.948683, abs=1e-6)


def test_correlation_with_something_constant_is_zero_with_a_finite_gradient():
    rewards = torch.ones(4, requires_grad=True)
    found = correlation(torch.tensor([1.0, 2.0, 3.0, 4.0]), rewards)
    assert found.item() == 0
    found.backward()
    assert torch.isfinite(rewards.grad).all()


def test_the_loss_is_put_together_as_published():
    rng = np.random.default_rng(2)
    quality, length_head = rng.normal(size=(2, 4))
    lengths = np.array([30.0, 10.0, 20.0, 40.0])
    heads = rng.normal(size=(2, 6))
    groups = [group(2, value=(30.0, 10.0)), group(2, value=(20.0, 40.0))]
    outputs = torch.tensor(np.stack([quality, length_head], axis=1))
    batch = reward_batch(outputs, groups, heads=torch.tensor(heads))
    both = quality + length_head
    margins = both[[0, 2]] - both[[1, 3]]
    rho = [np.corrcoef(lengths, part)[0, 1] for part in (length_head, quality, both)]
    centred = heads - heads.mean(axis=1, keepdims=True)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    penalty = (1 - rho[0]) + abs(rho[1]) + abs(rho[2]) + abs(unit[0] @ unit[1])
    for coefficient in (1.0, 0.3):
        loss = odin(coefficient=coefficient)(batch)
        likelihood = np.mean([math.log(1 + math.exp(-m)) for m in margins])
        assert loss.likelihood.item() == pytest.approx(likelihood)
        assert loss.penalty.item() == pytest.approx(coefficient * penalty)


def test_texts_without_a_value_have_no_say_in_the_correlations():
    heads = torch.eye(2, 3, dtype=torch.float64)
    rest = torch.tensor([[1.0, 0.5], [0.0, 0.1], [0.3, 0.9], [0.2, 0.4]], dtype=torch.float64)
    stray = torch.tensor([[50.0, -70.0], [50.0, -70.0]], dtype=torch.float64)
    known = [group(2, value=(30.0, 10.0)), group(2, value=(20.0, 40.0))]
    unknown = group(2, value=(math.nan, math.nan))
    without = odin(coefficient=1.0)(reward_batch(rest, known, heads=heads))
    with_stray = odin(coefficient=1.0)(
        reward_batch(torch.cat([rest, stray]), [*known, unknown], heads=heads)
    )
    assert with_stray.penalty.item() == pytest.approx(without.penalty.item())


def test_one_head_is_not_enough():
    with pytest.raises(ValueError, match="second head"):
        odin(coefficient=1.0)(reward_batch(torch.zeros(2), [group(2)]))
