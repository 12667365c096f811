"""Difference in differences: finds a planted spread, and none where there is none."""

import numpy as np
import pytest

from core.labs.collapse.counts import answer_counts
from core.labs.collapse.spread import (
    SpreadOptions,
    never_solved,
    spread,
    spread_to_held_out,
    window_changes,
)
from core.labs.groups import rarefied_distinct
from tests.core.labs.collapse.tables import rollouts, sampled, spreading

RUNS = ["base/seed-0", "base/seed-1", "rl/seed-0", "rl/seed-1"]
BASE = RUNS[:2]
HALVES = SpreadOptions(share=0.5, n_resamples=200)


def counts_of(groups, **options):
    return answer_counts(rollouts(groups), **options).table


def test_the_estimate_by_hand() -> None:
    counts = counts_of(
        {
            ("rl/seed-0", 0, "p"): ["a", "b", "c", "d"],
            ("rl/seed-0", 1, "p"): ["a", "a", "a", "a"],
            ("rl/seed-0", 0, "q"): ["a", "b", "c", "d"],
            ("rl/seed-0", 1, "q"): ["a", "b", "c", "c"],
            ("rl/seed-0", 0, "solved"): ["a", "b", "c", "d"],
            ("rl/seed-0", 1, "solved"): ["r", "r", "r", "r"],
            ("base/seed-0", 0, "p"): ["a", "b", "c", "d"],
            ("base/seed-0", 1, "p"): ["a", "b", "c", "c"],
            ("base/seed-0", 0, "q"): ["a", "b", "c", "c"],
            ("base/seed-0", 1, "q"): ["a", "b", "c", "d"],
            ("base/seed-0", 0, "solved"): ["a"] * 4,
            ("base/seed-0", 1, "solved"): ["a"] * 4,
        }
    )
    found = spread(counts, ["base/seed-0"], HALVES)
    # p: -3 - (-1) = -2; q: -1 - (+1) = -2; "solved" had a right sample and does not count.
    assert found.effects["rl"].value == pytest.approx(-2)
    assert found.own["rl"].value == pytest.approx(-2)
    assert found.base["rl"].value == pytest.approx(0)
    assert found.effects["rl"].n == 2
    assert found.problems["effect"].tolist() == [-2, -2]
    ratio = spread(counts, ["base/seed-0"], SpreadOptions(share=0.5, scale="log ratio"))
    expected = np.mean([np.log(1 / 4) - np.log(3 / 4), np.log(3 / 4) - np.log(4 / 3)])
    assert ratio.effects["rl"].value == pytest.approx(expected)


def test_a_planted_spread_is_found_and_none_is_not() -> None:
    planted = sampled(RUNS, spreading(0.9), n_steps=10, n_problems=30, seed=1)
    found = spread(answer_counts(planted).table, BASE, SpreadOptions(n_resamples=500))
    assert found.effects["rl"].high < 0
    nothing = sampled(RUNS, spreading(0.0), n_steps=10, n_problems=30, seed=2)
    found = spread(answer_counts(nothing).table, BASE, SpreadOptions(n_resamples=500))
    effect = found.effects["rl"]
    assert effect.low <= 0 <= effect.high
    assert abs(found.base["rl"].value) < 0.3


def test_distinct_answers_are_read_at_the_fewest_samples_of_any_window() -> None:
    counts = counts_of(
        {
            ("a", 0, "p"): ["x", "y", "z", "z", "w", "w"],
            ("a", 1, "p"): ["x", "x", "y"],
            ("b", 0, "p"): ["x", "y", "z", "w"],
            ("b", 1, "p"): ["x", "y", "z", "w"],
        }
    )
    changes = window_changes(counts, share=0.5).set_index("run")
    assert changes["k"].tolist() == [3, 3]
    assert changes.loc["a", "early"] == pytest.approx(rarefied_distinct([1, 1, 2, 2], 3))
    assert changes.loc["a", "late"] == pytest.approx(2)
    assert window_changes(counts, share=0.5, k=2)["k"].tolist() == [2, 2]


