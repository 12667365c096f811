"""RM-Bench's matrix and averages, worked out by hand and as the authors' loops compute them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.labs.benchmarks import (
    BENCHMARKS,
    BenchmarkOptions,
    StyleMatrixOptions,
    rm_bench,
    style_matrix,
)
from core.tables.benchmarks import read_benchmark
from tests.core.labs.benchmarks.made import item, scored, value

OPTIONS = StyleMatrixOptions(n_resamples=200)


def authors_levels(rewards: Sequence[tuple[Sequence[float], Sequence[float]]]) -> dict[str, float]:
    """Hard, normal and easy by plain loops over cells."""
    wins = np.zeros((3, 3))
    for chosen, rejected in rewards:
        for i in range(3):
            for j in range(3):
                wins[i, j] += chosen[i] > rejected[j]
    wins /= len(rewards)
    return {
        "hard": (wins[0, 1] + wins[0, 2] + wins[1, 2]) / 3,
        "normal": (wins[0, 0] + wins[1, 1] + wins[2, 2]) / 3,
        "easy": (wins[1, 0] + wins[2, 0] + wins[2, 1]) / 3,
    }


def random_items(
    rng: np.random.Generator, subset: str, n: int
) -> list[tuple[list[float], list[float]]]:
    """Rewards with many ties."""
    draw = rng.integers(0, 5, size=(n, 2, 3)).astype(float)
    return [(rows[0].tolist(), rows[1].tolist()) for rows in draw]


def test_the_vector_of_one_prompt() -> None:
    table = scored(item("a", "chat", [3, 4, 5], [2, 3.5, 4.5]))
    result = style_matrix.run(table, OPTIONS)
    assert [value(result.scores, "all", level) for level in ("hard", "normal", "easy")] == [0, 1, 1]
    matrix = result.tables["matrix"].pivot(
        index="chosen_style", columns="rejected_style", values="value"
    )
    names = list(style_matrix.STYLES)
    assert matrix.loc[names, names].to_numpy().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_domains_pool_safety_and_count_the_same_in_the_average() -> None:
    rng = np.random.default_rng(0)
    sizes = {"chat": 4, "code": 7, "safety-refuse": 3, "safety-response": 9}
    made = {subset: random_items(rng, subset, n) for subset, n in sizes.items()}
    rows = [
        item(f"{subset}:{place}", subset, *rewards)
        for subset, items in made.items()
        for place, rewards in enumerate(items)
    ]
    result = rm_bench.run(scored(*rows), OPTIONS)
    expected = {
        "chat": authors_levels(made["chat"]),
        "code": authors_levels(made["code"]),
        "safety": authors_levels(made["safety-refuse"] + made["safety-response"]),
    }
    for domain, levels in expected.items():
        for level, number in levels.items():
            assert value(result.scores, domain, level) == pytest.approx(number)
        average = np.mean(list(levels.values()))
        assert value(result.scores, domain, "average") == pytest.approx(average)
    here = "average of chat, code, safety"
    for level in ("hard", "normal", "easy"):
        macro = np.mean([levels[level] for levels in expected.values()])
        assert value(result.scores, here, level) == pytest.approx(macro)
    total = np.mean([np.mean(list(levels.values())) for levels in expected.values()])
    assert value(result.scores, here, "average") == pytest.approx(total)


def test_without_maths_there_is_no_score_under_the_official_name() -> None:
    rows = [item(f"chat:{place}", "chat", [1, 1, 1], [0, 0, 0]) for place in range(129)]
    result = rm_bench.run(scored(*rows), OPTIONS)
    assert result.overall is None
    assert "math: none of its 529 prompts" in result.missing
    assert not any(part.startswith("chat") for part in result.missing)
    overall = result.scores[result.scores["level"] == "overall"]
    assert set(overall["name"]) == {"average of chat"}
    assert not overall["official"].any()
    chat = result.scores[result.scores["name"] == "chat"]
    assert chat["official"].all()


def test_a_complete_benchmark_has_its_score_and_a_lost_prompt_takes_it_away() -> None:
    rows = [
        item(f"{subset}:{place}", subset, [1, 2, 3], [0, 0, 0])
        for subset, n in rm_bench.EXPECTED.items()
        for place in range(n)
    ]
    whole = rm_bench.run(scored(*rows), OPTIONS)
    assert whole.missing == ()
    assert whole.overall is not None
    assert whole.overall.value == 1
    assert whole.overall.n == 1327
    lost = rm_bench.run(scored(*rows, errors={"math:3 chosen 1": "too long"}), OPTIONS)
    assert lost.overall is None
    assert lost.missing == ("math: 528 of its 529 prompts",)
    assert lost.left_out == {"too long": 1}


def test_a_tie_is_no_win_and_is_told() -> None:
    result = style_matrix.run(scored(item("a", "x", [1, 1, 1], [1, 1, 1])), OPTIONS)
    assert value(result.scores, "all", "average") == 0
    assert "9 of 9 comparisons are ties" in result.notes[0]


def test_every_number_carries_n_and_an_interval_that_holds_it() -> None:
    rng = np.random.default_rng(1)
    rows = [
        item(f"{place}", "chat", *rewards, prompt_id=f"p{place % 6}")
        for place, rewards in enumerate(random_items(rng, "chat", 12))
    ]
    scores = rm_bench.run(scored(*rows), OPTIONS).scores
    assert (scores["n"] == 12).all()
    assert (scores["n_prompts"] == 6).all()
    assert ((scores["low"] <= scores["value"]) & (scores["value"] <= scores["high"])).all()


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        ([1, 2], [0, 0, 0], "not 3 chosen and 3 rejected responses"),
        ([1, 2, float("nan")], [0, 0, 0], "no reward"),
        ([1, 2, float("inf")], [0, 0, 0], "a reward is infinite"),
    ],
)
def test_items_without_six_rewards_are_left_out_and_counted(
    chosen: list[float], rejected: list[float], reason: str
) -> None:
    table = scored(item("bad", "chat", chosen, rejected), item("good", "chat", [1] * 3, [0] * 3))
    result = style_matrix.run(table, OPTIONS)
    assert result.left_out == {reason: 1}
    assert result.items["item_id"].tolist() == ["good"]
    overall = result.scores[result.scores["metric"] == "average"].iloc[0]
    assert (overall["n"], overall["n_left_out"]) == (1, 1)


def test_nothing_usable_gives_nan_and_no_crash() -> None:
    table = scored(item("bad", "chat", [float("nan")] * 3, [0] * 3))
    assert rm_bench.run(table, OPTIONS).scores.empty
    assert np.isnan(value(style_matrix.run(table, OPTIONS).scores, "all", "average"))


def test_own_texts_in_two_styles_get_a_matrix_of_two() -> None:
    table = scored(item("a", "x", [1, 3], [2, 0]), item("b", "y", [5, 5], [4, 6]))
    result = BENCHMARKS["styles"].run(table, BenchmarkOptions(n_resamples=100))
    # a wins [[0, 1], [1, 1]], b wins [[1, 0], [1, 0]]
    assert value(result.scores, "all", "hard") == 0.5
    assert value(result.scores, "all", "normal") == 0.5
    assert value(result.scores, "all", "easy") == 1
    assert set(result.tables["matrix"]["chosen_style"]) == {"style 1", "style 2"}
    assert value(result.scores, "y", "easy", "subset") == 1


@pytest.mark.shared_data
def test_the_public_files_are_read_whole_but_for_maths(shared_data: Path) -> None:
    table = read_benchmark("rm-bench", shared_data)
    assert table.problems == ()
    plan = rm_bench.plan(table.candidates)
    lengths = np.array([len(text[-1]["content"]) for text in plan.conversations()], dtype=float)
    result = rm_bench.run(plan.scored(lengths), OPTIONS)
    assert result.missing == ("math: none of its 529 prompts",)
    assert len(result.items) == 798
    # A model that rewards length finds easy easy and hard hard.
    assert value(result.scores, "chat", "easy") > 0.75
    assert value(result.scores, "chat", "hard") < 0.1
    levels = result.items.query("domain == 'safety'")[["easy", "normal", "hard"]].mean()
    for level, number in levels.items():
        assert value(result.scores, "safety", str(level)) == pytest.approx(number)
    assert isinstance(result.tables["matrix"], pd.DataFrame)
