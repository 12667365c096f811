"""Shared primitives of groups, against vectors by hand and against enumeration."""

from itertools import combinations, product

import numpy as np
import pytest

from core.labs.groups import (
    answer_entropy,
    expected_distinct,
    group_advantages,
    group_status,
    leave_one_out_advantages,
    pass_at_k,
    rarefied_distinct,
)


def test_advantages_are_the_rewards_centred_and_scaled() -> None:
    np.testing.assert_allclose(group_advantages([1, 0, 0, 1], epsilon=0), [1, -1, -1, 1])
    rewards = np.array([0.2, 0.4, 0.9, 0.5])
    for scale, ddof in (("population", 0), ("sample", 1)):
        expected = (rewards - rewards.mean()) / (rewards.std(ddof=ddof) + 1e-6)
        np.testing.assert_allclose(group_advantages(rewards, scale=scale), expected)
    np.testing.assert_allclose(group_advantages(rewards, scale="none"), rewards - rewards.mean())


def test_a_group_without_spread_has_no_advantage_whatever_its_float_noise() -> None:
    assert group_advantages([0.1 + 0.2, 0.3, 0.3]).tolist() == [0, 0, 0]
    assert group_advantages([1e9, 1e9 + 1e-7]).tolist() == [0, 0]
    assert group_advantages([0.7]).tolist() == [0]
    assert group_advantages([]).tolist() == []


def test_a_reward_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        group_advantages([1.0, float("nan")])


def test_leave_one_out_advantages_match_the_vector_and_the_definition() -> None:
    np.testing.assert_allclose(
        leave_one_out_advantages([0.2, 0.4, 0.9, 0.5]), [-0.4, -0.1333333, 0.5333333, 0], atol=1e-6
    )
    rng = np.random.default_rng(0)
    rewards = rng.normal(size=6)
    expected = [rewards[i] - np.delete(rewards, i).mean() for i in range(6)]
    np.testing.assert_allclose(leave_one_out_advantages(rewards), expected)
    with pytest.raises(ValueError, match="group of one"):
        leave_one_out_advantages([1.0])


@pytest.mark.parametrize(
    ("right", "status"),
    [([1, 1], "all right"), ([0, 0], "all wrong"), ([0, 1], "mixed"), ([True], "all right")],
)
def test_status_of_a_group(right, status) -> None:
    assert group_status(right) == status


def test_pass_at_k_equals_enumeration_over_all_draws() -> None:
    for n in range(1, 8):
        for c in range(n + 1):
            right = [True] * c + [False] * (n - c)
            for k in range(1, n + 1):
                draws = list(combinations(right, k))
                expected = np.mean([any(draw) for draw in draws])
                assert pass_at_k(n, c, k)[0] == pytest.approx(expected, abs=1e-9)


def test_pass_at_k_has_no_value_with_too_few_samples() -> None:
    np.testing.assert_allclose(pass_at_k([8, 2, 0], [0, 1, 0], 4), [0, np.nan, np.nan])
    np.testing.assert_allclose(pass_at_k([10_000], [1], 10), [0.001], rtol=1e-6)


def test_pass_at_k_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        pass_at_k(4, 2, 0)
    for correct in (-1, 5):
        with pytest.raises(ValueError, match="between 0 and all"):
            pass_at_k(4, correct, 1)


def test_rarefied_distinct_equals_enumeration_over_all_draws() -> None:
    counts = {"a": 3, "b": 2, "c": 1}
    answers = [name for name, n in counts.items() for _ in range(n)]
    for k in range(1, 7):
        expected = np.mean([len(set(draw)) for draw in combinations(answers, k)])
        assert rarefied_distinct(list(counts.values()), k) == pytest.approx(expected)
    assert np.isnan(rarefied_distinct([3, 2, 1], 7))


def test_expected_distinct_equals_the_vector_and_enumeration() -> None:
    p = [0.5, 0.25, 0.25]
    values = [expected_distinct(p, k) for k in (1, 2, 4)]
    np.testing.assert_allclose(values, [1, 1.625, 2.304688], atol=1e-6)
    chances = {draw: np.prod([p[i] for i in draw]) for draw in product(range(3), repeat=3)}
    expected = sum(len(set(draw)) * chance for draw, chance in chances.items())
    assert expected_distinct(p, 3) == pytest.approx(expected)


def test_rarefaction_is_unbiased_where_the_plug_in_is_low() -> None:
    rng = np.random.default_rng(1)
    p = np.full(10, 0.1)
    draws = rng.multinomial(12, p, size=20_000)
    rarefied = np.mean([rarefied_distinct(row, 8) for row in draws[:4_000]])
    plug_in = np.mean([expected_distinct(row / 12, 8) for row in draws[:4_000]])
    truth = expected_distinct(p, 8)
    assert rarefied == pytest.approx(truth, abs=0.03)
    assert plug_in < truth - 0.2


def test_entropy_of_answers_is_in_nats() -> None:
    assert answer_entropy([4, 4]) == pytest.approx(np.log(2))
    assert answer_entropy({"a": 5}) == 0
    assert answer_entropy([2, 1, 1, 0]) == pytest.approx(1.5 * np.log(2))
