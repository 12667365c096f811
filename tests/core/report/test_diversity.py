"""The report of the diversity lab: drawn again from its tables, whatever was computed."""

import numpy as np
import pytest

from core.labs.diversity import frontier, groups
from core.labs.diversity.similarity import prepare
from core.labs.diversity.tables import to_tables
from core.labs.diversity.traps import TRAP_MEANING
from core.report import result_sections
from core.report.kinds.diversity import KIND
from tests.core.figures.test_diversity import points, rollouts


@pytest.fixture(scope="module")
def similarity():
    table = rollouts()
    table.loc[3, "reward"] = np.nan
    return prepare(table, "exact")


@pytest.fixture(scope="module")
def found(similarity):
    return groups.run(similarity)


@pytest.fixture(scope="module")
def trade(similarity):
    return frontier.run(similarity, "temperature", threshold=0.5)


def sections(tables, options=None):
    return {each.heading: each for each in result_sections(KIND, tables, options or {})}


def test_everything_that_was_found_is_told(found, trade):
    tables = to_tables(found, trade, points())
    told = sections(tables, {"by": "temperature", "k": trade.k, "colour": "reward"})
    assert list(told) == [
        "DARLING's reward", "Quality against diversity", "Map of the responses",
        "Which method agrees with people", "What was left out",
    ]  # fmt: skip
    assert tables["left_out"]["count"].tolist() == [1, 1]
    assert told["Map of the responses"].figures[0].data[0].marker.color is not None


def test_only_traps_that_were_found_are_explained(found):
    notes = sections(to_tables(found))["DARLING's reward"].notes
    assert found.traps["novelty punished"] > 0
    there = [trap for trap, n in found.traps.items() if n]
    assert len(notes) == len(there)
    for trap, note in zip(there, notes, strict=True):
        assert note.startswith(f"{trap}: {found.traps[trap]} of {len(found.groups)} groups.")
        assert TRAP_MEANING[trap] in note


def test_lines_of_equal_reward_are_drawn_only_where_the_rule_has_them(found):
    def kinds(options):
        (figure,) = sections(to_tables(found), options)["DARLING's reward"].figures
        return [trace.type for trace in figure.data]

    assert "contour" in kinds({"rule": "multiply"})
    assert "contour" in kinds({"rule": "add", "weight": 2.0})
    assert "contour" not in kinds({"rule": "lexicographic"})
    assert "contour" not in kinds({"rule": "multiply", "shift": "minimum"})


def test_a_frontier_shows_its_points_and_its_paired_differences(trade):
    section = sections(to_tables(None, trade), {"by": "temperature", "k": trade.k})[
        "Quality against diversity"
    ]
    quality = trade.points.query("measure == 'quality'")["value"]
    np.testing.assert_allclose(section.figures[0].data[0].y, quality)
    assert len(section.tables) == 2
    assert section.notes == [f"k = {trade.k}"]


def test_a_measure_without_values_has_no_figure(trade):
    # Answers have no word pairs, so distinct-2 is missing throughout.
    assert trade.points.query("measure == 'distinct_2'")["value"].isna().all()
    section = sections(to_tables(None, trade))["Quality against diversity"]
    assert len(section.figures) == 2


def test_without_any_result_the_calibration_stands_alone():
    assert list(sections(to_tables())) == ["Which method agrees with people"]
