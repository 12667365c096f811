"""Exploration bonuses paid on final answers: what is rarely said, or not yet said in this group.

Song et al. 2025 (Outcome-based Exploration, arXiv 2509.06941). N(x, a) is how often answer a was
given for problem x before the group at hand. The training and the lab both use this module.

An answer that could not be read is None. It is one answer like any other ("bucket"), or it gets no
bonus and counts for nobody else's ("excluded").
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from core.labs.groups import FloatArray, Scale, group_advantages, leave_one_out_advantages

Scheme = Literal["none", "ucb", "ucb-mean", "ucb-con", "batch"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

Unreadable = Literal["bucket", "excluded"]
"""What an answer that could not be read counts as: one answer of its own, or nothing at all."""

Place = Literal["advantage", "reward"]
"""What c times the bonus is added to: the group's advantages (the paper's objective), or the
rewards before advantages are computed from them."""

History = Mapping[str | None, int]
"""How often each answer was given for one problem before; an answer that is not there, never."""


def ucb_bonus(history_counts: npt.ArrayLike) -> FloatArray:
    """UCB: min(1, 1 / sqrt(N)), so a new answer and one seen once both get 1.

    Args:
        history_counts: (n,) N(x, a) of each sample's answer, at least 0.

    Returns:
        (n,) in (0, 1].

    Raises:
        ValueError: when a count is negative or not a number.
    """
    counts = np.asarray(history_counts, dtype=np.float64)
    if not (counts >= 0).all():
        raise ValueError("A count of earlier answers must be 0 or more.")
    bonus: FloatArray = 1.0 / np.sqrt(np.maximum(counts, 1.0))
    return bonus


def ucb_mean(bonuses: npt.ArrayLike) -> FloatArray:
    """UCB-Mean: each bonus minus the mean bonus of the group's other samples.

    Args:
        bonuses: (n,) UCB bonuses of one group.

    Returns:
        (n,) with sum 0; a group of one has no others to compare with and gets 0.
    """
    values = np.asarray(bonuses, dtype=np.float64)
    return np.zeros_like(values) if values.size < 2 else leave_one_out_advantages(values)


def ucb_con(history_counts: npt.ArrayLike, b0: float) -> FloatArray:
    """UCB-Con: UCB minus the constant b0; below 0 once an answer was given more than 1/b0^2 times.

    Args:
        history_counts: (n,) N(x, a), at least 0.
        b0: what a bonus must exceed to be positive. The paper takes 1 (easy) and 0.5 (medium).

    Returns:
        (n,) in (-b0, 1 - b0].
    """
    return ucb_bonus(history_counts) - b0


def batch_bonus(answers: Sequence[str | None]) -> FloatArray:
    """Batch exploration: minus how many other samples of the group gave the same answer, over n.

    Args:
        answers: (n,) of one group; None equals None.

    Returns:
        (n,) from -(n-1)/n to 0; its mean is -sum over answers of c (c - 1) / n^2.
    """
    counts = {answer: answers.count(answer) for answer in set(answers)}
    return np.array([-(counts[answer] - 1) / len(answers) for answer in answers], dtype=np.float64)


def exploration_bonus(
    scheme: Scheme,
    answers: Sequence[str | None],
    history: History,
    *,
    b0: float = 0.5,
    all_correct: bool = False,
    unreadable: Unreadable = "bucket",
) -> FloatArray:
    """The bonus of each sample of one group, before it is multiplied by c.

    Args:
        scheme: "none" gives zeros.
        answers: (n,) of the group's samples.
        history: counts of this problem's answers before this group; "batch" does not read it.
        b0: for "ucb-con".
        all_correct: a group that is right throughout gets no bonus (the paper's rule).
        unreadable: whether None is an answer; samples left out get 0.

    Raises:
        ValueError: for an unknown scheme or a negative count.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"Scheme {scheme!r} is not one of {', '.join(SCHEMES)}.")
    bonus = np.zeros(len(answers))
    counted = [answer is not None or unreadable == "bucket" for answer in answers]
    if scheme == "none" or all_correct or not any(counted):
        return bonus
    given = [answer for answer, counts in zip(answers, counted, strict=True) if counts]
    seen = [history.get(answer, 0) for answer in given]
    if scheme == "batch":
        # n stays the whole group's size: leaving a sample out must not make repeats dearer.
        bonus[counted] = batch_bonus(given) * len(given) / len(answers)
    elif scheme == "ucb-con":
        bonus[counted] = ucb_con(seen, b0)
    else:
        bonus[counted] = ucb_bonus(seen) if scheme == "ucb" else ucb_mean(ucb_bonus(seen))
    return bonus


def advantages_with_bonus(
    rewards: npt.ArrayLike,
    bonus: npt.ArrayLike,
    *,
    c: float,
    place: Place = "advantage",
    scale: Scale = "population",
) -> FloatArray:
    """Advantages of one group after c times the bonus.

    Added to the advantage (the paper's objective, E[A + c b]), a bonus is not divided by the spread
    of the group's rewards and also moves groups that are wrong throughout.

    Args:
        rewards: (n,) finite.
        bonus: (n,) from `exploration_bonus`.
        c: weight of the bonus; the paper takes 0.2.
        place: what is added to what.
        scale: standard deviation that divides the advantages.

    Raises:
        ValueError: when a reward is not finite.
    """
    weighted = c * np.asarray(bonus, dtype=np.float64)
    if place == "reward":
        return group_advantages(np.asarray(rewards, dtype=np.float64) + weighted, scale=scale)
    return group_advantages(rewards, scale=scale) + weighted


def expected_batch_bonus(probabilities: npt.ArrayLike, n: int) -> float:
    """Mean batch bonus when n samples are independent draws: -((n-1)/n) sum of p^2. Our reading.

    Args:
        probabilities: (m,) of each answer; they sum to 1.
        n: size of the group.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    return float(-(n - 1) / n * (p**2).sum())


def chance_solved_ever(solve_rates: npt.ArrayLike, n: int) -> float:
    """Chance that n independent samples at each step hold a right one: 1 - prod (1 - s)^n.

    Our reading of historical coverage: it cannot fall over training, whatever the policy does.

    Args:
        solve_rates: (steps,) chance that one sample is right, at each step.
        n: samples a step.
    """
    s = np.asarray(solve_rates, dtype=np.float64)
    return float(1.0 - np.prod((1.0 - s) ** n))
