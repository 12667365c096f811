"""Figures of the task order lab: what is drawn is what was computed."""

import numpy as np
import pandas as pd
import pytest

from core.figures import task_order as figures
from core.labs.task_order.entropy import temperature_equivalent
from core.labs.task_order.orders import rank_orders
from core.labs.task_order.survival import survival
from core.labs.task_order.tables import orders_table, path_table, transfer_table
from core.labs.task_order.transfer import Departure, Transfer, noisy_draws
from tests.core.labs.task_order.planted import example
from tests.core.labs.task_order.test_transfer import random_transfer


def test_the_heat_map_has_the_trained_task_down_and_an_empty_diagonal():
    figure = figures.transfer_heat_map(transfer_table(example()))
    grid = np.array(figure.data[0].z, dtype=float)
    assert np.isnan(np.diag(grid)).all()
    assert grid[2, 0] == pytest.approx(-0.06)
    assert figure.data[0].text[2][0] == "-0.060"


def test_orders_are_drawn_best_first_with_marks_intervals_and_the_joint_line():
    ranking = rank_orders(example())
    firm = survival(ranking, noisy_draws(example(), 0.01, 50, np.random.default_rng(0)))
    figure = figures.order_bars(orders_table(ranking, firm, (0, 1, 2)), joint=0.65)
    points = figure.data[0]
    assert points.x[0] == max(points.x)
    assert figure.layout.yaxis.ticktext[0] == "c &gt; a &gt; b  (best, most helpful last)"
    assert min(points.error_x.array) >= 0
    assert figure.layout.shapes[0].x0 == 0.65


def test_many_orders_are_one_curve_with_the_named_ones_marked():
    ranking = rank_orders(random_transfer(np.random.default_rng(0), 5))
    figure = figures.order_bars(orders_table(ranking), joint=0.5)
    assert len(figure.data[0].x) == 120
    assert "best" in figure.data[-1].text[0]


def test_a_path_is_a_line_a_task_with_its_own_stage_starred():
    ranking = rank_orders(example())
    figure = figures.path_lines(path_table(ranking, (2, 0, 1)))
    ends = {trace.name: trace.y[-1] for trace in figure.data}
    assert ends == pytest.approx({"a": 0.74, "b": 0.55, "c": 0.71})
    assert figure.data[0].marker.symbol == ("circle", "circle", "star", "circle")
    assert list(figure.layout.xaxis.ticktext) == ["untrained", "1. c", "2. a", "3. b"]


def test_seeds_and_their_mean_are_told_apart():
    table = pd.DataFrame(
        {
            "seed": ["seed 0"] * 2 + ["mean over seeds"] * 2,
            "order": ["a > b", "b > a"] * 2,
            "predicted": [0.1, 0.2, 0.1, 0.2],
            "observed": [0.2, 0.3, 0.2, 0.3],
        }
    )
    figure = figures.predicted_against_observed(table)
    assert [trace.marker.symbol for trace in figure.data[1:]] == ["circle", "diamond"]
    assert list(figure.data[0].x) == [0.1, 0.3]


def test_differences_whose_interval_leaves_out_zero_are_red():
    table = pd.DataFrame(
        {
            "assumption": [1, 2], "trained": ["a", "a"], "task": ["b", "a"], "first": [0.1, 0.7],
            "later": [0.1, 0.9], "difference": [0.0, 0.2], "low": [-0.1, 0.1],
            "high": [0.1, 0.3], "differs": [False, True],
        }
    )  # fmt: skip
    figure = figures.assumption_differences(table)
    assert figure.data[0].marker.color[0] != figure.data[0].marker.color[1]
    assert list(figure.layout.yaxis.ticktext) == ["a → b", "level of a"]


def test_the_shift_draws_each_order_from_kept_to_broken():
    kept = rank_orders(example())
    broken = rank_orders(example(), departure=Departure(interaction=1.0))
    figure = figures.rank_shift(kept.table, broken.table)
    assert len(figure.data) == 6
    values = broken.table.set_index("order")["objective"]
    for trace in figure.data:
        name = trace.hovertemplate.split(":")[0].replace("&gt;", ">")
        assert trace.y[1] == pytest.approx(values[name])


def test_the_equivalent_lies_on_the_curve():
    found = temperature_equivalent([[2.0, 1.0, 0.0]], 0.441057)
    figure = figures.temperature_curve([2.0, 1.0, 0.0], target=0.441057, found=found)
    curve = figure.data[0]
    at = np.interp(np.log(found), np.log(curve.x), curve.y)
    assert at == pytest.approx(0.441057, abs=0.005)


def test_names_of_tasks_are_shown_as_written():
    named = Transfer(("<b>x</b>", "y"), np.zeros(2), np.ones(2), np.zeros((2, 2)))
    for figure in (
        figures.transfer_heat_map(transfer_table(named)),
        figures.order_bars(orders_table(rank_orders(named))),
        figures.path_lines(path_table(rank_orders(named), (0, 1))),
    ):
        assert "<b>" not in figure.to_json().replace("\\u003cb", "<b")
