"""Reward densities in the bins of an attribute: what a squared MMD sums up, to be looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from core.labs.invariance.rows import usable_rows
from core.labs.plan import REWARD
from core.stats import FloatArray, clustered_mean

_FEWEST_FOR_CURVE = 3
_MARGIN = 0.15


@dataclass(frozen=True)
class DensityOptions:
    """How densities are estimated.

    Attributes:
        n_points: places on the axis of rewards, the same for all bins.
        confidence: coverage of the intervals of the means.
        seed: of their resampling.
    """

    n_points: int = 200
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class DensityResult:
    """Reward densities by bin.

    Attributes:
        curves: `bin, reward, density`: Gaussian kernel densities that integrate to about 1.
        bins: one row a bin: `bin, n, n_prompts, mean, low, high, sd, note`; `note` says why a bin
            has no curve.
        left_out: rows that could not be used, counted by reason.
    """

    curves: pd.DataFrame
    bins: pd.DataFrame
    left_out: Mapping[str, int]


def run(
    scored: pd.DataFrame,
    bins: Sequence[object] | pd.Series,
    options: DensityOptions | None = None,
) -> DensityResult:
    """Densities of the rewards in each bin, and their means with intervals over prompts.

    Args:
        scored: `core.labs.pairs.plan_pairs` with one model's rewards.
        bins: (n,) bin of each row; None or NaN for no bin.
        options: how densities are estimated.

    Raises:
        TableError: a column is missing, or there is not one bin a row.

    Source: Scott 1992, Multivariate Density Estimation (the bandwidth rule, by SciPy).
    """
    options = options or DensityOptions()
    usable = usable_rows(scored, bins)
    given = bins if isinstance(bins, pd.Series) else pd.Series(list(bins))
    labels = given.reset_index(drop=True)[usable.keep]
    if not isinstance(labels.dtype, pd.CategoricalDtype):
        labels = labels.astype("category")
    rewards = scored.loc[usable.keep, REWARD].to_numpy(dtype=np.float64)
    prompts = scored.loc[usable.keep, "prompt_id"].to_numpy()
    grid = _grid(rewards, options.n_points)
    rng = np.random.default_rng(options.seed)
    rows, curves = [], []
    for name in labels.cat.remove_unused_categories().cat.categories:
        inside = (labels == name).to_numpy()
        own = rewards[inside]
        mean = clustered_mean(
            own, list(prompts[inside]), rng=rng, confidence=options.confidence, n_resamples=2_000
        )
        note = _why_no_curve(own)
        spread = float(own.std(ddof=1)) if len(own) > 1 else float("nan")
        rows.append((name, mean.n, mean.n_prompts, mean.value, mean.low, mean.high, spread, note))
        if not note:
            density = scipy_stats.gaussian_kde(own)(grid)
            curves.append(pd.DataFrame({"bin": name, "reward": grid, "density": density}))
    columns = ["bin", "n", "n_prompts", "mean", "low", "high", "sd", "note"]
    empty = pd.DataFrame(columns=["bin", "reward", "density"])
    return DensityResult(
        pd.concat(curves, ignore_index=True) if curves else empty,
        pd.DataFrame(rows, columns=columns),
        usable.left_out,
    )


def _grid(rewards: FloatArray, n_points: int) -> FloatArray:
    if not len(rewards):
        return np.empty(0)
    low, high = float(rewards.min()), float(rewards.max())
    margin = _MARGIN * (high - low)
    return np.linspace(low - margin, high + margin, n_points)


def _why_no_curve(rewards: FloatArray) -> str:
    if len(rewards) < _FEWEST_FOR_CURVE:
        return f"fewer than {_FEWEST_FOR_CURVE} responses"
    # Below this the covariance that the estimate inverts is rounding.
    if np.ptp(rewards) <= 1e-9 * max(1.0, float(np.abs(rewards).max())):
        return "all rewards are equal"
    return ""
