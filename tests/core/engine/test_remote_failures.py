"""Servers that fail while work is under way: a clear reason for what is lost, the rest is kept."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.engine.cache import RewardCache
from core.engine.parity import check_parity
from core.engine.service import RewardService
from core.models.remote import Connection, RemoteRewardModel, open_remote
from core.schema import make_conversation
from tests.core.models.remote.conftest import FAST, card_for, endpoint_for
from tests.core.models.remote.test_clients import chat_text
from tests.servers.base import EngineServer, Reply, running, text_reward
from tests.servers.engines import VllmServer

TEXTS = [make_conversation("Question?", f"Answer {i}.") for i in range(200)]
Connect = Callable[..., RemoteRewardModel]


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path / "cache"))
    with ExitStack() as stack:

        def make(server: EngineServer, *, endpoint: dict[str, object] | None = None, **card):
            if not server.requests:
                stack.enter_context(running(server))
            connection = Connection(endpoint_for(server, **(endpoint or {})), backoff=FAST)
            stack.callback(connection.close)
            return open_remote(card_for(**card), connection)

        yield make


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RewardService]:
    made = RewardService(cache=RewardCache(tmp_path / "rewards.sqlite", 2**20))
    yield made
    made.close()


def test_what_a_dying_server_has_given_is_kept_and_only_the_rest_is_asked_again(
    connect: Connect, service: RewardService
) -> None:
    server = VllmServer()
    service.register(connect(server))
    server.requests.clear()
    serve = server.post

    def die_after_80(path: str, body: object) -> Reply:
        if len(server.posts) == 80:
            server.faults.extend(["drop"] * 1000)
        return serve(path, body)

    server.post = die_after_80  # type: ignore[method-assign]
    frame = service.score("far", TEXTS)
    lost = frame["error"] != ""
    assert 60 <= (~lost).sum() <= 100
    assert frame.loc[~lost, "reward"].notna().all()
    assert frame.loc[lost, "error"].str.contains(f"lab \\({server.url}\\) dropped").all()
    assert frame["error"].str.startswith("Not asked any more").sum() > 50
    # It is up again: what is there is not asked for twice.
    server.faults.clear()
    server.post = serve  # type: ignore[method-assign]
    server.requests.clear()
    again = service.score("far", TEXTS)
    assert not again["error"].any()
    assert again["reward"].tolist() == [text_reward(chat_text(text)) for text in TEXTS]
    assert len(server.posts) == lost.sum()


def test_a_server_that_hangs_is_given_up_on_and_called_late(
    connect: Connect, service: RewardService
) -> None:
    server = VllmServer()
    service.register(connect(server, endpoint={"timeout_s": 0.2, "concurrency": 2}))
    server.requests.clear()
    server.faults.extend(["slow"] * 1000)
    started = time.monotonic()
    frame = service.score("far", TEXTS)
    assert time.monotonic() - started < 5
    assert frame["error"].str.contains("timed out").all()
    # Two requests at once, each tried twice, and the two that replace them; for each of the rounds
    # into which the service divides the texts.
    assert len(server.posts) <= 2 * 8


def test_a_server_that_always_fails_is_given_up_on(
    connect: Connect, service: RewardService
) -> None:
    server = VllmServer()
    service.register(connect(server, endpoint={"concurrency": 1}))
    server.requests.clear()
    server.faults.extend(["500"] * 1000)
    frame = service.score("far", TEXTS)
    assert frame["error"].str.contains("status 500").all()
    # Four requests, for each of the rounds into which the service divides the texts.
    assert len(server.posts) <= 2 * 4 * FAST.attempts


def test_another_model_under_the_same_name_gets_its_own_rewards(
    connect: Connect, service: RewardService
) -> None:
    server = VllmServer()
    first = connect(server)
    service.register(first)
    before = service.score("far", TEXTS[:5])["reward"].tolist()
    # The operator serves other weights; nothing the server says about itself has changed.
    value_of = server.value_of
    server.value_of = lambda text, *, activated: (  # type: ignore[method-assign]
        value_of(text + "!", activated=activated)
    )
    second = connect(server)
    assert second.identity.models == first.identity.models
    assert second.remembered is not None
    assert second.remembered.is_other
    service.register(second)
    frame = service.score("far", TEXTS[:5])
    assert not frame["cached"].any()
    assert frame["reward"].tolist() != before
    # And back again: the older rewards are good for the older model.
    server.value_of = value_of  # type: ignore[method-assign]
    service.register(connect(server))
    frame = service.score("far", TEXTS[:5])
    assert frame["cached"].all()
    assert frame["reward"].tolist() == before


def test_eight_visitors_at_once_get_their_own_rewards(
    connect: Connect, service: RewardService
) -> None:
    server = VllmServer()
    service.register(connect(server, endpoint={"concurrency": 3}))
    server.latency_s, server.shuffle, server.peak = 0.005, True, 0
    server.requests.clear()
    found: dict[int, list[float]] = {}

    def visit(number: int) -> None:
        texts = TEXTS[number * 10 : number * 10 + 30]  # neighbours ask for the same texts
        found[number] = service.score("far", texts)["reward"].tolist()

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, rewards in found.items():
        texts = TEXTS[number * 10 : number * 10 + 30]
        assert rewards == [text_reward(chat_text(text)) for text in texts]
    assert len(found) == 8
    assert server.peak <= 3
    assert len(server.posts) == 100  # each text once


def test_an_answer_without_end_is_a_timeout_and_one_too_long_is_no_reward(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = VllmServer()
    model = connect(server, endpoint={"timeout_s": 0.3})
    monkeypatch.setattr("core.models.remote.http.MOST_BYTES", 10_000)
    server.faults.append(Reply({"data": [0.0] * 10_000}))
    (long,) = model.conversation_rewards(TEXTS[:1]).errors
    assert "more than" in long
    assert "no rewards" in long

    def trickle(handler, *_: object) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(30):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    server._answer = trickle  # type: ignore[method-assign, assignment]
    started = time.monotonic()
    (late,) = model.conversation_rewards(TEXTS[:1]).errors
    assert "timed out" in late
    assert time.monotonic() - started < 2


def test_the_key_is_in_no_error_cache_or_record(
    connect: Connect, service: RewardService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.manifest import model_record

    monkeypatch.setenv("LAB_KEY", "sk-very-secret-key")
    server = VllmServer()
    server.key = "sk-very-secret-key"
    service.register(connect(server, endpoint={"api_key_env": "LAB_KEY"}))
    said = "x" * 590 + " sk-very-secret-key"  # cut in the middle of the key it echoes
    server.faults.append(server.refused(400, said))
    frame = service.score("far", TEXTS[:1])
    assert "status 400" in frame["error"][0]
    assert "sk-" not in frame["error"][0]
    service.score("far", TEXTS[:3])
    assert "sk-" not in json.dumps(model_record(service.model("far")), default=str)
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert kept
    assert not any(b"secret" in content for content in kept)


def test_parity_asks_a_server_anew_and_says_what_it_undid(
    connect: Connect, service: RewardService
) -> None:
    raw, squashing = VllmServer(), VllmServer()
    squashing.squash = True
    service.register(connect(raw, id="raw"))
    service.register(connect(squashing, id="squashed", remote={"activated": "sigmoid"}))
    service.register(connect(squashing, id="taken-as-raw"))
    report = check_parity(service, "raw", "squashed")
    assert report.verdict == "same"
    assert report.reads[0] == "vLLM 0.11.2 /classify, as the server gives them"
    assert "its sigmoid undone (±" in report.reads[1]
    assert report.rank_correlation.n == 10
    other = check_parity(service, "raw", "taken-as-raw")
    assert other.verdict == "same order"
    assert "gives the sigmoid" in other.reading
