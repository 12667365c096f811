"""The report of the tool errors lab: drawn again from its tables, whatever was computed."""

import numpy as np
import pytest

from core.labs.trajectories.no_tool import no_tool_trap
from core.labs.trajectories.penalties import penalise
from core.labs.trajectories.rates import RateOptions, error_rates
from core.labs.trajectories.tables import to_tables, weighings_of
from core.labs.trajectories.updates import STRATEGIES, UpdateOptions, weigh, weigh_group
from core.report import result_sections
from core.report.kinds.trajectories import KIND
from tests.core.labs.trajectories.conftest import rollouts


@pytest.fixture(scope="module")
def penalised():
    table = rollouts(n_problems=4, steps=(0, 1, 2))
    table.loc[0, "correct"] = None
    return penalise(table)


@pytest.fixture(scope="module")
def rates(penalised):
    return error_rates(penalised, RateOptions(n_windows=3, n_resamples=50))


@pytest.fixture(scope="module")
def weighings(penalised):
    return {name: weigh(penalised, UpdateOptions(name, repeats=2)) for name in STRATEGIES}


def group(penalised, strategy="roc-code"):
    return weigh_group(next(penalised.groups()), UpdateOptions(strategy))


def test_everything_that_was_found_is_told(penalised, rates, weighings):
    tables = to_tables(rates, weighings, no_tool_trap(penalised), group(penalised))
    sections = result_sections(KIND, tables, {"measure": "no tool"})
    assert [section.heading for section in sections] == [
        "Tool errors over training", "What updates weigh", "Without a tool call", "One group",
        "What was left out",
    ]  # fmt: skip
    right = rates.rates.query("side == 'right' and measure == 'no tool'")
    np.testing.assert_allclose(sections[0].figures[0].data[0].y, right["value"])
    assert [len(section.figures) for section in sections] == [2, 2, 0, 2, 0]
    assert tables["left_out"]["rollouts"].sum() == 1


def test_weights_are_drawn_as_they_were_measured(rates, weighings):
    tables = to_tables(rates, weighings, None, None)
    bars, chances = result_sections(KIND, tables, {})[1].figures
    assert list(bars.data[1].x) == list(STRATEGIES)
    np.testing.assert_allclose(bars.data[1].y, [each.after.value for each in weighings.values()])
    drawn = {trace.name for trace in chances.data}
    assert {"roc-paper", "roc-code", "positives uniform"} <= drawn
    assert not any(name.startswith(("none", "penalty")) for name in drawn)


def test_saved_weights_come_back_as_the_estimates_they_were(weighings):
    tables = to_tables(None, weighings, None, None)
    again = weighings_of(tables["messy_weight"], tables["acceptance"])
    for name, found in weighings.items():
        for what in ("before", "after", "change"):
            was, now = getattr(found, what), getattr(again[name], what)
            assert (now.value, now.low, now.high) == pytest.approx(
                (was.value, was.low, was.high), nan_ok=True
            )
            assert (now.n, now.n_prompts, now.method) == (was.n, was.n_prompts, was.method)
            assert sum(now.left_out.values()) == sum(was.left_out.values())
        assert len(again[name].acceptance) == len(found.acceptance)


def test_a_group_says_who_is_kept_and_keeps_texts_out_of_the_report(penalised):
    update = group(penalised)
    tables = to_tables(None, {}, None, update)
    (section,) = result_sections(KIND, tables, {})
    rows = update.rows
    kept = rows.loc[rows["kept"], "correct"]
    n_right = int(rows["correct"].sum())
    assert section.notes[0].startswith(f"{n_right} right and {len(rows) - n_right} wrong; ")
    assert f"{int(kept.sum())} and {int((~kept).sum())} of them are kept" in section.notes[0]
    assert "response" not in tables["group"]
    faded = [opacity < 1 for opacity in section.figures[0].data[0].marker.opacity]
    assert sum(faded) == int((~rows["kept"]).sum())


def test_rates_alone_make_one_section_and_what_was_left_out(rates):
    headings = [
        each.heading for each in result_sections(KIND, to_tables(rates, {}, None, None), {})
    ]
    assert headings == ["Tool errors over training", "What was left out"]
