"""Predicted against observed: does the prediction rank the recorded orders as they came out?

The prediction must not be made from the scores that it is held against. `stages` says which stages
feed it, and `held_out_seed` predicts each seed's results from the other seeds' runs alone.
"""

from dataclasses import dataclass
from math import factorial
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as scipy_stats

from core.errors import TableError
from core.labs.task_order.evaluations import Evaluations
from core.labs.task_order.measured import (
    Resampled,
    StageMeans,
    Stages,
    drawn_stage_means,
    final_means,
    seed_estimates,
    stage_means,
)
from core.labs.task_order.orders import Objective, Scale, order_name
from core.labs.task_order.transfer import Departure, Draws, IntArray, walk
from core.stats import Estimate, FloatArray

FEWEST_ORDERS = 3
MOST_PERMUTED = 7
"""Orders up to which all permutations are tried: 5,040."""

POOLED = "mean over seeds"

Feeding = Literal["same seeds", "other seeds"]


@dataclass(frozen=True)
class Agreement:
    """How a prediction and results rank the orders alike.

    Attributes:
        correlation: Spearman's rank correlation with a bootstrap interval over problems.
        p_value: chance that a random assignment of results to orders correlates at least so much
            (one-sided); exact for few orders, see `p_method`.
        p_method: how it was computed.
        error: mean absolute difference of predicted and observed objective, with interval.
        best_found: whether the order predicted best is the one that came out best.
        n_orders: orders compared.
    """

    correlation: Estimate
    p_value: float
    p_method: str
    error: Estimate
    best_found: bool
    n_orders: int


@dataclass(frozen=True)
class Comparison:
    """Predicted and observed results of the recorded orders.

    Attributes:
        table: one row a seed (or the mean over seeds) and order: `seed`, `order`, `predicted`,
            `observed`, and `predicted: TASK`, `observed: TASK`.
        agreements: by seed, and of the mean over seeds under `POOLED`.
        stages: which stages fed the prediction.
        feeding: whether a seed's own runs fed its prediction.
        leaks: whether final scores fed the prediction that they are compared with.
        joint: (K,) means of joint training over seeds, NaN where it was not recorded.
        left_out: what could not be compared, by reason.
    """

    table: pd.DataFrame
    agreements: dict[str, Agreement]
    stages: Stages
    feeding: Feeding
    leaks: bool
    joint: FloatArray
    left_out: dict[str, int]


def compare(
    evaluations: Evaluations,
    *,
    stages: Stages = "first",
    feeding: Feeding = "same seeds",
    scale: Scale = "raw",
    departure: Departure | None = None,
    n_draws: int = 1_000,
    seed: int = 0,
    confidence: float = 0.95,
    resampled: Resampled = "items",
) -> Comparison:
    """Holds predicted against observed final scores, by seed and as a mean over seeds.

    Args:
        evaluations: the scores; orders that hold every task once are compared.
        stages: which stages feed the matrix.
        feeding: "same seeds": each seed is predicted from its own runs; "other seeds": from all
            others (leave one seed out).
        scale: how tasks on different scales are averaged. Weights come from the predictions on all
            problems, so that predicted and observed are averaged alike.
        departure: how far the assumptions are given up.
        n_draws: of the bootstrap.
        seed: of the bootstrap and of sampled permutations.
        confidence: coverage of the intervals.
        resampled: for the mean over seeds; a single seed is resampled over problems only.

    Raises:
        TableError: fewer than three complete orders, or one seed where others must predict it.
    """
    departure = departure or Departure()
    if len(evaluations.full_orders) < FEWEST_ORDERS:
        raise TableError(
            f"{len(evaluations.full_orders)} recorded orders hold every task; a ranking needs "
            f"{FEWEST_ORDERS}.",
            fix="Record more orders.",
        )
    if feeding == "other seeds" and len(evaluations.seeds) < 2:
        raise TableError("There is one seed, so no other can predict it.", fix="Record more seeds.")
    rng = np.random.default_rng(seed)
    point = stage_means(evaluations)
    drawn = (
        drawn_stage_means(evaluations, n_draws=n_draws, rng=rng, resampled=resampled)
        if evaluations.has_items and n_draws
        else None
    )
    sides = _Sides(evaluations, stages, feeding, departure)
    predicted, observed = sides.of(point)
    objective = _objective(scale, predicted, evaluations, point)
    drawn_sides = sides.of(drawn) if drawn is not None else None
    tables, agreements = [], {}
    left_out: dict[str, int] = {}
    for name, weights in _groups(evaluations, point, drawn):
        first = _pair(predicted, observed, weights[0])
        there = np.asarray(np.isfinite(np.concatenate(first, axis=-1)[0]).all(axis=-1))
        if not there.all():
            left_out[f"{name}: orders without all scores"] = int((~there).sum())
        tables.append(_rows(evaluations, name, first, objective, there))
        if there.sum() < FEWEST_ORDERS:
            left_out[f"{name}: fewer than {FEWEST_ORDERS} orders"] = 1
            continue
        many = _pair(*drawn_sides, weights[1]) if drawn_sides is not None else None
        agreements[name] = _agreement(
            _valued(first, objective, there),
            _valued(many, objective, there) if many is not None else None,
            evaluations,
            confidence,
            rng,
            "items" if name != POOLED else resampled,
        )
    leaks = stages in ("all", "later") and feeding == "same seeds"
    joint = _nanmean(point.joint[0], np.ones(len(evaluations.seeds)))
    return Comparison(
        pd.concat(tables, ignore_index=True), agreements, stages, feeding, leaks, joint, left_out
    )


