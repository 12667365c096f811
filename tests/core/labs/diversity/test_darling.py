"""DARLING's reward against the published example, numbers worked out by hand, and brute force."""

from itertools import product

import numpy as np
import pytest

from core.labs.diversity.darling import (
    RULES,
    correct_only_scores,
    darling_advantages,
    darling_reward,
    diversity_scores,
    normalised,
)


def test_the_papers_example_of_four_responses_in_three_classes():
    scores = diversity_scores(["A", "A", "B", "C"])
    assert scores == pytest.approx([2 / 3, 2 / 3, 1, 1])
    reward = darling_reward([1, 1, 1, 0], scores)
    assert reward == pytest.approx([2 / 3, 2 / 3, 1, 0])
    assert darling_advantages(reward) == pytest.approx([1 / 12, 1 / 12, 5 / 12, -7 / 12])


def test_diversity_counts_the_siblings_that_say_something_else():
    rng = np.random.default_rng(0)
    for _ in range(50):
        classes = rng.integers(4, size=rng.integers(2, 9)).tolist()
        counted = [
            np.mean([other != own for j, other in enumerate(classes) if j != i])
            for i, own in enumerate(classes)
        ]
        assert diversity_scores(classes) == pytest.approx(counted)


def test_a_group_that_says_one_thing_gets_the_floor():
    assert darling_reward([1] * 4, diversity_scores("AAAA")) == pytest.approx([0.1] * 4)
    assert darling_reward([1] * 4, diversity_scores("AAAA"), floor=0.0) == pytest.approx([0] * 4)


def test_unreadable_answers_are_not_new_answers():
    assert diversity_scores([None, float("nan"), "7", "7"]) == pytest.approx([2 / 3] * 4)


def test_a_group_of_one_has_no_diversity_and_is_paid_the_floor():
    assert np.isnan(diversity_scores(["A"])).all()
    assert darling_reward([2.0], diversity_scores(["A"])) == pytest.approx([0.2])
    assert diversity_scores([]).size == 0


def test_negative_quality_punishes_novelty_until_it_is_shifted():
    reward = darling_reward([-2, -2], [1 / 3, 1])
    assert reward == pytest.approx([-2 / 3, -2])
    assert darling_reward([-2, -2], [1 / 3, 1], shift="minimum") == pytest.approx([0, 0])
    assert darling_reward([-2, -1], [1, 1], shift="minimum") == pytest.approx([0, 1])


def test_addition_pays_for_junk_that_differs():
    scores = diversity_scores(["A", "A", "B"])
    assert darling_reward([1, 1, 0], scores, rule="add", weight=2) == pytest.approx([2, 2, 2])
    assert darling_reward([1, 1, 0], scores, rule="multiply")[2] == 0


def test_lexicographic_orders_by_quality_and_then_by_diversity():
    for quality in product([0.0, 0.5, 1.0], repeat=4):
        diversity = [1.0, 0.0, 0.5, 0.5]
        reward = darling_reward(quality, diversity, rule="lexicographic")
        keys = list(zip(quality, diversity, strict=True))
        below = [sum(k < own for k in keys) for own in keys]
        tied = [sum(k == own for k in keys) for own in keys]
        expected = [(b + (t - 1) / 2) / 3 for b, t in zip(below, tied, strict=True)]
        assert reward == pytest.approx(expected)


def test_threshold_on_right_and_wrong_is_multiplication():
    scores = diversity_scores(["A", "A", "B", "C", "C"])
    quality = [1, 0, 1, 0, 1]
    assert darling_reward(quality, scores, rule="threshold") == pytest.approx(
        darling_reward(quality, scores, rule="multiply")
    )


def test_right_responses_are_compared_with_right_ones_only():
    scores = correct_only_scores(["A", "A", "B", "A"], [True, True, True, False])
    assert scores == pytest.approx([0.5, 0.5, 1.0, 0.1])
    assert correct_only_scores(["A", "B"], [True, False]) == pytest.approx([0.1, 0.1])


def test_normalisations():
    assert normalised([0.25, 0.5], "max") == pytest.approx([0.5, 1.0])
    assert normalised([0.0, 0.0], "max") == pytest.approx([0, 0])
    assert normalised([0.0, 1.0], "sigmoid") == pytest.approx([0.5, 1 / (1 + np.exp(-1))])


def test_standardising_blows_up_what_centring_leaves_small():
    reward = [0.5, 0.5, 0.5, 0.501]
    assert np.abs(darling_advantages(reward)).max() < 0.001
    assert np.abs(darling_advantages(reward, scale="population")).max() > 1.5


@pytest.mark.parametrize("rule", RULES)
def test_order_within_the_group_does_not_matter(rule):
    rng = np.random.default_rng(1)
    quality, classes = rng.normal(size=6), rng.integers(3, size=6)
    shuffle = rng.permutation(6)
    reward = darling_reward(quality, diversity_scores(classes.tolist()), rule=rule)
    moved = darling_reward(quality[shuffle], diversity_scores(classes[shuffle].tolist()), rule=rule)
    assert moved == pytest.approx(reward[shuffle])


def test_what_cannot_be_a_reward_is_refused():
    with pytest.raises(ValueError, match="not a finite"):
        darling_reward([1, np.nan], [0, 1])
    with pytest.raises(ValueError, match="2 qualities but 1"):
        darling_reward([1, 1], [0.5])
    with pytest.raises(ValueError, match="floor"):
        darling_reward([1], [1], floor=2)
    with pytest.raises(ValueError, match="no rule"):
        darling_reward([1], [1], rule="average")
