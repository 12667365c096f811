"""Bonuses against vectors worked by hand, and against plain loops on random groups."""

import numpy as np
import pytest

from core.labs.collapse.bonus import (
    SCHEMES,
    advantages_with_bonus,
    batch_bonus,
    chance_solved_ever,
    expected_batch_bonus,
    exploration_bonus,
    ucb_bonus,
    ucb_con,
    ucb_mean,
)


def test_ucb_pays_one_until_an_answer_was_seen_twice() -> None:
    np.testing.assert_allclose(ucb_bonus([0, 1, 4, 9, 100]), [1, 1, 0.5, 1 / 3, 0.1])


def test_ucb_refuses_a_negative_count() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        ucb_bonus([1, -1])
    with pytest.raises(ValueError, match="0 or more"):
        ucb_bonus([float("nan")])


def test_ucb_con_turns_negative_after_one_over_b0_squared() -> None:
    np.testing.assert_allclose(ucb_con([0, 1, 4, 9, 100], 0.5), [0.5, 0.5, 0, -1 / 6, -0.4])
    assert ucb_con([0, 1, 2, 50], 1.0).max() == 0


def test_ucb_mean_compares_with_the_others_of_the_group() -> None:
    np.testing.assert_allclose(
        ucb_mean([0.5, 1 / 3, 1, 0.5]), [-0.1111, -0.3333, 0.5556, -0.1111], atol=5e-5
    )
    assert ucb_mean([0.7]).tolist() == [0.0]


def test_batch_bonus_charges_for_repeats() -> None:
    bonus = batch_bonus(list("AABBBCDD"))
    np.testing.assert_allclose(bonus, [-0.125] * 2 + [-0.25] * 3 + [0] + [-0.125] * 2)
    assert bonus.mean() == pytest.approx(-0.15625)


def test_batch_bonus_equals_the_double_sum_on_random_groups() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(1, 10))
        answers = [None if a == 0 else str(a) for a in rng.integers(0, 4, n)]
        expected = [
            -sum(answers[j] == answers[i] for j in range(n) if j != i) / n for i in range(n)
        ]
        np.testing.assert_allclose(batch_bonus(answers), expected)


def test_expected_batch_bonus_equals_enumeration_over_all_groups() -> None:
    assert expected_batch_bonus([0.5, 0.25, 0.25], 8) == pytest.approx(-0.328125)
    p = {"a": 0.6, "b": 0.3, "c": 0.1}
    mean = sum(p[x] * p[y] * p[z] * batch_bonus([x, y, z]).mean() for x in p for y in p for z in p)
    assert expected_batch_bonus(list(p.values()), 3) == pytest.approx(mean)


def test_chance_solved_ever_multiplies_the_misses() -> None:
    assert chance_solved_ever([0, 0.1, 0.2, 0.5], 2) == pytest.approx(0.8704)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_group_right_throughout_gets_no_bonus(scheme) -> None:
    bonus = exploration_bonus(scheme, ["7", "7", "7"], {"7": 3}, b0=0.5, all_correct=True)
    assert bonus.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("none", [0, 0, 0, 0]),
        ("ucb", [0.5, 1 / 3, 1, 0.5]),
        ("ucb-mean", [-1 / 9, -1 / 3, 5 / 9, -1 / 9]),
        ("ucb-con", [0.25, 1 / 12, 0.75, 0.25]),
        ("batch", [-0.25, 0, 0, -0.25]),
    ],
)
def test_each_scheme_reads_history_by_answer(scheme, expected) -> None:
    history = {"a": 4, "b": 9, "elsewhere": 50}
    bonus = exploration_bonus(scheme, ["a", "b", "new", "a"], history, b0=0.25, all_correct=False)
    np.testing.assert_allclose(bonus, expected, atol=1e-12)


def test_an_unreadable_answer_is_one_answer_or_none() -> None:
    answers = ["a", None, None, "a"]
    history = {"a": 1, None: 4}
    bucket = exploration_bonus("ucb", answers, history)
    np.testing.assert_allclose(bucket, [1, 0.5, 0.5, 1])
    excluded = exploration_bonus("ucb-mean", answers, history, unreadable="excluded")
    np.testing.assert_allclose(excluded, [0, 0, 0, 0])
    batch = exploration_bonus("batch", answers, history, unreadable="excluded")
    np.testing.assert_allclose(batch, [-0.25, 0, 0, -0.25])
    assert exploration_bonus("ucb", [None], {}, unreadable="excluded").tolist() == [0]


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(ValueError, match="thompson"):
        exploration_bonus("thompson", ["a"], {})


def test_a_bonus_in_the_reward_is_scaled_up_where_a_group_is_wrong_throughout() -> None:
    bonus = np.array([1.0, 0.5, 0.5, 0.5])
    added = advantages_with_bonus([0, 0, 0, 0], bonus, c=0.2)
    np.testing.assert_allclose(added, [0.2, 0.1, 0.1, 0.1])
    in_reward = advantages_with_bonus([0, 0, 0, 0], bonus, c=0.2, place="reward")
    weighted = 0.2 * bonus
    np.testing.assert_allclose(
        in_reward, (weighted - weighted.mean()) / (weighted.std() + 1e-6), rtol=1e-12
    )


def test_with_c_zero_nothing_changes() -> None:
    plain = advantages_with_bonus([1, 0, 0, 1], [1, 1, 1, 1], c=0)
    np.testing.assert_allclose(plain, [1, -1, -1, 1], rtol=1e-5)
