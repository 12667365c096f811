"""Resample-on-correct: the count rules, the penalties and who is kept."""

import itertools

import numpy as np
import pandas as pd
import pytest

from core.labs.trajectories.resample import (
    code_counts,
    inverse_weights,
    p_err,
    p_format,
    paper_counts,
    resample_on_correct,
)


def test_share_of_failed_calls_and_half_without_a_call() -> None:
    np.testing.assert_allclose(p_err([1, 0, 3], [4, 0, 3]), [0.25, 0.5, 1.0])
    np.testing.assert_allclose(p_err([0], [0], no_tool=0.0), [0.0])


@pytest.mark.parametrize(("errors", "calls"), [(2, 1), (-1, 3), (np.nan, 3), (0, np.nan), (1, 0)])
def test_impossible_counts_have_no_share(errors: float, calls: float) -> None:
    assert np.isnan(p_err([errors], [calls])[0])


def test_distance_from_one_answer() -> None:
    np.testing.assert_allclose(p_format([3, 1, 0, 9, 1], [4, 4, 4, 4, 0]), [0.5, 0, 1, 1, 1])
    assert np.isnan(p_format([np.nan], [2])[0])
    assert np.isnan(p_format([1], [-2])[0])


def test_inverse_weights_of_the_worked_examples() -> None:
    np.testing.assert_allclose(inverse_weights([0.25, 0.5, 1]), [0.5714, 0.2857, 0.1429], atol=5e-5)
    np.testing.assert_allclose(
        inverse_weights([0, 0.5, 1], epsilon=0.1), [0.7952, 0.1325, 0.0723], atol=5e-5
    )
    np.testing.assert_allclose(inverse_weights([0, 0.5, 0]), [0.5, 0, 0.5])


def test_paper_counts_floor_the_wrong_ones() -> None:
    assert paper_counts(7, 25, 16) == (4, 12)
    assert paper_counts(16, 16, 16) == (8, 8)
    assert paper_counts(0, 32, 16) == (0, 16)
    for n_right, n_keep in itertools.product(range(33), range(1, 33)):
        right, wrong = paper_counts(n_right, 32 - n_right, n_keep)
        assert right + wrong == n_keep
        assert 0 <= right <= n_right
        assert wrong == (32 - n_right) * n_keep // 32
    with pytest.raises(ValueError, match="cannot be kept"):
        paper_counts(2, 2, 5)


@pytest.mark.parametrize(
    ("group", "kept"),
    [
        ((5, 27, 16), (2, 14)),
        ((7, 25, 16), (4, 12)),
        ((1, 31, 16), (1, 15)),
        ((31, 1, 16), (15, 1)),
        ((2, 6, 4), (2, 2)),
        ((16, 16, 16), (8, 8)),
        ((7, 7, 7), (4, 4)),
    ],
)
def test_code_counts_round_half_to_even(group: tuple[int, int, int], kept: tuple[int, int]) -> None:
    assert code_counts(*group) == kept


def released_counts(n_right: int, n_wrong: int, n: int) -> tuple[int, int, bool]:
    """The released rule written down again: right, wrong, whether its assertion holds."""
    total = n_right + n_wrong
    wrong, right = round(n_wrong * n / total), round(n_right * n / total)
    if wrong < 2 and right < 2:
        return n_right, n_wrong, True
    if wrong <= min(2, n_wrong):
        wrong = min(2, n_wrong)
        right = n - wrong
    if right <= min(2, n_right):
        right = min(2, n_right)
        wrong = n - right
    return right, wrong, min(right, n_right) + min(wrong, n_wrong) == n


def test_code_mode_agrees_with_the_released_rule_on_every_split() -> None:
    n_stopped = 0
    for n in range(1, 20):
        for total in range(n + 1, 2 * n + 1):
            for n_right in range(1, total):
                n_wrong = total - n_right
                right, wrong, holds = released_counts(n_right, n_wrong, n)
                correct = [True] * n_right + [False] * n_wrong
                result = resample_on_correct(correct, np.zeros(total), n, mode="code")
                kept = np.array(correct)[result.kept]
                if not holds:
                    n_stopped += 1
                    assert result.status == "dropped: counts do not add up"
                    assert kept.size == 0
                else:
                    assert (kept.sum(), (~kept).sum()) == (right, wrong)
    assert n_stopped > 0


def test_even_numbers_kept_of_twice_as_many_never_stop_the_released_code() -> None:
    for n in range(4, 20, 2):
        for n_right in range(1, 2 * n):
            assert released_counts(n_right, 2 * n - n_right, n)[2]


def test_odd_seven_of_fourteen_is_reported_not_raised() -> None:
    result = resample_on_correct([1] * 7 + [0] * 7, np.zeros(14), 7, mode="code")
    assert result.status == "dropped: counts do not add up"
    assert "4 and 4" in result.message
    assert result.why == ("group dropped",) * 14
    almost_all = resample_on_correct([1] * 4 + [0] * 4, np.zeros(8), 7, mode="code")
    assert almost_all.status == "dropped: counts do not add up"


