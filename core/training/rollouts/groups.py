"""What a training step does with its groups: which rollouts are kept, what each is paid."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.labs.collapse.bonus import exploration_bonus
from core.labs.diversity.darling import darling_reward, diversity_scores
from core.labs.groups import FloatArray
from core.labs.trajectories.resample import p_err, p_format, resample_on_correct
from core.training.rollouts.episodes import Episode
from core.training.rollouts.recipes import RolloutRecipe

History = dict[str, Counter[str | None]]
"""How often each answer was given to each problem so far."""


@dataclass(frozen=True)
class PaidGroup:
    """One group of one step.

    Attributes:
        episodes: all that were drawn.
        kept: which of them enter the update, as many as the recipe's group size.
        used: whether the update learns from the group at all.
        rewards: (n,) of every episode.
        bonus: (n,) c times the exploration bonus; 0 for those not kept.
    """

    episodes: Sequence[Episode]
    kept: Sequence[int]
    used: bool
    rewards: FloatArray
    bonus: FloatArray


def pay(
    episodes: Sequence[Episode],
    recipe: RolloutRecipe,
    history: Counter[str | None],
    rng: np.random.Generator,
) -> PaidGroup:
    """Rewards, bonus and choice for one problem's episodes; counts their answers in `history`."""
    kept, used = _kept(episodes, recipe, rng)
    rewards = _rewards(episodes, recipe)
    bonus = np.zeros(len(episodes))
    bonus[list(kept)] = recipe.bonus_weight * exploration_bonus(
        recipe.exploration,
        [episodes[each].answer for each in kept],
        history,
        b0=recipe.bonus_offset,
        all_correct=all(episodes[each].correct for each in kept),
    )
    history.update(each.answer for each in episodes)
    return PaidGroup(episodes, kept, used, rewards, bonus)


def _rewards(episodes: Sequence[Episode], recipe: RolloutRecipe) -> FloatArray:
    scores = np.array([each.score for each in episodes], dtype=np.float64)
    if recipe.reward == "score":
        return scores
    return darling_reward(scores, diversity_scores([each.answer for each in episodes]))


def _kept(
    episodes: Sequence[Episode], recipe: RolloutRecipe, rng: np.random.Generator
) -> tuple[Sequence[int], bool]:
    """A group that resampling drops stays in the batch with its first G, and teaches nothing."""
    first = range(recipe.group_size)
    if recipe.resampling == "none" or len(episodes) == recipe.group_size:
        return first, True
    calls = [each.tool_calls for each in episodes]
    penalty = p_err([each.tool_errors for each in episodes], calls) + p_format(
        [each.answer_tags for each in episodes], [count + 1 for count in calls]
    )
    chosen = resample_on_correct(
        [each.correct for each in episodes],
        penalty,
        recipe.group_size,
        mode=recipe.resampling,
        rng=rng,
    )
    kept = [int(each) for each in chosen.kept]
    return (kept, True) if len(kept) == recipe.group_size else (first, False)
