"""The figures of the collapse lab show the numbers they were given."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from core.figures import collapse as figures
from core.figures.collapse.curves import colours
from core.figures.style import NEUTRAL
from core.labs.collapse.analysis import CollapseOptions, analyse, coverage_and_checkpoint
from core.labs.collapse.classes import transitions
from core.labs.collapse.explorer import BonusOptions, bonus_decay, explore
from core.labs.collapse.spread import SpreadOptions
from tests.core.labs.collapse.tables import rollouts, sampled, spreading

RUNS = ["base/seed-0", "base/seed-1", "plain/seed-0", "plain/seed-1"]
OPTIONS = CollapseOptions(k=4, spread=SpreadOptions(k=4, n_resamples=100))
TABLE = sampled(RUNS, spreading(0.9), n_steps=8, n_problems=6)
RESULT = analyse(TABLE, RUNS[:2], OPTIONS)


def lines(figure):
    """The traces that carry a name in the legend or in the text under the pointer."""
    return {trace.name: trace for trace in figure.data if trace.name}


def test_cumulative_lines_are_the_rows_of_their_cohort() -> None:
    curves = RESULT.curves.table
    figure = figures.cumulative(curves, cohort="unsolved at end")
    rows = curves.query("cohort == 'unsolved at end' and method == 'plain'")
    own = rows.query("compared == 'itself'")
    same = rows.query("compared == 'base on the same problems'")
    assert len(own) > 1
    np.testing.assert_allclose(lines(figure)["plain"].y, own["value"])
    np.testing.assert_allclose(lines(figure)["base on the problems of plain"].y, same["value"])
    solved = figures.cumulative(curves, measure="solved", methods=["base"])
    assert list(lines(solved)) == ["base"]


def test_bands_are_drawn_for_few_methods_and_hidden_for_many() -> None:
    curves = RESULT.curves.table
    assert any(trace.fill == "toself" for trace in figures.cumulative(curves).data)
    renamed = [
        curves.query("compared == 'itself'").assign(method=f"m{place}")
        for place in range(figures.MOST_BANDS + 1)
    ]
    many = figures.cumulative(pd.concat(renamed))
    assert len(lines(many)) > figures.MOST_BANDS
    assert not any(trace.fill == "toself" for trace in many.data)
    # The intervals are then under the pointer.
    assert np.isfinite(np.asarray(lines(many)["m0"].customdata, dtype=float)[:, :2]).all()


def test_a_method_keeps_its_colour_in_whatever_order_and_the_base_is_grey() -> None:
    assert colours(["ucb", "base", "plain"]) == colours(["plain", "ucb", "base"])
    assert colours(["ucb", "base"])["base"] == NEUTRAL


def test_spread_points_are_the_estimates_with_their_intervals() -> None:
    found = RESULT.spreads["difference"]
    effect, base = figures.spread_bars(found.effects, found.base).data
    estimate = found.effects["plain"]
    assert effect.x[0] == estimate.value < 0
    assert effect.error_x.array[0] == pytest.approx(estimate.high - estimate.value)
    assert effect.error_x.arrayminus[0] == pytest.approx(estimate.value - estimate.low)
    assert base.x[0] == found.base["plain"].value
    assert f"{estimate.n_prompts} problems" in effect.customdata[0]


def test_an_estimate_without_an_interval_is_a_point() -> None:
    found = RESULT.spreads["difference"]
    alone = dataclasses.replace(found.effects["plain"], low=math.nan, high=math.nan)
    effect = figures.spread_bars({"plain": alone}, {}).data[0]
    assert effect.x[0] == alone.value
    assert math.isnan(effect.error_x.array[0])


@pytest.mark.parametrize(("measure", "group"), [("pass", "all"), ("distinct", "unsolved")])
def test_curves_over_k_are_the_table(measure: str, group: str) -> None:
    table = RESULT.training.table
    figure = figures.at_k_curves(table, measure=measure, group=group)
    rows = table.query("measure == @measure and group == @group and method == 'plain'")
    assert len(rows) > 1
    np.testing.assert_allclose(lines(figure)["plain"].y, rows["value"])
    assert list(figure.layout.xaxis.ticktext) == [str(k) for k in sorted(set(rows["k"]))]


def test_history_is_a_point_and_a_policy_a_line() -> None:
    both = coverage_and_checkpoint(RESULT)
    drawn = lines(figures.coverage_beside_checkpoint(both, "plain"))
    history = drawn["ever solved in training (history)"]
    ever = both.query("method == 'plain' and what == 'ever solved in training'")
    assert history.mode == "markers"
    assert list(history.y) == list(ever["value"])
    late = both.query("method == 'plain' and what == 'pass@k, late in training'")
    np.testing.assert_allclose(drawn["pass@k, late in training"].y, late["value"])


def test_over_steps_draws_one_measure() -> None:
    table = RESULT.over_steps
    drawn = lines(figures.over_steps(table, measure="majority_share"))
    rows = table.query("measure == 'majority_share' and method == 'plain'")
    np.testing.assert_allclose(drawn["plain"].y, rows["value"])


def test_flagged_runs_are_diamonds_among_the_points_of_their_method() -> None:
    runs = RESULT.flags.table().assign(flagged=[False, False, True, False])
    drawn = lines(figures.flag_plane(runs, 4))
    assert list(drawn) == ["base", "plain"]
    assert list(drawn["plain"].marker.symbol) == ["diamond", "circle"]
    np.testing.assert_allclose(drawn["plain"].x, runs["reward_change"][2:])
    np.testing.assert_allclose(drawn["plain"].y, runs["pass_change"][2:])


def test_the_map_counts_answers_so_far_and_stars_the_first_solve() -> None:
    run = "plain/seed-0"
    table = rollouts({(run, 0, "a"): ["x", "y"], (run, 1, "a"): ["x", "r"], (run, 0, "b"): ["x"]})
    steps = analyse(table).progress
    figure = figures.problem_map(steps, ["b", "a"], names=["second", "<i>first</i>"])
    heat = next(trace for trace in figure.data if trace.type == "heatmap")
    # "b" was not sampled at step 1: what was answered so far stays.
    np.testing.assert_allclose(heat.z, [[1, 1], [2, 3]])
    assert list(figure.layout.yaxis.ticktext) == ["second", "&lt;i&gt;first&lt;/i&gt;"]
    stars = lines(figure)["first solve"]
    assert (list(stars.x), list(stars.y)) == ([1], [1])
    cells = next(trace for trace in figure.data if trace.customdata is not None)
    assert {(str(name), int(step)) for name, step in cells.customdata} == {
        ("a", 0), ("a", 1), ("b", 0), ("b", 1),
    }  # fmt: skip


def test_many_steps_are_thinned_and_no_first_solve_is_lost() -> None:
    run = "plain/seed-0"
    groups = {(run, step, "a"): ["r" if step == 51 else "x"] for step in range(100)}
    figure = figures.problem_map(analyse(rollouts(groups)).progress, ["a"])
    heat = next(trace for trace in figure.data if trace.type == "heatmap")
    assert len(heat.x) <= 40
    (star,) = lines(figure)["first solve"].x
    assert star in heat.x
    assert 51 <= star <= 54


def test_classes_stack_to_one_and_flows_keep_every_problem() -> None:
    found = RESULT.classes
    bars = figures.class_shares(found, "plain").data
    np.testing.assert_allclose(np.sum([bar.y for bar in bars], axis=0), 1)
    moved = transitions(found, 0, len(found.windows) - 1, runs=RUNS[2:])
    flow = figures.class_flow(moved, (found.windows[0], found.windows[-1])).data[0]
    assert sum(flow.link.value) == moved.to_numpy().sum() == 2 * 6


def test_bonus_figures_show_the_group_that_was_explored() -> None:
    group = rollouts({("r/seed-0", 3, "a"): ["r", "x", "x", None]})
    found = explore(group, {"x": 9}, BonusOptions("ucb-con", c=1.0, b0=0.5))
    drawn = lines(figures.advantage_slopes(found))
    rows = found.table.sort_values(["advantage_with_bonus", "sample"], kind="stable")
    np.testing.assert_allclose(drawn["without the bonus"].x, rows["advantage"])
    np.testing.assert_allclose(drawn["with the bonus"].x, rows["advantage_with_bonus"])
    ticks = list(figures.advantage_slopes(found).layout.yaxis.ticktext)
    assert any("could not be read" in tick for tick in ticks)
    paid = bonus_decay("ucb-con", b0=0.5, c=1.0, most=20)
    line, marks = figures.decay(paid, found.table["seen_before"]).data
    assert line.y[9] == pytest.approx(1 / 3 - 0.5)
    assert (list(marks.x), list(marks.y)) == ([0, 9], [line.y[0], line.y[9]])


def test_nothing_to_draw_draws_nothing() -> None:
    one_step = rollouts({("plain/seed-0", 0, "a"): ["x", "y"]})
    result = analyse(one_step)
    point = figures.spread_bars(result.spreads["difference"].effects, {}).data[0]
    assert math.isnan(point.x[0])
    assert "no interval" in point.customdata[0]
    assert not figures.flag_plane(result.flags.table(), 4).data
    assert not figures.cumulative(result.curves.table, cohort="solved at end").data
