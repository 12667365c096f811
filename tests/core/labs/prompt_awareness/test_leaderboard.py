"""Several models: order, words that need the interval, and paired comparison."""

import math

import pytest

from core.labs.prompt_awareness import leaderboard, matrix, swaps
from core.labs.prompt_awareness.leaderboard import (
    CANNOT_SAY,
    IGNORES,
    READS,
    READS_PARTLY,
    READS_SOME,
    Evidence,
    VerdictRules,
    verdict,
)
from core.labs.prompt_awareness.measures import Measured
from core.labs.prompt_awareness.swaps import SwapOptions
from core.stats import Estimate
from tests.core.labs.prompt_awareness.analytic import (
    Scorer,
    is_on_topic,
    make_pairs,
    noise,
    prompt_text_of,
    quality,
    scored,
)

OPTIONS = SwapOptions(kinds=("random",), n_prompts=3)


def reader(prompt: list, response: str) -> float:
    good = response.startswith("good")
    matched = 3.0 * good * is_on_topic(prompt, response)
    return matched + 0.3 * noise(prompt_text_of(prompt), response)


def evidence(scorer: Scorer, n: int = 16, *, with_matrix: bool = True) -> Evidence:
    pairs = make_pairs(n)
    swapped = swaps.run(scored(swaps.plan(pairs, OPTIONS), scorer), OPTIONS)
    cells = matrix.run(scored(matrix.plan(pairs), scorer)) if with_matrix else None
    return Evidence(swapped, cells)


def between(low: float, high: float, value: float | None = None) -> Measured:
    middle = (low + high) / 2 if value is None else value
    return Measured(Estimate(middle, low, high, 0.95, 50, 50, "test"), 0.1)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.85, 1.05, IGNORES),
        (0.8, 1.6, IGNORES),
        (0.79, 1.05, CANNOT_SAY),
        (0.1, 0.5, READS),
        (-0.3, 0.2, READS),
        (0.1, 0.51, READS_SOME),
        (0.55, 0.75, READS_PARTLY),
        (0.3, 0.9, CANNOT_SAY),
        (math.nan, math.nan, CANNOT_SAY),
    ],
)
def test_words_need_the_whole_interval(low: float, high: float, word: str) -> None:
    assert verdict(between(low, high), between(0.5, 1.0))[0] == word


def test_nothing_is_said_where_the_own_gap_may_be_zero() -> None:
    word, reason = verdict(between(0.9, 1.1), between(-0.1, 1.0))
    assert word == CANNOT_SAY
    assert "may be zero" in reason
    assert verdict(between(0.9, 1.1), between(math.nan, math.nan))[0] == CANNOT_SAY


def test_thresholds_can_be_set_but_not_crossed() -> None:
    strict = VerdictRules(reads_below=0.2, ignores_above=0.95)
    assert verdict(between(0.85, 1.05), between(0.5, 1.0), strict)[0] == CANNOT_SAY
    with pytest.raises(ValueError, match="smaller"):
        VerdictRules(0.9, 0.5)


def test_models_are_ordered_and_told_apart() -> None:
    board = leaderboard.run({"blind": evidence(quality), "reader": evidence(reader)})
    assert board.verdicts["model"].tolist() == ["reader", "blind"]
    assert board.verdicts["verdict"].tolist() == [READS, IGNORES]
    rows = board.table.set_index(["model", "measure"])
    assert rows.loc[("blind", "retention"), "value"] == 1
    assert rows.loc[("blind", "interaction_share"), "value"] == pytest.approx(0, abs=1e-12)
    assert rows.loc[("reader", "own_response_rank"), "value"] == 1
    assert rows.loc[("blind", "own_response_rank"), "value"] > 4
    assert (rows["n_prompts"] == 16).all()
    assert rows["low"].notna().all()


def test_a_model_without_swaps_of_the_kind_is_named_and_last() -> None:
    models = {"none": evidence(quality, with_matrix=False), "reader": evidence(reader)}
    board = leaderboard.run(models, kind="empty")
    assert board.verdicts["verdict"].tolist() == [CANNOT_SAY, CANNOT_SAY]
    assert "no gaps under empty prompts" in board.verdicts["reason"][0]
    assert set(board.table["model"]) == {"reader"}


def test_comparison_is_paired_and_says_what_differs() -> None:
    found = leaderboard.compare(evidence(quality), evidence(reader)).set_index("measure")
    assert found.loc["retention", "value"] < -0.8
    assert found.loc["interaction_share", "low"] > 0
    assert found.loc["own_response_reciprocal_rank", "low"] > 0
    assert found.loc[["retention", "interaction_share"], "differs"].all()
    same = leaderboard.compare(evidence(reader), evidence(reader))
    assert not same["differs"].any()
    assert same["value"].to_numpy() == pytest.approx(0)


def test_comparison_leaves_out_what_one_model_could_not_score() -> None:
    pairs = make_pairs(8)
    table = scored(swaps.plan(pairs, OPTIONS), quality)
    table.loc[(table["pair_id"] == "0-0") & (table["kind"] == "own"), "reward"] = math.nan
    partial = Evidence(swaps.run(table, OPTIONS))
    found = leaderboard.compare(partial, evidence(reader, 8)).set_index("measure")
    assert found.loc["retention", "n"] == 7
    assert found.loc["retention", "left_out"] == 1
    assert "interaction_share" not in found.index


def test_no_models_give_an_empty_board() -> None:
    board = leaderboard.run({})
    assert board.table.empty
    assert board.verdicts.empty
