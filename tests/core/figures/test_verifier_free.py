"""Figures of the verifier-free lab show the numbers of its tables, texts as written."""

import numpy as np
import pandas as pd
import pytest

from core.figures import verifier_free as figures
from core.labs.verifier_free import estimator, filter, paraphrase, quality, rewards  # noqa: A004
from core.report.kinds.verifier_free import verifier_free_sections
from tests.core.labs.verifier_free.test_quality import planted


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return planted(12)


def test_methods_show_each_trace_in_the_colour_of_its_label(table):
    group = table.loc[(table["problem_id"] == "p0") & (table["wording"] == 0)]
    side = rewards.side_by_side(group.reset_index(drop=True).assign(trace_id=list("<bcd")))
    figure = figures.method_bars(side, value="reward")
    assert len(figure.data) == 3
    assert figure.data[0].x[0] == "&lt;"
    expected = side.loc[side["method"] == "VeriFree", "reward"]
    assert list(figure.data[0].y) == pytest.approx(list(expected))
    assert figure.data[0].marker.color[0] != figure.data[0].marker.color[2]


def test_the_filter_draws_its_bound_and_what_it_keeps():
    steps = filter.run_filter([[0.1, 0.2]] * 12)
    lines = figures.filter_lines(steps)
    assert lines.data[2].y[-1] == pytest.approx(0.075)
    bars = figures.kept_bars(steps)
    assert [a + b for a, b in zip(bars.data[0].y, bars.data[1].y, strict=True)] == [2] * 12


def test_areas_have_their_intervals(table):
    areas = quality.quality_table(table, n_resamples=100, by_domain=False)
    rows = areas.query("subset == 'reference' and comparison == 'all traces'")
    figure = figures.area_dots(rows)
    assert list(figure.data[0].x) == pytest.approx(list(rows["auc"]))
    assert list(figure.data[0].error_x.array) == pytest.approx(list(rows["high"] - rows["auc"]))


def test_points_stand_for_traces_and_problems(table):
    first = table.loc[table["wording"] == 0].reset_index(drop=True)
    scatter = figures.reward_scatter(first, np.arange(len(first)), "entropy")
    assert sum(len(trace.x) for trace in scatter.data) == len(first)
    found = paraphrase.paraphrase_test(table, "mean")
    assert len(figures.paraphrase_bars(found.problems).data[1].x) == 12
    assert figures.paraphrase_bars(found.problems.iloc[:0]).data[1].x.size == 0
    curve = quality.roc_curve([0.9, 0.1], [True, False]).assign(score="<x>")
    assert figures.roc_lines(curve).data[1].name == "&lt;x&gt;"


def test_a_report_has_a_section_for_each_part_that_was_looked_at(table):
    group = table.loc[(table["problem_id"] == "p0") & (table["wording"] == 0)]
    demonstration = estimator.demonstrate([0.2, 0.6], n_draws=500)
    tables = {
        "group": rewards.side_by_side(group.reset_index(drop=True)),
        "areas": quality.quality_table(table, n_resamples=50),
        "filter": filter.run_filter([[0.1, 0.2]] * 12),
        "paraphrases": paraphrase.paraphrase_test(table, "mean").problems,
        "estimators": demonstration.table,
    }
    sections = verifier_free_sections(tables, {"source": "planted", "problem": "p0"})
    assert len(sections) == 5
    assert all(section.figures for section in sections)
    assert len(verifier_free_sections({"group": tables["group"]}, {})) == 1
