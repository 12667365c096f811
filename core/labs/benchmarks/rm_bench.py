"""RM-Bench: subtle errors against style, by domain, averaged as its authors do.

Source: Liu et al. 2024, arXiv 2410.16184; code THU-KEG/RM-Bench, `scripts/utils.py`
(`split_dataset_by_domain`, `compute_accuracy`): the domains are chat, math, code and safety; a row
belongs to the domain its name begins with, so the rows of safety-refuse and safety-response are
pooled. Within a domain each of hard, normal and easy is a mean over prompts; the domain's average
is the mean of the three; the total and the totals of hard, normal and easy are unweighted means
over the four domains.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.labs.benchmarks.candidates import plan_candidates
from core.labs.benchmarks.results import (
    BenchmarkResult,
    missing_parts,
    score_row,
    scores_table,
    share_of,
    weighted_average,
)
from core.labs.benchmarks.style_matrix import (
    METRICS,
    StyleMatrixOptions,
    StyleWins,
    count_by_subset,
    items_table,
    matrix_table,
    style_wins,
    tie_notes,
)
from core.labs.plan import Plan

TITLE = "RM-Bench"

DOMAINS = ("chat", "math", "code", "safety")
"""The authors' domains, in the order of their table."""

EXPECTED: Mapping[str, int] = {
    "chat": 129,
    "math": 529,
    "code": 228,
    "safety-refuse": 284,
    "safety-response": 157,
}
"""Prompts of the published benchmark: 1,327 in all."""


def plan(table: pd.DataFrame, options: StyleMatrixOptions | None = None) -> Plan:
    """Every response of RM-Bench's table; `subset` is the file's domain."""
    del options
    return plan_candidates(table)


def run(scored: pd.DataFrame, options: StyleMatrixOptions | None = None) -> BenchmarkResult:
    """RM-Bench's scores.

    The overall score is given only when every prompt of every domain has all its rewards. Otherwise
    the average over the domains that are there is given under that name.

    Args:
        scored: a plan of this lab with rewards; `subset` holds the domain.
        options: seed and intervals.
    """
    chosen = options or StyleMatrixOptions()
    wins, left_out = style_wins(scored, chosen.styles)
    counts = count_by_subset(wins.items)
    missing = missing_parts(EXPECTED, counts)
    present = [domain for domain in DOMAINS if domain in set(_domains(wins))]
    parts, matrices = [], []
    for domain in present:
        part = wins.part([found == domain for found in _domains(wins)])
        whole = _is_whole([name for name in EXPECTED if name.startswith(domain)], counts)
        parts += _scores("domain", domain, part, chosen, official=whole)
        matrices.append(matrix_table(part, domain, chosen))
    for subset in (name for name in EXPECTED if name.startswith("safety-") and name in counts):
        part = wins.part([item.subset == subset for item in wins.items])
        parts += _scores("subset", subset, part, chosen, official=_is_whole([subset], counts))
    overall = {
        metric: weighted_average(
            wins.values(metric),
            _domains(wins),
            [item.prompt_id for item in wins.items],
            dict.fromkeys(present, 1.0),
            chosen,
            left_out,
        )
        for metric in (METRICS if present else ())
    }
    name = TITLE if not missing else f"average of {', '.join(present)}"
    rows = [
        score_row("overall", name, metric, estimate, official=not missing)
        for metric, estimate in overall.items()
    ]
    return BenchmarkResult(
        TITLE,
        scores_table([*rows, *parts]),
        overall["average"] if not missing else None,
        missing,
        items_table(wins).assign(domain=_domains(wins)),
        {"matrix": pd.concat(matrices, ignore_index=True)} if matrices else {},
        tie_notes(wins),
        left_out,
    )


def _domains(wins: StyleWins) -> list[str]:
    return [
        next((name for name in DOMAINS if item.subset.startswith(name)), item.subset)
        for item in wins.items
    ]


def _is_whole(subsets: Sequence[str], counts: Mapping[str, int]) -> bool:
    return all(counts.get(subset, 0) == EXPECTED[subset] for subset in subsets)


def _scores(
    level: str, name: str, part: StyleWins, options: StyleMatrixOptions, *, official: bool
) -> list[dict[str, Any]]:
    return [
        score_row(
            level,
            name,
            metric,
            share_of(part.values(metric), part.items, options),
            official=official,
        )
        for metric in METRICS
    ]
