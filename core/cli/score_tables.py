"""Benchmark results in a terminal: one table a model, what is missing, what was left out."""

import math
import sys
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from core.labs.benchmarks import BenchmarkResult

PLAIN_WIDTH = 140
"""Columns of text where the output is no terminal, so that nothing is cut."""

MAX_METRICS = 4
"""With more metrics than this each has a row of its own, not a column."""


def print_result(model: str, title: str, result: BenchmarkResult) -> None:
    """Prints a model's scores, and everything a reader of them has to know."""
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    console = Console(markup=False, highlight=False, width=width)
    console.print(_table(f"{title}: {model}", result.scores))
    confidence = result.scores["confidence"].max() if len(result.scores) else 0.95
    console.print(f"In brackets: {confidence:.0%} intervals over prompts. *: not the authors' own.")
    if result.missing:
        console.print(f"No official {title} score. Missing: {'; '.join(result.missing)}.")
    for note in result.notes:
        console.print(f"Note: {note}")
    lost = sum(result.left_out.values())
    if lost:
        reasons = sorted(result.left_out.items(), key=lambda item: -item[1])
        listed = "; ".join(f"{count:,}: {reason}" for reason, count in reasons)
        console.print(f"Left out: {lost:,} ({listed})")
    console.print()


def _table(title: str, scores: pd.DataFrame) -> Table:
    metrics = list(dict.fromkeys(map(str, scores["metric"])))
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    wide = len(metrics) <= MAX_METRICS
    for heading in ("level", "name", *([] if wide else ["metric"])):
        table.add_column(heading, overflow="fold")
    for heading in (*(metrics if wide else ["score"]), "n", "prompts"):
        table.add_column(heading, justify="right")
    for (level, name), part in scores.groupby(["level", "name"], sort=False):
        by_metric = {str(row["metric"]): row for row in part.to_dict("records")}
        if wide:
            cells = [_score(by_metric[m]) if m in by_metric else "" for m in metrics]
            table.add_row(str(level), str(name), *cells, *_counts(next(iter(by_metric.values()))))
            continue
        for metric, row in by_metric.items():
            table.add_row(str(level), str(name), metric, _score(row), *_counts(row))
    return table


def _score(row: Mapping[Hashable, Any]) -> str:
    mark = "" if row["official"] else "*"
    if math.isnan(row["value"]):
        return "-"
    if math.isnan(row["low"]):
        return f"{row['value']:.3f}{mark} (no interval)"
    return f"{row['value']:.3f}{mark} ({row['low']:.3f}, {row['high']:.3f})"


def _counts(row: Mapping[Hashable, Any]) -> tuple[str, str]:
    return f"{row['n']:,}", f"{row['n_prompts']:,}"
