"""Figures of the invariance lab draw the numbers of the results, and texts stay texts."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core.figures.invariance import (
    accuracy_frontier,
    attribute_scatter,
    battery_forest,
    dose_lines,
    mmd_heatmap,
    rate_bars,
    reward_densities,
    rewrite_sanity,
)
from core.labs.invariance import battery, densities, dependence, mmd, rate
from core.labs.invariance.battery import BatteryOptions, BatteryResult
from core.labs.invariance.frontier import FrontierOptions, frontier
from core.labs.invariance.linear_head import PairFeatures
from tests.core.labs.invariance.made import made_pairs, scored_pairs


@pytest.fixture(scope="module")
def battery_result() -> BatteryResult:
    names = ("padding", "flattery", "typos", "truncate", "reorder-items")
    options = BatteryOptions(names, doses="all", noise_floor=0.01, n_resamples=100)
    plan = battery.plan(made_pairs(12), options)
    rng = np.random.default_rng(0)
    rewards = [len(c[-1]["content"]) / 100 + 0.1 * rng.normal() for c in plan.conversations()]
    return battery.run(plan.scored(rewards), options)


def drawn(figure) -> dict[str, float]:
    """Name of each row of a forest and its place."""
    labels = figure.layout.yaxis.ticktext
    return {labels[y]: x for trace in figure.data for x, y in zip(trace.x, trace.y, strict=True)}


def test_forest_draws_each_effect_with_its_interval_once(battery_result: BatteryResult) -> None:
    figure = battery_forest(battery_result)
    made = battery_result.effects.query("primary and n > 0")
    assert sorted(drawn(figure).values()) == pytest.approx(sorted(made["change"]))
    for trace in figure.data:
        for x, above, below, y in zip(
            trace.x, trace.error_x.array, trace.error_x.arrayminus, trace.y, strict=True
        ):
            name = figure.layout.yaxis.ticktext[y]
            row = made[[name.startswith(title) for title in made["title"]]].iloc[0]
            assert (x + above, x - below) == pytest.approx((row["high"], row["low"]))
            assert name.endswith(row["verdict"])


def test_forest_goes_by_group_and_by_change_within_it(battery_result: BatteryResult) -> None:
    figure = battery_forest(battery_result)
    labels = list(figure.layout.yaxis.ticktext)
    headings = [label for label in labels if label.startswith("<b>")]
    assert headings == ["<b>should not move</b>", "<b>should drop</b>", "<b>must not pay</b>"]
    changes = drawn(figure)
    last = labels[labels.index(headings[2]) + 1 :]
    assert [changes[name] for name in last] == sorted(changes[name] for name in last)


def test_forest_says_what_applied_to_nothing_and_shows_thresholds(
    battery_result: BatteryResult,
) -> None:
    figure = battery_forest(battery_result)
    assert "(1 applied to no response)" in figure.layout.title.text
    lines = {shape.x0 for shape in figure.layout.shapes if shape.type == "line"}
    limit = battery_result.relevant_change
    assert lines == {0, -limit, limit}
    bands = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [(band.x0, band.x1) for band in bands] == [(-0.01, 0.01)]


def test_forest_of_all_doses_names_them(battery_result: BatteryResult) -> None:
    names = drawn(battery_forest(battery_result, all_doses=True))
    assert sum("×4" in name for name in names) == 2


def test_forest_shows_titles_as_they_are(battery_result: BatteryResult) -> None:
    effects = battery_result.effects.assign(title="<b>x</b>")
    figure = battery_forest(replace(battery_result, effects=effects))
    assert all(name.startswith("&lt;b&gt;x") for name in drawn(figure))


def test_forest_of_nothing(battery_result: BatteryResult) -> None:
    empty = replace(battery_result, effects=battery_result.effects.iloc[:0])
    assert drawn(battery_forest(empty)) == {}


def test_dose_lines_start_at_dose_zero(battery_result: BatteryResult) -> None:
    figure = dose_lines(battery_result)
    assert len(figure.data) == 2
    padding = figure.data[0]
    assert list(padding.x) == [0, 1, 2, 4]
    assert padding.y[0] == 0
    effects = battery_result.effects.query("perturbation == 'padding'")
    assert list(padding.y[1:]) == pytest.approx(effects["change"].tolist())
    assert len(dose_lines(battery_result, ["flattery"]).data) == 1


def test_mmd_matrix_is_symmetric_with_p_values_in_its_cells() -> None:
    rng = np.random.default_rng(0)
    bins = ["<short>", "long"] * 20
    scored = scored_pairs(rng.normal(loc=[0.0, 2.0], size=(20, 2)))
    result = mmd.run(scored, bins, mmd.MmdOptions(n_permutations=99))
    (cells,) = mmd_heatmap(result).data
    z = np.array(cells.z, dtype=float)
    assert z[0, 1] == z[1, 0] == pytest.approx(result.total.value)
    assert math.isnan(z[0, 0])
    assert "p = " in cells.text[0][1]
    assert cells.x == ("&lt;short&gt; (n = 20)", "long (n = 20)") == cells.y


def test_mmd_of_nothing_is_an_empty_matrix() -> None:
    result = mmd.run(scored_pairs(np.zeros((3, 2))), ["a"] * 6)
    assert "p = nan" in mmd_heatmap(result).layout.title.text


def test_conditional_matrices_are_drawn_one_at_a_time() -> None:
    scored = scored_pairs(np.random.default_rng(0).normal(size=(20, 2)))
    options = mmd.MmdOptions(conditional=True, n_permutations=20)
    result = mmd.run(scored, [0, 0, 1, 1] * 10, options)
    for side in ("chosen", "rejected"):
        figure = mmd_heatmap(result, condition=side)
        assert side in figure.layout.title.text
        assert np.array(figure.data[0].z).shape == (2, 2)


def test_densities_have_a_line_a_bin_and_say_why_there_is_none() -> None:
    rewards = np.random.default_rng(0).normal(size=(6, 2))
    result = densities.run(scored_pairs(rewards), ["many"] * 10 + ["few"] * 2)
    figure = reward_densities(result)
    assert [trace.name for trace in figure.data] == [
        "few (n = 2, fewer than 3 responses)",
        "many (n = 10)",
    ]
    assert len(figure.data[0].x) == 0
    assert {shape.x0 for shape in figure.layout.shapes} == set(result.bins["mean"])


def test_scatter_draws_both_sides_and_the_line() -> None:
    scored = scored_pairs(np.array([[1.0, 2.0], [2.0, 3.0]]))
    result = dependence.run(scored, [10, 20, 30, 40], dependence.DependenceOptions(n_resamples=50))
    figure = attribute_scatter(result, "<length>")
    chosen, rejected, line = figure.data
    assert list(chosen.x) == [10, 30]
    assert list(rejected.y) == [2.0, 3.0]
    assert list(line.y) == pytest.approx([1.1, 2.9])
    assert figure.layout.xaxis.title.text == "&lt;length&gt;"
    residual = attribute_scatter(result, "length", residual=True)
    assert len(residual.data) == 2


def rate_result() -> rate.RateResult:
    rows = [
        (f"r{at}", f"p{at}", at % 2 == 0, arm, float(at % 3 + bonus))
        for at in range(8)
        for arm, bonus in (("original", 2), ("rewrite", 1), ("double", 2))
    ]
    columns = ["response_id", "prompt_id", "has_attribute", "arm", "reward"]
    return rate.run(pd.DataFrame(rows, columns=columns), rate.RateOptions(n_resamples=50))


def test_rate_bars_have_three_estimators_with_intervals() -> None:
    result = rate_result()
    figure = rate_bars(result)
    assert [trace.name for trace in figure.data] == ["naive", "single rewrite", "double rewrite"]
    double = dict(zip(figure.data[2].x, figure.data[2].y, strict=True))
    assert double == {"ATT": 1.0, "ATU": -1.0, "ATE": 0.0}
    ate = result.effects.query("estimator == 'naive'").iloc[0]
    assert figure.data[0].error_y.array[0] == pytest.approx(ate["high"] - ate["value"])


def test_sanity_panel_shows_the_marks_of_both_kinds() -> None:
    figure = rewrite_sanity(rate_result())
    assert [list(trace.x) for trace in figure.data] == [[0.0] * 4, [0.0] * 4]
    assert "(n = 4)" in figure.data[0].name


def test_frontier_has_a_point_a_coefficient() -> None:
    rng = np.random.default_rng(0)
    bins = [rng.integers(0, 2, size=30) for _ in range(2)]
    pairs = PairFeatures(*rng.normal(size=(2, 30, 3)), *bins, list(range(30)))
    result = frontier(pairs, FrontierOptions((0.0, 1.0), n_folds=2, n_permutations=20))
    (line,) = accuracy_frontier(result).data
    assert list(line.text) == ["λ = 0", "λ = 1"]
    assert list(line.x) == result.points["mmd"].tolist()
    assert list(line.y) == result.points["accuracy"].tolist()
