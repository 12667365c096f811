"""The usual numbers of continual learning for one order: backward and forward transfer, forgetting.

Lopez-Paz and Ranzato 2017 (GEM), section 3; forgetting after Chaudhry et al. 2018.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.labs.task_order.evaluations import Evaluations
from core.labs.task_order.measured import StageMeans, drawn_stage_means, stage_means
from core.stats import Estimate, FloatArray

NAMES = ("backward", "forward", "forgetting")


@dataclass(frozen=True)
class ClassicNumbers:
    """Continual-learning numbers of a sequence of K tasks.

    Attributes:
        backward: mean over the first K - 1 tasks of their last score minus the score after their
            own stage; negative where they are forgotten.
        forward: mean over the last K - 1 tasks of their score just before their own stage minus the
            untrained score.
        forgetting: mean over the first K - 1 tasks of their highest score at any stage minus the
            last one; never negative.
        per_task: (K,) forgetting of each task, in the order of training.
    """

    backward: float
    forward: float
    forgetting: float
    per_task: FloatArray


def classic_numbers(scores: npt.ArrayLike, before: npt.ArrayLike) -> ClassicNumbers:
    """The numbers of one sequence.

    Args:
        scores: (K, K) score of each task (columns) after each stage (rows), both in the order of
            training, so that the diagonal is each task after its own stage.
        before: (K,) scores of the untrained policy.

    Returns:
        NaN where there is one task only, or a score that is needed is missing.

    Raises:
        ValueError: when the shapes do not fit.
    """
    r, b = np.asarray(scores, dtype=np.float64), np.asarray(before, dtype=np.float64)
    k = len(b)
    if r.shape != (k, k) or not k:
        raise ValueError(f"Expected ({k}, {k}) scores for {k} tasks, found {r.shape}.")
    per_task = r.max(axis=0) - r[-1]
    if k < 2:
        nan = float("nan")
        return ClassicNumbers(nan, nan, nan, per_task)
    own = np.diag(r)
    backward = float((r[-1, :-1] - own[:-1]).mean())
    forward = float((np.diag(r, 1) - b[1:]).mean())
    return ClassicNumbers(backward, forward, float(per_task[:-1].mean()), per_task)


@dataclass(frozen=True)
class ClassicResult:
    """The numbers of every complete recorded order, as means over seeds.

    Attributes:
        estimates: by order (its name) and number, with intervals over problems.
        left_out: orders that could not be used, by reason.
    """

    estimates: dict[str, dict[str, Estimate]]
    left_out: dict[str, int]

    def table(self) -> pd.DataFrame:
        """One row an order and number."""
        rows = [
            {
                "order": order, "number": name, "value": each.value, "low": each.low,
                "high": each.high, "n_seeds": each.n, "n_problems": each.n_prompts,
                "method": each.method,
            }
            for order, found in self.estimates.items()
            for name, each in found.items()
        ]  # fmt: skip
        return pd.DataFrame(rows)


def recorded_classic(
    evaluations: Evaluations, *, n_draws: int = 500, seed: int = 0, confidence: float = 0.95
) -> ClassicResult:
    """The numbers of the recorded orders, by seed and then averaged, with intervals.

    Args:
        evaluations: the scores.
        n_draws: of the bootstrap over problems.
        seed: of the bootstrap.
        confidence: coverage of the intervals.
    """
    point = stage_means(evaluations)
    drawn = (
        drawn_stage_means(evaluations, n_draws=n_draws, rng=np.random.default_rng(seed))
        if evaluations.has_items and n_draws
        else None
    )
    found: dict[str, dict[str, Estimate]] = {}
    left_out: dict[str, int] = {}
    for place in evaluations.full_orders:
        value, n_seeds = _of_order(evaluations, point, place)
        if not n_seeds:
            left_out["orders with a score missing in every seed"] = (
                left_out.get("orders with a score missing in every seed", 0) + 1
            )
            continue
        many = _of_order(evaluations, drawn, place)[0] if drawn is not None else None
        found[evaluations.named(place)] = {
            name: _estimate(
                float(value[0, at]),
                many[:, at] if many is not None else np.empty(0),
                n_seeds,
                min(evaluations.n_problems),
                confidence,
            )
            for at, name in enumerate(NAMES)
        }
    return ClassicResult(found, left_out)


def _of_order(evaluations: Evaluations, means: StageMeans, place: int) -> tuple[FloatArray, int]:
    """(D, 3) the numbers averaged over the seeds that have all scores, and how many seeds."""
    order = list(evaluations.orders[place])
    scores = means.values[:, :, place][..., order]  # (D, S, K + 1, K) in the order of training
    complete = np.isfinite(scores).all(axis=(0, 2, 3))
    kept = scores[:, complete]
    numbers = np.array(
        [
            [
                [getattr(found, name) for name in NAMES]
                for found in (classic_numbers(r[1:], r[0]) for r in draw)
            ]
            for draw in kept
        ]
    )
    n_seeds = int(complete.sum())
    return (numbers.mean(axis=1) if n_seeds else numbers), n_seeds


def _estimate(
    value: float, drawn: FloatArray, n_seeds: int, n_problems: int, confidence: float
) -> Estimate:
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        nan = float("nan")
        method = "no interval: no several problems a task"
        return Estimate(value, nan, nan, confidence, n_seeds, n_problems, method, {})
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    method = f"percentile bootstrap over problems, {len(drawn):,} draws"
    return Estimate(value, float(low), float(high), confidence, n_seeds, n_problems, method, {})
