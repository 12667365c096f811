"""Do the two assumptions hold on the recorded runs?

Assumption 1: the effect of j on i, read where j came first, against where it came later. Assumption
2: the level of j right after its stage, first against later. Both differences come with intervals
over problems.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.task_order.evaluations import Evaluations
from core.labs.task_order.measured import (
    Resampled,
    StageMeans,
    Stages,
    drawn_stage_means,
    seed_estimates,
    stage_means,
)
from core.stats import FloatArray

_READ: tuple[Stages, ...] = ("first", "later", "all")
_COLUMNS = (
    "assumption", "trained", "task", "first", "later", "all", "difference", "low", "high",
    "differs", "n_problems",
)  # fmt: skip


@dataclass(frozen=True)
class AssumptionCheck:
    """First-stage numbers against later ones.

    Attributes:
        table: one row a pair of tasks (`assumption` 1) or a task (2): `trained`, `task`, `first`,
            `later`, `all`, `difference` (later minus first) with `low` and `high` (NaN where
            nothing could be resampled), `differs` (zero lies outside), `n_problems` of the
            tested task.
        left_out: pairs that were not seen at both times.
        method: how the intervals were made.
        confidence: their coverage; each holds by itself, not all of them together.
    """

    table: pd.DataFrame
    left_out: dict[str, int]
    method: str
    confidence: float


def check_assumptions(
    evaluations: Evaluations,
    *,
    n_draws: int = 1_000,
    seed: int = 0,
    confidence: float = 0.95,
    resampled: Resampled = "items",
) -> AssumptionCheck:
    """Compares first stages with later ones.

    Args:
        evaluations: the scores.
        n_draws: of the bootstrap.
        seed: of the bootstrap.
        confidence: coverage of the intervals.
        resampled: problems, or problems and seeds.
    """
    point = stage_means(evaluations)
    values = {stages: _numbers(evaluations, point, stages)[0] for stages in _READ}
    drawn, method = None, "no interval: no several problems a task"
    if evaluations.has_items and n_draws:
        rng = np.random.default_rng(seed)
        means = drawn_stage_means(evaluations, n_draws=n_draws, rng=rng, resampled=resampled)
        drawn = _numbers(evaluations, means, "later") - _numbers(evaluations, means, "first")
        of = "problems" if resampled == "items" else "problems and seeds"
        method = f"percentile bootstrap over {of}, {n_draws:,} draws"
    both = np.isfinite(values["later"] - values["first"])
    rows = [
        _row(evaluations, int(j), int(i), values, drawn, confidence) for j, i in np.argwhere(both)
    ]
    missing = int((~both).sum())
    left_out = {"pairs not seen both first and later": missing} if missing else {}
    table = pd.DataFrame(rows, columns=list(_COLUMNS)).sort_values(
        ["assumption"], kind="stable", ignore_index=True
    )
    return AssumptionCheck(table, left_out, method, confidence)


def _numbers(evaluations: Evaluations, means: StageMeans, stages: Stages) -> FloatArray:
    """(D, K, K) effects of row on column, with saturated levels on the diagonal."""
    found = seed_estimates(evaluations, means, stages).averaged(means.seed_weights)
    numbers = found.effects.copy()
    diagonal = np.arange(numbers.shape[1])
    numbers[:, diagonal, diagonal] = found.saturated
    return numbers


def _row(
    evaluations: Evaluations,
    j: int,
    i: int,
    values: dict[Stages, FloatArray],
    drawn: FloatArray | None,
    confidence: float,
) -> dict[str, object]:
    low, high = _ends(drawn[:, j, i] if drawn is not None else np.empty(0), confidence)
    first, later, every = (float(values[stages][j, i]) for stages in _READ)
    return {
        "assumption": 2 if i == j else 1,
        "trained": evaluations.tasks[j],
        "task": evaluations.tasks[i],
        "first": first,
        "later": later,
        "all": every,
        "difference": later - first,
        "low": low,
        "high": high,
        "differs": bool(low > 0 or high < 0),
        "n_problems": evaluations.n_problems[i],
    }


def _ends(drawn: FloatArray, confidence: float) -> tuple[float, float]:
    finite = drawn[np.isfinite(drawn)]
    if not len(finite) or len(finite) * 2 <= len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
