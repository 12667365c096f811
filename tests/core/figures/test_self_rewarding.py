"""Figures of the self-rewarding lab draw the numbers of the results; texts stay texts."""

import numpy as np
import pandas as pd
import pytest

from core.figures import self_rewarding as figures
from core.labs.self_rewarding import audit, drift, iterations
from core.labs.self_rewarding.estimates import POOLED
from core.labs.self_rewarding.iterations import PairRule, rebuild
from tests.core.labs.self_rewarding.made import generations


@pytest.fixture(scope="module")
def result() -> iterations.IterationResult:
    return rebuild(generations(), PairRule(anchored=True, future=True), n_draws=100)


def test_lines_are_the_pooled_estimates_with_their_intervals(
    result: iterations.IterationResult,
) -> None:
    figure = figures.over_iterations(result.estimates, "gap", title="<b>", level=0.5)
    thick = [trace for trace in figure.data if trace.showlegend is not False]
    assert [trace.name for trace in thick] == ["classic", "temporal"]
    for trace in thick:
        rows = result.estimates.query(f"measure == 'gap' and run == '{POOLED}'")
        rows = rows.loc[rows["method"] == trace.name]
        assert list(trace.y) == rows["value"].tolist()
        assert trace.error_y.array == pytest.approx((rows["high"] - rows["value"]).to_numpy())
        assert "n = 24 over 12 problems" in trace.customdata[0]
    assert len(figure.data) - len(thick) == 4  # two seeds each
    assert figure.layout.title.text == "&lt;b&gt;"
    assert list(figure.layout.xaxis.tickvals) == [0, 1, 2, 3]


def test_ridges_hold_the_scores_of_both_sides(result: iterations.IterationResult) -> None:
    pairs = result.pairs.query("method == 'classic'")
    figure = figures.score_ridges(pairs)
    assert len(figure.data) == 2 * 4
    for trace in figure.data:
        rows = pairs.loc[pairs["iteration"] == int(trace.y[0])]
        assert list(trace.x) == rows[f"judge_{trace.name}"].tolist()
    assert list(figure.layout.yaxis.categoryarray) == ["3", "2", "1", "0"]


def test_bars_of_a_slot_fill_it(result: iterations.IterationResult) -> None:
    figure = figures.slot_bars(result.slots, "rejected")
    total: dict[tuple[str, str], float] = {}
    for bar in figure.data:
        for method, step, share in zip(bar.x[0], bar.x[1], bar.y, strict=True):
            total[method, step] = total.get((method, step), 0) + share
    assert list(total.values()) == pytest.approx([1.0] * 8)


def test_judge_and_outside_share_an_axis() -> None:
    found = drift.run(generations().table, n_draws=50).estimates
    judge, outside = figures.judge_and_outside(found, "classic").data
    rows = found.query("method == 'classic' and measure == 'judge'")
    assert list(judge.y) == rows.loc[rows["run"] == POOLED, "value"].tolist()
    assert outside.name == "outside model"


def test_audit_figures_leave_out_what_has_no_number() -> None:
    pairs = pd.DataFrame(
        {
            "pair_id": ["<a>", "b", "c"],
            "gap": [1.0, np.nan, -1.0],
            "cosine": [0.5, 0.6, np.nan],
        }
    )
    (points,) = figures.gap_against_cosine(pairs, parallel=0.95).data
    assert list(points.customdata) == ["&lt;a&gt;"]
    (bars,) = figures.distribution(pairs, "gap").data
    assert list(bars.x) == [1.0, -1.0]
    many = pd.DataFrame(
        {"pair_id": "x", "gap": np.arange(6_000.0), "cosine": np.linspace(0, 1, 6_000)}
    )
    assert len(figures.gap_against_cosine(many).data[0].x) == figures.MOST_POINTS


def test_nothing_draws_empty_figures() -> None:
    empty = rebuild(generations(n_samples=1), PairRule(), n_draws=20)
    assert len(figures.over_iterations(empty.estimates, "gap").data) == 0
    assert len(figures.score_ridges(empty.pairs).data) == 0
    assert len(figures.slot_bars(empty.slots, "chosen").data) == 0
    assert set(audit.MEASURES) >= {"gap", "cosine"}


def test_bars_stand_in_the_order_of_methods_and_iterations() -> None:
    rows = [
        ("classic", 0, "Mi"), ("classic", 1, "Mi"), ("temporal", 0, "Mi"), ("temporal", 1, "M0"),
    ]  # fmt: skip
    slots = pd.DataFrame(rows, columns=["method", "iteration", "source"]).assign(
        run=POOLED, slot="rejected", n=3, share=1.0
    )
    first, second = figures.slot_bars(slots, "rejected").data
    order = [("classic", "0"), ("classic", "1"), ("temporal", "0"), ("temporal", "1")]
    assert list(zip(*first.x, strict=True)) == list(zip(*second.x, strict=True)) == order
    assert list(first.y) == [0, 0, 0, 1]
    assert list(second.y) == [1, 1, 1, 0]
