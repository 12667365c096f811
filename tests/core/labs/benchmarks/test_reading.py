"""Sentences about scores say what the numbers say, and no more."""

import numpy as np
import pandas as pd
import pytest

from core.labs.benchmarks import BENCHMARKS, BenchmarkOptions
from core.labs.benchmarks.reading import extremes, headline, style_reading, style_reliance
from core.labs.benchmarks.results import score_row, scores_table
from core.stats import Estimate
from tests.core.labs.benchmarks.made import item, scored


def estimate(value: float, low: float, high: float, n_prompts: int = 20) -> Estimate:
    return Estimate(value, low, high, 0.95, 40, n_prompts, "made", {"no reward": 2})


def overall(value: float, low: float, high: float) -> pd.DataFrame:
    return scores_table([score_row("overall", "all", "accuracy", estimate(value, low, high))])


def test_the_headline_carries_interval_counts_and_what_was_left_out():
    assert headline(overall(0.75, 0.6, 0.9)) == (
        "all: 75.0% (95% interval 60.0% to 90.0%; n = 40, 20 prompts, 2 left out). "
        "That is better than guessing (50%)."
    )


def test_a_null_result_says_what_would_have_shown():
    text = headline(overall(0.5, 0.402, 0.598))
    # Standard error 0.05; (1.96 + 0.84) times that is 0.14.
    assert "cannot be told from guessing (50%)" in text
    assert "a score about 14% away" in text


@pytest.mark.parametrize(("chance", "verdict"), [(0.5, "worse"), (0.25, "better")])
def test_guessing_is_what_the_benchmark_makes_of_it(chance: float, verdict: str):
    assert f"{verdict} than guessing" in headline(overall(0.4, 0.3, 0.45), chance=chance)


def test_one_prompt_gives_no_verdict():
    text = headline(overall(1.0, np.nan, np.nan))
    assert "no interval" in text
    assert "One prompt says nothing" in text


def test_without_an_overall_row_there_is_no_headline_number():
    rows = [score_row("subset", "a", "accuracy", estimate(0.5, 0.4, 0.6))]
    assert headline(scores_table(rows)).startswith("There is no overall score")


def test_extremes_name_best_and_worst_among_parts_with_prompts_enough():
    rows = [
        score_row("slice", "topic = a", "accuracy", estimate(0.9, 0.8, 1.0)),
        score_row("slice", "topic = b", "accuracy", estimate(0.4, 0.2, 0.6)),
        score_row("slice", "topic = c", "accuracy", estimate(0.0, 0.0, 0.9, n_prompts=2)),
    ]
    text = extremes(scores_table(rows))
    assert text.startswith("Best: topic = a, 90.0%")
    assert "Worst: topic = b, 40.0%" in text
    assert extremes(scores_table(rows[1:])) == ""


def test_style_reliance_is_easy_minus_hard_over_prompts():
    items = pd.DataFrame(
        {"prompt_id": ["a", "b", "c"], "easy": [1.0, 1.0, 1.0], "hard": [0.0, 1.0, 0.5]}
    )
    found = style_reliance(items)
    assert found.value == 0.5
    assert found.n_prompts == 3
    assert found.low <= 0.5 <= found.high


def test_style_reading_gives_the_three_levels_of_the_matrix():
    # Chosen 3, 4, 5 against rejected 2, 3.5, 4.5: hard 0, normal 1, easy 1.
    table = scored(item("a", "chat", [3, 4, 5], [2, 3.5, 4.5]))
    result = BENCHMARKS["styles"].run(table, BenchmarkOptions())
    text = style_reading(result.tables["matrix"])
    assert "wins 100% of comparisons where it is also the more decorated one" in text
    assert "100% in equal style and 0% where the worse" in text


def test_a_matrix_without_items_says_so():
    table = scored(item("a", "chat", [np.nan, 4, 5], [2, 3.5, 4.5]))
    result = BENCHMARKS["styles"].run(table, BenchmarkOptions())
    assert style_reading(result.tables["matrix"]) == "Nothing could be compared here."
