"""Lines of reward: the numbers drawn are the numbers given, one model a figure, text stays text."""

import math

from core.figures.rewards import trace_line, version_line


def test_versions_are_drawn_in_order_with_gaps_where_a_reward_is_missing():
    figure = version_line(["v1", "v2", "v3"], [1.0, math.nan, 3.0], title="m")
    (line,) = figure.data
    assert line.y[0] == 1.0
    assert math.isnan(line.y[1])
    assert line.y[2] == 3.0
    assert list(figure.layout.xaxis.ticktext) == ["v1", "v2", "v3"]


def test_baseline_and_its_noise_band_are_drawn():
    figure = version_line(["v1"], [1.0], title="m", baseline=2.0, noise_floor=0.5)
    band, line = figure.layout.shapes
    assert (band.y0, band.y1) == (1.5, 2.5)
    assert (line.y0, line.y1) == (2.0, 2.0)


def test_an_unknown_baseline_is_not_drawn():
    for baseline in (None, math.nan):
        assert not version_line(["v1"], [1.0], title="m", baseline=baseline).layout.shapes


def test_trace_counts_sentences_from_one_and_ends_at_the_whole_response():
    figure = trace_line(["One.", "Two."], [0.5, 0.75], title="m", noise_floor=0.1)
    (line,) = figure.data
    assert list(line.x) == [1, 2]
    assert list(line.y) == [0.5, 0.75]
    band, dotted = figure.layout.shapes
    assert (round(band.y0, 9), round(band.y1, 9)) == (0.65, 0.85)
    assert dotted.y0 == 0.75


def test_an_empty_trace_draws_no_line_of_its_own():
    figure = trace_line([], [], title="m")
    assert not figure.layout.shapes
    assert list(figure.data[0].y) == []


def test_texts_are_not_read_as_html():
    figure = trace_line(["<b>x</b>"], [1.0], title="<i>m</i>")
    assert figure.layout.title.text == "&lt;i&gt;m&lt;/i&gt;"
    assert list(figure.data[0].customdata) == ["&lt;b&gt;x&lt;/b&gt;"]
