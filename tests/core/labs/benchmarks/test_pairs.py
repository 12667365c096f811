"""Pairs by slice and LLMBar by subset."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.benchmarks import PairOptions, llmbar, pairs
from core.labs.benchmarks.results import BenchmarkOptions
from core.tables.benchmarks import read_benchmark
from tests.core.labs.benchmarks.made import item, scored, value

OPTIONS = BenchmarkOptions(n_resamples=200)


def test_accuracy_counts_ties_as_half_in_all_and_by_slice() -> None:
    table = scored(
        item("a", "", [2], [1], topic="x"),
        item("b", "", [1], [1], topic="x"),
        item("c", "", [0], [1], topic="y"),
        item("d", "", [5], [1], topic=None),
    )
    result = pairs.run(table, PairOptions(n_resamples=200, slices=("topic",)))
    assert value(result.scores, "all", "accuracy") == 2.5 / 4
    assert value(result.scores, "topic = x", "accuracy") == 0.75
    assert value(result.scores, "topic = y", "accuracy") == 0
    assert value(result.scores, "topic = (none)", "accuracy") == 1
    assert result.notes == ("1 of 4 pairs are ties; a tie counts as half.",)
    assert result.items["margin"].tolist() == [1, 0, -1, 4]


def test_pairs_without_a_reward_are_counted_in_all_and_in_their_slice() -> None:
    table = scored(
        item("a", "", [2], [1], topic="x"),
        item("b", "", [1], [0], topic="x"),
        errors={"b chosen 0": "refused\ndetails"},
    )
    result = pairs.run(table, PairOptions(n_resamples=200, slices=("topic",)))
    assert result.left_out == {"refused": 1}
    assert result.scores["n"].tolist() == [1, 1]
    assert result.scores["n_left_out"].tolist() == [1, 1]


def test_a_column_that_is_not_there_or_has_too_many_values_is_told() -> None:
    table = scored(*(item(str(i), "", [1], [0], name=str(i)) for i in range(5)))
    options = PairOptions(n_resamples=50, slices=("nothing", "name"), max_slices=3)
    result = pairs.run(table, options)
    assert result.notes == (
        "There is no column nothing to slice by.",
        "Column name has 5 values: too many for slices.",
    )


def test_a_pairs_table_is_planned_with_its_own_columns() -> None:
    table = pd.DataFrame(
        {
            "pair_id": ["a"],
            "prompt_id": ["p"],
            "prompt": [[{"role": "user", "content": "Why?"}]],
            "chosen": ["good"],
            "rejected": ["bad"],
            "topic": ["x"],
        }
    )
    plan = pairs.plan(table)
    assert [text[-1]["content"] for text in plan.conversations()] == ["good", "bad"]
    assert plan.requests["side"].tolist() == ["chosen", "rejected"]
    assert plan.requests["topic"].tolist() == ["x", "x"]


def test_a_table_without_the_columns_is_refused() -> None:
    with pytest.raises(TableError, match="lacks the columns response"):
        llmbar.plan(
            pd.DataFrame(columns=["item_id", "prompt_id", "prompt", "side", "place", "subset"])
        )


def llmbar_items(right: dict[str, int]) -> list[list[dict[str, object]]]:
    """All of LLMBar, with this many right answers in each subset."""
    return [
        item(f"{subset}:{place}", subset, [1.0 if place < right[subset] else -1.0], [0.0])
        for subset, n in llmbar.EXPECTED.items()
        for place in range(n)
    ]


def test_llmbar_by_subset_with_averages_over_subsets() -> None:
    right = {
        "natural": 80,
        "adversarial-neighbor": 67,
        "adversarial-gptinst": 23,
        "adversarial-gptout": 47,
        "adversarial-manual": 0,
    }
    result = llmbar.run(scored(*llmbar_items(right)), OPTIONS)
    assert value(result.scores, "natural", "accuracy") == 0.8
    assert value(result.scores, "adversarial-gptinst", "accuracy") == 0.25
    adversarial = value(result.scores, "average of the adversarial subsets", "accuracy")
    assert adversarial == pytest.approx((0.5 + 0.25 + 1 + 0) / 4)
    average = value(result.scores, "average of the subsets", "accuracy")
    assert average == pytest.approx((0.8 + 0.5 + 0.25 + 1 + 0) / 5)
    assert result.missing == ()
    levels = dict(zip(result.scores["name"], result.scores["official"], strict=True))
    assert levels["natural"]
    assert not levels["average of the subsets"]


def test_an_incomplete_llmbar_has_no_averages_and_says_what_is_missing() -> None:
    rows = llmbar_items(dict.fromkeys(llmbar.EXPECTED, 10))
    result = llmbar.run(scored(*rows[1:], item("extra", "other", [1], [0])), OPTIONS)
    assert set(result.missing) == {
        "natural: 99 of its 100 pairs",
        "other: not a part of the benchmark",
    }
    averages = result.scores[result.scores["level"] == "overall"]["name"].tolist()
    assert averages == ["average of the adversarial subsets"]
    natural = result.scores[result.scores["name"] == "natural"].iloc[0]
    assert not natural["official"]


@pytest.mark.shared_data
def test_the_public_llmbar_is_complete(shared_data: Path) -> None:
    table = read_benchmark("llmbar", shared_data)
    plan = llmbar.plan(table.candidates)
    rng = np.random.default_rng(0)
    result = llmbar.run(plan.scored(rng.normal(size=len(plan))), OPTIONS)
    assert result.missing == ()
    assert len(result.items) == 419
    average = result.scores.query("name == 'average of the subsets'").iloc[0]
    assert average["low"] < 0.5 < average["high"]
