"""Which runs are recorded: recipes in `data/rollouts/<collection>/recipes.yaml`.

A file has the collection's policy and what its recipes share; each recipe says what is its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal

import yaml

from core.errors import SettingsError
from core.labs.collapse.bonus import Scheme
from core.labs.groups import Scale
from core.rollouts.recorded import rollouts_folder
from core.training.rollouts.policy import Pretraining

Reward = Literal["score", "darling"]
Resampling = Literal["none", "paper", "code"]

BASE = "base"


@dataclass(frozen=True)
class RolloutRecipe:
    """How one policy is trained and recorded.

    Attributes:
        name: "collapse-plain"; what the command is given.
        collection: the collection its rollouts belong to.
        method: "plain"; "base" samples the untrained policy and trains nothing.
        policy: how the policy is made before.
        problems: how many training problems of each task.
        held_out: how many problems of each task that are never trained on.
        problem_seed: draws the problems; the same for all recipes of a collection.
        seeds: one run each.
        steps: optimiser steps.
        problems_per_step: how many problems a step draws a group for; 0 for all of them.
        group_size: samples in a group that enter the update (G).
        oversampling: how many times G are drawn.
        resampling: which of them are kept: the first G, or resample-on-correct as in the paper or
            as in its released code.
        learning_rate: AdamW's, constant.
        scale: what advantages are divided by.
        reward: the score alone, or DARLING's score times diversity.
        exploration: the bonus on final answers that is added to the advantages.
        bonus_weight: c.
        bonus_offset: b0 of "ucb-con".
        checkpoint_samples: samples of each problem at step 0, half-way and at the end.
        orders: for task order only: the tasks' orders, "a>b>c", and "joint".
        stage_steps: for task order only: steps of a stage.
    """

    name: str
    collection: str
    method: str
    policy: Pretraining
    problems: Mapping[str, int]
    held_out: Mapping[str, int] = field(default_factory=dict)
    problem_seed: int = 0
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 80
    problems_per_step: int = 0
    group_size: int = 8
    oversampling: int = 1
    resampling: Resampling = "none"
    learning_rate: float = 3e-4
    scale: Scale = "sample"
    reward: Reward = "score"
    exploration: Scheme = "none"
    bonus_weight: float = 0.2
    bonus_offset: float = 0.5
    checkpoint_samples: int = 32
    orders: tuple[str, ...] = ()
    stage_steps: int = 0

    def run_name(self, seed: int) -> str:
        """The run's name in tables: "plain/seed-0"."""
        return f"{self.method}/seed-{seed}"


@cache
def recipes() -> tuple[RolloutRecipe, ...]:
    """All recipes of the package, in the order of their files."""
    found: list[RolloutRecipe] = []
    for path in sorted(rollouts_folder().glob("*/recipes.yaml")):
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "policy" not in told:
            continue  # the recipes of another kind of run
        policy = Pretraining(**told["policy"])
        for method, own in told["recipes"].items():
            found.append(
                _recipe(path.parent.name, method, policy, {**told["shared"], **(own or {})})
            )
    return tuple(found)


def recipe(name: str) -> RolloutRecipe:
    """The recipe of a name.

    Raises:
        SettingsError: when there is none; says which there are.
    """
    for each in recipes():
        if each.name == name:
            return each
    listed = ", ".join(each.name for each in recipes())
    raise SettingsError(f"There is no recipe {name!r}.", fix=f"There are {listed}.")


def _recipe(
    collection: str, method: str, policy: Pretraining, settings: dict[str, Any]
) -> RolloutRecipe:
    known = {each.name for each in fields(RolloutRecipe)}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise SettingsError(f"{collection}, recipe {method}: unknown field {', '.join(unknown)}.")
    tuples = {key: tuple(value) for key, value in settings.items() if isinstance(value, list)}
    return RolloutRecipe(
        name=f"{collection}-{method}",
        collection=collection,
        method=method,
        policy=policy,
        **{**settings, **tuples},
    )
