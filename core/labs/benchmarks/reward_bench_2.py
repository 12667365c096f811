"""RewardBench 2: the best of four in five subsets, and Ties.

Source: Malik et al. 2025, arXiv 2506.01937; code allenai/reward-bench, `rewardbench/utils.py`
(`reroll_and_score_dataset`: 1/m where the chosen response is among m responses with the highest
reward, else 0; `process_single_model` for Ties, see `ties`) and `scripts/run_v2.py`. The
leaderboard averages the six subsets, each counting the same (dataset card of
allenai/reward-bench-2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from core.labs.benchmarks.candidates import Item, collect_items, plan_candidates
from core.labs.benchmarks.results import (
    BenchmarkOptions,
    BenchmarkResult,
    left_out_of,
    missing_parts,
    score_row,
    scores_table,
    share_of,
    split_usable,
    with_reason,
)
from core.labs.benchmarks.style_matrix import count_by_subset
from core.labs.benchmarks.ties import (
    TiesArrays,
    TiesPrompt,
    ties_estimates,
    ties_prompt,
    ties_score,
)
from core.labs.plan import Plan
from core.stats import Estimate, FloatArray, clustered_statistic

TITLE = "RewardBench 2"
TIES = "Ties"

EXPECTED: Mapping[str, int] = {
    "Factuality": 475,
    "Precise IF": 160,
    "Math": 183,
    "Safety": 450,
    "Focus": 495,
    TIES: 102,
}
"""Prompts of the published benchmark: 1,865 in all."""


def plan(table: pd.DataFrame, options: BenchmarkOptions | None = None) -> Plan:
    """Every completion of every prompt."""
    del options
    return plan_candidates(table)


def tie_credit(chosen: float, rejected: FloatArray) -> float:
    """1/m where the chosen reward is the highest, shared by m responses in all; else 0.

    Args:
        chosen: reward of the right response.
        rejected: (k,) rewards of the wrong ones.
    """
    highest = max(chosen, float(rejected.max(initial=-np.inf)))
    return 1.0 / (1 + int((rejected == highest).sum())) if chosen == highest else 0.0


def run(scored: pd.DataFrame, options: BenchmarkOptions | None = None) -> BenchmarkResult:
    """RewardBench 2's scores.

    Args:
        scored: a plan of this lab with rewards; `subset` holds the subset, and the items of Ties
            are called ref:<number> and tied:<number>.
        options: seed and intervals.
    """
    chosen = options or BenchmarkOptions()
    items = [_checked(item) for item in _canonical(collect_items(scored))]
    usable, left_out = split_usable(items)
    plain = [item for item in usable if item.subset != TIES]
    credit = np.array([tie_credit(item.chosen[0], item.rejected) for item in plain])
    tied = [item for item in usable if item.subset == TIES]
    prompts = [found for found in map(ties_prompt, tied) if isinstance(found, TiesPrompt)]
    missing = missing_parts(EXPECTED, count_by_subset(usable))
    present = [name for name in EXPECTED if name in count_by_subset(usable)]
    overall = _overall(plain, credit, prompts, present, chosen, left_out) if present else None
    rows: list[dict[str, Any]] = []
    if overall is not None:
        name = TITLE if not missing else f"average of {', '.join(present)}"
        rows.append(score_row("overall", name, "score", overall, official=not missing))
    for subset in present:
        rows += _subset_rows(subset, items, plain, credit, prompts, chosen)
    return BenchmarkResult(
        TITLE,
        scores_table(rows),
        overall if not missing else None,
        missing,
        _items_table(plain, credit, tied, prompts),
        {},
        _notes(prompts),
        left_out,
    )


def _canonical(items: Sequence[Item]) -> list[Item]:
    # The authors' code and older copies of the data write some subsets in lower case.
    names = {name.lower(): name for name in EXPECTED}
    return [replace(item, subset=names.get(item.subset.lower(), item.subset)) for item in items]


def _checked(item: Item) -> Item:
    if item.reason:
        return item
    if item.subset == TIES:
        found = ties_prompt(item)
        return with_reason(item, found) if isinstance(found, str) else item
    fits = len(item.chosen) == 1 and len(item.rejected) >= 1
    return item if fits else with_reason(item, "not one chosen response and some rejected ones")


def _subset_rows(
    subset: str,
    items: Sequence[Item],
    plain: Sequence[Item],
    credit: FloatArray,
    prompts: Sequence[TiesPrompt],
    options: BenchmarkOptions,
) -> list[dict[str, Any]]:
    lost = left_out_of(items, subset)
    if subset == TIES:
        found = ties_estimates(prompts, options, lost)
        parts = [("extra", name) for name in found if name != "score"]
        return [
            score_row(level, TIES, name, found[name])
            for level, name in (("subset", "score"), *parts)
        ]
    places = [place for place, item in enumerate(plain) if item.subset == subset]
    estimate = share_of(credit[places], [plain[place] for place in places], options, lost)
    return [score_row("subset", subset, "score", estimate)]


def _overall(
    plain: Sequence[Item],
    credit: FloatArray,
    prompts: Sequence[TiesPrompt],
    present: Sequence[str],
    options: BenchmarkOptions,
    left_out: Mapping[str, int],
) -> Estimate:
    """The mean of the subsets that are there; Ties is scored anew on each draw."""
    names = [name for name in present if name != TIES]
    codes = np.array(
        [names.index(item.subset) for item in plain if item.subset in names], dtype=int
    )
    used = np.array([c for c, item in zip(credit, plain, strict=True) if item.subset in names])
    clusters: list[object] = [item.prompt_id for item in plain if item.subset in names]
    clusters += [("ties", prompt.number) for prompt in prompts]
    ties = TiesArrays.of(prompts)

    def average(times: FloatArray) -> float:
        own = times[: len(used)]
        sums = np.bincount(codes, weights=own * used, minlength=len(names))
        counts = np.bincount(codes, weights=own, minlength=len(names))
        if not (counts > 0).all():
            return float("nan")
        scores = list(sums / counts)
        if TIES in present:
            scores.append(ties_score(ties.parts(times[len(used) :])))
        return float(np.mean(scores))

    return clustered_statistic(
        average,
        clusters,
        rng=options.rng(),
        confidence=options.confidence,
        n_resamples=options.n_resamples,
        left_out=left_out,
    )


def _items_table(
    plain: Sequence[Item],
    credit: FloatArray,
    tied: Sequence[Item],
    prompts: Sequence[TiesPrompt],
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {"item_id": i.item_id, "prompt_id": i.prompt_id, "subset": i.subset, "credit": c}
        for i, c in zip(plain, credit, strict=True)
    ]
    rows += [
        {
            "item_id": item.item_id,
            "prompt_id": item.prompt_id,
            "subset": TIES,
            "credit": float(prompt.gap > 0),
            "gap": prompt.gap,
            "spread": prompt.spread,
        }
        for item, prompt in zip(tied, prompts, strict=True)
    ]
    columns = ["item_id", "prompt_id", "subset", "credit", "gap", "spread"]
    return pd.DataFrame(rows, columns=columns)


def _notes(prompts: Sequence[TiesPrompt]) -> tuple[str, ...]:
    numbers = {kind: {p.number for p in prompts if p.kind == kind} for kind in ("ref", "tied")}
    alone = len(numbers["ref"] ^ numbers["tied"])
    single = sum(p.kind == "tied" and np.isnan(p.spread) for p in prompts)
    notes = []
    if alone:
        notes.append(f"{alone:,} questions of Ties lack their ref or tied prompt.")
    if single:
        notes.append(
            f"{single:,} tied prompts of Ties have a single right answer, hence no spread."
        )
    return tuple(notes)
