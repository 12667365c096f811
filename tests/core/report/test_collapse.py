"""The report of the collapse lab, drawn again from the tables that a saved run keeps."""

import numpy as np
import pytest

from core.labs.collapse.analysis import CollapseOptions, analyse, options_as_json, to_tables
from core.labs.collapse.spread import SpreadOptions
from core.report import result_sections
from core.report.kinds.collapse import KIND
from tests.core.labs.collapse.tables import rollouts, sampled, spreading

RUNS = ["base/seed-0", "plain/seed-0", "plain/seed-1"]
OPTIONS = CollapseOptions(k=4, spread=SpreadOptions(k=4, n_resamples=100))
TRAIN = sampled(RUNS, spreading(0.9), n_steps=8, n_problems=6).assign(split="train")
HELD_OUT = sampled(RUNS, spreading(0.9), n_steps=2, n_problems=4, seed=1).assign(split="held_out")


@pytest.fixture(scope="module")
def result():
    table = TRAIN.merge(HELD_OUT, how="outer")
    table.loc[table.index[0], "answer"] = None
    return analyse(table, RUNS[:1], OPTIONS)


def test_everything_that_was_found_is_told(result) -> None:
    options = {**options_as_json(OPTIONS), "windows": list(result.classes.windows)}
    sections = result_sections(KIND, to_tables(result), options)
    assert [section.heading for section in sections] == [
        "Spread to problems never solved in training",
        "Spread to problems never trained on",
        "Solved and answered so far",
        "pass@k and distinct@k: training, late window",
        "pass@k and distinct@k: held out",
        "What became of the problems",
        "Reward up while pass@k goes down",
        "What was left out",
    ]
    assert all(section.figures or section.tables for section in sections)


def test_the_spread_is_the_estimate_and_carries_its_interval(result) -> None:
    section = result_sections(KIND, to_tables(result), {})[0]
    found, told = result.spreads["difference"].effects["plain"], section.estimates["plain, effect"]
    assert (told.value, told.low, told.high) == (found.value, found.low, found.high)
    assert (told.n, told.n_prompts, told.method) == (found.n, found.n_prompts, found.method)
    assert section.figures[0].data[0].x[0] == found.value
    assert "steps 0 to 1 against 6 to 7" in section.text.lower()


def test_figures_are_drawn_from_the_tables(result) -> None:
    tables = to_tables(result)
    coverage = result_sections(KIND, tables, {})[2]
    rows = tables["curves"].query(
        "cohort == 'all' and measure == 'solved' and method == 'plain' and compared == 'itself'"
    )
    line = next(trace for trace in coverage.figures[0].data if trace.name == "plain")
    np.testing.assert_allclose(line.y, rows["value"])


def test_what_was_left_out_is_counted(result) -> None:
    rows = to_tables(result)["left_out"].set_index("part")
    assert rows.loc["answers", "n"] == 1
    assert "counts as one answer" in rows.loc["answers", "reason"]


def test_one_step_of_one_run_still_makes_a_report() -> None:
    single = analyse(rollouts({("plain/seed-0", 0, "a"): ["x", "r"]}))
    sections = result_sections(KIND, to_tables(single), {})
    assert "What became of the problems" in [section.heading for section in sections]
