"""LLMBar: does the model prefer the response that follows the instruction, by subset.

Source: Zeng et al. 2024, arXiv 2310.07641; data princeton-nlp/LLMBar (`Dataset/LLMBar`), whose
`label` names the better output. The authors give accuracy by subset. The two averages here, over
the four adversarial subsets and over all five, each subset counting the same, are our reading of
their tables and are marked as not official. A tie of a reward model, which the authors' judges do
not know, counts as half.
"""

from collections.abc import Mapping

import pandas as pd

from core.labs.benchmarks.candidates import plan_candidates
from core.labs.benchmarks.pairs import half_credit, pair_items, pair_table
from core.labs.benchmarks.results import (
    BenchmarkOptions,
    BenchmarkResult,
    left_out_of,
    missing_parts,
    score_row,
    scores_table,
    share_of,
    split_usable,
    weighted_average,
)
from core.labs.benchmarks.style_matrix import count_by_subset
from core.labs.plan import Plan

TITLE = "LLMBar"

EXPECTED: Mapping[str, int] = {
    "natural": 100,
    "adversarial-neighbor": 134,
    "adversarial-gptinst": 92,
    "adversarial-gptout": 47,
    "adversarial-manual": 46,
}
"""Pairs of the published benchmark: 419 in all."""

ADVERSARIAL = tuple(name for name in EXPECTED if name.startswith("adversarial"))


def plan(table: pd.DataFrame, options: BenchmarkOptions | None = None) -> Plan:
    """Both outputs of every instruction."""
    del options
    return plan_candidates(table)


def run(scored: pd.DataFrame, options: BenchmarkOptions | None = None) -> BenchmarkResult:
    """Accuracy by subset, and the averages over subsets that are complete.

    Args:
        scored: a plan of this lab with rewards; `subset` holds the subset.
        options: seed and intervals.
    """
    chosen = options or BenchmarkOptions()
    items = pair_items(scored)
    usable, left_out = split_usable(items)
    credit = half_credit(usable)
    subsets = [item.subset for item in usable]
    prompts = [item.prompt_id for item in usable]
    counts = count_by_subset(usable)
    rows = []
    for name, group in (
        ("average of the adversarial subsets", ADVERSARIAL),
        ("average of the subsets", tuple(EXPECTED)),
    ):
        if missing_parts(
            {part: EXPECTED[part] for part in group}, {p: counts.get(p, 0) for p in group}
        ):
            continue
        weights = dict.fromkeys(group, 1.0)
        estimate = weighted_average(credit, subsets, prompts, weights, chosen, left_out)
        rows.append(score_row("overall", name, "accuracy", estimate, official=False))
    for subset in [*EXPECTED, *(name for name in counts if name not in EXPECTED)]:
        part = [place for place, found in enumerate(subsets) if found == subset]
        if part:
            estimate = share_of(
                credit[part], [usable[place] for place in part], chosen, left_out_of(items, subset)
            )
            official = counts[subset] == EXPECTED.get(subset)
            rows.append(score_row("subset", subset, "accuracy", estimate, official=official))
    n_ties = int((credit == 0.5).sum())
    notes = (
        (f"{n_ties:,} of {len(credit):,} pairs are ties; a tie counts as half.",) if n_ties else ()
    )
    return BenchmarkResult(
        TITLE,
        scores_table(rows),
        None,
        missing_parts(EXPECTED, counts, "pairs"),
        pair_table(usable),
        {},
        (*notes, "The averages over subsets are our reading; the authors report by subset."),
        left_out,
    )
