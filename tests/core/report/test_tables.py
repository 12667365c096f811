"""Tables of a report: every value survives the packing, and a budget cuts the largest first."""

import base64
import gzip
import json
import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.report.tables import (
    FOLD_CHARACTERS,
    PAGE_ROWS,
    Cell,
    PackedTable,
    _fair_share,
    compress,
    pack_tables,
    read_columns,
    show,
    show_number,
)


def unpack(payload: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(payload)))


def values(table: PackedTable) -> dict[str, list[Any]]:
    """The columns as report.js reads them."""
    return {
        column["name"]: column.get("values")
        or [column["texts"][place] for place in column.get("places", [])]
        for column in unpack(table.payload)["columns"]
    }


def test_every_value_is_in_the_payload() -> None:
    frame = pd.DataFrame(
        {
            "reward": [0.1, math.nan, math.inf, -math.inf],
            "n": pd.array([1, None, 3, 4], dtype="Int64"),
            "right": [True, False, True, False],
            "group": pd.Categorical(["a", "b", "a", None]),
            "text": ["</script>", "\u2028", None, "x\ny"],
            "prompt": [
                [{"role": "user", "content": "Why?"}],
                [1, 2],
                {"a": math.nan},
                date(2026, 1, 2),
            ],
        }
    )
    (table,) = pack_tables([("t", frame)], 10**6)
    assert values(table) == {
        "reward": [0.1, None, "inf", "-inf"],
        "n": [1, None, 3, 4],
        "right": ["true", "false", "true", "false"],
        "group": ["a", "b", "a", None],
        "text": ["</script>", "\u2028", None, "x\ny"],
        "prompt": ["user: Why?", "[1, 2]", '{"a": null}', "2026-01-02"],
    }
    assert [column.kind for column in table.columns] == ["number"] * 2 + ["text"] * 4


def test_columns_of_numbers_are_numbers_however_they_are_stored() -> None:
    frame = pd.DataFrame(
        {
            "float32": np.array([0.5, 1.5], dtype=np.float32),
            "object": pd.Series([1, None], dtype=object),
            "none": pd.Series([np.nan, np.nan]),
            "mixed": pd.Series([1, "two"], dtype=object),
            "flags": pd.Series([True, 1], dtype=object),
        }
    )
    kinds = {column.name: column.kind for column in read_columns(frame)}
    assert kinds == {
        "float32": "number",
        "object": "number",
        "none": "number",
        "mixed": "text",
        "flags": "text",
    }


def test_columns_of_one_name_stay_apart() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["x", "x"])
    assert [column.values for column in read_columns(frame)] == [[1], [2]]


def test_repeated_texts_are_written_once() -> None:
    frame = pd.DataFrame({"text": ["a long text"] * 100})
    (table,) = pack_tables([("t", frame)], 10**6)
    (column,) = unpack(table.payload)["columns"]
    assert column["texts"] == ["a long text"]
    assert column["places"] == [0] * 100


def noise(n: int, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"x": np.random.default_rng(seed).normal(size=n)})


def test_the_largest_tables_lose_their_last_rows_until_all_fit() -> None:
    tables = [("small", noise(20)), ("large", noise(5000)), ("larger", noise(20000, seed=1))]
    budget = 60_000
    packed = pack_tables(tables, budget)
    assert sum(len(table.payload) for table in packed) <= budget
    small, large, larger = packed
    assert small.n_kept == small.n_rows == 20
    assert 0 < large.n_kept < 5000
    assert abs(large.n_kept - larger.n_kept) < 0.1 * large.n_kept
    assert larger.n_rows == 20000
    assert values(larger)["x"] == tables[2][1]["x"].tolist()[: larger.n_kept]
    # Not cut far more than was needed.
    assert sum(len(table.payload) for table in packed) > 0.8 * budget


def test_tables_within_the_budget_stay_whole() -> None:
    packed = pack_tables([("a", noise(100)), ("b", noise(0)), ("c", pd.DataFrame())], 10**6)
    assert [(table.n_kept, table.n_rows) for table in packed] == [(100, 100), (0, 0), (0, 0)]


def test_a_budget_that_holds_no_row_leaves_none() -> None:
    (table,) = pack_tables([("a", noise(1000))], 1)
    assert table.n_kept == 0
    assert table.first_page == []


def test_the_fair_share_uses_the_whole_budget() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        sizes = rng.integers(1, 100, rng.integers(1, 8)).tolist()
        budget = int(rng.integers(len(sizes), sum(sizes) + 1))
        share = _fair_share(sizes, budget)
        assert sum(min(size, share) for size in sizes) == pytest.approx(budget, abs=1)


def test_the_first_page_is_what_a_reader_without_scripts_sees() -> None:
    (table,) = pack_tables([("t", noise(PAGE_ROWS + 10))], 10**6)
    assert len(table.first_page) == PAGE_ROWS


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (3.0, "3"),
        (-12345678, "-12345678"),
        (0.123456, "0.1235"),
        (-0.5, "-0.5000"),
        (99.996, "100.00"),
        (1234.56, "1235"),
        (1234567.8, "1.235e6"),
        (1.5e-7, "1.500e-7"),
        (1e300, "1.000e300"),
        ("inf", "∞"),
        ("-inf", "−∞"),
    ],
)
def test_numbers_are_shown_with_about_four_digits(value: Any, shown: str) -> None:
    assert show_number(value) == shown


def test_rounded_numbers_keep_the_exact_one() -> None:
    assert show(1 / 3, "number") == Cell("0.3333", exact=str(1 / 3))
    assert show(3, "number") == Cell("3")
    assert show(None, "number") == Cell("–")


def test_long_texts_are_folded_and_kept_whole() -> None:
    assert show("short", "text") == Cell("short")
    long = "x" * (FOLD_CHARACTERS + 1)
    assert show(long, "text") == Cell("x" * FOLD_CHARACTERS + " …", whole=long)
    assert show("first \nsecond", "text") == Cell("first …", whole="first \nsecond")


def test_compressed_text_holds_nothing_that_markup_is_made_of() -> None:
    packed = compress(json.dumps("</script><!-- \u2028 \ud83d"))
    assert set(packed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
    assert unpack(packed) == "</script><!-- \u2028 \ud83d"
    assert compress("same") == compress("same")
