"""Several models side by side: how much each reads the prompt, in numbers and in words.

Every measure here has no unit (ratios, shares, ranks), so models of any reward scale compare. The
words need the whole interval on one side of a threshold; the thresholds are ours and can be set.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.labs.prompt_awareness.matrix import MatrixResult
from core.labs.prompt_awareness.measures import GapTable, Measured, mean_of, ratio_difference
from core.labs.prompt_awareness.other_prompts import SwapKind
from core.labs.prompt_awareness.swaps import SwapResult
from core.labs.prompt_awareness.variance import share_difference

READS = "reads the prompt"
READS_PARTLY = "reads the prompt in part"
READS_SOME = "reads the prompt at least in part"
IGNORES = "mostly ignores the prompt"
CANNOT_SAY = "cannot say"

VERDICTS = (READS, READS_PARTLY, READS_SOME, IGNORES, CANNOT_SAY)


_COLUMNS = (
    "measure", "value", "low", "high", "confidence", "n", "n_prompts", "smallest_detectable",
    "method", "left_out",
)  # fmt: skip


@dataclass(frozen=True)
class VerdictRules:
    """Where retention counts as high or low; our reading.

    Attributes:
        reads_below: a model whose whole interval is at or below this reads the prompt.
        ignores_above: one whose whole interval is at or above this mostly ignores it.
    """

    reads_below: float = 0.5
    ignores_above: float = 0.8

    def __post_init__(self) -> None:
        if not self.reads_below < self.ignores_above:
            raise ValueError("reads_below must be smaller than ignores_above.")


@dataclass(frozen=True)
class Evidence:
    """One model's results.

    Attributes:
        swaps: its gaps under other prompts.
        matrix: its prompt x response matrix, where it was made.
    """

    swaps: SwapResult
    matrix: MatrixResult | None = None


@dataclass(frozen=True)
class Leaderboard:
    """Models, the one that keeps least of its gap under other prompts first.

    Attributes:
        table: one row a model and measure: `model`, `measure`, `value`, `low`, `high`,
            `confidence`, `n`, `n_prompts`, `smallest_detectable`, `method`, `left_out`.
        verdicts: one row a model: `model`, `verdict`, `reason`.
        kind: the kind of other prompts that it stands on.
    """

    table: pd.DataFrame
    verdicts: pd.DataFrame
    kind: SwapKind


def run(
    models: Mapping[str, Evidence],
    *,
    kind: SwapKind = "random",
    rules: VerdictRules | None = None,
) -> Leaderboard:
    """Collects the models' measures and says in words what they show.

    Args:
        models: results by model, from the same pairs and prompts.
        kind: the kind of other prompts. A model without it has no row and the verdict says so.
        rules: thresholds of the words.
    """
    rules = rules or VerdictRules()
    rows: list[dict[str, Any]] = []
    verdicts: list[dict[str, Any]] = []
    for model, evidence in models.items():
        rows += [{"model": model, **row} for row in _model_rows(evidence, kind)]
        measures = evidence.swaps.measures.get(kind)
        if measures is None:
            word, reason = CANNOT_SAY, f"There are no gaps under {kind} prompts."
        else:
            word, reason = verdict(measures.retention, measures.own_gap, rules)
        retention = measures.retention.estimate.value if measures else np.nan
        verdicts.append({"model": model, "verdict": word, "reason": reason, "retention": retention})
    order = pd.DataFrame(verdicts, columns=["model", "verdict", "reason", "retention"])
    order = order.sort_values("retention", kind="stable").reset_index(drop=True)
    position = {model: at for at, model in enumerate(order["model"])}
    table = pd.DataFrame(rows, columns=["model", *_COLUMNS])
    table = table.sort_values("model", key=lambda models: models.map(position), kind="stable")
    return Leaderboard(table.reset_index(drop=True), order.drop(columns="retention"), kind)


def _model_rows(evidence: Evidence, kind: SwapKind) -> Iterator[dict[str, Any]]:
    measures = evidence.swaps.measures.get(kind)
    if measures is not None:
        yield _row("retention", measures.retention)
        yield _row("flip_rate", measures.flip_rate)
        yield _row("own_accuracy", measures.own_accuracy)
        yield _row("swapped_accuracy", measures.swapped_accuracy)
    if evidence.matrix is not None:
        yield _row("interaction_share", evidence.matrix.shares.interaction)
        yield _row("own_response_rank", evidence.matrix.prompt_ranks.rank)
        yield _row("own_response_reciprocal_rank", evidence.matrix.prompt_ranks.reciprocal_rank)
        yield _row("own_prompt_rank", evidence.matrix.response_ranks.rank)
        yield _row("own_prompt_reciprocal_rank", evidence.matrix.response_ranks.reciprocal_rank)


def _row(measure: str, measured: Measured) -> dict[str, Any]:
    estimate = measured.estimate
    return {
        "measure": measure, "value": estimate.value, "low": estimate.low, "high": estimate.high,
        "confidence": estimate.confidence, "n": estimate.n, "n_prompts": estimate.n_prompts,
        "smallest_detectable": measured.smallest_detectable, "method": estimate.method,
        "left_out": sum(estimate.left_out.values()),
    }  # fmt: skip


def verdict(
    retention: Measured, own_gap: Measured, rules: VerdictRules | None = None
) -> tuple[str, str]:
    """One of `VERDICTS` and, in a sentence, the numbers it stands on.

    Args:
        retention: of the model.
        own_gap: its mean own gap: where it may be zero, there is nothing to retain.
        rules: the thresholds.
    """
    rules = rules or VerdictRules()
    low, high = retention.estimate.low, retention.estimate.high
    if not (np.isfinite(low) and np.isfinite(high)):
        return CANNOT_SAY, f"Retention has no interval ({retention.estimate.method})."
    if not own_gap.estimate.low > 0:
        return CANNOT_SAY, (
            "The mean gap under the own prompts may be zero "
            f"(interval {own_gap.estimate.low:.3g} to {own_gap.estimate.high:.3g}), "
            "so there is no preference to retain."
        )
    numbers = f"Under other prompts {low:.0%} to {high:.0%} of the gap is left"
    if low >= rules.ignores_above:
        return IGNORES, f"{numbers}: all of it at or above {rules.ignores_above:.0%}."
    if high <= rules.reads_below:
        return READS, f"{numbers}: all of it at or below {rules.reads_below:.0%}."
    if low >= rules.reads_below and high <= rules.ignores_above:
        return READS_PARTLY, f"{numbers}."
    if high < rules.ignores_above:
        return READS_SOME, f"{numbers}: all of it below {rules.ignores_above:.0%}."
    return CANNOT_SAY, (
        f"{numbers}, on both sides of {rules.ignores_above:.0%}; these pairs could have shown a "
        f"difference of {retention.smallest_detectable:.0%}. More prompts would narrow it."
    )


def compare(
    baseline: Evidence,
    candidate: Evidence,
    *,
    kind: SwapKind = "random",
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Candidate minus baseline in each measure, paired on the prompts that both have.

    Returns:
        One row a measure, columns as in `Leaderboard.table`, and `differs`: whether the interval of
        the difference is wholly on one side of zero.
    """
    rng = np.random.default_rng(seed)
    rows = []
    if kind in baseline.swaps.measures and kind in candidate.swaps.measures:
        for name, found in _gap_differences(baseline, candidate, kind, rng, confidence):
            rows.append(_row(name, found))
    if baseline.matrix is not None and candidate.matrix is not None:
        first, second = baseline.matrix, candidate.matrix
        share = share_difference(first.rewards, second.rewards, confidence=confidence)
        rows.append(_row("interaction_share", share))
        ranks = _rank_difference(first, second, rng, confidence)
        rows.append(_row("own_response_reciprocal_rank", ranks))
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.assign(differs=(table["low"] > 0) | (table["high"] < 0))


