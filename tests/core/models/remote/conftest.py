"""Test servers, and remote models over connections that do not wait long."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from core.models.card import RewardModelCard
from core.models.remote import Connection, RemoteRewardModel, open_remote
from core.models.remote.http import Backoff
from core.settings import Endpoint
from tests import tiny
from tests.servers.base import EngineServer, running

FAST = Backoff(attempts=3, first_s=0.01, longest_s=0.05, jitter_s=0.0)


def endpoint_for(server: EngineServer, **changes: Any) -> Endpoint:
    return Endpoint(**{"name": "lab", "url": server.url, "timeout_s": 5.0} | changes)


def card_for(**changes: Any) -> RewardModelCard:
    content: dict[str, Any] = {
        "id": "far",
        "source": {"kind": "remote", "endpoint": "lab"},
        "family": "sequence-classifier",
        "remote": {},
    }
    return RewardModelCard.model_validate(content | changes)


@pytest.fixture
def start() -> Iterator[Callable[[EngineServer], EngineServer]]:
    """Starts a server and stops it at the end of the test."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(running(server))


@pytest.fixture
def connect(
    start: Callable[[EngineServer], EngineServer],
) -> Iterator[Callable[..., RemoteRewardModel]]:
    """A model on a server that is started for it; the probe's requests are forgotten."""
    with ExitStack() as stack:

        def make(
            server: EngineServer, *, endpoint: dict[str, Any] | None = None, **card: Any
        ) -> RemoteRewardModel:
            start(server)
            connection = Connection(endpoint_for(server, **(endpoint or {})), backoff=FAST)
            stack.callback(connection.close)
            model = open_remote(card_for(**card), connection)
            server.requests.clear()
            return model

        yield make


@pytest.fixture
def tokenizer(tmp_path: Path) -> dict[str, str]:
    """The source of a saved tokenizer with a chat template, as a card names it."""
    folder = tmp_path / "tokenizer"
    tiny.chat_tokenizer().save_pretrained(folder)
    return {"kind": "local", "path": str(folder)}
