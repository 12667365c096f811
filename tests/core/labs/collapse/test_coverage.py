"""Cumulative solved and distinct answers, at equal budget."""

import numpy as np
import pytest

from core.labs.collapse.counts import answer_counts
from core.labs.collapse.coverage import (
    BASE_SAME,
    at_budgets,
    common_budget,
    cumulative_curves,
    progress,
)
from tests.core.labs.collapse.tables import rollouts, sampled, spreading


def steps_of(groups):
    return progress(answer_counts(rollouts(groups)).table)


def test_progress_counts_new_answers_once_and_marks_the_first_solve() -> None:
    steps = steps_of(
        {
            ("a", 0, "p"): ["x", "y"],
            ("a", 2, "p"): ["x", "r"],
            ("a", 5, "p"): ["r", "r"],
            ("a", 2, "q"): ["x", "x"],
        }
    )
    p = steps.loc[steps["problem_id"] == "p"]
    assert p["step"].tolist() == [0, 2, 5]
    assert p["drawn"].tolist() == [2, 4, 6]
    assert p["new"].tolist() == [2, 1, 0]
    assert p["distinct_so_far"].tolist() == [2, 3, 3]
    assert p["solved"].tolist() == [False, True, True]
    assert p["first_solve"].tolist() == [False, True, False]
    q = steps.loc[steps["problem_id"] == "q"]
    assert q["distinct_so_far"].tolist() == [1]
    assert not q["solved"].any()


def test_progress_agrees_with_sets_on_random_rollouts() -> None:
    rng = np.random.default_rng(0)
    groups = {
        ("a", s, f"p{p}"): [str(a) for a in rng.integers(0, 9, 4)]
        for s in rng.permutation(6)
        for p in range(3)
    }
    for row in steps_of(groups).itertuples():
        so_far = {
            answer
            for (_, step, problem), answers in groups.items()
            if problem == row.problem_id and step <= row.step
            for answer in answers
        }
        assert row.distinct_so_far == len(so_far)


def test_the_budget_is_what_every_run_has() -> None:
    groups = {("a", s, "p"): ["x"] * 4 for s in range(3)}
    groups |= {("b", s, "p"): ["x"] * 4 for s in range(2)}
    assert common_budget(steps_of(groups)) == 8


def test_a_problem_that_one_run_never_saw_has_no_budget() -> None:
    assert common_budget(steps_of({("a", 0, "p"): ["x"], ("b", 0, "q"): ["x"]})) == 0


def test_a_budget_within_a_group_reads_the_state_before_it() -> None:
    steps = steps_of({("a", 0, "p"): ["x", "y", "z"], ("a", 1, "p"): ["r", "w", "v"]})
    found = at_budgets(steps, [2, 3, 5, 6]).set_index("budget")
    assert found["distinct_so_far"].tolist() == [0, 3, 3, 6]
    assert found["solved"].tolist() == [False, False, False, True]


def test_curves_truncate_to_the_common_budget_and_say_so() -> None:
    groups = {("base/seed-0", s, p): ["x", "y"] for s in range(2) for p in ("p", "q")}
    groups |= {("rl/seed-0", s, p): ["x", "x"] for s in range(3) for p in ("p", "q")}
    steps = steps_of(groups)
    curves = cumulative_curves(
        steps, base_runs=["base/seed-0"], rng=np.random.default_rng(0), n_resamples=50
    )
    assert curves.budget == 4
    assert any("4 samples beyond 4" in note for note in curves.notes)
    last = curves.table.query("budget == 4 and measure == 'distinct' and cohort == 'all'")
    values = last.set_index(["method", "compared"])["value"]
    assert values["rl", "itself"] == 1
    assert values["rl", BASE_SAME] == 2
    assert values["base", "itself"] == 2


def test_base_is_read_on_the_problems_the_run_left_unsolved() -> None:
    groups = {
        ("rl/seed-0", 0, "p"): ["x", "x"],
        ("rl/seed-0", 0, "q"): ["r", "r"],
        ("base/seed-0", 0, "p"): ["x", "y"],
        ("base/seed-0", 0, "q"): ["z", "z"],
    }
    curves = cumulative_curves(
        steps_of(groups), base_runs=["base/seed-0"], rng=np.random.default_rng(0), n_resamples=50
    )
    at = curves.table.query("measure == 'distinct' and method == 'rl'")
    values = at.set_index(["compared", "cohort"])["value"]
    assert values["itself", "unsolved at end"] == 1
    assert values[BASE_SAME, "unsolved at end"] == 2
    assert values[BASE_SAME, "solved at end"] == 1
    one = at.query("cohort == 'unsolved at end' and compared == 'itself'").iloc[0]
    assert (one["n"], one["n_prompts"]) == (1, 1)
    assert np.isnan(one["low"])


def test_the_cohort_of_the_unsolved_so_far_changes_along_the_curve() -> None:
    steps = steps_of(
        {
            ("a", 0, "p"): ["x", "y"],
            ("a", 1, "p"): ["r", "r"],
            ("a", 0, "q"): ["x", "y"],
            ("a", 1, "q"): ["z", "w"],
        }
    )
    curves = cumulative_curves(steps, rng=np.random.default_rng(0), n_resamples=50)
    rows = curves.table.query("cohort == 'unsolved so far' and measure == 'distinct'")
    assert rows["n"].tolist() == [2, 1]
    assert rows["value"].tolist() == [2, 4]


def test_solved_curve_never_falls_and_ends_at_the_share_ever_solved() -> None:
    table = sampled(["plain/seed-0"], spreading(0.5), n_steps=6, n_problems=8, n=4)
    steps = progress(answer_counts(table).table)
    curves = cumulative_curves(steps, rng=np.random.default_rng(0), n_resamples=50)
    solved = curves.table.query("measure == 'solved'")["value"]
    assert (np.diff(solved) >= 0).all()
    assert solved.iloc[-1] == pytest.approx(
        table.groupby("problem_id")["correct"].any().astype(float).mean()
    )


def test_runs_without_a_problem_in_common_have_no_curves_and_a_note() -> None:
    steps = steps_of({("a", 0, "p"): ["x"], ("b", 0, "q"): ["x"]})
    curves = cumulative_curves(steps, rng=np.random.default_rng(0))
    assert curves.table.empty
    assert "no equal budget" in curves.notes[0]
