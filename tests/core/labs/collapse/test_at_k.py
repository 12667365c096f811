"""pass@k and distinct@k of problems and methods; entropy and majority."""

from itertools import combinations

import numpy as np
import pytest

from core.labs.collapse.at_k import (
    at_k,
    concentration,
    concentration_over_steps,
    largest_k,
    powers_of_two,
    problem_values,
)
from core.labs.collapse.counts import answer_counts
from core.labs.groups import answer_entropy, rarefied_distinct
from core.stats import clustered_mean
from tests.core.labs.collapse.tables import rollouts


def counts_of(groups, **options):
    return answer_counts(rollouts(groups), **options).table


def test_values_equal_enumeration_over_all_draws() -> None:
    answers = ["r", "x", "x", "y", "y", "y"]
    counts = counts_of({("a", 0, "p"): answers[:3], ("a", 1, "p"): answers[3:]})
    for k in (1, 2, 4, 6):
        draws = list(combinations(answers, k))
        row = problem_values(counts, k).iloc[0]
        assert row["pass_at_k"] == pytest.approx(np.mean(["r" in draw for draw in draws]))
        assert row["distinct_at_k"] == pytest.approx(np.mean([len(set(d)) for d in draws]))


def test_distinct_equals_the_shared_rarefaction_on_random_counts() -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        answers = [f"w{a}" for a in rng.integers(0, 5, 9)]
        counts = counts_of({("a", 0, "p"): answers})
        expected = rarefied_distinct([answers.count(a) for a in set(answers)], 4)
        assert problem_values(counts, 4)["distinct_at_k"].iloc[0] == pytest.approx(expected)


def test_problems_with_fewer_than_k_samples_have_no_value_and_are_counted() -> None:
    counts = counts_of({("a", 0, "p"): ["r", "x", "y", "z"], ("a", 0, "q"): ["x"]})
    found = at_k(counts, (1, 2), rng=np.random.default_rng(0))
    assert found.left_out == {
        "fewer than 2 judged samples, for pass@2": 1,
        "fewer than 2 answers, for distinct@2": 1,
    }
    at2 = found.table.query("measure == 'pass' and k == 2").iloc[0]
    assert (at2["n"], at2["value"]) == (1, 0.5)
    assert largest_k(counts) == 1


def test_excluded_answers_are_no_answer_but_a_wrong_sample() -> None:
    counts = counts_of({("a", 0, "p"): ["r", None, None, "x"]}, unreadable="excluded")
    row = problem_values(counts, 2).iloc[0]
    assert row["pass_at_k"] == 0.5
    assert row["distinct_at_k"] == 2.0


def test_interval_is_over_problems_not_over_seeds() -> None:
    groups = {
        (f"m/seed-{s}", 0, f"p{p}"): ["r"] * 4 if p % 2 else ["x"] * 4
        for s in range(5)
        for p in range(6)
    }
    found = at_k(counts_of(groups), (1,), rng=np.random.default_rng(0), n_resamples=4_000)
    row = found.table.query("measure == 'pass'").iloc[0]
    assert (row["n"], row["n_prompts"], row["value"]) == (30, 6, 0.5)
    values = [float(p % 2) for _ in range(5) for p in range(6)]
    problems = [p for _ in range(5) for p in range(6)]
    expected = clustered_mean(values, problems, rng=np.random.default_rng(1), n_resamples=4_000)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_distinct_is_split_by_whether_the_problem_was_solved() -> None:
    counts = counts_of({("a", 0, "p"): ["r", "r"], ("a", 0, "q"): ["x", "y"]})
    table = at_k(counts, (2,), rng=np.random.default_rng(0)).table
    values = table.query("measure == 'distinct'").set_index("group")["value"]
    assert values.to_dict() == {"all": 1.5, "solved": 1.0, "unsolved": 2.0}


def test_entropy_and_majority_of_a_problem() -> None:
    row = concentration(counts_of({("a", 0, "p"): ["r", "r", "r", "x"]})).iloc[0]
    assert row["entropy"] == pytest.approx(answer_entropy([3, 1]))
    assert (row["majority"], row["majority_share"], row["majority_correct"]) == ("r", 0.75, True)


def test_miller_madow_adds_answers_minus_one_over_twice_n() -> None:
    counts = counts_of({("a", 0, "p"): ["r", "r", "x", "y"]})
    plain = concentration(counts).iloc[0]["entropy"]
    corrected = concentration(counts, correction="miller-madow").iloc[0]["entropy"]
    assert corrected - plain == pytest.approx(2 / 8)


def test_a_problem_without_readable_answers_has_no_entropy() -> None:
    row = concentration(counts_of({("a", 0, "p"): [None]}, unreadable="excluded")).iloc[0]
    assert np.isnan(row["entropy"])
    assert np.isnan(row["majority_share"])


def test_entropy_over_steps_is_the_mean_over_problems() -> None:
    counts = counts_of(
        {("a", 0, "p"): ["x", "y"], ("a", 0, "q"): ["x", "x"], ("a", 1, "p"): ["x", "x"]}
    )
    table = concentration_over_steps(counts, rng=np.random.default_rng(0), n_resamples=20)
    entropy = table.query("measure == 'entropy'").set_index("step")
    assert entropy["value"].tolist() == pytest.approx([np.log(2) / 2, 0])
    assert entropy["n_prompts"].tolist() == [2, 1]


def test_powers_of_two_end_where_samples_do() -> None:
    assert powers_of_two(8) == (1, 2, 4, 8)
    assert powers_of_two(7) == (1, 2, 4)
    assert powers_of_two(0) == ()


def test_nothing_to_look_at_gives_an_empty_table() -> None:
    empty = counts_of({("a", 0, "p"): ["x"]}).head(0)
    assert at_k(empty, rng=np.random.default_rng(0)).table.empty
    assert concentration_over_steps(empty, rng=np.random.default_rng(0)).empty