@dataclass(frozen=True)
class _Sides:
    """Predicted and observed finals of each seed: (D, S, F, K) both."""

    evaluations: Evaluations
    stages: Stages
    feeding: Feeding
    departure: Departure

    def of(self, means: StageMeans) -> tuple[FloatArray, FloatArray]:
        estimates = seed_estimates(self.evaluations, means, self.stages)
        orders = np.array(
            [self.evaluations.orders[at] for at in self.evaluations.full_orders], dtype=np.intp
        )
        n_seeds = len(self.evaluations.seeds)
        predicted = []
        for at in range(n_seeds):
            own = np.arange(n_seeds) == at
            counts = own if self.feeding == "same seeds" else ~own
            weights = np.where(counts, 1.0, 0.0)[None] * (
                np.ones((means.n_draws, 1)) if self.feeding == "same seeds" else means.seed_weights
            )
            draws = estimates.averaged(weights)
            predicted.append(self._finals(draws, orders))
        return np.stack(predicted, axis=1), final_means(self.evaluations, means)

    def _finals(self, draws: Draws, orders: IntArray) -> FloatArray:
        return walk(draws, orders, self.evaluations.bounds, self.departure).scores[:, :, -1]


def _groups(
    evaluations: Evaluations, point: StageMeans, drawn: StageMeans | None
) -> list[tuple[str, tuple[FloatArray, FloatArray]]]:
    """Names and (D, S) weights, of the point and of the draws, of each seed and of their mean."""
    n_draws = drawn.n_draws if drawn is not None else 0
    n_seeds = len(evaluations.seeds)
    groups = []
    for at, seed in enumerate(evaluations.seeds):
        one = (np.arange(n_seeds) == at).astype(np.float64)[None]
        groups.append((f"seed {seed}", (one, np.repeat(one, n_draws, axis=0))))
    if n_seeds > 1:
        many = drawn.seed_weights if drawn is not None else np.empty((0, n_seeds))
        groups.append((POOLED, (point.seed_weights, many)))
    return groups


def _pair(
    predicted: FloatArray, observed: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(D, F, K) means over seeds that have both, with (D, S) weights."""
    both = np.isfinite(predicted) & np.isfinite(observed)
    shaped = weights[:, :, None, None] * both
    count = shaped.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = (
            np.where(count > 0, (np.where(both, side, 0.0) * shaped).sum(axis=1) / count, np.nan)
            for side in (predicted, observed)
        )
    return first, second


def _objective(
    scale: Scale, predicted: FloatArray, evaluations: Evaluations, point: StageMeans
) -> Objective:
    """Weights from the predictions on all problems; no observed score enters."""
    k = len(evaluations.tasks)
    if scale == "raw":
        return Objective(scale, np.ones(k), np.zeros(k))
    if scale == "ceiling":
        first = seed_estimates(evaluations, point, "first").averaged(point.seed_weights)
        level = first.saturated[0]
        sound = np.isfinite(level) & (level > 0)
        offset = np.zeros(k)
        spread = np.where(sound, level, 1.0)
    else:
        mean = _nanmean(predicted[0], np.ones(predicted.shape[1]))
        spread = mean.std(axis=0)
        sound = np.isfinite(spread) & (spread > 1e-12)
        offset = mean.mean(axis=0)
        spread = np.where(sound, spread, 1.0)
    dropped = tuple(task for task, kept in zip(evaluations.tasks, sound, strict=True) if not kept)
    return Objective(scale, np.where(sound, 1 / spread, 0.0), np.nan_to_num(offset), dropped)


def _nanmean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted means over the first axis of what is there."""
    there = np.isfinite(values)
    shaped = weights.reshape(-1, *([1] * (values.ndim - 1))) * there
    count = shaped.sum(axis=0)
    total = (np.where(there, values, 0.0) * shaped).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(count > 0, total / count, np.nan))


