"""Tables of scores, sound and damaged."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.task_order.evaluations import NO_PROBLEM, read_evaluations
from core.labs.task_order.measured import final_means, stage_means
from tests.core.labs.task_order.planted import BEFORE, TASKS, example, planted_table


def small() -> pd.DataFrame:
    """Two orders of two tasks, no problems and no seeds."""
    return pd.DataFrame(
        [
            ("x>y", 0, "x", 0.1), ("x>y", 0, "y", 0.2),
            ("x>y", 1, "x", 0.6), ("x>y", 1, "y", 0.3),
            ("x>y", 2, "x", 0.5), ("x>y", 2, "y", 0.8),
            ("y>x", 1, "x", 0.2), ("y>x", 1, "y", 0.7),
            ("y>x", 2, "x", 0.6), ("y>x", 2, "y", 0.6),
            ("joint", 1, "x", 0.4), ("joint", 1, "y", 0.5),
            ("joint", 2, "x", 0.55), ("joint", 2, "y", 0.65),
        ],
        columns=["order", "stage", "task", "score"],
    )  # fmt: skip


def test_each_score_lands_at_its_order_and_stage():
    read = read_evaluations(small())
    assert read.tasks == ("x", "y")
    assert read.orders == ((0, 1), (1, 0))
    assert read.seeds == ("0",)
    assert read.problems == ((NO_PROBLEM,), (NO_PROBLEM,))
    assert not read.has_items
    x = read.scores[0][0, 0]
    np.testing.assert_allclose(x, [[0.1, 0.6, 0.5], [0.1, 0.2, 0.6]])  # stage 0 serves both
    np.testing.assert_allclose([joint[0, 0] for joint in read.joint], [0.55, 0.65])
    assert not read.left_out


def test_the_untrained_policy_of_another_seed_stands_in():
    rows = small().assign(seed=1)
    again = small().assign(seed=2).query("stage > 0")
    read = read_evaluations(pd.concat([rows, again]))
    assert read.seeds == ("1", "2")
    np.testing.assert_allclose(read.scores[0][0, :, 0, 0], [0.1, 0.1])


def test_planted_means_come_back():
    read = read_evaluations(planted_table(example(), spread=0.1))
    means = stage_means(read)
    np.testing.assert_allclose(means.values[0, 0, 0, 0], BEFORE, atol=1e-12)
    finals = final_means(read, means)[0, 0]
    place = [read.orders[at] for at in read.full_orders].index((2, 0, 1))
    np.testing.assert_allclose(finals[place], [0.74, 0.55, 0.71], atol=1e-12)
    assert read.has_items
    assert read.n_problems == (20, 20, 20)
    assert len(read.entropies) == 3


def test_names_of_columns_that_trainers_write_are_understood():
    table = planted_table(example(), n_problems=2).rename(
        columns={"task": "evaluated_task", "trained": "trained_task", "problem_id": "problem"}
    )
    assert read_evaluations(table).n_problems == (2, 2, 2)


def test_unusable_rows_are_counted_by_reason():
    table = small().astype({"score": object, "stage": object})
    table.loc[len(table)] = ["x>y", 1, "x", "not a number"]
    table.loc[len(table)] = ["x>y", 1.5, "x", 0.5]
    table.loc[len(table)] = ["x>y", -1, "x", 0.5]
    table.loc[len(table)] = ["x>y", 1, "", 0.5]
    table.loc[len(table)] = [None, 1, "x", 0.5]
    table.loc[len(table)] = ["x>y", 3, "x", 0.5]
    table.loc[len(table)] = ["x>y", 1, "x", np.inf]
    read = read_evaluations(table, left_out={"unreadable lines": 2})
    assert read.left_out == {
        "unreadable lines": 2,
        "no finite score": 2,
        "stage is not a whole number from 0 up": 2,
        "no task": 1,
        "no order after stage 0": 1,
        "a stage beyond the end of its order": 1,
    }
    np.testing.assert_allclose(read.scores[0][0, 0, 0], [0.1, 0.6, 0.5])


def test_a_row_that_names_another_trained_task_is_left_out():
    table = planted_table(example(), n_problems=2)
    table.loc[table.index[(table["stage"] == 1)][0], "trained"] = "c"
    assert read_evaluations(table).left_out == {"the trained task is not the one of the order": 1}


def test_problems_measured_again_are_averaged_and_reported():
    table = small()
    table.loc[len(table)] = ["x>y", 1, "x", 0.8]
    read = read_evaluations(table)
    assert read.scores[0][0, 0, 0, 1] == pytest.approx(0.7)
    assert any("again" in note for note in read.notes)


def test_seeds_are_told_apart_however_they_are_written():
    first, second = small().assign(seed=0.0), small().assign(seed="0")
    assert read_evaluations(pd.concat([first, second])).seeds == ("0",)
    assert read_evaluations(small().assign(seed=[np.nan] * len(small()))).seeds == ("0",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="score"), "no column score"),
        (lambda t: t.iloc[:0], "has no rows"),
        (lambda t: t.assign(score="?"), "No row"),
        (lambda t: t.assign(order="joint"), "training in an order"),
        (lambda t: t.assign(order="x>z"), "'z', which no row tests"),
        (lambda t: t.assign(order="x>x"), "twice"),
        (lambda t: t.assign(stage=9), "fits its own order"),
    ],
)
def test_tables_that_make_no_sense_say_why(change, message):
    with pytest.raises(TableError, match=message):
        read_evaluations(change(small().query("order != 'joint'")))


def test_scores_outside_zero_and_one_have_no_bounds():
    assert read_evaluations(small()).bounds == (0.0, 1.0)
    assert read_evaluations(small().assign(score=small()["score"] * 100)).bounds is None


def test_the_names_of_the_orders_are_as_recorded():
    read = read_evaluations(planted_table(example(), n_problems=2, seeds=[0]))
    assert read.named(read.full_orders[0]) == " > ".join(TASKS)
