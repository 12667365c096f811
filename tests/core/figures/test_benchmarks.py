"""Benchmark figures show every score once, with its interval, and users' texts as they are."""

import pandas as pd

from core.figures.benchmarks import best_of_k, difficulty_dots, score_dots, style_matrix
from core.labs.benchmarks import (
    BenchmarkOptions,
    PairOptions,
    StyleMatrixOptions,
    pairs,
    ppe,
    rm_bench,
)
from core.labs.benchmarks import style_matrix as style_lab
from tests.core.labs.benchmarks.made import item, samples, scored

OPTIONS = StyleMatrixOptions(n_resamples=50)


def rm_scores() -> pd.DataFrame:
    rows = [item(f"chat:{k}", "chat", [k, 1, 2], [1, 0, 3]) for k in range(5)]
    return rm_bench.run(scored(*rows), OPTIONS).scores


def test_dots_hold_every_models_scores_and_open_ones_are_not_official() -> None:
    scores = {"<b>a</b>": rm_scores(), "b": rm_scores()}
    figure = score_dots(scores, levels=("overall", "domain"), metric="average", title="RM-Bench")
    assert [trace.name for trace in figure.data] == ["&lt;b&gt;a&lt;/b&gt;", "b"]
    expected = rm_scores().query("metric == 'average' and level in ('overall', 'domain')")
    assert list(figure.data[0].x) == expected["value"].tolist()
    assert list(figure.data[0].marker.symbol) == ["circle-open", "circle-open"]
    assert list(figure.layout.yaxis.ticktext) == ["average of chat", "chat"]
    assert "not the authors' own number" in figure.data[0].customdata[0]


def test_difficulty_has_a_series_a_level() -> None:
    figure = difficulty_dots(rm_scores(), title="t")
    assert [trace.name for trace in figure.data] == ["easy", "normal", "hard"]


def test_the_matrix_puts_the_plainest_style_first() -> None:
    table = scored(item("a", "chat", [3, 4, 5], [2, 3.5, 4.5]))
    matrix = style_lab.run(table, OPTIONS).tables["matrix"]
    figure = style_matrix(matrix, "all", title="t")
    heat = figure.data[0]
    assert heat.z.tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert list(heat.y) == ["concise", "detailed", "markdown"]
    assert heat.customdata[0][1].startswith("chosen concise, rejected detailed")


def test_best_of_k_shows_picks_below_the_oracle() -> None:
    table = scored(
        samples("a", "math", [1, 2, 3], [0, 1, 0]), samples("b", "math", [3, 2, 1], [1, 0, 0])
    )
    curves = ppe.run(table, BenchmarkOptions(n_resamples=50)).tables["best_of_k"]
    figure = best_of_k(curves, "math", title="t")
    lines = {trace.name: trace for trace in figure.data if trace.name}
    assert list(lines["picked by reward"].y) == curves["picked"].tolist()
    assert (lines["oracle"].y >= lines["picked by reward"].y - 1e-12).all()


def test_slices_named_by_users_are_literal() -> None:
    table = scored(item("a", "", [1], [0], topic="<i>x</i>"))
    scores = pairs.run(table, PairOptions(n_resamples=20, slices=("topic",))).scores
    figure = score_dots({"m": scores}, levels=("slice",), metric="accuracy", title="t")
    assert list(figure.layout.yaxis.ticktext) == ["topic = &lt;i&gt;x&lt;/i&gt;"]


def test_numbers_without_a_value_are_no_dots() -> None:
    table = scored(item("a", "", [float("nan")], [0]))
    scores = pairs.run(table, PairOptions(n_resamples=20)).scores
    figure = score_dots({"m": scores}, levels=("overall",), metric="accuracy", title="t")
    assert len(figure.data[0].x) == 0
