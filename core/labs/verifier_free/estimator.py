"""Why a likelihood can replace sampled answers: the same mean with less variance.

VeriFree's argument. Draw a trace z, then an answer. A checker pays 1 with probability R(z), the
probability of the one correct answer; VeriFree pays R(z) itself. Both have the same mean. By the
law of total variance the checker's reward has E[R (1 - R)] more.

The demonstration takes a real distribution, the measured R of a problem's traces, and chooses among
these traces by a softmax policy, whose gradient is that of its logits.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.groups import FloatArray


@dataclass(frozen=True)
class Demonstration:
    """Both estimators side by side.

    Attributes:
        table: one row an `estimator` ("VeriFree", "sampled answer") and `quantity` ("reward",
            "gradient", "gradient, RLOO"): `mean`, `variance`, its Monte-Carlo `error`, and the
            `analytic_mean` and `analytic_variance` (NaN where there is no closed form here).
            Gradients are vectors: `mean` is the component of trace 1, variances are summed over
            components.
        draws: (n_draws, 2) estimates of the reward by each, for a histogram.
        saved: E[R (1 - R)] / G, what the sampled answer adds to the reward's variance.
    """

    table: pd.DataFrame
    draws: FloatArray
    saved: float


def analytic_reward(
    rewards: npt.ArrayLike, policy: npt.ArrayLike, group: int
) -> dict[str, tuple[float, float]]:
    """Mean and variance of the mean reward of a group, by estimator.

    Args:
        rewards: (n,) R of each trace, 0 to 1.
        policy: (n,) probability of each trace.
        group: samples averaged.
    """
    r, p = np.asarray(rewards, dtype=np.float64), np.asarray(policy, dtype=np.float64)
    mean = float(p @ r)
    between = float(p @ (r - mean) ** 2)
    return {
        "VeriFree": (mean, between / group),
        "sampled answer": (mean, (between + float(p @ (r * (1 - r)))) / group),
    }


def analytic_gradient(
    rewards: npt.ArrayLike, policy: npt.ArrayLike, group: int
) -> dict[str, tuple[FloatArray, float]]:
    """Mean and total variance of 1/G sum of reward times score, without a baseline.

    The score of trace z is e_z - policy. E|g|² is E[reward² |score|²], and reward² is R² for
    VeriFree and the 0 or 1 itself, so R, for a sampled answer.
    """
    r, p = np.asarray(rewards, dtype=np.float64), np.asarray(policy, dtype=np.float64)
    gradient = p * (r - float(p @ r))
    lengths = 1 - 2 * p + float(p @ p)
    square = float(gradient @ gradient)
    return {
        "VeriFree": (gradient, (float(p @ (r**2 * lengths)) - square) / group),
        "sampled answer": (gradient, (float(p @ (r * lengths)) - square) / group),
    }


def demonstrate(
    rewards: npt.ArrayLike,
    *,
    policy: npt.ArrayLike | None = None,
    group: int = 8,
    n_draws: int = 20_000,
    seed: int = 0,
) -> Demonstration:
    """Draws groups of traces and answers and estimates reward and gradient both ways.

    Args:
        rewards: (n,) R of each trace: probability of the reference after it, 0 to 1.
        policy: (n,) probability of each trace; equal where it is not given.
        group: samples a group, at least 2.
        n_draws: groups drawn.
        seed: of all randomness.

    Raises:
        TableError: fewer than two rewards, or one outside 0 to 1.
    """
    r = np.asarray(rewards, dtype=np.float64)
    if r.size < 2 or not ((r >= 0) & (r <= 1)).all() or group < 2:
        raise TableError(
            "The demonstration needs two traces or more, rewards between 0 and 1, and groups of "
            "at least two."
        )
    p = np.full(r.size, 1 / r.size) if policy is None else np.asarray(policy, dtype=np.float64)
    p = p / p.sum()
    rng = np.random.default_rng(seed)
    chosen = rng.choice(r.size, size=(n_draws, group), p=p)
    paid = {
        "VeriFree": r[chosen],
        "sampled answer": (rng.random((n_draws, group)) < r[chosen]).astype(np.float64),
    }
    known_reward, known_gradient = analytic_reward(r, p, group), analytic_gradient(r, p, group)
    rows = []
    for name, values in paid.items():
        means = values.mean(axis=1)
        rows.append(_row(name, "reward", means[:, None], *known_reward[name]))
        gradient, variance = known_gradient[name]
        plain = _gradients(values, chosen, p)
        rows.append(_row(name, "gradient", plain, float(gradient[0]), variance))
        others = (values.sum(axis=1, keepdims=True) - values) / (group - 1)
        left = _gradients(values - others, chosen, p)
        rows.append(_row(name, "gradient, RLOO", left, float(gradient[0]), float("nan")))
    draws = np.column_stack([values.mean(axis=1) for values in paid.values()])
    saved = known_reward["sampled answer"][1] - known_reward["VeriFree"][1]
    return Demonstration(pd.DataFrame(rows), draws, saved)


def _gradients(values: FloatArray, chosen: npt.NDArray[np.int64], p: FloatArray) -> FloatArray:
    """(draws, n) 1/G sum over the group of value times (e_z - p)."""
    n_draws, group = values.shape
    sums = np.zeros((n_draws, p.size))
    np.add.at(sums, (np.arange(n_draws)[:, None], chosen), values)
    found: FloatArray = (sums - values.sum(axis=1, keepdims=True) * p) / group
    return found


def _row(
    name: str, quantity: str, estimates: FloatArray, mean: float, variance: float
) -> dict[str, object]:
    squares = ((estimates - estimates.mean(axis=0)) ** 2).sum(axis=1)
    n = len(estimates)
    return {
        "estimator": name,
        "quantity": quantity,
        "mean": float(estimates[:, 0].mean()),
        "variance": float(squares.sum() / (n - 1)),
        "error": float(squares.std(ddof=1) / np.sqrt(n)),
        "analytic_mean": mean,
        "analytic_variance": variance,
        "n_draws": n,
    }
