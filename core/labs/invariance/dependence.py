"""Reward against a numeric attribute: slope, correlation, and what is left without the attribute.

Dependence is not bias: better responses may well be longer. The slope within prompts, where all
responses answer the same question, and the accuracy of what is left say more than the overall one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as scipy_stats

from core.labs.invariance.rows import usable_rows
from core.labs.pairs import SIDE, SIDES
from core.labs.plan import REWARD
from core.stats import (
    Estimate,
    FloatArray,
    PairAccuracy,
    cluster_codes,
    clustered_standard_error,
    clustered_statistic,
    pair_accuracy,
    smallest_detectable_effect,
)


@dataclass(frozen=True)
class DependenceOptions:
    """How the dependence is estimated.

    Attributes:
        n_folds: parts of the prompts for the cross-fitted line; at least 2.
        confidence: coverage of the intervals.
        n_resamples: bootstrap draws.
        seed: of the folds and the resampling.
    """

    n_folds: int = 5
    confidence: float = 0.95
    n_resamples: int = 2_000
    seed: int = 0


@dataclass(frozen=True)
class DependenceResult:
    """How rewards go with an attribute.

    Attributes:
        slope: of the least-squares line, in reward per unit of attribute.
        correlation: Pearson's, from -1 to 1.
        rank_correlation: Spearman's.
        within_slope: the slope among responses to the same prompt.
        detectable: the smallest slope that would probably have been found.
        intercept: of the line.
        residual_correlation: of the attribute with the cross-fitted residual: near 0 where a
            straight line takes the attribute out.
        accuracy: of the pairs by `reward`, by the `residual` reward, and by the line `attribute`
            alone.
        points: one row a used response: `prompt_id, side, attribute, reward, fitted, residual`,
            with `pair_id` where the table has it; fitted and residual are cross-fitted.
        left_out: rows that could not be used, counted by reason.
    """

    slope: Estimate
    correlation: Estimate
    rank_correlation: Estimate
    within_slope: Estimate
    detectable: float
    intercept: float
    residual_correlation: Estimate
    accuracy: Mapping[str, PairAccuracy]
    points: pd.DataFrame
    left_out: Mapping[str, int]


def run(
    scored: pd.DataFrame, attribute: npt.ArrayLike, options: DependenceOptions | None = None
) -> DependenceResult:
    """Slope, correlation and residuals of rewards on an attribute, with intervals over prompts.

    The residual view splits a reward into a line through the attribute and the rest. The line is
    fitted on the other folds of prompts, so that the residual is not orthogonal by construction.
    Splitting a given reward by a straight line is our reading of ODIN, which trains two heads.

    Args:
        scored: `core.labs.pairs.plan_pairs` with one model's rewards.
        attribute: (n,) value of each row; NaN for none.
        options: how it is estimated.

    Raises:
        TableError: a column is missing, or there is not one value a row.

    Source: Chen et al. 2024 (arXiv 2402.07319), for the two parts.
    """
    options = options or DependenceOptions()
    values = np.asarray(attribute, dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    usable = usable_rows(scored, list(values))
    split = _with_lines(scored, values, usable.keep, options)
    points = split.loc[usable.keep].reset_index(drop=True)
    x, y = points["attribute"].to_numpy(), points[REWARD].to_numpy()
    residual = points["residual"].to_numpy()
    # A line that the other folds could not give leaves no residual.
    fitted = np.isfinite(residual)
    estimate = _estimator(points["prompt_id"].tolist(), options)
    slope = weighted_slope(x, y, np.ones(len(x)))
    ranks = scipy_stats.rankdata(x), scipy_stats.rankdata(y)
    inner = _from_prompt_means(x, y, points["prompt_id"].tolist())
    return DependenceResult(
        slope=estimate(lambda weights: weighted_slope(x, y, weights)),
        correlation=estimate(lambda weights: weighted_correlation(x, y, weights)),
        rank_correlation=estimate(lambda weights: weighted_correlation(*ranks, weights)),
        within_slope=estimate(lambda weights: weighted_slope(*inner, weights)),
        detectable=_detectable_slope(x, y, points["prompt_id"].tolist(), options),
        intercept=float(y.mean() - slope * x.mean()) if len(x) else float("nan"),
        residual_correlation=estimate(
            lambda weights: weighted_correlation(
                x, np.where(fitted, residual, 0.0), weights * fitted
            )
        ),
        accuracy=_accuracies(split, options),
        points=points,
        left_out=usable.left_out,
    )


def weighted_slope(x: FloatArray, y: FloatArray, weights: FloatArray) -> float:
    """Slope of the least-squares line of y on x; NaN where x does not vary."""
    variance, covariance = _weighted_covariance(x, x, weights), _weighted_covariance(x, y, weights)
    return covariance / variance if variance > _tiny(x) else float("nan")


def weighted_correlation(x: FloatArray, y: FloatArray, weights: FloatArray) -> float:
    """Pearson's correlation; NaN where x or y does not vary."""
    of_x, of_y = (_weighted_covariance(values, values, weights) for values in (x, y))
    if not (of_x > _tiny(x) and of_y > _tiny(y)):
        return float("nan")
    correlation = _weighted_covariance(x, y, weights) / (of_x * of_y) ** 0.5
    return float(np.clip(correlation, -1.0, 1.0))


