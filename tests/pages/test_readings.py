"""What a reading says of a reward: the change, the percentile, and what is not known yet."""

import math

import pytest

from app_pages.common import readings
from app_pages.common.readings import Reading, SessionJobs, read_rewards
from core.engine.service import RewardService
from core.errors import ModelLoadError
from tests.pages.conftest import answer


def reading(reward: float, baseline: float, floor: float | None) -> Reading:
    return Reading("m", "scored", reward=reward, baseline=baseline, noise_floor=floor)


@pytest.mark.parametrize(
    ("reward", "floor", "expected"),
    [
        (1.05, 0.1, True),
        (1.2, 0.1, False),
        (0.95, 0.1, True),
        (1.0, None, True),
        (1.1, None, False),
    ],
)
def test_a_change_up_to_the_noise_floor_is_noise(reward, floor, expected):
    assert reading(reward, 1.0, floor).is_noise is expected


def test_no_baseline_no_change():
    assert reading(1.0, math.nan, 0.1).change is None
    assert not reading(1.0, math.nan, 0.1).is_noise


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every time the service tried to load the model that cannot be loaded."""
    made: list[str] = []

    def refuse(name: str):
        made.append(name)
        raise ModelLoadError("The head is missing.", fix="Name another checkpoint.")

    service = RewardService(loader=refuse)
    monkeypatch.setattr("core.engine.service._service", service)
    monkeypatch.setattr("app_pages.common.service.warm_up", lambda: None)
    return made


def ask(jobs: SessionJobs, text: str) -> Reading:
    (found,) = read_rewards(["bad"], list(answer(text)), None, jobs=jobs, wait_s=10)
    return found


def test_a_model_that_does_not_load_is_tried_once_however_much_is_typed(attempts):
    jobs = SessionJobs("s")
    for text in ("a", "ab", "abc"):
        found = ask(jobs, text)
        assert found.state == "failed"
        assert found.error == "The head is missing. Name another checkpoint."
    assert attempts == ["bad"]


def test_it_is_tried_again_after_a_while(attempts, monkeypatch):
    jobs = SessionJobs("s")
    ask(jobs, "a")
    monkeypatch.setattr(readings, "RETRY_S", 0.0)
    ask(jobs, "ab")
    ask(jobs, "ab")
    assert len(attempts) >= 2
