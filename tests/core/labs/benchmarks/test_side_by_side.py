"""Several models' tables in one, items by their margins, and a part of a benchmark."""

import numpy as np
import pandas as pd

from core.labs.benchmarks import BENCHMARKS, BenchmarkOptions
from core.labs.benchmarks.candidates import candidates_table
from core.labs.benchmarks.sampling import first_items
from core.labs.benchmarks.side_by_side import item_margins, models_tables
from tests.core.labs.benchmarks.made import item, samples, scored


def test_tables_of_all_models_stand_below_one_another_with_the_model_first():
    run = BENCHMARKS["pairs"].run
    results = {
        name: run(scored(item("a", "", [up], [0.0])), BenchmarkOptions())
        for name, up in (("m", 1.0), ("w", -1.0))
    }
    tables = models_tables(results)
    assert list(tables["scores"].columns[:2]) == ["model", "level"]
    assert dict(zip(tables["items"]["model"], tables["items"]["margin"], strict=True)) == {
        "m": 1.0,
        "w": -1.0,
    }


def test_the_margin_is_the_lowest_right_minus_the_highest_wrong_reward_worst_first():
    table = scored(
        item("fine", "s", [3, 4], [1, 2]),
        item("bad", "s", [3, 1], [2, 0]),
        samples("best-of", "s", [5.0, 1.0, 3.0], [1, 0, 0]),
    )
    margins = item_margins(table)
    assert margins["item_id"].tolist() == ["bad", "fine", "best-of"]
    assert margins["margin"].tolist() == [-1.0, 1.0, 2.0]
    assert margins["subset"].tolist() == ["s", "s", "s"]


def test_items_without_a_right_and_a_wrong_reward_have_no_margin():
    table = scored(item("a", "s", [np.nan], [1]), samples("all right", "s", [1.0, 2.0], [1, 1]))
    assert len(item_margins(table)) == 0


def test_more_items_add_to_fewer_and_prompts_stay_whole():
    rows = [
        row for k in range(10) for row in item(f"i{k}", "s", [1.0], [0.0], prompt_id=f"p{k // 2}")
    ]
    table = candidates_table(rows)
    kept: set[str] = set()
    for n_items in range(1, 11):
        part = first_items(table, n_items)
        names = set(part["item_id"])
        assert len(names) == n_items
        assert kept <= names
        assert len(part) == 2 * n_items
        if n_items % 2 == 0:
            assert part["prompt_id"].nunique() == n_items // 2
        kept = names
    pd.testing.assert_frame_equal(first_items(table, 99), table)
