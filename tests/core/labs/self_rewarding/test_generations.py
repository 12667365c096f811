"""Recorded samples, and what-ifs on their scores."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.self_rewarding.generations import Alteration, altered, read_generations
from tests.core.labs.self_rewarding.made import generations, rollouts


def test_samples_keep_their_names_scores_and_methods() -> None:
    table = rollouts(n_problems=2, n_iterations=2, n_samples=2)
    found = read_generations(table)

    assert found.borrowed == 0
    assert found.table["judge_score"].tolist() == table["reward"].tolist()
    assert set(found.table["method"]) == {"classic", "temporal"}
    assert (found.table["iteration"] == table["step"]).all()


def test_first_model_is_borrowed_from_the_first_iteration_where_it_is_not_recorded() -> None:
    table = rollouts(n_problems=2, n_iterations=3, n_samples=2)
    only_current = table.loc[table["source"] == "Mi"]
    found = read_generations(only_current)

    # Four runs, three iterations, two problems, two samples.
    assert found.borrowed == 4 * 3 * 2 * 2
    lent = found.table.loc[found.table["source"] == "M0"]
    first = only_current.query("step == 0").set_index(["run", "problem_id"])
    for place, group in lent.groupby(["run", "problem_id"]):
        rows = first.loc[[place]]
        for _, of_iteration in group.groupby("iteration"):
            assert of_iteration["judge_score"].tolist() == rows["reward"].tolist()


def test_rows_of_no_source_are_not_samples_and_none_at_all_is_an_error() -> None:
    table = rollouts(n_problems=1, n_iterations=1, n_samples=1)
    mixed = pd.concat([table, table.assign(source=None)])

    assert len(read_generations(mixed).table) == len(table)
    with pytest.raises(TableError, match="'source'"):
        read_generations(table.drop(columns="source"))
    with pytest.raises(TableError, match="M0, Mi or Mf"):
        read_generations(table.assign(source="x"))


def test_nothing_is_changed_by_default() -> None:
    table = generations(n_problems=2).table

    same = altered(table, Alteration())
    assert same["judge_score"].tolist() == table["judge_score"].tolist()
    assert same["recorded_score"].tolist() == table["judge_score"].tolist()


def test_fewer_samples_are_drawn_from_each_source_and_the_same_ones_for_a_seed() -> None:
    table = generations(n_problems=3).table
    keys = ["run", "iteration", "problem_id", "source"]

    two = altered(table, Alteration(most_samples=2, seed=1))
    assert set(two.groupby(keys).size()) == {2}
    pd.testing.assert_frame_equal(two, altered(table, Alteration(most_samples=2, seed=1)))
    other = altered(table, Alteration(most_samples=2, seed=2))
    assert two["sample"].tolist() != other["sample"].tolist()
    three = altered(table, Alteration(most_samples=3, seed=1))
    both = two.merge(three, on=[*keys, "sample"])
    assert len(both) == len(two)


def test_noise_has_the_size_asked_for() -> None:
    table = generations(n_problems=60).table

    noisy = altered(table, Alteration(noise=0.5, seed=0))
    error = noisy["judge_score"] - noisy["recorded_score"]
    assert error.std() == pytest.approx(0.5 * table["judge_score"].std(), rel=0.05)
    with pytest.raises(ValueError, match="standard deviation"):
        altered(table, Alteration(noise=-1))
    with pytest.raises(ValueError, match="At least one"):
        altered(table, Alteration(most_samples=0))


def test_whole_points_run_from_nought_to_five_and_halves_go_up() -> None:
    table = generations(n_problems=1, n_iterations=1, n_samples=1).table.iloc[:5]
    given = table.assign(judge_score=[0.0, 10.0, 5.0, 2.9, np.nan])

    points = altered(given, Alteration(whole_points=True))["judge_score"]
    # 5 of 10 is 2.5 points: up to 3. 2.9 of 10 is 1.45: down to 1.
    assert points.tolist()[:4] == [0, 5, 3, 1]
    assert np.isnan(points.iloc[4])
    alike = altered(given.assign(judge_score=7.0), Alteration(whole_points=True))
    assert set(alike["judge_score"]) == {0.0}
