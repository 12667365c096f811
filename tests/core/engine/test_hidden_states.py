"""Hidden states: what the head reads, kept, and given up halfway without a loss."""

import threading

import numpy as np
import pytest

from core.engine.hidden_states import NOT_READ, StatesRun, StateStore
from core.engine.service import RewardService
from core.models.function import FunctionRewardModel
from core.schema import make_conversation

CONVERSATIONS = [
    make_conversation("What is the capital of France?", "Paris " * (1 + at % 4)) for at in range(6)
]


@pytest.fixture
def service(make_service, tiny_model) -> tuple[RewardService, str]:
    made = make_service()
    model = tiny_model("llama")
    made.register(model)
    return made, model.card.id


def read(service: RewardService, model: str, store: StateStore) -> StatesRun:
    run = StatesRun(service, model, CONVERSATIONS, store)
    assert run.wait(30)
    return run


def test_the_head_on_the_states_gives_the_rewards(service):
    made, model = service
    states, errors = read(made, model, StateStore()).states()
    assert errors == [""] * 6
    weights = made.model(model)._model.score.weight.detach().float().cpu().numpy()[0]
    rewards = made.score(model, CONVERSATIONS)["reward"].to_numpy()
    np.testing.assert_allclose(states @ weights, rewards, atol=1e-4)


def test_what_is_in_the_store_is_not_read_again(service, monkeypatch):
    made, model = service
    store = StateStore()
    first, _ = read(made, model, store).states()
    monkeypatch.setattr(made, "exclusive", lambda *_: pytest.fail("read again"))
    run = read(made, model, store)
    np.testing.assert_array_equal(run.states()[0], first)
    assert run.progress().n_cached == 6


def test_a_stopped_run_keeps_what_it_read_and_the_next_one_goes_on(service, monkeypatch):
    made, model = service
    monkeypatch.setattr("core.engine.hidden_states.next_batch", lambda *_: 1)
    real, stopped, going_on = made.exclusive, threading.Event(), threading.Event()

    def one_then_stop(name, function):
        found = real(name, function)
        stopped.set()
        going_on.wait(10)
        return found

    store = StateStore()
    monkeypatch.setattr(made, "exclusive", one_then_stop)
    run = StatesRun(made, model, CONVERSATIONS, store)
    assert stopped.wait(30)
    run.cancel()
    going_on.set()
    assert run.wait(30)
    assert run.state == "stopped"
    states, errors = run.states()
    assert 0 < errors.count("") < 6
    assert errors.count(NOT_READ) == 6 - errors.count("")
    assert np.isnan(states[[error == NOT_READ for error in errors]]).all()
    monkeypatch.setattr(made, "exclusive", real)
    again = read(made, model, store)
    assert again.state == "done"
    assert again.progress().n_cached == errors.count("")


def test_a_model_without_states_says_so(make_service):
    made = make_service()
    made.register(FunctionRewardModel("words", lambda conversation: 1.0))
    run = read(made, "words", StateStore())
    assert run.state == "failed"
    assert "words gives no hidden states" in run.error
    assert all("no hidden states" in error for error in run.states()[1])


def test_the_store_drops_what_was_not_asked_for_longest():
    store = StateStore(most_bytes=3 * 16)
    for name in (b"a", b"b", b"c"):
        store.put(name, np.zeros(4, dtype=np.float32))
    assert store.get(b"a") is not None
    store.put(b"d", np.zeros(4, dtype=np.float32))
    assert store.get(b"b") is None
    assert store.get(b"a") is not None
