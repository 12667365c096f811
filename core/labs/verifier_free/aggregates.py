"""From the probabilities of a reference's tokens to one number.

The names in RLPR's code: mean probability is mean_exp_log_softmax, product exp_sum_log_softmax,
geometric mean exp_mean_log_softmax, mean log-probability mean_log_softmax. VeriFree's reward is the
product, RLPR's the mean probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

Aggregate = Literal["mean", "product", "geometric", "mean-log"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)

TITLES: dict[Aggregate, str] = {
    "mean": "mean probability",
    "product": "product",
    "geometric": "geometric mean",
    "mean-log": "mean log-probability",
}
USED_BY: dict[Aggregate, str] = {
    "mean": "RLPR",
    "product": "VeriFree",
    "geometric": "an option of RLPR's code; one over the perplexity",
    "mean-log": "an option of RLPR's code",
}


@dataclass(frozen=True)
class Span:
    """Which of a reference's tokens count.

    Attributes:
        start: tokens left away at the beginning.
        end: tokens left away at the end.
    """

    start: int = 0
    end: int = 0

    def cut(self, values: npt.ArrayLike) -> FloatArray:
        """The values inside; empty where nothing is left."""
        given = np.asarray(values, dtype=np.float64)
        return given[self.start : max(self.start, given.size - self.end)]


WHOLE = Span()


def aggregate(log_probabilities: npt.ArrayLike, how: Aggregate, *, span: Span = WHOLE) -> float:
    """One number of a reference's token log-probabilities.

    Minus infinity is a probability of 0: product, geometric mean and mean log-probability become
    0, 0 and minus infinity; the mean goes on with the other tokens.

    Args:
        log_probabilities: (n,) nats.
        how: RLPR takes "mean", VeriFree "product".
        span: restricts it to part of the reference.

    Returns:
        NaN where no token is left or one is NaN.
    """
    values = span.cut(log_probabilities)
    if not values.size or np.isnan(values).any():
        return float("nan")
    if how == "mean":
        return float(np.exp(values).mean())
    if how == "product":
        return float(np.exp(values.sum()))
    mean_log = float(values.mean())
    return float(np.exp(mean_log)) if how == "geometric" else mean_log


def aggregate_all(
    rows: Sequence[npt.ArrayLike | None], how: Aggregate, *, span: Span = WHOLE
) -> FloatArray:
    """(m,) the aggregate of each row, NaN where a row has no tokens."""
    return np.array(
        [float("nan") if row is None else aggregate(row, how, span=span) for row in rows],
        dtype=np.float64,
    )


def effect_of_token(log_probabilities: npt.ArrayLike, how: Aggregate) -> FloatArray:
    """(n,) how much the aggregate rises when a token's probability becomes 1, one at a time.

    A token with a large effect is what holds the reward down: in a product the unlikeliest token
    decides nearly everything, in a mean each can add at most 1/n.
    """
    values = np.asarray(log_probabilities, dtype=np.float64)
    now = aggregate(values, how)
    effects = np.empty(values.size)
    for position in range(values.size):
        certain = values.copy()
        certain[position] = 0.0
        better = aggregate(certain, how)
        effects[position] = 0.0 if better == now else better - now
    return effects


def has_impossible(log_probabilities: npt.ArrayLike) -> bool:
    """Whether a token has probability 0: the reward is then 0, and a flag must say why."""
    return bool(np.isneginf(np.asarray(log_probabilities, dtype=np.float64)).any())
