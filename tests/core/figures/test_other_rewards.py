"""Figures of implicit, process and rubric rewards: what is drawn is what was handed over."""

import numpy as np
import pandas as pd
import pytest

from core.figures.other_rewards import (
    criteria_map,
    length_scatter,
    rank_slopes,
    step_strip,
    token_bars,
)
from core.labs.rubric.ranks import rank_shift


def test_a_strip_frames_the_first_step_below_the_threshold() -> None:
    figure = step_strip(["a", "b", "<b>c</b>"], [0.9, 0.3, 0.2], threshold=0.5, label=2)
    bars = figure.data[0]
    assert list(bars.y) == [0.9, 0.3, 0.2]
    drawn = [width == 2 for width in bars.marker.line.width]
    assert drawn == [False, True, False]
    assert "<b>c</b>" not in list(bars.customdata)
    assert [note.x for note in figure.layout.annotations if note.text == "wrong"] == [3]
    assert figure.layout.shapes[0].y0 == 0.5


def test_tokens_add_up_to_the_line() -> None:
    figure = token_bars(["a", "\n"], [0.5, -0.2])
    bars, line = figure.data
    assert list(bars.y) == [0.5, -0.2]
    np.testing.assert_allclose(line.y, [0.5, 0.3])


def test_length_is_drawn_within_prompts() -> None:
    table = pd.DataFrame(
        {
            "prompt_id": ["p", "p", "q", "q"],
            "response": ["chosen", "rejected"] * 2,
            "n_tokens": [10, 20, 110, 130],
            "sum": [1.0, 2.0, 7.0, 9.0],
        }
    )
    figure = length_scatter(table, "sum")
    chosen, rejected, line = figure.data
    assert list(chosen.x) == [-5, -10]
    assert list(rejected.y) == [0.5, 1.0]
    slope = (line.y[1] - line.y[0]) / (line.x[1] - line.x[0])
    assert slope == pytest.approx(0.1)


def test_the_map_has_a_cell_for_each_criterion_of_each_response() -> None:
    figure = criteria_map([[0.1, 0.9], [0.4, 0.6]], ["x", "y"], ["one", "one"])
    np.testing.assert_allclose(figure.data[0].z, [[0.1, 0.9], [0.4, 0.6]])
    assert len(set(figure.data[0].y)) == 2  # the same text twice stays two rows


def test_slopes_join_the_ranks_of_one_response() -> None:
    shift = rank_shift(
        ["p"] * 3, [3, 2, 1], [1, 2, 3], rng=np.random.default_rng(0), n_resamples=10
    )
    figure = rank_slopes(shift.table, "first", "second")
    for line, one, two in zip(figure.data, [1, 2, 3], [3, 2, 1], strict=True):
        np.testing.assert_allclose(line.y, [one, two], atol=0.13)
