"""A policy small enough to train within a test, and recipes for it."""

from typing import Any

import pytest
from transformers import LlamaForCausalLM

from core.training.rollouts.policy import Pretraining, new_policy
from core.training.rollouts.recipes import RolloutRecipe

TINY = Pretraining({"sum-2": 1.0}, steps=3, batch=16, hidden=16, layers=1, heads=2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own policies."""
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def policy() -> LlamaForCausalLM:
    """Random weights."""
    return new_policy(TINY).eval()


def tiny_recipe(**changes: Any) -> RolloutRecipe:
    """Two problems, groups of four, two steps."""
    settings: dict[str, Any] = {
        "name": "tiny-plain",
        "collection": "tiny",
        "method": "plain",
        "policy": TINY,
        "problems": {"sum-2": 2},
        "held_out": {"sum-2": 1},
        "steps": 2,
        "group_size": 4,
        "checkpoint_samples": 3,
    }
    return RolloutRecipe(**{**settings, **changes})