def _valued(
    pair: tuple[FloatArray, FloatArray], objective: Objective, there: npt.NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """(D, F') objectives of the orders that are there."""
    return objective.of(pair[0][:, there]), objective.of(pair[1][:, there])


def _rows(
    evaluations: Evaluations,
    name: str,
    pair: tuple[FloatArray, FloatArray],
    objective: Objective,
    there: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    predicted, observed = pair[0][0][there], pair[1][0][there]
    orders = [
        order_name(evaluations.tasks, evaluations.orders[at])
        for at, kept in zip(evaluations.full_orders, there, strict=True)
        if kept
    ]
    table = pd.DataFrame(
        {
            "seed": name,
            "order": orders,
            "predicted": objective.of(predicted),
            "observed": objective.of(observed),
        }
    )
    for at, task in enumerate(evaluations.tasks):
        table[f"predicted: {task}"] = predicted[:, at]
        table[f"observed: {task}"] = observed[:, at]
    return table


def _agreement(
    point: tuple[FloatArray, FloatArray],
    drawn: tuple[FloatArray, FloatArray] | None,
    evaluations: Evaluations,
    confidence: float,
    rng: np.random.Generator,
    resampled: Resampled,
) -> Agreement:
    predicted, observed = point
    value = float(rank_correlations(predicted, observed)[0])
    error = float(np.abs(predicted - observed).mean())
    n_orders = predicted.shape[1]
    p_value, p_method = permutation_p(predicted[0], observed[0], rng)
    spread = errors = np.empty(0)
    if drawn is not None:
        spread = rank_correlations(*drawn)
        errors = np.abs(drawn[0] - drawn[1]).mean(axis=1)
    of = [_estimate(*each, evaluations, confidence, n_orders, resampled) for each in (
        (value, spread), (error, errors)
    )]  # fmt: skip
    best = observed[0] >= observed[0].max() - 1e-12
    return Agreement(
        correlation=of[0],
        p_value=p_value,
        p_method=p_method,
        error=of[1],
        best_found=bool(best[int(predicted[0].argmax())]),
        n_orders=n_orders,
    )


def _estimate(
    value: float,
    drawn: FloatArray,
    evaluations: Evaluations,
    confidence: float,
    n: int,
    resampled: Resampled,
) -> Estimate:
    finite = drawn[np.isfinite(drawn)]
    n_without = len(drawn) - len(finite)
    smallest = min(evaluations.n_problems)
    nan = float("nan")
    left_out = {"draws without a value": n_without} if n_without else {}
    if len(finite) * 2 <= len(drawn) or not len(drawn):
        method = "no interval: no several problems a task, or most draws without a value"
        return Estimate(value, nan, nan, confidence, n, smallest, method, left_out)
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    method = f"percentile bootstrap over problems, {len(drawn):,} draws"
    if resampled != "items":
        method = method.replace("problems", "problems and seeds")
    return Estimate(value, float(low), float(high), confidence, n, smallest, method, left_out)


def rank_correlations(first: FloatArray, second: FloatArray) -> FloatArray:
    """(D,) Spearman's correlation of the rows of two (D, F) arrays; NaN where one is constant."""
    ranks = [
        scipy_stats.rankdata(np.round(side, 12), axis=1, nan_policy="propagate")
        for side in (first, second)
    ]
    centred = [side - side.mean(axis=1, keepdims=True) for side in ranks]
    norm = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (centred[0] * centred[1]).sum(axis=1) / norm
    return np.asarray(np.where(norm > 0, found, np.nan))


def permutation_p(
    predicted: FloatArray, observed: FloatArray, rng: np.random.Generator, *, n_sampled: int = 9_999
) -> tuple[float, str]:
    """One-sided p-value of Spearman's correlation by permuting which order got which result.

    Args:
        predicted: (F,) numbers.
        observed: (F,) numbers.
        rng: for more orders than `MOST_PERMUTED`, where permutations are sampled.
        n_sampled: how many.

    Returns:
        The p-value (NaN where one side is constant) and how it was computed.
    """
    if np.ptp(np.round(predicted, 12)) == 0 or np.ptp(np.round(observed, 12)) == 0:
        return float("nan"), "none: all orders have the same value"
    n = len(predicted)
    exact = n <= MOST_PERMUTED

    def statistic(values: FloatArray, axis: int = -1) -> FloatArray:
        moved = np.moveaxis(values, axis, -1)
        flat = moved.reshape(-1, n)
        fixed = np.broadcast_to(observed, flat.shape)
        return rank_correlations(flat, np.asarray(fixed)).reshape(moved.shape[:-1])

    found = scipy_stats.permutation_test(
        (predicted,),
        statistic,
        permutation_type="pairings",
        alternative="greater",
        vectorized=True,
        n_resamples=factorial(n) if exact else n_sampled,
        rng=rng,
    )
    how = f"all {factorial(n):,} permutations" if exact else f"{n_sampled:,} random permutations"
    return float(found.pvalue), how
