"""Several proxies as one: on one scale, then the mean, the worst case, or the mean with doubt."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from core.stats import FloatArray

Ensemble = Literal["mean", "worst case", "mean - variance"]
ENSEMBLES: tuple[Ensemble, ...] = ("mean", "worst case", "mean - variance")


def standardise(rewards: npt.ArrayLike) -> FloatArray:
    """Rewards with mean 0 and standard deviation 1 over the finite ones; all 0 where constant."""
    values = np.asarray(rewards, dtype=np.float64)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return values
    spread = float(finite.std())
    return np.asarray((values - finite.mean()) / spread if spread > 0 else values - finite.mean())


def combine(rewards: npt.ArrayLike, way: Ensemble, *, variance_weight: float = 0.5) -> FloatArray:
    """An ensemble's reward.

    Args:
        rewards: (models, n) rewards on one scale (see `standardise`).
        way: the mean, the smallest, or the mean minus lambda times the variance over models
            (population variance, as in the source).
        variance_weight: lambda.

    Source: Coste et al. 2024, arXiv 2310.02743, section 3.2.
    """
    values = np.asarray(rewards, dtype=np.float64)
    if way == "worst case":
        return np.asarray(values.min(axis=0))
    mean = values.mean(axis=0)
    return np.asarray(mean if way == "mean" else mean - variance_weight * values.var(axis=0))
