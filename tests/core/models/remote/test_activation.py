"""Raw against activated, and what is left of a reward behind a sigmoid."""

import math

import numpy as np
import pytest

from core.models.remote.activation import judge_activation, rounding_step, undo_sigmoid

RAW = [-3.2, 0.4, 1.9, 5.5, -0.7, 2.2, 0.1, 3.3]


def sigmoid(values: list[float]) -> list[float]:
    return [1 / (1 + math.exp(-v)) for v in values]


def test_values_outside_0_to_1_are_raw() -> None:
    assert judge_activation(RAW).state == "raw"
    assert judge_activation(RAW, sigmoid(RAW)).state == "raw"


def test_a_switch_without_effect_on_values_within_0_to_1_is_an_activation() -> None:
    probe = judge_activation(sigmoid(RAW), sigmoid(RAW))
    assert probe.state == "activated"
    assert "changes nothing" in probe.detail


def test_small_raw_values_are_known_by_their_sigmoid() -> None:
    small = [0.1, 0.5, 0.9, 0.3]
    assert judge_activation(small, sigmoid(small)).state == "raw"


def test_without_a_switch_values_within_0_to_1_stay_unclear() -> None:
    assert judge_activation(sigmoid(RAW)).state == "unclear"


def test_a_softmax_over_one_class_is_constant() -> None:
    assert judge_activation([1.0] * 8).state == "constant"


def test_values_that_are_not_finite_are_left_out() -> None:
    assert judge_activation([math.nan, *RAW], [math.nan, *sigmoid(RAW)]).state == "raw"
    assert judge_activation([math.nan, 0.5]).state == "unclear"


def test_the_inverse_gives_the_reward_back_and_widens_towards_the_ends() -> None:
    widths = []
    for reward in (0.0, 2.0, 4.0, 8.0, 12.0):
        p = float(np.float32(1 / (1 + np.exp(-reward))))
        value, half_width = undo_sigmoid(p)
        assert abs(value - reward) <= half_width + 1e-12
        widths.append(half_width)
    # 0.5 fits every format, so the coarsest is assumed; from there on the width grows.
    assert widths[1:] == sorted(widths[1:])
    assert undo_sigmoid(1.0) == (math.inf, math.inf)
    assert undo_sigmoid(0.0) == (-math.inf, math.inf)
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            undo_sigmoid(wrong)


def test_the_half_width_is_what_rounding_leaves_open() -> None:
    # bfloat16 near 1 has steps of 2**-8: 0.98046875 = 251/256.
    p = 251 / 256
    assert rounding_step(p) == 2**-8
    low, high = p - 2**-9, p + 2**-9
    logit = [math.log(x / (1 - x)) for x in (low, p, high)]
    assert undo_sigmoid(p) == (
        pytest.approx(logit[1]),
        pytest.approx(max(logit[1] - logit[0], logit[2] - logit[1])),
    )


def test_the_number_format_is_read_off_a_value() -> None:
    assert rounding_step(0.75) == 2**-8
    assert rounding_step(0.75 + 2**-11) == 2**-11
    assert rounding_step(float(np.float32(0.7))) == 2**-24
    assert rounding_step(0.7) == 2**-24  # printed with fewer digits, it still was a float32


def test_values_of_plus_and_minus_one_are_a_normalised_embedding() -> None:
    probe = judge_activation([1.0, -1.0, 0.9999, -1.0, 1.0, 1.0])
    assert probe.state == "constant"
    assert "only the sign is left" in probe.detail
