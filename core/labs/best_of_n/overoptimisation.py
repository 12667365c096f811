"""How far optimising a proxy helps before it hurts: Gao's two forms, their fits and their peaks.

With d the square root of the KL divergence (in nats) from the starting policy, and R the gain in
gold
reward over it:

    best-of-n:  R(d) = d (alpha - beta d),      peak at d = alpha / (2 beta)
    RL:         R(d) = d (alpha - beta log d),  peak at d = exp(alpha / beta - 1)

Source: Gao, Schulman, Hilton 2023, arXiv 2210.10760, section 3.1. Both are linear in alpha and
beta, so least squares has a closed form.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize

from core.stats import FloatArray

Form = Literal["best-of-n", "rl"]

MAX_CONDITION = 1e6
"""Beyond this condition number of the least squares, alpha and beta cannot be told apart."""

_ROUNDING = 1e-9

TOO_FEW = "fewer than two different distances above 0"
NO_CHECK = "two distances fit any two parameters: nothing is left to check the form by"
NO_TURN = "beta is not above 0: the gain does not turn within the form"
BEYOND = "the peak lies beyond the largest distance: it is extrapolated"
FALLS = "alpha is not above 0: the gain falls from the start"


@dataclass(frozen=True)
class OveroptimisationFit:
    """One of Gao's forms fitted to points.

    Attributes:
        form: which of the two.
        alpha: slope at the start (best-of-n) or at d = 1 (RL); NaN when it cannot be fitted.
        beta: how strongly the gain bends down; NaN when it cannot be fitted.
        peak_distance: where the gain is highest, in square roots of nats; NaN when there is no
        peak.
        peak_gain: the gain there.
        rmse: root mean square distance of the points from the form.
        n_points: points with a distance above 0.
        extrapolated: whether the peak is beyond the largest distance.
        problem: why alpha, beta or the peak cannot be trusted, "" if they can.
    """

    form: Form
    alpha: float
    beta: float
    peak_distance: float
    peak_gain: float
    rmse: float
    n_points: int
    extrapolated: bool
    problem: str

    def gain(self, distances: npt.ArrayLike) -> FloatArray:
        """The form's gain at (n,) distances of at least 0."""
        return np.asarray(basis(distances, self.form) @ np.array([self.alpha, self.beta]))


def kl_of_best_of_n(n: npt.ArrayLike) -> FloatArray:
    """KL divergence of best-of-n from the policy it samples from, in nats: log n - (n - 1) / n.

    Exact when no two samples have equal reward, and an upper bound otherwise.

    Source: Stiennon et al. 2020, arXiv 2009.01325, appendix G.3; bound: Beirami et al. 2024,
    arXiv 2401.01879.
    """
    counts = np.asarray(n, dtype=np.float64)
    return np.asarray(np.log(counts) - (counts - 1) / counts)


def n_of_kl(kl: float) -> float:
    """The (real) n whose best-of-n has this KL divergence.

    Raises:
        ValueError: when the divergence is negative.
    """
    if kl < 0:
        raise ValueError(f"A KL divergence of {kl} is not possible.")
    if kl == 0:
        return 1.0
    log_n = optimize.brentq(lambda x: x - 1 + math.exp(-x) - kl, 0.0, kl + 1.0)
    return math.exp(log_n) if log_n < 700 else math.inf


def basis(distances: npt.ArrayLike, form: Form) -> FloatArray:
    """(n, 2) what alpha and beta are multiplied with at each distance; zero at distance 0."""
    d = np.asarray(distances, dtype=np.float64)
    if form == "best-of-n":
        return np.stack([d, -(d**2)], axis=-1)
    log = np.log(np.where(d > 0, d, 1.0))
    return np.stack([d, -d * log], axis=-1)


def peak(alpha: float, beta: float, form: Form) -> tuple[float, float]:
    """Distance and gain at the peak of a form; NaN when it has none above distance 0."""
    nan = float("nan")
    if not beta > 0 or (form == "best-of-n" and not alpha > 0):
        return nan, nan
    if form == "best-of-n":
        return alpha / (2 * beta), alpha**2 / (4 * beta)
    exponent = alpha / beta - 1
    if exponent > 700:
        return math.inf, math.inf
    distance = math.exp(exponent)
    return distance, beta * distance


def fit_overoptimisation(
    distances: npt.ArrayLike, gains: npt.ArrayLike, form: Form = "best-of-n"
) -> OveroptimisationFit:
    """Fits a form by least squares.

    Args:
        distances: (n,) square roots of KL divergences, at least 0. Points at 0 say nothing.
        gains: (n,) gold reward minus that at distance 0.
        form: of best-of-n or of RL.

    Raises:
        ValueError: when lengths differ, a distance is negative or a number is not finite.
    """
    d, y = np.asarray(distances, dtype=np.float64), np.asarray(gains, dtype=np.float64)
    if d.shape != y.shape or d.ndim != 1:
        raise ValueError(f"{d.size} distances but {y.size} gains.")
    if not (np.isfinite(d).all() and np.isfinite(y).all() and (d >= 0).all()):
        raise ValueError("Distances and gains must be finite numbers, distances at least 0.")
    above = d > 0
    d, y = d[above], y[above]
    nan = float("nan")
    matrix = basis(d, form)
    if len(d) < 2 or np.linalg.cond(matrix) > MAX_CONDITION:
        return OveroptimisationFit(form, nan, nan, nan, nan, nan, len(d), False, TOO_FEW)
    solution = np.linalg.lstsq(matrix, y, rcond=None)[0]
    alpha, beta = float(solution[0]), float(solution[1])
    if abs(beta) * d.max() < _ROUNDING * abs(alpha):
        beta = 0.0  # a straight line, short of rounding, which would put a peak far away
    distance, gain = peak(alpha, beta, form)
    return OveroptimisationFit(
        form,
        alpha,
        beta,
        distance,
        gain,
        rmse=float(np.sqrt(np.mean((matrix @ solution - y) ** 2))),
        n_points=len(d),
        extrapolated=bool(distance > d.max()),
        problem=_problem(alpha, beta, form, len(np.unique(d)))
        or (BEYOND if distance > d.max() else ""),
    )


def _problem(alpha: float, beta: float, form: Form, n_distances: int) -> str:
    if not beta > 0:
        return NO_TURN
    if form == "best-of-n" and not alpha > 0:
        return FALLS
    return NO_CHECK if n_distances < 3 else ""