def test_code_keeps_the_lowest_penalties_in_order_and_the_first_wrong_ones() -> None:
    correct = [True, False, True, False, True, False, True, False]
    penalty = [0.5, 0.0, 0.25, 0.0, 0.25, 0.0, 0.0, 0.0]
    result = resample_on_correct(correct, penalty, 4, mode="code")
    assert result.kept.tolist() == [1, 2, 3, 6]
    assert result.counts == (2, 2)
    assert result.why[0].startswith("dropped: right, penalty 0.50")
    assert result.why[4] == "dropped: right, penalty 0.25 is not under 0.25, the highest kept"
    assert result.is_kept.tolist() == [False, True, True, True, False, False, True, False]


def test_code_drops_equal_rewards_before_and_small_groups_after() -> None:
    zeros = np.zeros(8)
    assert (
        resample_on_correct([1] * 8, zeros, 4, mode="code").status == "dropped: all rewards equal"
    )
    assert (
        resample_on_correct([0] * 8, zeros, 4, mode="code").status == "dropped: all rewards equal"
    )
    few = resample_on_correct([1, 0, 0], zeros[:3], 4, mode="code")
    assert few.status == "dropped: too few rollouts"
    assert "3 rollouts" in few.message
    lenient = resample_on_correct([0] * 8, zeros, 4, mode="code", reject_equal=False)
    assert lenient.kept.tolist() == [0, 1, 2, 3]


def test_a_group_of_exactly_the_kept_number_stays_as_it_is() -> None:
    for mode in ("paper", "code"):
        result = resample_on_correct([1, 0, 0, 0], [9, 0, 0, 0], 4, mode=mode, rng=0)
        assert result.status == "kept whole"
        assert result.kept.tolist() == [0, 1, 2, 3]


def test_a_group_with_both_sides_under_their_minimum_is_kept_whole() -> None:
    result = resample_on_correct([1, 1, 0, 0], np.zeros(4), 2, mode="code")
    assert result.status == "kept whole"
    assert result.kept.tolist() == [0, 1, 2, 3]


def test_paper_draws_right_ones_with_falling_chance_and_wrong_ones_evenly() -> None:
    correct = [True] * 4 + [False] * 4
    penalty = np.array([0.0, 0.25, 0.5, 1.0, 9, 0, 3, 1])
    rng = np.random.default_rng(1)
    kept = np.mean(
        [resample_on_correct(correct, penalty, 4, rng=rng).is_kept for _ in range(4000)], axis=0
    )
    np.testing.assert_allclose(kept[4:], 0.5, atol=0.03)
    weights = 1 / (penalty[:4] + 0.1)
    np.testing.assert_allclose(kept[:4], two_drawn_without_replacement(weights), atol=0.03)


def two_drawn_without_replacement(weights: np.ndarray) -> np.ndarray:
    """Chance of each to be among two drawn one after the other, by summing over all orders."""
    p = weights / weights.sum()
    chance = p.copy()
    for first, second in itertools.permutations(range(len(p)), 2):
        chance[second] += p[first] * p[second] / (1 - p[first])
    return chance


def test_without_epsilon_spotless_ones_come_first_and_share_evenly() -> None:
    rng = np.random.default_rng(0)
    kept = [
        resample_on_correct([1, 1, 1, 1], [0, 0, 0, 1.0], 2, rng=rng, epsilon=0).kept
        for _ in range(900)
    ]
    counts = np.bincount(np.concatenate(kept), minlength=4)
    assert counts[3] == 0
    np.testing.assert_allclose(counts[:3] / 900, 2 / 3, atol=0.06)


def test_uniform_control_ignores_the_penalty_and_keeps_the_papers_counts() -> None:
    rng = np.random.default_rng(2)
    correct = [True] * 4 + [False] * 4
    kept = np.mean(
        [
            resample_on_correct(
                correct, [0, 0, 5, 9, 0, 0, 0, 0], 4, mode="uniform", rng=rng
            ).is_kept
            for _ in range(3000)
        ],
        axis=0,
    )
    np.testing.assert_allclose(kept, 0.5, atol=0.03)


def test_the_same_seed_gives_the_same_draw() -> None:
    correct, penalty = [True] * 10 + [False] * 6, np.linspace(0, 1, 16)
    first, again = (resample_on_correct(correct, penalty, 8, rng=5) for _ in range(2))
    assert first.kept.tolist() == again.kept.tolist()
    assert len(first.kept) == 8


def test_missing_judgements_and_penalties_are_reported() -> None:
    missing = pd.array([True, None, False, False], dtype="boolean")
    for mode in ("paper", "code"):
        for correct, penalty in ((missing, [0.0] * 4), ([1, 0, 0, 0], [np.nan, 0, 0, 0])):
            result = resample_on_correct(correct, penalty, 2, mode=mode, rng=0)
            assert result.status == "dropped: not judged"
            assert result.kept.size == 0
    wrong_without = resample_on_correct([1, 1, 0, 0], [0, 0, np.nan, np.nan], 2, rng=0)
    assert wrong_without.status == "resampled"


def test_an_empty_group_is_dropped() -> None:
    for mode in ("paper", "code"):
        assert resample_on_correct([], [], 2, mode=mode, rng=0).status.startswith("dropped")


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="n_keep"):
        resample_on_correct([1], [0], 0, rng=0)
    with pytest.raises(ValueError, match="epsilon"):
        resample_on_correct([1], [0], 1, rng=0, epsilon=-1)
    with pytest.raises(ValueError, match="at random"):
        resample_on_correct([1], [0], 1)
