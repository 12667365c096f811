"""Slices by any column: every pair in one slice, small ones never judged, the rest beside them."""

import numpy as np
import pytest

from core.labs.compare import CompareError, CompareOptions, read_scores, slice_scores
from core.labs.compare.slices import MISSING, MOST_SLICES, OTHER
from tests.core.labs.compare.tables import long_table, random_table

FAST = CompareOptions(n_resamples=300, min_prompts=3)


def rows_of(found, model):
    return found.accuracy[found.accuracy["model"] == model].set_index("slice")


def test_accuracy_of_each_slice_by_hand():
    table = long_table({"a": [1, -1, 1, 1, 0, -1], "b": [1, 1, 1, -1, -1, -1]}, kind=list("uuuvvv"))
    found = slice_scores(read_scores(table), "kind", FAST)
    assert rows_of(found, "a")["value"].tolist() == pytest.approx([2 / 3, 1.5 / 3])
    assert rows_of(found, "a")["n_ties"].tolist() == [0, 1]
    assert rows_of(found, "a")["rest"].tolist() == pytest.approx([1 / 6, -1 / 6])
    difference = found.differences.set_index("slice")["value"]
    assert difference.to_dict() == pytest.approx({"u": 1 / 3, "v": -1.5 / 3})
    assert found.best == {"a": "u", "b": "u"}
    assert found.worst == {"a": "v", "b": "v"}


@pytest.mark.parametrize("column", ["domain", "length"])
def test_every_pair_is_in_exactly_one_slice(column):
    scores = read_scores(random_table(60, ["a", "b"]))
    found = slice_scores(scores, column, FAST)
    part = rows_of(found, "b")
    assert part["n"].sum() == 60
    weighted = (part["value"] * part["n"]).sum() / 60
    assert weighted == pytest.approx(scores.credits("b").mean())


def test_many_numbers_are_cut_into_groups_named_by_their_ends():
    found = slice_scores(read_scores(random_table(60, ["a", "b"])), "length", FAST)
    assert list(rows_of(found, "a").index) == ["0 to 14", "15 to 29", "30 to 44", "45 to 59"]
    assert "60 different numbers" in found.notes[0]


def test_few_numbers_and_truth_values_are_slices_of_their_own_in_order():
    table = random_table(30, ["a", "b"]).assign(n=[i % 11 for i in range(30)] * 2)
    found = slice_scores(read_scores(table.assign(n=table["n"] + 1)), "n", FAST)
    assert list(rows_of(found, "a").index) == [str(i) for i in range(1, 12)]
    flags = slice_scores(read_scores(table.assign(ok=table["n"] > 5)), "ok", FAST)
    assert list(rows_of(flags, "a").index) == ["False", "True"]


def test_missing_values_are_a_slice_and_rare_ones_are_pooled():
    names = [f"k{i}" for i in range(60)] * 2
    table = random_table(120, ["a", "b"]).assign(kind=[*names[:-1], None] * 2)
    found = slice_scores(read_scores(table), "kind", FAST)
    labels = list(rows_of(found, "a").index)
    assert len(labels) == MOST_SLICES + 2
    assert labels[-2:] == [OTHER, MISSING]
    assert rows_of(found, "a")["n"].sum() == 120
    assert "pooled" in found.notes[0]


def test_missing_numbers_are_a_slice_too():
    table = random_table(30, ["a", "b"])
    table.loc[table["pair_id"].isin(["x1", "x2"]), "length"] = np.nan
    found = slice_scores(read_scores(table), "length", FAST)
    assert rows_of(found, "a").loc[MISSING, "n"] == 2


