from collections import Counter

import numpy as np
import pytest

from core.training.rollouts.episodes import Episode
from core.training.rollouts.groups import pay
from core.training.rollouts.problems import Problem
from tests.core.training.rollouts.conftest import tiny_recipe

PROBLEM = Problem("sum-2", "12+34=", "46")


def episode(answer: str | None, *, errors: int = 0, calls: int = 0, tags: int = 1) -> Episode:
    score = float(answer == PROBLEM.answer)
    counts = {"tool_calls": calls, "tool_errors": errors, "answer_tags": tags}
    return Episode(PROBLEM, [1], [1], answer, score, -1.0, 0.5, **counts)


def paid(answers: list[str | None], history: Counter[str | None] | None = None, **changes: object):
    rng = np.random.default_rng(0)
    recipe = tiny_recipe(**changes)
    return pay([episode(each) for each in answers], recipe, history or Counter(), rng)


def test_plain_grpo_pays_the_score_and_keeps_all() -> None:
    group = paid(["46", "1", "46", None])
    assert list(group.rewards) == [1, 0, 1, 0]
    assert list(group.kept) == [0, 1, 2, 3]
    assert not group.bonus.any()


def test_the_bonus_reads_the_answers_given_before_this_group() -> None:
    history: Counter[str | None] = Counter({"46": 100, "1": 4})
    group = paid(["46", "1", "9", "9"], history, exploration="ucb-con", bonus_offset=0.5)
    # c = 0.2; UCB of N = 100, 4, 0, 0 is 0.1, 0.5, 1, 1; less b0 = 0.5.
    assert list(group.bonus) == pytest.approx([-0.08, 0.0, 0.1, 0.1])
    assert history == {"46": 101, "1": 5, "9": 2}


def test_a_group_that_is_all_right_gets_no_bonus() -> None:
    assert not paid(["46"] * 4, exploration="batch").bonus.any()


def test_darling_pays_score_times_diversity() -> None:
    group = paid(["46", "46", "46", "1"], reward="darling")
    # Each right answer differs from one of three others; the wrong one is worth nothing.
    assert list(group.rewards) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


def test_resample_on_correct_keeps_the_clean_right_ones() -> None:
    right = [episode("46", errors=errors, calls=3) for errors in (2, 0, 1, 2)]
    wrong = [episode("1", errors=1, calls=1) for _ in range(4)]
    recipe = tiny_recipe(oversampling=2, resampling="code")
    group = pay(right + wrong, recipe, Counter(), np.random.default_rng(0))
    assert sorted(group.kept) == [1, 2, 4, 5]
    assert group.used


def test_a_group_that_resampling_drops_teaches_nothing_but_is_counted() -> None:
    history: Counter[str | None] = Counter()
    recipe = tiny_recipe(oversampling=2, resampling="code")
    group = pay([episode("46", calls=1)] * 8, recipe, history, np.random.default_rng(0))
    assert not group.used
    assert len(group.kept) == 4
    assert history == {"46": 8}
