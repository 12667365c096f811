"""The speed that costs are told by: known after a restart too, when every reward is cached."""

import time
from pathlib import Path

import pytest

from app_pages.common import service as pages_service
from app_pages.common.service import reading_speed, reference_rewards, speed_is_coming
from core.engine.service import RewardService
from core.models.card import RewardModelCard
from core.models.loading import load_card_model
from tests import tiny
from tests.pages.conftest import TIMEOUT_S


@pytest.fixture
def model(service: RewardService, tmp_path: Path) -> str:
    content = tiny.card_content("llama", tiny.save_model("llama", tmp_path / "llama"))
    loaded = load_card_model(RewardModelCard.model_validate(content), device="cpu")
    service.register(loaded)
    return loaded.card.id


def settled(model: str) -> float:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        speed = reading_speed(model)
        if not speed_is_coming(model):
            return reading_speed(model) or speed
        time.sleep(0.05)
    pytest.fail("the speed never came")


def test_speed_is_known_from_the_first_reading_and_again_where_all_is_cached(model: str):
    assert settled(model) > 0
    pages_service._reference_jobs().clear()  # as after a restart: only the rewards on disk are left
    speed = settled(model)
    assert all(row.cached for row in pages_service._reference_jobs()[model].rows())
    assert speed > 0


def test_a_model_without_tokens_has_no_speed(service: RewardService):
    reference_rewards("words")
    pages_service._reference_jobs()["words"].wait(TIMEOUT_S)
    assert pages_service._measure_speed("words") == 0
