"""The reference responses: a fixed set of good and flawed ones that gives a bare reward a scale.

A reward of 1.7 means nothing by itself; better than 31 of 40 known responses does. The responses
come from the authored prompts that no model of ours was trained on.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
import numpy.typing as npt

from core.schema import Message, with_response
from core.training.preferences import (
    AuthoredPrompt,
    FlawedResponse,
    read_preferences,
    split_prompts,
)

N_PROMPTS = 20
"""Prompts in the reference set; each gives one good and one flawed response."""


@dataclass(frozen=True)
class ReferenceResponse:
    """One response of the reference set.

    Attributes:
        prompt_id: the authored prompt it answers.
        flaw: the named flaw, or an empty string for the good response.
        conversation: prompt and response.
    """

    prompt_id: str
    flaw: str
    conversation: tuple[Message, ...]


@dataclass(frozen=True)
class Standing:
    """Where a reward stands among the reference responses.

    Attributes:
        share_below: share of reference responses with a lower reward, ties counted half, in [0, 1].
        n: reference responses compared with.
        n_left_out: reference responses without a finite reward.
    """

    share_below: float
    n: int
    n_left_out: int


def reference_responses(
    n_prompts: int = N_PROMPTS, prompts: Iterable[AuthoredPrompt] | None = None
) -> tuple[ReferenceResponse, ...]:
    """The reference set: the same responses on every machine, half of them good, half flawed.

    Prompts are taken from every category in turn and flaws in turn, so that no category or flaw
    dominates.

    Args:
        n_prompts: how many held-out prompts to take, at most as many as there are.
        prompts: authored prompts; those that come with the package when None.
    """
    held_out = split_prompts(read_preferences() if prompts is None else prompts).held_out
    used: dict[str, int] = defaultdict(int)
    responses = []
    for prompt in _one_category_after_the_other(held_out)[:n_prompts]:
        flawed = _rarest(prompt, used)
        used[flawed.flaw] += 1
        for flaw, text in (("", prompt.good), (flawed.flaw, flawed.response)):
            conversation = tuple(with_response(prompt.messages, text))
            responses.append(ReferenceResponse(prompt.id, flaw, conversation))
    return tuple(responses)


def standing(reward: float, reference_rewards: npt.ArrayLike) -> Standing | None:
    """Where `reward` stands among the rewards of the reference set, or None when it cannot be said.

    Args:
        reward: one reward of the same model.
        reference_rewards: (n,) float; those that are not finite are counted and left out.
    """
    rewards = np.asarray(reference_rewards, dtype=np.float64)
    finite = rewards[np.isfinite(rewards)]
    if not finite.size or not np.isfinite(reward):
        return None
    below = float(np.mean(finite < reward) + 0.5 * np.mean(finite == reward))
    return Standing(below, int(finite.size), int(rewards.size - finite.size))


def _one_category_after_the_other(prompts: Iterable[AuthoredPrompt]) -> list[AuthoredPrompt]:
    by_category: dict[str, list[AuthoredPrompt]] = defaultdict(list)
    for prompt in sorted(prompts, key=lambda prompt: _shuffled(prompt.id)):
        by_category[prompt.category].append(prompt)
    rounds = zip_longest(*(by_category[name] for name in sorted(by_category)))
    return [prompt for prompt in chain.from_iterable(rounds) if prompt is not None]


def _rarest(prompt: AuthoredPrompt, used: dict[str, int]) -> FlawedResponse:
    return min(prompt.flawed, key=lambda flawed: (used[flawed.flaw], _shuffled(flawed.response)))


def _shuffled(text: str) -> str:
    """An order that does not depend on the file's and is the same everywhere."""
    return hashlib.sha256(f"reference:{text}".encode()).hexdigest()
