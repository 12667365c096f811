"""Where DARLING's reward does something other than paying for good and different responses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from core.labs.diversity.classes import Classes
from core.labs.diversity.darling import Rule
from core.labs.groups import FloatArray, Scale

Trap = Literal[
    "novelty punished", "pure novelty", "chained class", "merged by chaining", "blown up"
]

TRAPS: tuple[Trap, ...] = get_args(Trap)

TRAP_MEANING: Mapping[Trap, str] = {
    "novelty punished": "A quality below zero is multiplied by diversity, so the more a response "
    "differs the lower its reward. Shift the quality so that none is negative.",
    "pure novelty": "All qualities of the group are equal, yet the rewards differ: the group "
    "rewards nothing but being different.",
    "chained class": "A class holds two responses that are less alike than the threshold: a chain "
    "of others connects them.",
    "merged by chaining": "Following chains makes one class of the group where comparing with each "
    "class's first member makes several: nothing in it counts as different any more.",
    "blown up": "The rewards of the group spread by less than a tenth of what they do in the "
    "median group, and dividing by the standard deviation makes that as large as anything else.",
}

SMALL_SPREAD = 0.1
"""A group's spread below this part of the median group's counts as blown up; our reading."""

TOLERANCE = 1e-12


@dataclass(frozen=True)
class GroupFacts:
    """What the traps are read off, of one group.

    Attributes:
        quality: (n,) after the shift.
        weight: (n,) what diversity counts for, the floor applied.
        reward: (n,).
        classes: with the chosen linking.
        n_greedy: number of classes by comparing with first members.
        n_transitive: number of classes by following chains.
    """

    quality: FloatArray
    weight: FloatArray
    reward: FloatArray
    classes: Classes
    n_greedy: int
    n_transitive: int


def group_traps(facts: GroupFacts, rule: Rule) -> tuple[Trap, ...]:
    """The traps that one group is in; "blown up" needs all groups, see `blown_up`."""
    found: list[Trap] = []
    if rule == "multiply" and novelty_punished(facts.quality, facts.weight):
        found.append("novelty punished")
    if is_constant(facts.quality) and not is_constant(facts.reward):
        found.append("pure novelty")
    if facts.classes.chained:
        found.append("chained class")
    if facts.n_transitive == 1 < facts.n_greedy:
        found.append("merged by chaining")
    return tuple(found)


def novelty_punished(quality: FloatArray, weight: FloatArray) -> bool:
    """Whether a response of negative quality loses by differing more than a sibling does.

    Args:
        quality: (n,) of one group.
        weight: (n,) what each quality is multiplied by.
    """
    negative = quality < 0
    return bool((weight[negative] > weight.min(initial=np.inf) + TOLERANCE).any())


def blown_up(spreads: FloatArray, scale: Scale) -> "np.typing.NDArray[np.bool_]":
    """Groups whose small spread of rewards a division by the standard deviation blows up.

    Args:
        spreads: standard deviation of each group's rewards.
        scale: what advantages are divided by; nothing is blown up where that is nothing.
    """
    there = spreads > TOLERANCE
    if scale == "none" or not there.any():
        return np.zeros(len(spreads), dtype=bool)
    small = spreads < SMALL_SPREAD * float(np.median(spreads[there]))
    return np.asarray(there & small, dtype=bool)


def is_constant(values: FloatArray) -> bool:
    """Whether all values are equal, but for rounding."""
    return not len(values) or bool(
        np.ptp(values) <= TOLERANCE * max(1.0, float(np.abs(values).max()))
    )
