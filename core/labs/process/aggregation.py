"""From the scores of steps to one reward."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from core.errors import SettingsError

Aggregate = Literal["min", "product", "last", "mean"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)


def aggregate_steps(scores: npt.ArrayLike, rule: Aggregate) -> float:
    """The reward of a response from its step scores.

    Args:
        scores: (n,) of the steps in order, in [0, 1].
        rule: "min" the worst step; "product" the probability that all are good were they
            independent, which falls with every step; "last" the last step; "mean" their mean.

    Returns:
        NaN where there is no step or one has no score.

    Raises:
        SettingsError: there is no such rule.
    """
    values = np.asarray(scores, dtype=np.float64)
    if rule not in AGGREGATES:
        raise SettingsError(f"There is no aggregate {rule!r}.", fix=f"One of {AGGREGATES}.")
    if values.size == 0 or not np.isfinite(values).all():
        return float("nan")
    if rule == "min":
        return float(values.min())
    if rule == "product":
        return float(values.prod())
    return float(values[-1] if rule == "last" else values.mean())


def first_error(scores: npt.ArrayLike, threshold: float) -> int:
    """Position of the first step whose score is below the threshold, -1 where there is none.

    ProcessBench (arXiv 2412.06559) numbers steps from 0 and writes -1 for a solution without an
    error.
    """
    below = np.flatnonzero(np.asarray(scores, dtype=np.float64) < threshold)
    return int(below[0]) if below.size else -1


def split_steps(response: str, separator: str) -> tuple[str, ...]:
    """The steps of a response: what stands between separators, blank ones left out.

    Outer blanks of a step go; "" as the separator keeps the response as one step.
    """
    parts: Sequence[str] = response.split(separator) if separator else [response]
    return tuple(part.strip() for part in parts if part.strip())