def test_a_small_slice_is_listed_but_never_best_or_worst():
    margins = [1.0] * 10 + [-1.0] * 10 + [1.0, 1.0] + [-1.0]
    kinds = ["u"] * 8 + ["v"] * 12 + ["tiny"] * 2 + ["one"]
    scores = read_scores(long_table({"a": margins, "b": margins}, kind=kinds))
    found = slice_scores(scores, "kind", CompareOptions(n_resamples=300, min_prompts=5))
    rows = rows_of(found, "a")
    assert rows["small"].to_dict() == {"one": True, "tiny": True, "u": False, "v": False}
    assert rows.loc[["tiny", "one"], "p_adjusted"].isna().all()
    assert (found.best["a"], found.worst["a"]) == ("u", "v")
    none = slice_scores(scores, "kind", CompareOptions(n_resamples=300, min_prompts=50))
    assert (none.best["a"], none.worst["a"]) == ("", "")


def test_size_is_counted_in_prompts_not_in_pairs():
    scores = read_scores(
        long_table(
            {"a": [1.0] * 20, "b": [1.0] * 20},
            prompts=["p"] * 10 + [f"q{i}" for i in range(10)],
            kind=["many rows"] * 10 + ["many prompts"] * 10,
        )
    )
    rows = rows_of(slice_scores(scores, "kind", FAST), "a")
    assert rows["small"].to_dict() == {"many prompts": False, "many rows": True}


def test_error_against_the_rest_is_welchs_when_every_pair_has_its_prompt():
    rng = np.random.default_rng(3)
    margins = np.where(rng.random(80) < 0.6, 1.0, -1.0)
    kinds = ["u"] * 30 + ["v"] * 50
    scores = read_scores(long_table({"a": margins, "b": margins}, kind=kinds))
    row = rows_of(slice_scores(scores, "kind", FAST), "a").loc["u"]
    credit = scores.credits("a")
    variance = credit[:30].var() / 30 + credit[30:].var() / 50
    reach = 1.959964 * np.sqrt(variance * 80 / 79)
    assert row["rest"] == pytest.approx(credit[:30].mean() - credit[30:].mean())
    assert row["rest_high"] - row["rest"] == pytest.approx(reach, rel=1e-5)


def test_slices_without_a_difference_raise_few_false_alarms():
    rng = np.random.default_rng(4)
    alarms = 0
    for seed in range(60):
        margins = np.where(rng.random(150) < 0.7, 1.0, -1.0)
        kinds = [f"k{i % 5}" for i in range(150)]
        scores = read_scores(long_table({"a": margins, "b": margins}, kind=kinds))
        found = slice_scores(scores, "kind", CompareOptions(n_resamples=20, seed=seed))
        alarms += rows_of(found, "a")["p_adjusted"].min() <= 0.05
    # Binomial(60, 0.05) is above 8 with probability 0.003.
    assert alarms <= 8


def test_pairs_without_a_margin_are_counted_in_their_slice():
    table = random_table(12, ["a", "b"])
    table.loc[[0, 1], "error"] = "failed"
    rows = rows_of(slice_scores(read_scores(table), "domain", FAST), "a")
    assert rows["left_out"].to_dict() == {"chat": "failed: 1", "code": "failed: 1", "maths": ""}
    assert rows["n"].tolist() == [3, 3, 4]


def test_a_slice_that_one_model_did_not_score_stays_in_the_table():
    table = long_table({"a": [1.0, 1.0], "b": [1.0, -1.0]}, kind=["u", "v"])
    table.loc[0, "error"] = "failed"
    rows = rows_of(slice_scores(read_scores(table), "kind", FAST), "a")
    assert rows["n"].to_dict() == {"u": 0, "v": 1}


def test_columns_that_cannot_slice_are_refused():
    table = random_table(6, ["a", "b"])
    table["n_tokens"] = range(12)
    table["prompt"] = [[{"role": "user", "content": str(i % 6)}] for i in range(12)]
    scores = read_scores(table)
    for column, words in (("n_tokens", "differs"), ("prompt", "lists"), ("nothing", "no column")):
        with pytest.raises(CompareError, match=words):
            slice_scores(scores, column, FAST)
