"""The report of the prompt awareness lab, drawn again from its tables (`to_tables`)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures import prompt_awareness as figures
from core.labs.prompt_awareness.ablations import AblationEffect, AblationResult
from core.labs.prompt_awareness.decomposition import DecompositionResult
from core.labs.prompt_awareness.leaderboard import Leaderboard
from core.labs.prompt_awareness.matrix import MatrixResult, OwnRank
from core.labs.prompt_awareness.measures import Measured
from core.labs.prompt_awareness.other_prompts import KIND_MEANING, SwapKind
from core.labs.prompt_awareness.prompt_free import (
    ESTIMATOR_MEANING,
    ESTIMATORS,
    Estimator,
)
from core.labs.prompt_awareness.swaps import SwapResult
from core.labs.prompt_awareness.variance import TwoWaySplit, VarianceShares
from core.report import Section, register_report
from core.stats import Estimate, TestResult

KIND = "prompt-awareness"

Tables = Mapping[str, pd.DataFrame]

QUESTION = (
    "Does the reward model read the prompt, or only the response? Each pair of responses is read "
    "again under other prompts. Retention is the part of the own gap, reward(chosen) minus "
    "reward(rejected), that is left there: 1 for a model that ignores the prompt, 0 for one whose "
    "preference vanishes. The measures are the workbench's own reading of the question."
)
MATRIX = (
    "Every prompt with every response. Only the interaction, what is left without each prompt's "
    "and each response's own mean, is about how well the two fit. An own response ranks 1 where no "
    "other response gets more reward under the prompt."
)
PARTS = (
    "Each gap split into a part that needs no prompt and the rest. Our reading of arXiv "
    "2504.06020, whose code is not public."
)
ABLATIONS = (
    "What the reward loses when the question goes and when the response's reasoning breaks, in "
    "standard deviations of each model's unedited rewards."
)


def prompt_awareness_sections(tables: Tables, options: Mapping[str, Any]) -> Sequence[Section]:
    """Sections of what was found; a part that was not run has none.

    Args:
        tables: of `core.labs.prompt_awareness.tables.to_tables`.
        options: of the page: `kind` and `estimator` decide what the figures show first.
    """
    makers = (
        ("leaderboard", _board),
        ("pairs", _swaps),
        ("matrix_cells", _matrix),
        ("parts", _parts),
        ("ablation_measures", _ablations),
        ("training_weights", _weights),
    )
    found = [make(tables, options) for name, make in makers if name in tables]
    if "left_out" in tables:
        caption = {"Left out, by part and reason": tables["left_out"]}
        found.append(Section("What was left out", tables=caption))
    return found


def _board(tables: Tables, options: Mapping[str, Any]) -> Section:
    kind: SwapKind = options.get("kind", "random")
    verdicts = _of(tables, "verdicts")
    board = Leaderboard(tables["leaderboard"], verdicts, kind)
    return Section(
        "Do the models read the prompt?",
        QUESTION,
        figures=[figures.retention_leaderboard(board)],
        tables={"Verdicts": verdicts, "Measures": tables["leaderboard"]},
    )


def _swaps(tables: Tables, options: Mapping[str, Any]) -> Section:
    pairs = tables["pairs"]
    first = options.get("kind")
    kinds = [kind for kind in KIND_MEANING if kind in set(pairs["kind"])]
    kinds.sort(key=lambda kind: kind != first)
    drawn: list[go.Figure] = []
    for model, rows in pairs.groupby("model", sort=False):
        nothing = pd.DataFrame()
        result = SwapResult(nothing, rows, {}, nothing)
        for kind in kinds[:1]:
            title = f"{model}, {kind} prompts"
            drawn.append(figures.own_against_swapped(result, kind, title=title))
            drawn.append(figures.swapped_band(result, kind, title=title))
    named = {"Aggregates": "measures", "By slice": "slices", "Pairs": "pairs", "Readings": "gaps"}
    notes = [f"{kind}: {KIND_MEANING[kind]}" for kind in kinds]
    text = "A point on the dotted line is a pair whose preference the prompt does not change."
    return Section(
        "Pairs under other prompts", text, figures=drawn, tables=_some(tables, named), notes=notes
    )


def _matrix(tables: Tables, _: Mapping[str, Any]) -> Section:
    cells, measures = tables["matrix_cells"], _of(tables, "matrix_measures")
    drawn = [
        figures.heat_map(_matrix_result(rows), title=str(model), show="interaction")
        for model, rows in cells.groupby("model", sort=False)
    ]
    if len(measures):
        models = measures.groupby("model", sort=False)
        shares = {str(model): _shares(rows) for model, rows in models}
        drawn.append(figures.variance_bars(shares, title="Where the rewards' variance comes from"))
    named = {"Aggregates": "matrix_measures", "Ranks": "matrix_ranks", "Cells": "matrix_cells"}
    return Section("Prompt × response matrix", MATRIX, figures=drawn, tables=_some(tables, named))


def _parts(tables: Tables, options: Mapping[str, Any]) -> Section:
    wanted = options.get("estimator")
    estimator: Estimator = next((name for name in ESTIMATORS if name == wanted), ESTIMATORS[0])
    drawn = [
        figures.gap_parts(DecompositionResult(rows, {}), estimator, title=f"{model}, {estimator}")
        for model, rows in tables["parts"].groupby("model", sort=False)
    ]
    named = {"Aggregates": "part_measures", "Pairs": "parts"}
    notes = [f"{name}: {meaning}" for name, meaning in ESTIMATOR_MEANING.items()]
    return Section(
        "Prompt-free part", PARTS, figures=drawn, tables=_some(tables, named), notes=notes
    )


def _ablations(tables: Tables, _: Mapping[str, Any]) -> Section:
    measures = tables["ablation_measures"]
    results = {
        str(model): AblationResult(pd.DataFrame(), dict(_effects(rows)))
        for model, rows in measures.groupby("model", sort=False)
    }
    drawn = [
        figures.ablation_bars(results, side=str(side), title=f"{side} responses".capitalize())
        for side in measures["side"].unique()
    ]
    named = {"Aggregates": "ablation_measures", "Changes": "ablation_changes"}
    return Section("Ablations", ABLATIONS, figures=drawn, tables=_some(tables, named))


def _weights(tables: Tables, _: Mapping[str, Any]) -> Section:
    text = (
        "Weights with mean 1 that train more on pairs with a small prompt-free gap. Their form is "
        "our reading; the paper does not give it."
    )
    return Section("Training weights", text, tables={"Weights": tables["training_weights"]})


def _of(tables: Tables, name: str) -> pd.DataFrame:
    return tables[name] if name in tables else pd.DataFrame()


def _some(tables: Tables, named: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    return {caption: tables[name] for caption, name in named.items() if name in tables}


def _measured(row: Mapping[Any, Any]) -> Measured:
    n_out = int(row["left_out"])
    estimate = Estimate(
        value=float(row["value"]),
        low=float(row["low"]),
        high=float(row["high"]),
        confidence=float(row["confidence"]),
        n=int(row["n"]),
        n_prompts=int(row["n_prompts"]),
        method=str(row["method"]),
        left_out={"see the table": n_out} if n_out else {},
    )
    return Measured(estimate, float(row["smallest_detectable"]))


def _matrix_result(cells: pd.DataFrame) -> MatrixResult:
    """What the heat-map needs of a result."""
    columns = pd.MultiIndex.from_frame(cells[["source_prompt_id", "response_id"]].drop_duplicates())
    keys = ["source_prompt_id", "response_id"]
    rewards = cells.pivot(index="prompt_id", columns=keys, values="reward")
    rewards = rewards.reindex(index=pd.unique(cells["prompt_id"]), columns=columns)
    nan = float("nan")
    nothing = Measured(Estimate(nan, nan, nan, nan, 0, 0, "see the tables", {}), nan)
    ranks = OwnRank(nothing, nothing, nan, nan, pd.DataFrame())
    split = TwoWaySplit(nan, nan, nan, nan, nan)
    shares = VarianceShares(nothing, nothing, nothing, split, len(columns), {})
    return MatrixResult(cells, rewards, ranks, ranks, shares)


def _shares(measures: pd.DataFrame) -> VarianceShares:
    found = {row["measure"]: _measured(row) for row in measures.to_dict("records")}
    prompt, response, interaction = (
        found[f"{part}_share"] for part in ("prompt", "response", "interaction")
    )
    split = TwoWaySplit(
        prompt.estimate.value,
        response.estimate.value,
        interaction.estimate.value,
        np.nan,
        np.nan,
    )
    return VarianceShares(prompt, response, interaction, split, 0, {})


def _effects(measures: pd.DataFrame) -> Iterator[tuple[tuple[str, str], AblationEffect]]:
    for (name, side), rows in measures.groupby(["ablation", "side"], sort=False):
        found = {row["measure"]: _measured(row) for row in rows.to_dict("records")}
        estimate = found["change"].estimate
        p_value, adjusted = (float(rows[column].iloc[0]) for column in ("p_value", "adjusted_p"))
        test = TestResult(np.nan, p_value, estimate.n, estimate.n_prompts, "see the table")
        yield (
            (str(name), str(side)),
            AblationEffect(
                found["change"],
                found["in_spreads"],
                found["drop_rate"],
                test,
                adjusted,
                found.get("beyond_question"),
            ),
        )


register_report(KIND, prompt_awareness_sections)
