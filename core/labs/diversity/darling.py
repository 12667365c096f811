"""DARLING's reward: quality times how unlike its siblings a response is.

Li et al. 2025, "Jointly reinforcing diversity and quality in language model generations"
(arXiv 2509.02534). The group is all samples of one problem at one step, split into classes of
responses that say the same. What can go wrong with it stands in `traps`.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from scipy.stats import rankdata

from core.labs.groups import FloatArray, Scale, group_advantages

Rule = Literal["multiply", "add", "lexicographic", "threshold"]
"""How quality and diversity become one number; `darling_reward` says what each does."""

RULES: tuple[Rule, ...] = get_args(Rule)

Normalisation = Literal["none", "max", "sigmoid"]
"""What is done to Div before it counts: nothing, divided by the group's largest, or squashed by the
logistic function (a variant in the paper's code, which lifts everything to 0.5 and more)."""

NORMALISATIONS: tuple[Normalisation, ...] = get_args(Normalisation)

Shift = Literal["none", "minimum"]
"""What is done to quality first: nothing, or the group's smallest is subtracted so that none is
negative."""

FLOOR = 0.1
"""The least that diversity counts for in the paper's code: a group that all says the same still
gets a tenth of its quality."""

UNREADABLE: Hashable = ("unreadable",)
"""The class of all responses without one."""


def diversity_scores(classes: Sequence[Hashable]) -> FloatArray:
    """Div_i: the share of the other responses of the group that do not say the same.

    (n - |class of i|) / (n - 1), Li et al. 2025, section 3. Responses without a class (None or NaN:
    the answer could not be read) count as one class, so that being unreadable is not rewarded as
    being new.

    Args:
        classes: (n,) class of each response of one group; any hashable values.

    Returns:
        (n,) values in [0, 1]. NaN for a group of one, where there are no others.
    """
    labels = [UNREADABLE if _is_missing(label) else label for label in classes]
    n = len(labels)
    if n < 2:
        return np.full(n, np.nan)
    sizes = Counter(labels)
    return np.array([(n - sizes[label]) / (n - 1) for label in labels], dtype=np.float64)


def correct_only_scores(
    classes: Sequence[Hashable], correct: npt.ArrayLike, *, floor: float = FLOOR
) -> FloatArray:
    """The variant in the paper's code that compares right responses with right ones only.

    A wrong response gets the floor; so does everyone where fewer than two are right.

    Args:
        classes: (n,) class of each response of one group.
        correct: (n,) truth values.
        floor: the least that diversity counts for.

    Returns:
        (n,) values in [floor, 1].
    """
    right = np.asarray(correct, dtype=bool)
    scores = np.full(len(classes), float(floor))
    if right.sum() < 2:
        return scores
    among = diversity_scores([each for each, good in zip(classes, right, strict=True) if good])
    scores[right] = np.maximum(among, floor)
    return scores


def normalised(diversity: npt.ArrayLike, normalisation: Normalisation = "none") -> FloatArray:
    """Div of one group after normalisation.

    Args:
        diversity: (n,) in [0, 1].
        normalisation: what is done to it. A group without any diversity stays at zero under "max".
    """
    values = np.asarray(diversity, dtype=np.float64)
    if normalisation == "sigmoid":
        return np.asarray(expit(values), dtype=np.float64)
    largest = float(values.max(initial=0.0)) if normalisation == "max" else 1.0
    return values / largest if largest > 0 else values


def darling_reward(
    quality: npt.ArrayLike,
    diversity: npt.ArrayLike,
    *,
    rule: Rule = "multiply",
    floor: float = FLOOR,
    weight: float = 1.0,
    quality_threshold: float = 0.5,
    normalisation: Normalisation = "none",
    shift: Shift = "none",
) -> FloatArray:
    """The reward of each response of one group.

    - "multiply" (the paper): quality x max(Div, floor).
    - "add" (the paper's ablation): quality + weight x Div; pays for junk that is different.
    - "lexicographic" (our reading): rank by quality, ties broken by Div, from 0 to 1; equal pairs
      share their mean rank.
    - "threshold" (our reading): max(Div, floor) where quality reaches the threshold, else 0.

    Args:
        quality: (n,) finite, higher is better.
        diversity: (n,) Div in [0, 1]; NaN (a group of one) counts as the floor.
        rule: how the two are combined.
        floor: the least that Div counts for under "multiply" and "threshold".
        weight: of Div under "add".
        quality_threshold: what is good enough under "threshold".
        normalisation: what is done to Div first.
        shift: what is done to quality first.

    Raises:
        ValueError: when sizes differ, a quality is not finite, or the floor is not within [0, 1].
    """
    values = np.asarray(quality, dtype=np.float64)
    given = np.asarray(diversity, dtype=np.float64)
    if values.shape != given.shape or values.ndim != 1:
        raise ValueError(f"{values.size} qualities but {given.size} diversities.")
    if not np.isfinite(values).all():
        raise ValueError("A quality of the group is not a finite number.")
    if not 0 <= floor <= 1:
        raise ValueError(f"The floor must lie between 0 and 1, not at {floor}.")
    if shift == "minimum" and values.size:
        values = values - values.min()
    paid = normalised(np.nan_to_num(given, nan=0.0), normalisation)
    return _combined(values, paid, rule, floor, weight, quality_threshold)


def darling_advantages(rewards: npt.ArrayLike, *, scale: Scale = "none") -> FloatArray:
    """Advantages from DARLING's reward: reward minus the group's mean.

    The paper leaves out the division by the standard deviation, because it blows up small
    differences in groups that say nearly the same; `scale` brings it back.

    Args:
        rewards: (n,) of one group.
        scale: "none" (the paper), or the std to divide by (GRPO).
    """
    return group_advantages(rewards, scale=scale)


def _combined(
    quality: FloatArray,
    diversity: FloatArray,
    rule: Rule,
    floor: float,
    weight: float,
    quality_threshold: float,
) -> FloatArray:
    floored = np.maximum(diversity, floor)
    if rule == "multiply":
        combined: FloatArray = quality * floored
        return combined
    if rule == "add":
        return np.asarray(quality + weight * diversity, dtype=np.float64)
    if rule == "threshold":
        return np.where(quality >= quality_threshold, floored, 0.0)
    if rule == "lexicographic":
        return _lexicographic(quality, diversity)
    raise ValueError(f"There is no rule {rule!r}; there are {', '.join(RULES)}.")


def _lexicographic(quality: FloatArray, diversity: FloatArray) -> FloatArray:
    if quality.size < 2:
        return np.zeros_like(quality)
    # Dense ranks first, so that quality decides whatever the scales of the two are.
    by_quality = rankdata(quality, method="dense")
    by_diversity = rankdata(diversity, method="dense")
    combined = by_quality * (quality.size + 1) + by_diversity
    return np.asarray((rankdata(combined) - 1) / (quality.size - 1), dtype=np.float64)


def _is_missing(label: Hashable) -> bool:
    return label is None or label is pd.NA or (isinstance(label, float) and np.isnan(label))