def _weighted_covariance(x: FloatArray, y: FloatArray, weights: FloatArray) -> float:
    total = float(weights.sum())
    if not total:
        return float("nan")
    mean_x, mean_y = weights @ x / total, weights @ y / total
    return float(weights @ ((x - mean_x) * (y - mean_y)) / total)


def _tiny(values: FloatArray) -> float:
    """Variance that is rounding."""
    return 1e-18 * max(1e-30, float(np.abs(values).max(initial=0.0)) ** 2)


def _estimator(
    prompts: Sequence[object], options: DependenceOptions
) -> Callable[[Callable[[FloatArray], float]], Estimate]:
    """Every statistic gets the same draws of prompts."""

    def estimate(statistic: Callable[[FloatArray], float]) -> Estimate:
        return clustered_statistic(
            statistic,
            prompts,
            rng=np.random.default_rng(options.seed),
            confidence=options.confidence,
            n_resamples=options.n_resamples,
        )

    return estimate


def _with_lines(
    scored: pd.DataFrame,
    attribute: FloatArray,
    keep: npt.NDArray[np.bool_],
    options: DependenceOptions,
) -> pd.DataFrame:
    """All rows with `attribute`, `fitted` by the line of the other folds, and `residual`."""
    names = [name for name in ("pair_id", "prompt_id", SIDE, REWARD) if name in scored.columns]
    table = scored[names].reset_index(drop=True)
    table[REWARD] = table[REWARD].astype(np.float64)
    table["attribute"] = attribute
    prompts = cluster_codes(table["prompt_id"].tolist())
    n_prompts = int(prompts.max(initial=-1)) + 1
    shuffled = np.random.default_rng(options.seed).permutation(n_prompts)
    fold = (shuffled % max(2, options.n_folds))[prompts]
    fitted = np.full(len(table), np.nan)
    x, y = table["attribute"].to_numpy(), table[REWARD].to_numpy()
    for number in np.unique(fold):
        others, own = keep & (fold != number), fold == number
        slope = weighted_slope(x[others], y[others], np.ones(int(others.sum())))
        if np.isfinite(slope):
            fitted[own] = y[others].mean() + slope * (x[own] - x[others].mean())
    return table.assign(fitted=fitted, residual=y - fitted)


def _from_prompt_means(
    x: FloatArray, y: FloatArray, prompts: Sequence[object]
) -> tuple[FloatArray, FloatArray]:
    """Both less the mean of their prompt: what differs among responses to one question."""
    codes = cluster_codes(prompts)
    sizes = np.bincount(codes)
    means = [np.bincount(codes, weights=values) / sizes for values in (x, y)]
    return x - means[0][codes], y - means[1][codes]


def _detectable_slope(
    x: FloatArray, y: FloatArray, prompts: Sequence[object], options: DependenceOptions
) -> float:
    """From the sandwich standard error of the slope: the mean of its influence values' error."""
    slope = weighted_slope(x, y, np.ones(len(x)))
    if not np.isfinite(slope):
        return float("nan")
    from_mean = x - x.mean()
    influence = from_mean * (y - y.mean() - slope * from_mean) / np.mean(from_mean**2)
    error = clustered_standard_error(influence, prompts)
    return smallest_detectable_effect(error, confidence=options.confidence)


def _accuracies(split: pd.DataFrame, options: DependenceOptions) -> dict[str, PairAccuracy]:
    """How often the chosen response wins by the reward, by the residual and by the line alone."""
    if "pair_id" not in split.columns:
        return {}
    prompts = split.drop_duplicates("pair_id").set_index("pair_id")["prompt_id"]
    accuracies = {}
    for name, column in (("reward", REWARD), ("residual", "residual"), ("attribute", "fitted")):
        sides = split.pivot(index="pair_id", columns=SIDE, values=column).reindex(columns=SIDES)
        margins = (sides[SIDES[0]] - sides[SIDES[1]]).reindex(prompts.index)
        accuracies[name] = pair_accuracy(
            margins.to_numpy(),
            prompts.tolist(),
            rng=np.random.default_rng(options.seed),
            confidence=options.confidence,
        )
    return accuracies
