"""A run small enough for a test: a tiny policy, two functions as judges, four prompts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.engine.service import RewardService
from core.models.function import FunctionRewardModel
from core.training.policy.prompts import OpenPrompt
from core.training.self_rewarding import SelfRewardingRecipe
from tests.core.training.policy.conftest import PROMPT_TEMPLATE

PROMPTS = tuple(
    OpenPrompt(f"problem-{number}", "creative" if number % 2 else "advice", text)
    for number, text in enumerate(
        ["Hi", "Two plus two?", "What is a river?", "Name a city, please."]
    )
)


@pytest.fixture
def service() -> Iterator[RewardService]:
    """A judge that likes the letter e and an outside model that likes length."""
    service = RewardService()
    service.register(
        FunctionRewardModel(
            "judge", lambda c: c[-1]["content"].count("e") + len(c[-1]["content"]) / 99
        )
    )
    service.register(FunctionRewardModel("outside", lambda c: float(len(c[-1]["content"]))))
    yield service
    service.close()


@pytest.fixture
def recipe(tiny_base: Path) -> SelfRewardingRecipe:
    """Two iterations over the tiny base."""
    return SelfRewardingRecipe(
        name="tiny",
        base=str(tiny_base),
        judge="judge",
        outside="outside",
        iterations=2,
        samples=3,
        temperature=1.0,
        top_p=1.0,
        max_new_tokens=8,
        pairs_per_step=2,
        learning_rate=1e-2,
        lora_rank=2,
        first_layer=1,
        prompt_template=PROMPT_TEMPLATE,
    )
