"""Figures of the prompt awareness lab draw the numbers of the result; texts stay texts."""

import math

import numpy as np
import pytest

from core.figures import prompt_awareness as figures
from core.labs.prompt_awareness import ablations, decomposition, leaderboard, matrix, swaps
from core.labs.prompt_awareness.leaderboard import Evidence
from core.labs.prompt_awareness.swaps import SwapOptions
from tests.core.labs.prompt_awareness.analytic import make_pairs, noise, prompt_text_of, scored
from tests.core.labs.prompt_awareness.test_ablations import looks_consistent, maths_pairs

OPTIONS = SwapOptions(kinds=("random",), n_prompts=3)


def scorer(prompt: list, response: str) -> float:
    return 2.0 * response.startswith("good") + noise(prompt_text_of(prompt), response)


@pytest.fixture(scope="module")
def swapped() -> swaps.SwapResult:
    return swaps.run(scored(swaps.plan(make_pairs(8), OPTIONS), scorer), OPTIONS)


@pytest.fixture(scope="module")
def cells() -> matrix.MatrixResult:
    pairs = make_pairs(4)
    pairs.at[0, "chosen"] = "good <b>x</b> bread"
    return matrix.run(scored(matrix.plan(pairs), scorer))


def test_heat_map_shows_every_cell_in_its_place(cells: matrix.MatrixResult) -> None:
    for show in ("reward", "interaction"):
        figure = figures.heat_map(cells, title="<i>m</i>", show=show)
        heat, own = figure.data
        for row in cells.cells.itertuples():
            p = list(cells.rewards.index).index(row.prompt_id)
            q = list(cells.rewards.columns.get_level_values(1)).index(row.response_id)
            assert heat.z[p][q] == getattr(row, show)
        assert list(zip(own.x, own.y, strict=True)) == [(at, at) for at in range(4)]
        assert figure.layout.title.text == "&lt;i&gt;m&lt;/i&gt;"
        assert "&lt;b&gt;x&lt;/b&gt;" in heat.customdata[1][0]


def test_heat_map_leaves_missing_cells_blank() -> None:
    table = scored(matrix.plan(make_pairs(4)), scorer)
    table.loc[1, "reward"] = np.nan
    figure = figures.heat_map(matrix.run(table.drop(index=6)))
    assert math.isnan(figure.data[0].z[0][1])
    assert math.isnan(figure.data[0].z[1][2])


def test_scatter_has_pairs_and_the_line_of_equality(swapped: swaps.SwapResult) -> None:
    line, points = figures.own_against_swapped(swapped, "random").data
    assert list(line.x) == list(line.y)
    assert list(points.x) == swapped.pairs["own_gap"].tolist()
    assert list(points.y) == swapped.pairs["swapped_mean"].tolist()
    assert list(points.error_y.array) == swapped.pairs["swapped_std"].tolist()


def test_band_is_sorted_and_one_standard_deviation_wide(swapped: swaps.SwapResult) -> None:
    low, high, mean, own = figures.swapped_band(swapped, "random").data
    assert list(own.y) == sorted(swapped.pairs["own_gap"])
    by_gap = swapped.pairs.sort_values("own_gap")
    assert np.array(high.y) - np.array(low.y) == pytest.approx(2 * by_gap["swapped_std"].to_numpy())
    assert list(mean.y) == by_gap["swapped_mean"].tolist()


def test_parts_stack_to_the_own_gap(swapped: swaps.SwapResult) -> None:
    parts = decomposition.run(swapped)
    figure = figures.gap_parts(parts, "marginal-matching")
    free, related, own = figure.data
    assert figure.layout.barmode == "relative"
    assert np.array(free.y) + np.array(related.y) == pytest.approx(np.array(own.y))
    assert "our reading" in figure.layout.meta["reading"]


def test_variance_shares_of_each_model_fill_the_bar(cells: matrix.MatrixResult) -> None:
    figure = figures.variance_bars({"a": cells.shares, "<b>": cells.shares})
    assert sum(bar.x[0] for bar in figure.data) == pytest.approx(1)
    assert list(figure.data[0].y) == ["a", "&lt;b&gt;"]
    estimate = cells.shares.interaction.estimate
    assert figure.data[0].error_x.array[0] == pytest.approx(estimate.high - estimate.value)


def test_leaderboard_draws_intervals_and_words(
    swapped: swaps.SwapResult, cells: matrix.MatrixResult
) -> None:
    board = leaderboard.run({"m": Evidence(swapped, cells), "n": Evidence(swapped)})
    (points,) = figures.retention_leaderboard(board).data
    estimate = swapped.measures["random"].retention.estimate
    assert list(points.x) == [estimate.value] * 2
    assert points.error_x.arrayminus[0] == pytest.approx(estimate.value - estimate.low)
    assert board.verdicts["verdict"][0] in points.customdata[0]


def test_ablations_are_drawn_in_the_models_own_spread() -> None:
    result = ablations.run(scored(ablations.plan(maths_pairs(5)), looks_consistent))
    figure = figures.ablation_bars({"m": result})
    (bars,) = figure.data
    assert next(iter(bars.y)) == "Question removed"
    expected = [effect.in_spreads.estimate.value for effect in result.effects.values()]
    assert list(bars.x) == expected
    assert figures.ablation_bars({"m": result}, side="rejected").data[0].x == ()


def test_empty_results_draw_empty_figures() -> None:
    nothing = swaps.run(scored(swaps.plan(make_pairs(0), OPTIONS), scorer))
    assert list(figures.own_against_swapped(nothing, "random").data[1].x) == []
    assert list(figures.swapped_band(nothing, "random").data[3].y) == []
    assert list(figures.gap_parts(decomposition.run(nothing)).data[0].y) == []
    assert list(figures.retention_leaderboard(leaderboard.run({})).data[0].x) == []
    bare = matrix.run(scored(matrix.plan(make_pairs(0)), scorer))
    assert figures.heat_map(bare).data[0].z.size == 0
