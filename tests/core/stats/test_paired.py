"""Paired tests against enumeration and arithmetic worked out here; corrections by hand."""

import itertools
import math

import numpy as np
import pytest

from core.stats import TestResult, false_discovery, mcnemar_test, sign_flip_test


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def enumerated(values: list[float], prompts: list[str]) -> float:
    """The share of sign patterns over prompts whose absolute mean is at least the one seen."""
    names = sorted(set(prompts))
    seen = abs(np.mean(values))
    reached = []
    for signs in itertools.product([1, -1], repeat=len(names)):
        of = dict(zip(names, signs, strict=True))
        mean = np.mean([value * of[name] for value, name in zip(values, prompts, strict=True)])
        reached.append(abs(mean) >= seen - 1e-12)
    return float(np.mean(reached))


@pytest.mark.parametrize("seed", range(8))
def test_sign_flip_equals_enumeration_over_prompts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prompts = [f"p{code}" for code in rng.integers(6, size=14)]
    # Halves make patterns that tie with the one seen.
    values = (np.round(rng.normal(0.4, 1, size=14) * 2) / 2).tolist()

    found = sign_flip_test(values, prompts, rng=rng)

    assert found.p_value == pytest.approx(enumerated(values, prompts))
    assert found.statistic == pytest.approx(np.mean(values))
    assert (found.n, found.n_prompts) == (14, len(set(prompts)))
    assert "all" in found.method


def test_sampled_sign_flips_are_near_the_enumerated_value_and_never_zero() -> None:
    rng = np.random.default_rng(1)
    values, prompts = rng.normal(0.5, 1, size=11).tolist(), [f"p{i}" for i in range(11)]
    sampled = sign_flip_test(values, prompts, rng=rng, n_permutations=2_000)
    assert "random" in sampled.method
    assert sampled.p_value == pytest.approx(enumerated(values, prompts), abs=0.03)

    strong = sign_flip_test(np.ones(200), list(range(200)), rng=rng, n_permutations=999)
    assert strong.p_value == 1 / 1000


def test_rows_of_one_prompt_flip_together() -> None:
    # 40 rows that are 4 prompts: 2 of 16 patterns are as extreme, however many rows there are.
    prompts = np.repeat(list("abcd"), 10).tolist()
    assert sign_flip_test(np.ones(40), prompts, rng=generator()).p_value == 2 / 16


def test_sign_flip_raises_false_alarms_as_often_as_its_level() -> None:
    rng = np.random.default_rng(23)
    prompts = np.repeat(np.arange(9), 3).tolist()
    alarms = 0
    for _ in range(300):
        values = (rng.normal(size=(9, 1)) + 0.3 * rng.normal(size=(9, 3))).ravel()
        alarms += sign_flip_test(values, prompts, rng=rng, n_permutations=512).p_value <= 0.05
    # Binomial(300, 0.05) is above 26 with probability 0.002.
    assert alarms <= 26


def test_differences_of_zero_are_no_evidence() -> None:
    found = sign_flip_test(np.zeros(5), list("abcde"), rng=generator())
    assert (found.statistic, found.p_value) == (0.0, 1.0)


def test_sign_flip_counts_what_it_leaves_out() -> None:
    found = sign_flip_test([1.0, np.nan, np.inf, 2.0], list("abcd"), rng=generator())
    assert (found.n, found.n_prompts) == (2, 2)
    assert found.left_out == {"no number": 1, "infinite": 1}
    nothing = sign_flip_test([np.nan], ["a"], rng=generator())
    assert np.isnan(nothing.p_value)
    assert nothing.n == 0


def mcnemar_by_hand(only_first: int, only_second: int) -> float:
    n, smaller = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(smaller + 1)) / 2**n
    return min(1.0, 2 * tail)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 6), (9, 2), (5, 5), (0, 0), (1, 0)])
def test_mcnemar_equals_twice_the_binomial_tail(only_first: int, only_second: int) -> None:
    first = [True] * only_first + [False] * only_second + [True] * 4 + [False] * 3
    second = [False] * only_first + [True] * only_second + [True] * 4 + [False] * 3
    found = mcnemar_test(first, second)
    assert found.p_value == pytest.approx(mcnemar_by_hand(only_first, only_second))
    assert found.statistic == only_second - only_first
    assert found.n == found.n_prompts == len(first)
    assert "too small" not in found.method


def test_mcnemar_warns_where_pairs_share_prompts() -> None:
    found = mcnemar_test([True, False, True], [False, False, True], clusters=["a", "a", "b"])
    assert (found.n, found.n_prompts) == (3, 2)
    assert "too small" in found.method


def test_mcnemar_refuses_unequal_lengths_and_has_nothing_to_say_of_nothing() -> None:
    with pytest.raises(ValueError, match="2 and 1 pairs"):
        mcnemar_test([True, False], [True])
    assert np.isnan(mcnemar_test([], []).p_value)


def test_false_discovery_by_hand() -> None:
    # Sorted: .01 .02 .03 .5; times 4 over rank: .04 .04 .04 .5.
    found = false_discovery([0.03, 0.01, 0.5, 0.02])
    assert found.tolist() == pytest.approx([0.04, 0.04, 0.5, 0.04])
    # Times 3 over rank: .03 .06 .05 and the running minimum from the right: .03 .05 .05.
    assert false_discovery([0.01, 0.04, 0.05]).tolist() == pytest.approx([0.03, 0.05, 0.05])


def test_false_discovery_does_not_count_tests_that_were_not_made() -> None:
    found = false_discovery([0.01, np.nan, 0.04, 0.05])
    assert found[[0, 2, 3]].tolist() == pytest.approx([0.03, 0.05, 0.05])
    assert np.isnan(found[1])
    assert np.isnan(false_discovery([np.nan])).all()
    assert false_discovery([]).shape == (0,)


def test_test_result_is_not_collected_as_a_test() -> None:
    assert TestResult.__test__ is False
