"""Resample-on-correct: which rollouts of a group enter the update, by the paper and by its code.

Shang et al. 2025 (rStar2-Agent, arXiv 2508.20722), section on GRPO-RoC: draw more rollouts than are
used, thin the wrong ones evenly, and thin the right ones so that few tool errors and clean
formatting stay. The reward itself is untouched.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Mode = Literal["paper", "code", "uniform"]
"""The paper's rule, the released code's, and the paper's counts with right rollouts thinned evenly
too (a control: what oversampling alone does)."""

Status = Literal[
    "resampled",
    "kept whole",
    "dropped: all rewards equal",
    "dropped: too few rollouts",
    "dropped: counts do not add up",
    "dropped: not judged",
]

NO_TOOL_PENALTY = 0.5
"""p_err of a rollout that called no tool (the paper's value)."""

_NOT_JUDGED = (
    "Of some rollouts it is unknown whether they are right, or how a right one is penalised."
)


@dataclass(frozen=True)
class Resampled:
    """Which rollouts of one group are kept.

    Attributes:
        kept: positions of the kept rollouts within the group, ascending.
        why: for each rollout of the group, in words, why it is kept or dropped.
        status: what happened to the group as a whole.
        counts: (right, wrong) rollouts that the count rule asks for.
        message: what a dropped group was dropped for, empty otherwise.
    """

    kept: IntArray
    why: tuple[str, ...]
    status: Status
    counts: tuple[int, int]
    message: str = ""

    @property
    def is_kept(self) -> BoolArray:
        """(group,) whether each rollout is kept."""
        flags = np.zeros(len(self.why), dtype=np.bool_)
        flags[self.kept] = True
        return flags


def p_err(
    errors: npt.ArrayLike, calls: npt.ArrayLike, *, no_tool: float = NO_TOOL_PENALTY
) -> FloatArray:
    """Share of tool calls that failed; `no_tool` where none was made.

    rStar2-Agent, the definition of p_err. NaN where counts are missing or impossible (negative, or
    more errors than calls).

    Args:
        errors: (n,) failed tool calls.
        calls: (n,) tool calls.
        no_tool: value without any call, 0.5 in the paper and its code.
    """
    failed, made = np.broadcast_arrays(
        np.asarray(errors, dtype=np.float64), np.asarray(calls, dtype=np.float64)
    )
    share = np.full(made.shape, np.nan)
    possible = np.isfinite(made) & np.isfinite(failed) & (failed >= 0) & (failed <= made)
    none = possible & (made == 0)
    used = possible & (made > 0)
    share[none] = no_tool
    share[used] = failed[used] / made[used]
    return share


def p_format(answer_tags: npt.ArrayLike, turns: npt.ArrayLike) -> FloatArray:
    """How far a rollout is from one answer tag: 1 for none, else min(1, (tags - 1) / turns).

    rStar2-Agent, the definition of p_format. A rollout in which no turn could be counted gets 1, as
    in the released code. NaN where counts are missing or negative.

    Args:
        answer_tags: (n,) answers given.
        turns: (n,) turns of the assistant.
    """
    tags, rounds = np.broadcast_arrays(
        np.asarray(answer_tags, dtype=np.float64), np.asarray(turns, dtype=np.float64)
    )
    penalty = np.full(tags.shape, np.nan)
    possible = np.isfinite(tags) & np.isfinite(rounds) & (tags >= 0) & (rounds >= 0)
    penalty[possible] = 1.0
    usual = possible & (tags > 0) & (rounds > 0)
    penalty[usual] = np.minimum(1.0, (tags[usual] - 1) / rounds[usual])
    return penalty


def inverse_weights(penalty: npt.ArrayLike, *, epsilon: float = 0.0) -> FloatArray:
    """Chance of each to be drawn first, inversely proportional to penalty + epsilon; sums to 1.

    Where penalty + epsilon is 0 for some, they share all of it.

    Args:
        penalty: (n,) finite, at least 0.
        epsilon: added to each, at least 0; the paper names none, though it needs one.
    """
    raised = np.asarray(penalty, dtype=np.float64) + epsilon
    free = raised == 0
    weights = free.astype(np.float64) if free.any() else 1.0 / raised
    total: FloatArray = weights / weights.sum()
    return total


def paper_counts(n_right: int, n_wrong: int, n_keep: int) -> tuple[int, int]:
    """How many right and wrong rollouts the paper keeps: wrong floor(wrong * kept / all), right the
    rest.

    With half of them kept this is the paper's floor(|O_neg| / 2).

    Raises:
        ValueError: when fewer rollouts are there than are to be kept.
    """
    total = n_right + n_wrong
    if n_keep > total:
        raise ValueError(f"{n_keep} rollouts cannot be kept of {total}.")
    wrong = n_wrong * n_keep // total if total else 0
    return n_keep - wrong, wrong


def code_counts(
    n_right: int, n_wrong: int, n_keep: int, *, min_right: int = 2, min_wrong: int = 2
) -> tuple[int, int]:
    """How many right and wrong rollouts the released code asks for; all when both round too low.

    Each side's share is rounded half to even; a side at or under its minimum gets its minimum, or
    all it has, and the other side takes the rest. For an odd number kept they can add up to more.

    Source: `rstar2_agent/down_sample/roc.py` of the released code.
    """
    total = n_right + n_wrong
    if _both_low(n_right, n_wrong, n_keep, min_right, min_wrong):
        return n_right, n_wrong
    wrong, right = round(n_wrong * n_keep / total), round(n_right * n_keep / total)
    if wrong <= min(min_wrong, n_wrong):
        wrong = min(min_wrong, n_wrong)
        right = n_keep - wrong
    if right <= min(min_right, n_right):
        right = min(min_right, n_right)
        wrong = n_keep - right
    return right, wrong


def _both_low(n_right: int, n_wrong: int, n_keep: int, min_right: int, min_wrong: int) -> bool:
    total = n_right + n_wrong
    return (
        round(n_wrong * n_keep / total) < min_wrong and round(n_right * n_keep / total) < min_right
    )


def resample_on_correct(
    correct: npt.ArrayLike,
    penalty: npt.ArrayLike,
    n_keep: int,
    *,
    mode: Mode = "paper",
    rng: np.random.Generator | int | None = None,
    epsilon: float = 0.1,
    min_right: int = 2,
    min_wrong: int = 2,
    reject_equal: bool = True,
) -> Resampled:
    """Chooses `n_keep` of a group's rollouts. Never raises over a group; its status says what was
    wrong with it.

    - "paper": wrong ones evenly at random, right ones at random without replacement with chances
      inversely proportional to penalty + epsilon. A group of one kind only is thinned all the same;
      its advantages are zero anyway.
    - "uniform": the same counts, both sides evenly at random.
    - "code": as released and without chance: right ones by ascending penalty (ties in their order),
      wrong ones the first in order. Groups of equal rewards and groups with fewer than `n_keep` are
      dropped; a group of exactly `n_keep` is kept as it is.

    Args:
        correct: (n,) truth values; a missing one makes the group "not judged".
        penalty: (n,) p_err + p_format, at least 0; needed where the rollout is right.
        n_keep: rollouts that enter the update, at least 1.
        mode: which rule.
        rng: generator or seed; needed for "paper" and "uniform".
        epsilon: see `inverse_weights`.
        min_right: minimum of right rollouts, "code" only.
        min_wrong: minimum of wrong rollouts, "code" only.
        reject_equal: whether "code" drops groups of one kind only.

    Raises:
        ValueError: when `n_keep` < 1, epsilon < 0, or a random mode comes without a generator.
    """
    if n_keep < 1 or epsilon < 0:
        raise ValueError(f"n_keep must be at least 1 and epsilon at least 0: {n_keep}, {epsilon}.")
    if mode != "code" and rng is None:
        raise ValueError(f"The {mode} rule draws at random: give rng a generator or a seed.")
    right, values = _judged(correct), np.asarray(penalty, dtype=np.float64)
    if right is None or not np.isfinite(values[right]).all():
        return _dropped(values.size, "dropped: not judged", _NOT_JUDGED)
    refused = _refusal(right, n_keep, mode, reject_equal)
    if refused is not None:
        return refused
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    if right.size == n_keep:
        return _whole(right, "there are no more rollouts than are kept")
    if mode != "code":
        counts = paper_counts(n_right, n_wrong, n_keep)
        generator = np.random.default_rng(rng)
        chances = np.zeros(right.size) if mode == "uniform" else values
        order = _random_order(chances, right, epsilon, generator)
        return _chosen(right, values, order, counts, mode)
    counts = code_counts(n_right, n_wrong, n_keep, min_right=min_right, min_wrong=min_wrong)
    if _both_low(n_right, n_wrong, n_keep, min_right, min_wrong):
        return _whole(right, "both sides would fall under their minimum")
    if min(counts[0], n_right) + min(counts[1], n_wrong) != n_keep:
        message = (
            f"{n_right} right and {n_wrong} wrong, {n_keep} to keep: the rounded counts are "
            f"{counts[0]} and {counts[1]}, and the released code stops with an assertion."
        )
        return _dropped(right.size, "dropped: counts do not add up", message, counts)
    order = np.where(right, values, 0.0).argsort(kind="stable")
    return _chosen(right, values, order, counts, mode)


def _judged(correct: npt.ArrayLike) -> BoolArray | None:
    """Truth values, None where one is missing."""
    if isinstance(correct, np.ndarray) and correct.dtype == np.bool_:
        return correct
    values = np.asarray(correct, dtype=object)
    if any(value not in (True, False, 0, 1) for value in (_plain(each) for each in values)):
        return None
    return values.astype(np.bool_)


def _plain(value: object) -> object:
    """Missing values of pandas cannot be compared; they become None."""
    return value if isinstance(value, bool | int | float | np.bool_ | np.number) else None


def _refusal(right: BoolArray, n_keep: int, mode: Mode, reject_equal: bool) -> Resampled | None:
    """Why nothing of a group can be kept, None when something can."""
    size = right.size
    if mode == "code" and reject_equal and (size == 0 or right.all() or not right.any()):
        kind = "right" if size and right.all() else "wrong"
        message = f"All {size} rollouts are {kind}, so every advantage is zero."
        return _dropped(size, "dropped: all rewards equal", message)
    if size < n_keep:
        message = f"{size} rollouts are there and {n_keep} are to be kept."
        return _dropped(size, "dropped: too few rollouts", message)
    return None


def _dropped(
    size: int, status: Status, message: str, counts: tuple[int, int] = (0, 0)
) -> Resampled:
    return Resampled(np.empty(0, np.int64), ("group dropped",) * size, status, counts, message)


def _whole(right: BoolArray, reason: str) -> Resampled:
    why = (f"kept: {reason}",) * right.size
    counts = (int(right.sum()), int((~right).sum()))
    return Resampled(np.arange(right.size), why, "kept whole", counts)


def _random_order(
    penalty: FloatArray, right: BoolArray, epsilon: float, rng: np.random.Generator
) -> IntArray:
    """An order in which the first k of each kind are a draw of k without replacement.

    Adding standard Gumbel noise to log weights and sorting draws one after the other without
    replacement with chances in proportion to the weights (Efraimidis and Spirakis 2006).
    """
    raised = np.where(right, penalty + epsilon, 1.0)
    with np.errstate(divide="ignore"):
        keys = -np.log(raised) if raised.any() else np.zeros(raised.size)
    noise = rng.gumbel(size=raised.size)
    return np.lexsort((-noise, -(keys + noise))).astype(np.int64)


def _chosen(
    right: BoolArray, penalty: FloatArray, order: IntArray, counts: tuple[int, int], mode: Mode
) -> Resampled:
    """The first right and the first wrong ones of an order, and why each is in or out."""
    in_order = right[order]
    kept_right = order[in_order][: counts[0]]
    kept_wrong = order[~in_order][: counts[1]]
    kept = np.sort(np.concatenate([kept_right, kept_wrong])).astype(np.int64)
    chosen = set(kept.tolist())
    last = float(penalty[kept_right].max()) if kept_right.size else 0.0
    why = tuple(
        _reason(bool(right[place]), place in chosen, float(penalty[place]), last, counts, mode)
        for place in range(right.size)
    )
    return Resampled(kept, why, "resampled", counts)


def _reason(
    right: bool, kept: bool, penalty: float, last: float, counts: tuple[int, int], mode: Mode
) -> str:
    verb = "kept" if kept else "dropped"
    if not right:
        how = "the first" if mode == "code" else "an even draw of"
        return f"{verb}: wrong, {how} {counts[1]} wrong ones stay"
    if mode == "uniform":
        return f"{verb}: right, an even draw of {counts[0]} right ones stays"
    if mode == "paper":
        return f"{verb}: right, drawn with chance falling with its penalty {penalty:.2f}"
    if kept:
        return f"kept: right, penalty {penalty:.2f} is among the {counts[0]} lowest"
    return f"dropped: right, penalty {penalty:.2f} is not under {last:.2f}, the highest kept"
