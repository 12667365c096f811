"""Estimates as rows of a table: one method, run and iteration each, with all they must carry."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from core.stats import Estimate, FloatArray, clustered_statistic

POOLED = "all seeds"
"""Stands for the run where a row pools the seeds of a method; its interval resamples problems, each
with its rows of every seed."""

ESTIMATE_COLUMNS = (
    "method",
    "run",
    "iteration",
    "measure",
    "value",
    "low",
    "high",
    "confidence",
    "n",
    "n_prompts",
    "how",
    "left_out",
)
"""Columns of a table of estimates. `how` says how the interval was made, `left_out` (JSON) what
could not be used."""


def method_of(run: str) -> str:
    """How a run was trained: its name up to the last "/seed-", or the whole name."""
    method, found, _ = run.rpartition("/seed-")
    return method if found else run


def estimate_row(estimate: Estimate, **keys: object) -> dict[str, object]:
    """One row of a table of estimates."""
    return {
        **keys,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "confidence": estimate.confidence,
        "n": estimate.n,
        "n_prompts": estimate.n_prompts,
        "how": estimate.method,
        "left_out": json.dumps(dict(estimate.left_out)),
    }


def row_estimate(row: Mapping[Any, Any]) -> Estimate:
    """The estimate of such a row."""
    return Estimate(
        float(row["value"]),
        float(row["low"]),
        float(row["high"]),
        float(row["confidence"]),
        int(row["n"]),
        int(row["n_prompts"]),
        str(row["how"]),
        json.loads(str(row["left_out"])),
    )


def estimates_frame(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """The table of such rows; with its columns where there are none."""
    return pd.DataFrame(list(rows), columns=list(ESTIMATE_COLUMNS))


def pooled_and_single(rows: pd.DataFrame) -> Iterable[tuple[str, str, int, pd.DataFrame]]:
    """(method, run, iteration, rows) for the pooled seeds of each method, then each of its runs.

    A method of one run has no pooled group of its own but the run under the name `POOLED`.

    Args:
        rows: columns method, run, iteration.
    """
    for method, of_method in rows.groupby("method", sort=False):
        for iteration, group in of_method.groupby("iteration"):
            yield str(method), POOLED, int(str(iteration)), group
        if of_method["run"].nunique() < 2:
            continue
        for run, of_run in of_method.groupby("run", sort=False):
            for iteration, group in of_run.groupby("iteration"):
                yield str(method), str(run), int(str(iteration)), group


def change_row(
    rows: pd.DataFrame,
    column: str,
    *,
    measure: str,
    rng: np.random.Generator,
    confidence: float,
    n_draws: int,
    ratio: bool = False,
) -> dict[str, object] | None:
    """Mean of the last iteration minus (or over) that of the first; None for one iteration.

    A problem in both iterations is drawn with both its rows, so the difference is paired where it
    can be.

    Args:
        rows: of one method: columns method, iteration, problem_id and `column`.
        column: what is averaged.
        measure: what the row is called.
        rng: of the resampling.
        confidence: of the interval.
        n_draws: of the resampling.
        ratio: divide instead of subtract.
    """
    first, last = rows["iteration"].min(), rows["iteration"].max()
    if first == last or rows.empty:
        return None
    ends = rows.loc[rows["iteration"].isin([first, last])]
    usable = ends.loc[np.isfinite(ends[column].astype("float64"))]
    values = usable[column].to_numpy(np.float64)
    is_last = (usable["iteration"] == last).to_numpy()

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            end, start = (
                (weights[:, side] @ values[side]) / weights[:, side].sum(axis=1)
                for side in (is_last, ~is_last)
            )
            return np.asarray(end / start if ratio else end - start)

    without = len(ends) - len(usable)
    estimate = clustered_statistic(
        statistic,
        list(usable["problem_id"]),
        rng=rng,
        confidence=confidence,
        n_resamples=n_draws,
        left_out={"no number": without} if without else {},
        vectorized=True,
    )
    method = str(rows["method"].iloc[0])
    keys = {"method": method, "run": POOLED, "iteration": int(last), "measure": measure}
    return estimate_row(estimate, **keys)
