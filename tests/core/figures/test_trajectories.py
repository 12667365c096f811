"""The figures of the tool errors lab show the numbers they were given; so does the report."""

import numpy as np

from core.figures import trajectories as figures
from core.labs.trajectories.no_tool import no_tool_trap
from core.labs.trajectories.penalties import penalise
from core.labs.trajectories.rates import RateOptions, error_rates
from core.labs.trajectories.tables import to_tables
from core.labs.trajectories.updates import UpdateOptions, weigh, weigh_group
from core.report import result_sections
from tests.core.labs.trajectories.conftest import rollouts

PENALISED = penalise(rollouts(n_problems=4, steps=(0, 1, 2)))
RATES = error_rates(PENALISED, RateOptions(n_windows=3, n_resamples=50))
UPDATE = weigh_group(next(PENALISED.groups()), UpdateOptions("roc-code"))
WEIGHINGS = {name: weigh(PENALISED, UpdateOptions(name)) for name in ("none", "roc-code")}


def test_a_rate_line_is_the_table_of_its_side_and_measure() -> None:
    figure = figures.rate_lines(RATES, "right", "micro", title="x")
    rows = RATES.rates.query("side == 'right' and measure == 'micro'")
    np.testing.assert_allclose(figure.data[0].y, rows["value"])
    np.testing.assert_allclose(figure.data[0].error_y.array, rows["high"] - rows["value"])


def test_statuses_stack_to_one() -> None:
    figure = figures.status_lines(RATES, "plain", title="x")
    np.testing.assert_allclose(np.sum([trace.y for trace in figure.data], axis=0), 1)


def test_dropped_rollouts_are_faded_and_every_reason_is_there() -> None:
    figure = figures.penalty_bars(UPDATE, title="x")
    rows = figures.ordered(UPDATE)
    faded = np.asarray(figure.data[0].marker.opacity) == figures.FADED
    assert faded.tolist() == (~rows["kept"]).tolist()
    assert list(figure.data[0].customdata) == rows["why"].tolist()
    after = figures.weight_bars(UPDATE, title="x").data[1]
    np.testing.assert_allclose(after.y, rows["weight_after"])


def test_shares_and_chances_are_drawn_with_their_intervals() -> None:
    bars = figures.messy_bars(WEIGHINGS, title="x")
    np.testing.assert_allclose(bars.data[1].y, [e.after.value for e in WEIGHINGS.values()])
    lines = figures.acceptance_lines(WEIGHINGS, title="x")
    assert {trace.name for trace in lines.data} == {
        "none", "none, no tool", "roc-code", "roc-code, no tool"
    }  # fmt: skip
    assert figures.length_lines(RATES, "right", title="x").data[0].y.size == 3


def test_nothing_to_draw_gives_an_empty_figure() -> None:
    empty = error_rates(penalise(rollouts().iloc[:0]))
    assert not figures.rate_lines(empty, "right", "micro", title="x").data


def test_the_report_is_drawn_again_from_the_tables() -> None:
    tables = to_tables(RATES, WEIGHINGS, no_tool_trap(PENALISED), UPDATE)
    sections = result_sections("tool-errors", tables, {"measure": "macro"})
    assert [section.heading for section in sections] == [
        "Tool errors over training",
        "What updates weigh",
        "Without a tool call",
        "One group",
    ]
    macro = RATES.rates.query("side == 'right' and measure == 'macro'")
    np.testing.assert_allclose(sections[0].figures[0].data[0].y, macro["value"])
    assert set(tables["messy_weight"]["what"]) == {"before", "after", "change"}
