"""Tool-error rates of right and wrong rollouts over training; mixed groups; length.

The quantity of rStar2-Agent (arXiv 2508.20722), figure 4, is about right rollouts only; the
released code logs the rate over all rollouts. Both are here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.labs.groups import group_status
from core.labs.trajectories.penalties import GROUP, Penalised
from core.stats import Estimate, FloatArray, clustered_statistic

Side = Literal["right", "wrong", "all"]
Measure = Literal["micro", "macro", "no tool", "right"]

SIDES: tuple[Side, ...] = ("right", "wrong", "all")
STATUSES = ("mixed", "all right", "all wrong")
NO_CALL = "no tool call, so no error rate"


@dataclass(frozen=True)
class RateOptions:
    """How rollouts are pooled over training.

    Attributes:
        by: column that tells the lines apart: "method" (the part of `run` before "/") or "run".
        n_windows: training is cut into this many windows of steps, at least 1.
        confidence: coverage of the intervals.
        n_resamples: draws of each interval.
        seed: of the resampling.
    """

    by: Literal["method", "run"] = "method"
    n_windows: int = 10
    confidence: float = 0.95
    n_resamples: int = 500
    seed: int = 0


@dataclass(frozen=True)
class ErrorRates:
    """What becomes of tool errors over training.

    Attributes:
        rates: one row a line, window, side and measure: `line`, `window`, `step` (mean of the
            window), `first_step`, `last_step`, `side`, `measure`, value, low, high, n, n_problems,
            left_out, method. Measures: "micro" = failed calls over calls; "macro" = mean over
            rollouts with a call of their own share; "no tool" = share of rollouts without a call;
            "right" = share of right rollouts (side "all" only).
        groups: one row a line, window and status: share of groups that are mixed, all right, all
            wrong, with interval over problems.
        lengths: one row a line, window and side: mean tokens, or characters where there are none.
        length_unit: "tokens" or "characters", empty where there is no length.
        left_out: rows that could not be used, by reason.
    """

    rates: pd.DataFrame
    groups: pd.DataFrame
    lengths: pd.DataFrame
    length_unit: str
    left_out: Mapping[str, int] = field(default_factory=dict)


def method_of(run: str) -> str:
    """How a run was trained, by its name: the part before "/"."""
    return run.partition("/")[0]


def error_rates(penalised: Penalised, options: RateOptions | None = None) -> ErrorRates:
    """All rates of all lines over the windows of training.

    Intervals resample problems; runs of one method are pooled, so they do not speak of what another
    seed would have given: compare the runs for that.
    """
    options = options or RateOptions()
    table = _with_windows(penalised.table, options)
    rng = np.random.default_rng(options.seed)
    unit, table = _with_length(table)
    rates: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []
    lengths: list[dict[str, Any]] = []
    for (line, _), rows in table.groupby(["line", "window"], sort=True):
        steps, window = rows["step"], int(rows["window"].iloc[0])
        where = {"line": line, "window": window, "step": float(steps.mean())}
        where |= {"first_step": int(steps.min()), "last_step": int(steps.max())}
        rates.extend(where | row for row in _rates(rows, rng, options))
        groups.extend(where | row for row in _statuses(rows, rng, options))
        if unit:
            lengths.extend(where | row for row in _lengths(rows, rng, options))
    return ErrorRates(
        pd.DataFrame(rates),
        pd.DataFrame(groups),
        pd.DataFrame(lengths),
        unit,
        dict(penalised.left_out),
    )


def micro_rate(
    errors: Sequence[float], calls: Sequence[float], problems: Sequence[object],
    *, rng: np.random.Generator, confidence: float = 0.95, n_resamples: int = 2_000,
) -> Estimate:  # fmt: skip
    """Failed calls over calls, pooled over rollouts; interval over problems."""
    made, failed = np.asarray(calls, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    used = made > 0
    return _ratio(
        failed[used], made[used], _kept(problems, used),
        rng=rng, confidence=confidence, n_resamples=n_resamples, n_without=int((~used).sum()),
    )  # fmt: skip


def macro_rate(
    errors: Sequence[float], calls: Sequence[float], problems: Sequence[object],
    *, rng: np.random.Generator, confidence: float = 0.95, n_resamples: int = 2_000,
) -> Estimate:  # fmt: skip
    """Mean over rollouts with a call of each one's failed share; interval over problems."""
    made, failed = np.asarray(calls, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    used = made > 0
    return _ratio(
        failed[used] / made[used], np.ones(int(used.sum())), _kept(problems, used),
        rng=rng, confidence=confidence, n_resamples=n_resamples, n_without=int((~used).sum()),
    )  # fmt: skip


def _kept(problems: Sequence[object], used: npt.NDArray[np.bool_]) -> list[object]:
    return [problem for problem, use in zip(problems, used, strict=True) if use]


def _ratio(
    above: FloatArray, below: FloatArray, problems: Sequence[object],
    *, rng: np.random.Generator, confidence: float, n_resamples: int, n_without: int = 0,
) -> Estimate:  # fmt: skip
    """Sum over sum. A draw of problems needs their sums only, which makes many intervals cheap."""
    rows = pd.DataFrame({"above": above, "below": below, "problem": list(problems)})
    sums = rows.groupby("problem", sort=False)[["above", "below"]].sum()
    top, bottom = sums["above"].to_numpy(np.float64), sums["below"].to_numpy(np.float64)
    found = clustered_statistic(
        lambda weights: np.asarray((weights @ top) / (weights @ bottom)),
        list(sums.index), rng=rng, confidence=confidence, n_resamples=n_resamples,
        left_out={NO_CALL: n_without} if n_without else {}, vectorized=True,
    )  # fmt: skip
    return replace(found, n=len(rows))


def _with_windows(table: pd.DataFrame, options: RateOptions) -> pd.DataFrame:
    runs = table["run"].astype("str") if "run" in table.columns else pd.Series("", table.index)
    steps = table["step"] if "step" in table.columns else pd.Series(0, table.index)
    line = runs.map(method_of) if options.by == "method" else runs
    first, last = (int(steps.min()), int(steps.max())) if len(table) else (0, 0)
    width = max(1, -(-(last - first + 1) // max(1, options.n_windows)))
    window = (steps.astype("int64") - first) // width
    return table.assign(line=line, step=steps.astype("int64"), window=window)


def _with_length(table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    if "tokens" in table.columns and table["tokens"].notna().any():
        return "tokens", table.assign(length=table["tokens"].astype("float64"))
    if "response" in table.columns and table["response"].notna().any():
        return "characters", table.assign(length=table["response"].str.len().astype("float64"))
    return "", table


def _sides(rows: pd.DataFrame) -> Iterator[tuple[Side, pd.DataFrame]]:
    right = rows["correct"].to_numpy(bool)
    for side, chosen in (("right", right), ("wrong", ~right), ("all", np.ones(len(rows), bool))):
        yield side, rows.loc[chosen]  # type: ignore[misc]


def _rates(
    rows: pd.DataFrame, rng: np.random.Generator, options: RateOptions
) -> Iterator[dict[str, Any]]:
    for side, chosen in _sides(rows):
        errors, calls = chosen["tool_errors"].tolist(), chosen["tool_calls"].tolist()
        problems = chosen["problem_id"].tolist()
        for measure, rate in _RATES:
            found = rate(
                errors, calls, problems,
                rng=rng, confidence=options.confidence, n_resamples=options.n_resamples,
            )  # fmt: skip
            yield _row(side, measure, found)
        yield _row(side, "no tool", _mean(~chosen["used_tool"], problems, rng, options))
        if side == "all":
            yield _row(side, "right", _mean(chosen["correct"], problems, rng, options))


_RATES: tuple[tuple[Measure, Callable[..., Estimate]], ...] = (
    ("micro", micro_rate),
    ("macro", macro_rate),
)


def _mean(
    values: "pd.Series[Any]", problems: list[object], rng: np.random.Generator, options: RateOptions
) -> Estimate:
    numbers = values.to_numpy(np.float64)
    known = np.isfinite(numbers)
    return _ratio(
        numbers[known], np.ones(int(known.sum())), _kept(problems, known),
        rng=rng, confidence=options.confidence, n_resamples=options.n_resamples,
    )  # fmt: skip


def _statuses(
    rows: pd.DataFrame, rng: np.random.Generator, options: RateOptions
) -> Iterator[dict[str, Any]]:
    of_group = rows.groupby(GROUP, sort=False).agg(
        status=("correct", group_status), problem=("problem_id", "first")
    )
    for status in STATUSES:
        share = _mean(of_group["status"] == status, of_group["problem"].tolist(), rng, options)
        yield {"status": status} | _numbers(share)


def _lengths(
    rows: pd.DataFrame, rng: np.random.Generator, options: RateOptions
) -> Iterator[dict[str, Any]]:
    for side, chosen in _sides(rows):
        mean = _mean(chosen["length"], chosen["problem_id"].tolist(), rng, options)
        yield {"side": side} | _numbers(mean)


def _row(side: Side, measure: Measure, estimate: Estimate) -> dict[str, Any]:
    return {"side": side, "measure": measure} | _numbers(estimate)


def _numbers(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": estimate.value, "low": estimate.low, "high": estimate.high,
        "confidence": estimate.confidence, "n": estimate.n, "n_problems": estimate.n_prompts,
        "left_out": sum(estimate.left_out.values()), "method": estimate.method,
    }  # fmt: skip
