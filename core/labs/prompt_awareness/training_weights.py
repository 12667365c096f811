"""Weights for training on pairs whose preference must be read from the prompt.

The paper trains more on pairs with a small prompt-free gap (arXiv 2504.06020); it does not give the
weights' form, so these two are our reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as scipy_stats

from core.labs.prompt_awareness.decomposition import DecompositionResult
from core.labs.prompt_awareness.prompt_free import Estimator, effective_sample_size
from core.stats import FloatArray

WeightForm = Literal["exponential", "rank"]
WEIGHT_FORMS: tuple[WeightForm, ...] = get_args(WeightForm)


@dataclass(frozen=True)
class TrainingWeights:
    """A weight for each pair.

    Attributes:
        table: `pair_id`, `prompt_id`, `prompt_free`, `weight` (mean 1 over the pairs).
        tau: the scale that was used, in reward; NaN for rank weights.
        effective_sample_size: how many equally weighted pairs would vary as little.
        left_out: pairs without a prompt-free gap, which get no weight, by reason.
    """

    table: pd.DataFrame
    tau: float
    effective_sample_size: float
    left_out: Mapping[str, int] = field(default_factory=dict)


def run(
    parts: DecompositionResult,
    *,
    form: WeightForm = "exponential",
    estimator: Estimator = "zero-information",
    tau: float | None = None,
) -> TrainingWeights:
    """Weights from a decomposition.

    Args:
        parts: of the model whose prompt-free gaps are to be trained away.
        form: exponential in the gap's size, or by its rank, which no outlier moves.
        estimator: whose prompt-free gap.
        tau: scale of the exponential in reward, above 0; None takes the median size of the gaps.

    Raises:
        ValueError: unknown form, or tau not above 0.
    """
    if form not in WEIGHT_FORMS:
        raise ValueError(f"Unknown form {form!r}; there are {', '.join(WEIGHT_FORMS)}.")
    rows = parts.pairs.loc[parts.pairs["estimator"] == estimator].reset_index(drop=True)
    gaps = rows["prompt_free"].to_numpy(dtype=np.float64)
    scale = float("nan")
    if form == "rank":
        weights = rank_weights(gaps)
    else:
        scale = _median_size(gaps) if tau is None else tau
        weights = exponential_weights(gaps, scale)
    table = rows[["pair_id", "prompt_id", "prompt_free"]].assign(weight=weights)
    return TrainingWeights(table, scale, effective_sample_size(weights), dict(parts.left_out))


def _median_size(gaps: FloatArray) -> float:
    """The median absolute gap, or 1 where it is zero: then all weights are near equal anyway."""
    size = float(np.median(np.abs(gaps))) if len(gaps) else 0.0
    return size if size > 0 else 1.0


def exponential_weights(prompt_free: npt.ArrayLike, tau: float) -> FloatArray:
    """w proportional to exp(-|prompt-free gap| / tau), with mean 1.

    Args:
        prompt_free: (n,) finite gaps in reward.
        tau: scale in reward, above 0. Small values train on few pairs, large ones on all alike.

    Raises:
        ValueError: tau is not above 0.
    """
    if not tau > 0:
        raise ValueError(f"tau must be above 0, not {tau}.")
    sizes = np.abs(np.asarray(prompt_free, dtype=np.float64))
    if not len(sizes):
        return sizes
    # From the smallest gap, so that one weight is 1 before scaling and not all can underflow.
    weights = np.exp(-(sizes - sizes.min()) / tau)
    return np.asarray(weights / weights.mean())


def rank_weights(prompt_free: npt.ArrayLike) -> FloatArray:
    """w proportional to n + 1 - the rank of |prompt-free gap|, with mean 1; ties share their ranks.

    Args:
        prompt_free: (n,) finite gaps in reward.
    """
    sizes = np.abs(np.asarray(prompt_free, dtype=np.float64))
    if not len(sizes):
        return sizes
    return np.asarray(2 * (1 - scipy_stats.rankdata(sizes) / (len(sizes) + 1)))