def test_problems_with_too_few_answers_are_counted_and_left_out() -> None:
    counts = counts_of(
        {
            ("rl/seed-0", 0, "p"): ["x"],
            ("rl/seed-0", 1, "p"): ["x"],
            ("rl/seed-0", 0, "q"): ["x", "y"],
            ("rl/seed-0", 1, "q"): ["x", "x"],
            ("rl/seed-0", 0, "once"): ["x", "y"],
            ("base/seed-0", 0, "q"): ["x", "y"],
            ("base/seed-0", 1, "q"): ["x", "y"],
        }
    )
    found = spread(counts, ["base/seed-0"], HALVES)
    assert found.left_out == {"never solved, but too few answers in a window": 2}
    effect = found.effects["rl"]
    assert (effect.value, effect.n, effect.n_prompts) == (-1, 1, 1)
    assert np.isnan(effect.low)


def test_without_base_runs_there_is_a_change_and_no_effect() -> None:
    counts = counts_of({("rl", s, p): ["x", "y" if s == 0 else "x"] for s in (0, 1) for p in "pq"})
    found = spread(counts, [], HALVES)
    assert np.isnan(found.effects["rl"].value)
    assert found.own["rl"].value == -1


def test_a_problem_that_the_base_never_saw_has_no_effect_and_is_counted() -> None:
    groups = {("rl", s, p): ["x", "y"] for s in (0, 1) for p in ("p", "q", "s")}
    groups |= {("base", s, p): ["x", "y"] for s in (0, 1) for p in ("p", "q")}
    found = spread(counts_of(groups), ["base"], HALVES)
    reasons = found.effects["rl"].left_out
    assert reasons == {"never solved, but too few answers of the base": 1}


def test_unsolved_can_ask_that_the_base_never_solved_it_either() -> None:
    groups = {
        ("rl", 0, "p"): ["x"],
        ("rl", 0, "q"): ["x"],
        ("base", 0, "p"): ["r"],
        ("base", 0, "q"): ["x"],
    }
    counts = counts_of(groups)
    by_run = never_solved(counts).query("run == 'rl'")["problem_id"].tolist()
    by_both = never_solved(counts, ["base"]).query("run == 'rl'")["problem_id"].tolist()
    assert (by_run, by_both) == (["p", "q"], ["q"])


def test_one_step_has_no_early_and_late() -> None:
    found = spread(counts_of({("rl", 0, "p"): ["x", "y"]}), [], HALVES)
    assert np.isnan(found.own["rl"].value)
    assert "one step only" in found.windows


def test_all_solved_leaves_nothing_to_estimate() -> None:
    groups = {(run, s, "p"): ["r", "r"] for run in ("rl", "base") for s in (0, 1)}
    found = spread(counts_of(groups), ["base"], HALVES)
    assert found.effects["rl"].n == 0
    assert np.isnan(found.effects["rl"].value)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth, hits = 0.0, 0
    for seed in range(20):
        table = sampled(RUNS, spreading(0.0), n_steps=4, n_problems=24, n=4, seed=seed)
        options = SpreadOptions(share=0.5, n_resamples=200, seed=seed)
        effect = spread(answer_counts(table).table, BASE, options).effects["rl"]
        hits += effect.low <= truth <= effect.high
    assert hits >= 16


def test_held_out_problems_are_read_from_the_first_to_the_last_checkpoint() -> None:
    groups = {
        ("rl", 0, "p"): ["a", "b", "c"],
        ("rl", 40, "p"): ["a", "a", "b"],
        ("rl", 80, "p"): ["a", "a", "a"],
        ("rl", 0, "q"): ["r", "b", "c"],
        ("rl", 80, "q"): ["r", "r", "b"],
        ("base", 0, "p"): ["a", "b", "c"],
        ("base", 0, "q"): ["a", "b", "c"],
    }
    found = spread_to_held_out(counts_of(groups), ["base"])
    assert found.problems["change"].tolist() == [-2, -1]
    assert found.effects["rl"].value == pytest.approx(-1.5)
    assert found.base["rl"].value == 0
    groups |= {("base", 80, "p"): ["a", "b", "b"], ("base", 80, "q"): ["a", "b", "c"]}
    found = spread_to_held_out(counts_of(groups), ["base"])
    assert found.effects["rl"].value == pytest.approx(-1)


def test_rarely_solved_problems_can_count_as_unsolved() -> None:
    counts = counts_of({("rl", 0, "p"): ["r", "x", "x", "x"], ("rl", 0, "q"): ["r", "r", "x", "x"]})
    assert never_solved(counts).empty
    assert never_solved(counts, most_right=0.25)["problem_id"].tolist() == ["p"]
