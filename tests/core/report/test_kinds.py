"""Evaluations and best-of-n are told with their numbers, and told again from a saved run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.labs.benchmarks import BENCHMARKS, BenchmarkOptions
from core.labs.benchmarks.side_by_side import models_tables
from core.labs.best_of_n import BestOfNOptions, plan, run
from core.labs.best_of_n.picks import picks
from core.report import Section, report_kinds, result_sections, run_sections
from core.runs import save_run
from tests.core.labs.benchmarks.made import item, scored

EVALUATION = {"benchmark": "styles", "seed": 0}


@pytest.fixture
def styles() -> dict[str, pd.DataFrame]:
    # Chosen 3, 4, 5 against rejected 2, 3.5, 4.5: hard 0, normal 1, easy 1.
    table = scored(*(item(f"i{k}", "chat", [3, 4, 5], [2, 3.5, 4.5]) for k in range(6)))
    flat = scored(*(item(f"i{k}", "chat", [1, 1, 1], [0, 0, 0]) for k in range(6)))
    run_styles = BENCHMARKS["styles"].run
    results = {name: run_styles(t, BenchmarkOptions()) for name, t in (("m", table), ("w", flat))}
    return models_tables(results)


@pytest.fixture
def best() -> dict[str, pd.DataFrame]:
    # Each prompt's gold in the proxy's order is 0, 2, 3, 1: over-optimisation in four numbers.
    rows = [
        {
            "prompt_id": f"p{k}",
            "prompt": [{"role": "user", "content": "q"}],
            "response": f"{k} {place}",
            "gold": gold,
            "proxy": float(place),
        }
        for k in range(6)
        for place, gold in enumerate([0.0, 2.0, 3.0, 1.0])
    ]
    table = pd.DataFrame(rows)
    wanted = plan(table.drop(columns=["proxy"]))
    tables = {"m": wanted.scored(table["proxy"])}
    found = run(tables, BestOfNOptions())
    return {
        "curves": found.curves,
        "fits": found.fits,
        "drops": found.drops,
        "policies": found.policies,
        "picks": picks(tables),
    }


def by_heading(sections: list[Section]) -> dict[str, Section]:
    return {section.heading: section for section in sections}


def test_the_kinds_are_found():
    assert {"evaluation", "best-of-n"} <= set(report_kinds())


def test_an_evaluation_says_how_much_style_moves_each_model(styles):
    parts = by_heading(result_sections("evaluation", styles, EVALUATION))
    reliance = parts["Style against substance"].estimates
    assert {what.partition(":")[0]: each.value for what, each in reliance.items()} == {
        "m": 1.0,
        "w": 0.0,
    }
    assert len(parts["Style against substance"].figures) == 2
    assert "m: all: " in parts["Scores"].text
    overall = parts["Scores"].estimates["m: all, average"]
    assert overall.value == pytest.approx(2 / 3)
    assert overall.n_prompts == 6


def test_guessing_among_four_is_a_quarter():
    scores = models_tables(
        {
            "m": BENCHMARKS["rewardbench2"].run(
                scored(*(item(f"i{k}", "Math", [1], [0, 2, 3]) for k in range(4))),
                BenchmarkOptions(),
            )
        }
    )
    (section, *_) = result_sections("evaluation", scores, {"benchmark": "rewardbench2"})
    assert "guessing (25%)" in section.text


def test_best_of_n_says_where_the_picks_are_best_and_what_more_picking_costs(best):
    options = {"gold_title": "gold", "confidence": 0.95}
    parts = by_heading(result_sections("best-of-n", best, options))
    curves = parts["What picking by a proxy is worth"]
    # 1.5, 1.8333, 1.5, 1.0 at n = 1 to 4: best at 2, and 0.8333 less at 4.
    assert "m: its picks are worth most at n = 2; from there to n = 4 -0.833" in curves.text
    assert "It is over-optimised." in curves.text
    assert curves.estimates["m: gold at n = 4 minus at n = 2"].value == pytest.approx(-5 / 6)
    assert len(parts["Proxy and gold side by side"].figures) == 1
    assert len(parts["Picks"].tables["Picks"]) == 6


def test_without_prompts_there_is_nothing_to_show():
    (section,) = result_sections("best-of-n", {"curves": pd.DataFrame()}, {})
    assert section.heading == "Nothing to show"


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [("evaluation", "styles", EVALUATION), ("best-of-n", "best", {"gold_title": "gold"})],
)
def test_a_saved_run_is_told_as_it_was_on_the_page(
    kind: str, name: str, options: dict, tmp_path: Path, request: pytest.FixtureRequest
):
    tables = request.getfixturevalue(name)
    saved = save_run(kind, "t", tables, {}, options, folder=tmp_path)
    now, then = result_sections(kind, tables, options), run_sections(saved)
    assert [part.heading for part in now] == [part.heading for part in then]
    assert [part.text for part in now] == [part.text for part in then]
    for one, other in zip(now, then, strict=True):
        assert [str(e) for e in one.estimates.values()] == [
            str(e) for e in other.estimates.values()
        ]
        assert len(one.figures) == len(other.figures)
        for mine, theirs in zip(one.figures, other.figures, strict=True):
            for trace, again in zip(mine.data, theirs.data, strict=True):
                if trace.y is not None and np.issubdtype(np.asarray(trace.y).dtype, np.number):
                    np.testing.assert_allclose(trace.y, again.y)
