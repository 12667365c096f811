"""The real app with analytic models in its real service, driven without a browser."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.engine.service import RewardService
from core.models.function import FunctionRewardModel
from core.schema import Conversation

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 30


def n_words(conversation: Conversation) -> float:
    """Words of the response: a reward anyone can count."""
    return float(len(conversation[-1]["content"].split()))


def n_shouts(conversation: Conversation) -> float:
    """A tenth of a point off for each exclamation mark."""
    return -0.1 * conversation[-1]["content"].count("!")


def fails(conversation: Conversation) -> float:
    """A model that always fails."""
    raise ValueError("this model is out of order")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RewardService]:
    """A service of its own with three function models, in the place of the process's."""
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path / "cache"))
    made = RewardService()
    for name, function in (("words", n_words), ("shouts", n_shouts), ("broken", fails)):
        made.register(FunctionRewardModel(name, function))
    monkeypatch.setattr("core.engine.service._service", made)
    monkeypatch.setattr("app_pages.common.service.warm_up", lambda: None)
    st.cache_resource.clear()
    st.cache_data.clear()
    yield made
    made.close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def app(service: RewardService) -> AppTest:
    """The app with the word counter chosen, not run yet."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    return test


@pytest.fixture
def playground(app: AppTest) -> AppTest:
    """The playground as a visitor finds it, everything measured."""
    return until_measured(app.run())


def until_measured(test: AppTest) -> AppTest:
    """Runs the app, as the editor's polling does, until nothing is being measured any more."""
    return until(test, lambda: not is_waiting(test))


def until(test: AppTest, holds: Callable[[], bool]) -> AppTest:
    """Runs the app again and again until something holds; fails after some seconds."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert not test.exception, test.exception
        assert time.monotonic() < deadline, "the page never came to rest"
        time.sleep(0.05)
        test.run()
    assert not test.exception, test.exception
    return test


def is_waiting(test: AppTest) -> bool:
    """Whether the editor has been told to ask again."""
    return editor_data(test)["poll_ms"] > 0


def editor_data(test: AppTest) -> dict:
    """What Python last told the editor."""
    import json

    (component,) = test.get("bidi_component")
    return json.loads(component.proto.mixed.json or component.proto.json)


def typed(test: AppTest, *messages: dict, settled: bool = True, raw: str | None = None) -> AppTest:
    """The app after the editor has sent these turns, or this raw text."""
    data = editor_data(test)
    doc = {
        "client": "test",
        "seq": data["ack"]["seq"] + 1,
        "base": data["revision"],
        "settled": settled,
    }
    doc |= {"messages": list(messages)} if raw is None else {"raw": raw}
    test.session_state["editor"] = {"doc": doc}
    return until_measured(test.run())


def answer(text: str, prompt: str = "Say something.") -> tuple[dict, dict]:
    """The turns of a short conversation with this response."""
    return {"role": "user", "content": prompt}, {"role": "assistant", "content": text}
