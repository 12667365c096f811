"""The paper's bound on DPO's gradient held against gradients that were measured."""

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from core.stats import Estimate, FloatArray, clustered_statistic


def bound_check(
    pairs: pd.DataFrame, *, seed: int = 0, confidence: float = 0.95, n_draws: int = 500
) -> Estimate | None:
    """Whether the bound tells which pairs have a large gradient: our own check of it.

    Spearman's rank correlation, over all pairs, of `gradient_before` (weight times distance of the
    states) with `gradient_norm` (measured). The interval resamples problems.

    Args:
        pairs: `IterationResult.pairs`.
        seed: of the resampling.
        confidence: of the interval.
        n_draws: of the resampling.

    Returns:
        None where one of the two was not recorded.
    """
    names = ["gradient_before", "gradient_norm"]
    if not set(names) <= set(pairs.columns):
        return None
    both = pairs[names].to_numpy(np.float64)
    finite = np.isfinite(both).all(axis=1)
    usable = both[finite]

    def correlation(weights: FloatArray) -> float:
        drawn = np.repeat(usable, weights.astype(np.int64), axis=0)
        if len(drawn) < 2 or (np.ptp(drawn, axis=0) == 0).any():
            return float("nan")
        return float(scipy_stats.spearmanr(drawn[:, 0], drawn[:, 1]).statistic)

    without = int((~finite).sum())
    return clustered_statistic(
        correlation,
        list(pairs.loc[finite, "problem_id"]),
        rng=np.random.default_rng(seed),
        confidence=confidence,
        n_resamples=n_draws,
        left_out={"no number": without} if without else {},
    )
