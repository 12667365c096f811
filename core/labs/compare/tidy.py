"""Estimates and tests as columns of tidy tables, so that no number travels without its n."""

from typing import Any

import pandas as pd

from core.stats import Estimate, TestResult

ESTIMATE_COLUMNS = ("value", "low", "high", "confidence", "n", "n_prompts", "method", "left_out")
TEST_COLUMNS = ("statistic", "p_value", "n", "n_prompts", "method", "left_out")


def estimate_columns(estimate: Estimate) -> dict[str, Any]:
    """The columns `ESTIMATE_COLUMNS`; what was left out as text, "" for nothing."""
    columns = {name: getattr(estimate, name) for name in ESTIMATE_COLUMNS}
    return columns | {"left_out": counted(estimate.left_out)}


def outcome_columns(test: TestResult) -> dict[str, Any]:
    """The columns `TEST_COLUMNS`; what was left out as text, "" for nothing."""
    columns = {name: getattr(test, name) for name in TEST_COLUMNS}
    return columns | {"left_out": counted(test.left_out)}


def counted(left_out: Any) -> str:
    """Reasons with their counts, the most frequent first: "not scored: 3; failed: 1"."""
    items = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return "; ".join(f"{reason}: {count:,}" for reason, count in items)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as mappings from column names to values."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
