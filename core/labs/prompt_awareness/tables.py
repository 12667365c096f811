"""All results of the lab as long tables over models: what is exported, saved, and drawn again.

Each table has a column `model`. Aggregates carry value, interval, n, prompts, method, what was left
out and the smallest detectable effect, one row each.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd

from core.labs.pairs import SIDE
from core.labs.prompt_awareness.ablations import AblationResult
from core.labs.prompt_awareness.decomposition import DecompositionResult
from core.labs.prompt_awareness.leaderboard import Leaderboard
from core.labs.prompt_awareness.matrix import MatrixResult
from core.labs.prompt_awareness.measures import Measured
from core.labs.prompt_awareness.swaps import SwapResult
from core.labs.prompt_awareness.training_weights import TrainingWeights
from core.labs.prompt_awareness.variance import PARTS

MODEL = "model"

R = TypeVar("R")


@dataclass(frozen=True)
class Findings:
    """What was found, by model; each part may be empty.

    Attributes:
        swaps: pairs under other prompts.
        parts: prompt-free and prompt-related gaps.
        matrices: every prompt with every response.
        ablations: what rewards lose.
        board: the models side by side.
        weights: training weights, by the model they were made from.
    """

    swaps: Mapping[str, SwapResult] = field(default_factory=dict)
    parts: Mapping[str, DecompositionResult] = field(default_factory=dict)
    matrices: Mapping[str, MatrixResult] = field(default_factory=dict)
    ablations: Mapping[str, AblationResult] = field(default_factory=dict)
    board: Leaderboard | None = None
    weights: Mapping[str, TrainingWeights] = field(default_factory=dict)


def to_tables(found: Findings) -> dict[str, pd.DataFrame]:
    """Every table of the findings that has rows, by name.

    Returns:
        Of `measures` (aggregates of each kind of other prompt), `slices`, `pairs`, `gaps`, `parts`,
        `part_measures`, `matrix_cells`, `matrix_ranks`, `matrix_measures`, `ablation_changes`,
        `ablation_measures`, `leaderboard`, `verdicts`, `training_weights` and `left_out` those that
        were found.
    """
    tables = {
        "measures": stacked(found.swaps, SwapResult.table),
        "slices": stacked(found.swaps, lambda result: result.slices),
        "pairs": stacked(found.swaps, lambda result: result.pairs),
        "gaps": stacked(found.swaps, lambda result: result.gaps),
        "part_measures": stacked(found.parts, part_measures),
        "parts": stacked(found.parts, lambda result: result.pairs),
        "matrix_measures": stacked(found.matrices, matrix_measures),
        "matrix_ranks": stacked(found.matrices, _ranks),
        "matrix_cells": stacked(found.matrices, lambda result: result.cells),
        "ablation_measures": stacked(found.ablations, ablation_measures),
        "ablation_changes": stacked(found.ablations, lambda result: result.changes),
        "leaderboard": found.board.table if found.board else pd.DataFrame(),
        "verdicts": found.board.verdicts if found.board else pd.DataFrame(),
        "training_weights": stacked(found.weights, lambda result: result.table),
        "left_out": pd.DataFrame(list(_left_out(found))),
    }
    return {name: table for name, table in tables.items() if len(table)}


def stacked(results: Mapping[str, R], table: Callable[[R], pd.DataFrame]) -> pd.DataFrame:
    """One table of every model's result, with the model's name in the first column."""
    made = [(model, table(result)) for model, result in results.items()]
    named = [frame.assign(**{MODEL: model}) for model, frame in made if len(frame)]
    if not named:
        return pd.DataFrame()
    whole = pd.concat(named, ignore_index=True)
    return whole[[MODEL, *(name for name in whole.columns if name != MODEL)]]


def part_measures(result: DecompositionResult) -> pd.DataFrame:
    """The aggregates of each estimator, with the number of pairs it could not determine."""
    rows = [
        {"estimator": estimator, "n_saturated": summary.n_saturated, **row}
        for estimator, summary in result.summaries.items()
        for row in _rows(
            prompt_free=summary.prompt_free,
            prompt_related=summary.prompt_related,
            free_share=summary.free_share,
        )
    ]
    return pd.DataFrame(rows)


def matrix_measures(result: MatrixResult) -> pd.DataFrame:
    """Variance shares and own ranks; `chance` is what a reward that knows nothing would get."""
    shares = _rows(**{f"{part}_share": getattr(result.shares, part) for part in PARTS})
    rows = [{**row, "chance": float("nan")} for row in shares]
    for name, ranks in (
        ("own_response", result.prompt_ranks),
        ("own_prompt", result.response_ranks),
    ):
        chances = (ranks.chance_rank, ranks.chance_reciprocal_rank)
        measured = {f"{name}_rank": ranks.rank, f"{name}_reciprocal_rank": ranks.reciprocal_rank}
        for row, chance in zip(_rows(**measured), chances, strict=True):
            rows.append({**row, "chance": chance})
    return pd.DataFrame(rows)


def ablation_measures(result: AblationResult) -> pd.DataFrame:
    """The aggregates of each ablation and side, each with its test's p-values."""
    rows = []
    for (name, side), effect in result.effects.items():
        measured = {
            "change": effect.change,
            "in_spreads": effect.in_spreads,
            "drop_rate": effect.drop_rate,
        }
        if effect.beyond_question is not None:
            measured["beyond_question"] = effect.beyond_question
        keys = {
            "ablation": name, SIDE: side, "p_value": effect.test.p_value,
            "adjusted_p": effect.adjusted_p,
        }  # fmt: skip
        rows += [{**keys, **row} for row in _rows(**measured)]
    return pd.DataFrame(rows)


def _rows(**measured: Measured) -> Iterator[dict[str, Any]]:
    for name, each in measured.items():
        estimate = each.estimate
        yield {
            "measure": name, "value": estimate.value, "low": estimate.low, "high": estimate.high,
            "confidence": estimate.confidence, "n": estimate.n, "n_prompts": estimate.n_prompts,
            "smallest_detectable": each.smallest_detectable, "method": estimate.method,
            "left_out": sum(estimate.left_out.values()),
        }  # fmt: skip


def _ranks(result: MatrixResult) -> pd.DataFrame:
    both = {"own_response": result.prompt_ranks, "own_prompt": result.response_ranks}
    return pd.concat(
        [found.ranks.assign(of=name) for name, found in both.items()], ignore_index=True
    )


def _left_out(found: Findings) -> Iterator[dict[str, Any]]:
    for part in ("swaps", "parts", "matrices", "ablations", "weights"):
        for model, result in getattr(found, part).items():
            for reason, count in result.left_out.items():
                yield {"part": part, MODEL: model, "reason": reason, "count": count}