def _gap_differences(
    baseline: Evidence,
    candidate: Evidence,
    kind: SwapKind,
    rng: np.random.Generator,
    confidence: float,
) -> Iterator[tuple[str, Measured]]:
    keyed = [
        e.swaps.pairs.loc[e.swaps.pairs["kind"] == kind].set_index("pair_id")
        for e in (baseline, candidate)
    ]
    gaps = ["own_gap", "swapped_mean"]
    usable = [table.loc[table[gaps].notna().all(axis=1)] for table in keyed]
    shared = usable[0].index.intersection(usable[1].index)
    n_all = len(keyed[0].index.union(keyed[1].index))
    left_out = {"not usable in both models": n_all - len(shared)} if n_all > len(shared) else {}
    first, second = (GapTable.of(table.loc[shared]) for table in usable)
    prompts = first.prompts
    yield "retention", ratio_difference(first, second, rng, confidence, left_out)
    for name, before, after in (
        ("flip_rate", first.flips, second.flips),
        ("swapped_accuracy", first.credit, second.credit),
    ):
        yield name, mean_of(after - before, prompts, rng, confidence, left_out)


def _rank_difference(
    first: MatrixResult, second: MatrixResult, rng: np.random.Generator, confidence: float
) -> Measured:
    keys = ["prompt_id", "side"]
    before, after = (1 / m.prompt_ranks.ranks.set_index(keys)["rank"] for m in (first, second))
    shared = before.index.intersection(after.index)
    difference = (after.loc[shared] - before.loc[shared]).to_numpy(dtype=np.float64)
    prompts = [str(prompt) for prompt, _ in shared]
    return mean_of(difference, prompts, rng, confidence, {})
