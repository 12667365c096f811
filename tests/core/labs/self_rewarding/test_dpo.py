"""DPO's margin, loss and weight by hand, and against the derivative of the loss."""

import numpy as np
import pytest

from core.labs.self_rewarding.dpo import (
    cosines,
    dpo_loss,
    dpo_margin,
    dpo_weight,
    unit_distance,
)


def test_margin_loss_and_weight_of_a_pair_by_hand() -> None:
    margin = dpo_margin(-10, -15, -12, -14, beta=0.1)

    assert float(margin) == pytest.approx(0.3)
    assert float(dpo_loss(margin)) == pytest.approx(0.554355, abs=1e-6)
    assert float(dpo_weight(margin, beta=0.1)) == pytest.approx(0.042556, abs=1e-6)


def test_at_the_start_of_training_every_pair_weighs_half_of_beta() -> None:
    margin = dpo_margin([-10, -3], [-10, -90], [-10, -3], [-10, -90])

    assert margin.tolist() == [0, 0]
    assert dpo_loss(margin) == pytest.approx(np.log(2))
    assert dpo_weight(margin, beta=0.1).tolist() == [0.05, 0.05]


def test_weight_is_beta_times_the_slope_of_the_loss() -> None:
    margins, step, beta = np.linspace(-5, 5, 21), 1e-6, 0.3
    slope = (dpo_loss(margins + step) - dpo_loss(margins - step)) / (2 * step)

    assert dpo_weight(margins, beta=beta) == pytest.approx(-beta * slope, abs=1e-8)


def test_extreme_margins_neither_overflow_nor_lose_the_loss() -> None:
    assert dpo_loss([-1e4, 1e4]).tolist() == [1e4, 0.0]
    assert dpo_weight([-1e4, 1e4], beta=0.1).tolist() == [0.1, 0.0]


def test_cosine_and_distance_by_hand() -> None:
    found = cosines([[1, 1], [1, 0], [0, 0], [2, 0]], [[1, 0], [0, 3], [1, 0], [5, 0]])

    assert found[:2] == pytest.approx([0.707107, 0.0], abs=1e-6)
    assert np.isnan(found[2])
    assert found[3] == 1.0
    assert unit_distance([1.0, 0.0, -1.0]) == pytest.approx([0, np.sqrt(2), 2])
    with pytest.raises(ValueError, match="one shape"):
        cosines([[1, 2]], [[1, 2, 3]])
