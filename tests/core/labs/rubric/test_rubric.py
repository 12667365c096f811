import numpy as np
import pandas as pd
import pytest
from scipy import stats

from core.errors import SettingsError, TableError
from core.labs.rubric.aggregation import Weighing, explicit_rewards, share_met, weight_effects
from core.labs.rubric.ranks import rank_shift


def weighing(weights: list[float], pit: list[bool], pitfalls: str = "penalty") -> Weighing:
    names = tuple("abcdefg"[: len(weights)])
    return Weighing(names, np.array(weights), np.array(pit), pitfalls)  # type: ignore[arg-type]


def test_the_published_vector() -> None:
    rewards = explicit_rewards([[1, 0, 1]], weighing([5, 3, 1], [False] * 3))
    assert rewards[0] == pytest.approx(0.6667, abs=5e-5)


def test_pitfalls_by_hand() -> None:
    yes = [[1, 0.5, 1], [1, 1, 0]]
    penalty = explicit_rewards(yes, weighing([5, 3, 2], [False, False, True]))
    assert penalty.tolist() == pytest.approx([(5 + 1.5 - 2) / 8, 1.0])
    credit = explicit_rewards(yes, weighing([5, 3, 2], [False, False, True], "credit"))
    assert credit.tolist() == pytest.approx([6.5 / 10, 1.0])


def test_pitfalls_alone_have_zero_as_their_best() -> None:
    rewards = explicit_rewards([[0, 0], [1, 0]], weighing([1, 3], [True, True]))
    assert rewards.tolist() == [0.0, -0.25]


def test_a_missing_probability_counts_only_where_it_weighs() -> None:
    yes = [[1, np.nan]]
    assert np.isnan(explicit_rewards(yes, weighing([1, 1], [False, False]))[0])
    assert explicit_rewards(yes, weighing([1, 0], [False, False]))[0] == 1


def test_weights_that_mean_nothing_are_refused() -> None:
    with pytest.raises(SettingsError, match="Every weight"):
        weighing([0, 0], [False, True])
    with pytest.raises(SettingsError, match="not negative"):
        weighing([-1, 2], [False, True])


def test_shares_met_count_pitfalls_that_are_absent() -> None:
    yes = [[0.9, 0.2], [0.1, 0.7], [np.nan, 0.4]]
    found = share_met(yes, weighing([1, 1], [False, True])).set_index("criterion")
    assert found.loc["a", ["met", "n", "left_out"]].tolist() == [0.5, 2, 1]
    assert found.loc["b", "met"] == pytest.approx(2 / 3)


def test_a_criterion_that_decides_swaps_pairs_when_it_goes() -> None:
    yes = [[1, 0], [0, 1], [1, 0], [0, 1]]
    found = weight_effects(yes, weighing([3, 1], [False, False]), ["p", "p", "q", "q"])
    assert found["swapped"].tolist() == [1.0, 0.0]
    assert found["pairs"].tolist() == [2, 2]


def test_rank_shift_against_brute_force() -> None:
    rng = np.random.default_rng(0)
    prompts = np.repeat(np.arange(12), 4)
    first = rng.normal(size=48).round(1)
    second = first + rng.normal(size=48).round(1)
    found = rank_shift(list(prompts), first, second, rng=rng, n_resamples=1000)
    taus = [
        stats.kendalltau(first[prompts == p], second[prompts == p]).statistic for p in range(12)
    ]
    assert found.kendall.value == pytest.approx(np.mean(taus))
    assert found.kendall.low < found.kendall.value < found.kendall.high
    assert found.pooled.value == pytest.approx(stats.spearmanr(first, second).statistic)
    one = found.table[found.table["prompt_id"] == 0]
    wanted = stats.rankdata(-first[:4]) - stats.rankdata(-second[:4])
    assert one["shift"].tolist() == wanted.tolist()


def test_same_order_and_opposite_order() -> None:
    prompts, rewards = ["p"] * 3 + ["q"] * 3, [1, 2, 3, 3, 1, 2]
    same = rank_shift(prompts, rewards, np.array(rewards) * 9, rng=np.random.default_rng(0))
    assert (same.kendall.value, same.same_best.value) == (1, 1)
    against = rank_shift(prompts, rewards, -np.array(rewards), rng=np.random.default_rng(0))
    assert (against.spearman.value, against.same_best.value) == (-1, 0)


def test_what_cannot_be_ranked_is_counted() -> None:
    prompts = ["p", "p", "q", "r", "r", "r"]
    first, second = [1, 1, 5, 1, 2, np.nan], [1, 2, 3, 2, 1, 0]
    found = rank_shift(prompts, first, second, rng=np.random.default_rng(0))
    assert found.kendall.n == 1
    assert found.kendall.left_out == {
        "responses without both rewards": 1,
        "prompts with one response": 1,
        "prompts where a reward gives all the same": 1,
    }


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(TableError, match="one for each response"):
        rank_shift(["p"], [1, 2], [1, 2], rng=np.random.default_rng(0))


def test_nothing_at_all_gives_no_number() -> None:
    found = rank_shift([], [], [], rng=np.random.default_rng(0))
    assert np.isnan(found.kendall.value)
    assert isinstance(found.table, pd.DataFrame)
