"""Services over models whose reward is a known formula of the text."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.engine.cache import RewardCache
from core.engine.service import RewardService
from core.models.base import ModelOutput
from core.models.function import FunctionRewardModel
from core.schema import Conversation, Message, make_conversation

CACHE_BYTES = 64 * 1024**2


def response_length(conversation: Conversation) -> float:
    """The formula: the number of characters of the response."""
    return float(len(conversation[-1]["content"]))


def texts(count: int, *, start: int = 1) -> list[list[Message]]:
    """Conversations whose responses have `start`, `start` + 1, ... characters."""
    return [make_conversation("How long?", "x" * n) for n in range(start, start + count)]


class CountingModel(FunctionRewardModel):
    """The length of the response, with a record of what was computed and in which chunks.

    Args:
        seconds: how long one conversation takes.
        gate: nothing is computed until it is set.
    """

    def __init__(
        self,
        name: str = "length",
        *,
        seconds: float = 0.0,
        gate: threading.Event | None = None,
        formula: Callable[[Conversation], float] = response_length,
        size: int = 0,
        version: str = "1",
    ) -> None:
        super().__init__(name, formula, version=version)
        self.seconds = seconds
        self.gate = gate
        self.started = threading.Event()
        self.size = size
        self.seen: list[str] = []
        self.chunks: list[list[str]] = []
        self.at_once = 0
        self.most_at_once = 0

    @property
    def n_bytes(self) -> int:
        return self.size

    def conversation_rewards(self, conversations: Sequence[Conversation]) -> ModelOutput:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.started.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        time.sleep(self.seconds * len(conversations))
        responses = [conversation[-1]["content"] for conversation in conversations]
        self.seen += responses
        self.chunks.append(responses)
        try:
            return super().conversation_rewards(conversations)
        finally:
            self.at_once -= 1


@pytest.fixture(autouse=True, scope="module")
def _free_passes() -> Iterator[None]:
    """The texts here are tiny: beginnings are shared wherever there are any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.engine.scoring.PASS_TOKENS", {"cpu": 0, "gpu": 0})
        yield


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., RewardService]]:
    """Makes services that share one cache file and are closed at the end."""
    made: list[RewardService] = []

    def make(*models: CountingModel, **options: Any) -> RewardService:
        options.setdefault("cache", RewardCache(tmp_path / "rewards.sqlite", CACHE_BYTES))
        options.setdefault("budget_bytes", 10**12)
        service = RewardService(**options)
        for model in models:
            service.register(model)
        made.append(service)
        return service

    yield make
    for service in made:
        service.close()
