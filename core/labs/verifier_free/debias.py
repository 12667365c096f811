"""RLPR's debiased reward: the gain over the reference's score without reasoning, shaped."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import expit

FloatArray = npt.NDArray[np.float64]

Shape = Literal[
    "zero if negative", "clip", "identity", "one minus", "threshold", "sigmoid", "leaky"
]
SHAPES: tuple[Shape, ...] = get_args(Shape)

SHAPE_MEANING: dict[Shape, str] = {
    "zero if negative": "max(0, d), the default of the code",
    "clip": "d held between 0 and 1, as in the paper",
    "identity": "d as it is",
    "one minus": "1 - d",
    "threshold": "d where it reaches t, else 0",
    "sigmoid": "1 / (1 + exp(-k (2 d - 1))), and 1 / (1 + exp(-d)) for k = 0",
    "leaky": "d, a hundredth of it below t",
}
"""As RLPR's code has them, "clip" apart. Its compound shapes, a threshold and then a sigmoid, are
not offered."""

LEAK = 0.01
FORMAT_WEIGHT = 0.1


@dataclass(frozen=True)
class Debias:
    """How a score becomes a reward.

    Attributes:
        baseline: subtract the score without reasoning.
        shape: applied to the difference.
        parameter: t of "threshold" and "leaky", k of "sigmoid".
        format_weight: share of the reward that is given for the format; the code's is 0.1.
        rounded: round the score after the reasoning to bfloat16 first, as the code does; the
            baseline stays as it is given (our reading: the code reads it once and keeps it).
    """

    baseline: bool = True
    shape: Shape = "zero if negative"
    parameter: float = 0.05
    format_weight: float = FORMAT_WEIGHT
    rounded: bool = False


def debiased(with_reasoning: npt.ArrayLike, without: npt.ArrayLike) -> FloatArray:
    """clip(0, 1, r - r'), as in RLPR's paper.

    Args:
        with_reasoning: r, the score of the reference after the reasoning.
        without: r', its score without any.
    """
    difference = np.asarray(with_reasoning, dtype=np.float64) - np.asarray(
        without, dtype=np.float64
    )
    return np.clip(difference, 0.0, 1.0)


def shaped(difference: npt.ArrayLike, shape: Shape, parameter: float = 0.05) -> FloatArray:
    """A difference of scores through one of `SHAPES`."""
    d = np.asarray(difference, dtype=np.float64)
    if shape == "zero if negative":
        found = np.where(d < 0, 0.0, d)
    elif shape == "clip":
        found = np.clip(d, 0.0, 1.0)
    elif shape == "one minus":
        found = 1.0 - d
    elif shape == "threshold":
        found = np.where(d >= parameter, d, 0.0)
    elif shape == "sigmoid":
        found = np.asarray(expit(parameter * (2 * d - 1) if parameter else d))
    elif shape == "leaky":
        found = np.where(d < parameter, LEAK * d, d)
    else:
        found = d
    return np.asarray(np.where(np.isnan(d), np.nan, found), dtype=np.float64)


def bfloat16(values: npt.ArrayLike) -> FloatArray:
    """Values rounded to the nearest bfloat16, ties to even."""
    bits = np.asarray(values, dtype=np.float32).reshape(-1).view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype(np.uint32)
    found = rounded.view(np.float32).astype(np.float64)
    nan = np.isnan(np.asarray(values, dtype=np.float64).reshape(-1))
    return np.where(nan, np.nan, found).reshape(np.shape(values))


def rlpr_score(
    with_reasoning: npt.ArrayLike,
    without: npt.ArrayLike,
    format_ok: npt.ArrayLike,
    how: Debias | None = None,
) -> FloatArray:
    """The reward of RLPR's code: 0.9 · shape(r - r') + 0.1 · format.

    Args:
        with_reasoning: (n,) r.
        without: (n,) r'; NaN (no reference tokens) counts as 0, as in the code.
        format_ok: (n,) whether the completion has the tags asked for.
        how: shape, weights, baseline.
    """
    how = how or Debias()
    r = np.asarray(with_reasoning, dtype=np.float64)
    r = bfloat16(r) if how.rounded else r
    base = np.zeros_like(r)
    if how.baseline:
        given = np.broadcast_to(np.asarray(without, dtype=np.float64), r.shape)
        base = np.where(np.isnan(given), 0.0, given)
    gain = shaped(r - base, how.shape, how.parameter)
    tags = np.asarray(format_ok, dtype=np.float64)
    return np.asarray((1 - how.format_weight) * gain + how.format_weight * tags, dtype=np.float64)
