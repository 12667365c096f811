"""Figures of the comparison: what is drawn is the result, with its interval; text stays text."""

import numpy as np
import pytest

from core.figures.compare import (
    accuracy_ranges,
    agreement_heatmap,
    changed_minds_bars,
    changed_minds_lines,
    disagreement_histogram,
    ensemble_ranges,
    head_to_head_scatter,
    paired_differences,
    reliability_diagram,
    run_line,
    slice_difference_ranges,
    slice_ranges,
)
from core.labs.compare import (
    CompareOptions,
    Comparison,
    compare_head_to_head,
    run,
    run_view,
    slice_scores,
)
from core.labs.compare.agreement import KENDALL, MEASURES, SAME_WINNER
from core.labs.compare.checkpoints import ACCURACY, DRIFT
from tests.core.labs.compare.tables import long_table, random_table

FAST = CompareOptions(n_resamples=200, n_permutations=500, min_prompts=5)
NASTY = "<b>m</b>/step-1"


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return run(random_table(60, [NASTY, "n/step-2", "o/step-3"]), FAST)


def every_figure(found: Comparison):
    models = found.scores.models
    sliced = slice_scores(found.scores, "domain", FAST)
    view = run_view(found.scores, options=FAST)
    yield head_to_head_scatter(compare_head_to_head(found.scores, *models[:2]))
    yield from (agreement_heatmap(found.agreement, measure) for measure in MEASURES)
    yield changed_minds_bars(found.changed)
    yield from (changed_minds_lines(one) for one in found.changed)
    yield paired_differences(found.paired)
    yield accuracy_ranges(found.overview)
    yield ensemble_ranges(found.ensembles)
    yield slice_ranges(sliced)
    yield slice_difference_ranges(sliced)
    yield from (run_line(view, measure) for measure in set(view.table["measure"]))
    yield from (reliability_diagram(found.calibration, model) for model in models)
    yield disagreement_histogram(found.ensembles)


def test_names_of_models_are_never_read_as_html(comparison):
    for figure in every_figure(comparison):
        assert "<b>m" not in figure.to_json().replace("\\u003c", "<")


def test_a_table_in_which_nothing_was_scored_still_draws():
    empty = run(random_table(6, ["m1", "m2"]).assign(error="offline"), FAST)
    assert len(list(every_figure(empty))) > 10


def test_scatter_points_carry_their_row_for_a_lasso(comparison):
    result = compare_head_to_head(comparison.scores, NASTY, "o/step-3")
    figure = head_to_head_scatter(result, texts=[f"prompt {row}" for row in result.points["row"]])
    drawn = {
        (int(data[0]), float(x), float(y), data[4])
        for trace in figure.data
        for data, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)
    }
    rows = result.points[["row", "x", "y"]].itertuples(index=False)
    assert drawn == {(row, x, y, f"prompt {row}") for row, x, y in rows}
    assert figure.layout.dragmode == "lasso"


def test_scatter_is_in_standardised_units(comparison):
    # The third model's rewards are a hundred times the first's.
    figure = head_to_head_scatter(compare_head_to_head(comparison.scores, NASTY, "o/step-3"))
    reach = [max(np.abs(np.concatenate([t[axis] for t in figure.data]))) for axis in ("x", "y")]
    assert max(reach) < 10


def test_cells_of_the_agreement_say_value_interval_and_n(comparison):
    figure = agreement_heatmap(comparison.agreement, KENDALL)
    row = comparison.agreement.table.query("measure == @KENDALL").iloc[0]
    text = figure.data[0].text[0][1]
    assert text.startswith(f"{row['value']:.3f}<br>{row['low']:.3f} to {row['high']:.3f}")
    assert "n = 60 of 30 prompts" in text
    assert figure.data[0].z[0][1] == figure.data[0].z[1][0] == row["value"]
    assert agreement_heatmap(comparison.agreement, SAME_WINNER).data[0].zmin == 0


def test_models_whose_names_differ_only_at_the_end_stay_apart():
    long_name = "organisation/a-very-long-name-of-a-reward-model-"
    found = run(random_table(20, [long_name + "1", long_name + "2"]), FAST)
    figure = agreement_heatmap(found.agreement, KENDALL)
    assert len(set(figure.data[0].x)) == 2


def test_flips_within_the_noise_floor_are_drawn_apart():
    options = CompareOptions(n_resamples=100, noise_floors={"a": 0.5})
    found = run(long_table({"a": [1, 0.1, -1, 2], "b": [-1, -1, 1, 2]}), options)
    bars = {trace.name: list(trace.x) for trace in changed_minds_bars(found.changed).data}
    assert bars == {"won": [1], "lost": [1], "lost, within noise": [1]}


def test_lines_go_from_baseline_to_candidate_and_say_how_many_they_are(comparison):
    result = comparison.changed[0]
    figure = changed_minds_lines(result, most=3)
    assert len(figure.data) == 3
    first = result.changes.iloc[0]
    assert list(figure.data[0].x) == [first["standard_baseline"], first["standard_candidate"]]
    assert figure.data[0].customdata[0][0] == first["row"]
    assert f"3 of {len(result.changes)} changed pairs" in figure.layout.title.text


def test_differences_show_the_smallest_detectable_one(comparison):
    figure = paired_differences(comparison.paired)
    bands = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [band.x1 for band in bands] == [one.detectable_accuracy for one in comparison.paired]
    (dots,) = figure.data
    assert list(dots.x) == [one.accuracy_difference.value for one in comparison.paired]
    high = [one.accuracy_difference.high for one in comparison.paired]
    assert dots.x + dots.error_x.array == pytest.approx(high)
    assert "p = " in dots.customdata[0]


def test_reliability_shows_the_filled_bins_and_all_counts(comparison):
    figure = reliability_diagram(comparison.calibration, "n/step-2")
    bins = comparison.calibration.bins
    part = bins[(bins["model"] == "n/step-2") & (bins["variant"] == "as given")]
    line, counts = figure.data[:2]
    assert len(line.x) == (part["n"] > 0).sum()
    assert sum(counts.y) == 60
    assert counts.yaxis == "y2"


def test_small_slices_are_hollow():
    kinds = ["u"] * 20 + ["v"] * 2
    scores = run(long_table({"a": [1, -1] * 11, "b": [1, 1] * 11}, kind=kinds), FAST).scores
    figure = slice_ranges(slice_scores(scores, "kind", FAST))
    assert list(figure.data[0].marker.symbol) == ["circle", "circle-open"]


def test_run_line_draws_values_over_steps_with_band_and_noise(comparison):
    view = run_view(comparison.scores, options=FAST)
    band, line = run_line(view, ACCURACY).data
    assert list(line.x) == [1, 2, 3]
    assert list(line.y) == view.line(ACCURACY)["value"].tolist()
    assert max(band.y) == view.line(ACCURACY)["high"].max()
    noisy = CompareOptions(n_resamples=100, noise_floors=dict.fromkeys(comparison.scores.models, 1))
    with_noise = run_line(run_view(comparison.scores, options=noisy), DRIFT)
    assert len(with_noise.data) == 3


def test_disagreement_shows_every_decided_pair(comparison):
    figure = disagreement_histogram(comparison.ensembles)
    assert sum(len(trace.x) for trace in figure.data) == 60
    assert "AUC" in figure.layout.title.text
