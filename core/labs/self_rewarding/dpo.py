"""What DPO makes of a pair: margin, loss, and the weight of its gradient.

The gradient of the loss is -beta (1 - sigmoid(margin)) [grad log pi(chosen) - grad log
pi(rejected)]: a weight, at most beta, times a difference. The difference is bounded by a constant
times the distance of the two responses' last-layer states (arXiv 2508.06026), so it dies when the
two become alike, whatever the weight; and the weight dies when a pair is easily told apart.

Source: Rafailov et al. 2023 (arXiv 2305.18290), eq. 7 and the gradient below it.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import expit

FloatArray = npt.NDArray[np.float64]

BETA = 0.1


def dpo_margin(
    policy_chosen: npt.ArrayLike,
    policy_rejected: npt.ArrayLike,
    reference_chosen: npt.ArrayLike,
    reference_rejected: npt.ArrayLike,
    *,
    beta: npt.ArrayLike = BETA,
) -> FloatArray:
    """beta times how much more the policy moved towards the chosen than towards the rejected.

    Args:
        policy_chosen: (n,) log-probability of the chosen response, in nats, summed over tokens.
        policy_rejected: of the rejected.
        reference_chosen: the same under the reference policy.
        reference_rejected: the same under the reference policy.
        beta: above 0, one for all or (n,).

    Returns:
        (n,) margins; 0 where policy and reference are the same model.
    """
    given = (policy_chosen, reference_chosen, policy_rejected, reference_rejected, beta)
    chosen, chosen_0, rejected, rejected_0, scale = (np.asarray(v, np.float64) for v in given)
    return np.asarray(scale * ((chosen - chosen_0) - (rejected - rejected_0)))


def dpo_loss(margin: npt.ArrayLike) -> FloatArray:
    """-log sigmoid(margin), in nats; log 2 = 0.693 at margin 0."""
    with np.errstate(invalid="ignore"):  # a missing margin has a missing loss
        return np.asarray(np.logaddexp(0.0, -np.asarray(margin, np.float64)))


def dpo_weight(margin: npt.ArrayLike, *, beta: npt.ArrayLike = BETA) -> FloatArray:
    """beta (1 - sigmoid(margin)): beta / 2 at margin 0, near 0 for a pair already told apart."""
    return np.asarray(np.asarray(beta, np.float64) * expit(-np.asarray(margin, np.float64)))


def unit_distance(cosine: npt.ArrayLike) -> FloatArray:
    """Distance of two vectors of length 1 with this cosine, sqrt(2 - 2 cosine), 0 to 2."""
    inside = np.clip(np.asarray(cosine, np.float64), -1.0, 1.0)
    return np.asarray(np.sqrt(2.0 - 2.0 * inside))


def cosines(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """Cosine of each row of one array with the same row of another; NaN for a row of zeros.

    Args:
        first: (n, d).
        second: (n, d).

    Raises:
        ValueError: when the shapes differ.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"Two arrays of one shape (n, d), not {a.shape} and {b.shape}.")
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.clip((a * b).sum(axis=1) / lengths, -1.0, 1.0))
