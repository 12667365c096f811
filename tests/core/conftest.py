"""Tiny models shared by the model tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.models.base import TokenRewardModel
from core.models.card import RewardModelCard
from core.models.loading import load_card_model
from tests import tiny

# Tiny models gain nothing from threads, and parallel test processes lose much.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A saved tiny model of a kind, built once for all tests."""
    made: dict[str, Path] = {}

    def build(kind: str, **options: Any) -> Path:
        key = f"{kind}{sorted(options.items())}"
        if key not in made:
            made[key] = tiny.save_model(kind, tmp_path_factory.mktemp(kind), **options)
        return made[key]

    return build


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Callable[..., Path]) -> Callable[..., TokenRewardModel]:
    """A loaded tiny model of a kind, through the real loading path."""
    made: dict[str, TokenRewardModel] = {}

    def load(kind: str) -> TokenRewardModel:
        if kind not in made:
            content = tiny.card_content(kind, tiny_folder(kind))
            model = load_card_model(RewardModelCard.model_validate(content), device="cpu")
            assert isinstance(model, TokenRewardModel)
            made[kind] = model
        return made[kind]

    return load
