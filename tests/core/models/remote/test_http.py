"""Asking a server: what is tried again, what never is, and what is said about a failure."""

import logging
import threading
import time
from collections.abc import Callable

import pytest

from core.errors import RemoteError
from core.models.remote.http import (
    Backoff,
    Connection,
    RemoteDroppedError,
    RemoteShapeError,
    RemoteStatusError,
    RemoteTimeoutError,
    StoppedError,
    worth_another,
)
from core.settings import Endpoint
from tests.core.models.remote.conftest import FAST, endpoint_for
from tests.servers.base import EngineServer, Reply
from tests.servers.engines import TeiServer, VllmServer

Start = Callable[[EngineServer], EngineServer]
BODY = {"model": "org/reward-model", "input": ["hello"], "use_activation": False}


@pytest.fixture
def server(start: Start) -> EngineServer:
    return start(VllmServer())


@pytest.fixture
def connection(server: EngineServer) -> Connection:
    return Connection(endpoint_for(server, timeout_s=0.4), backoff=FAST)


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_is_asked_again(
    server: EngineServer, connection: Connection, status: int
) -> None:
    server.faults.append(server.refused(status, "upstream"))
    connection.post("/classify", BODY)
    assert len(server.posts) == 2


def test_a_server_that_is_late_twice_is_asked_no_more(
    server: EngineServer, connection: Connection
) -> None:
    server.faults.extend(["slow"] * 9)
    with pytest.raises(RemoteTimeoutError):
        connection.post("/classify", BODY)
    assert len(server.posts) == 2


@pytest.mark.parametrize("fault", ["429", "500", "503", "drop", "cut", "slow"])
def test_what_may_pass_is_tried_again(
    server: EngineServer, connection: Connection, fault: str
) -> None:
    server.faults.extend([fault])
    reply = connection.post("/classify", BODY)
    assert reply["data"][0]["index"] == 0
    assert len(server.posts) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 424])
def test_a_refusal_is_never_tried_again(
    server: EngineServer, connection: Connection, status: int
) -> None:
    server.faults.append(server.refused(status, "no such thing"))
    with pytest.raises(RemoteStatusError, match=f"status {status}: no such thing") as caught:
        connection.post("/classify", BODY)
    assert caught.value.status == status
    assert len(server.posts) == 1


def test_attempts_end(server: EngineServer, connection: Connection) -> None:
    server.faults.extend(["500"] * 9)
    with pytest.raises(RemoteStatusError, match="internal error"):
        connection.post("/classify", BODY)
    assert len(server.posts) == FAST.attempts


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    server: EngineServer, connection: Connection
) -> None:
    server.faults.append(Reply({"error": "busy"}, 429, {"Retry-After": "0.3"}))
    started = time.monotonic()
    connection.post("/classify", BODY)
    assert time.monotonic() - started >= 0.3


def test_a_server_that_asks_for_an_hour_is_not_waited_for(
    server: EngineServer, connection: Connection
) -> None:
    server.faults.append(Reply({"error": "busy"}, 429, {"Retry-After": "3600"}))
    with pytest.raises(RemoteStatusError, match="status 429"):
        connection.post("/classify", BODY)
    assert len(server.posts) == 1


def test_a_timeout_is_called_one_with_the_address(server: EngineServer) -> None:
    connection = Connection(endpoint_for(server, timeout_s=0.1), backoff=Backoff(attempts=1))
    server.faults.append("slow")
    with pytest.raises(RemoteTimeoutError) as caught:
        connection.post("/classify", BODY)
    text = str(caught.value)
    assert "timed out" in text
    assert server.url in text
    assert "/classify" in text
    assert "0.1 seconds" in text


def test_a_server_that_is_not_there_is_named(server: EngineServer) -> None:
    gone = Connection(Endpoint(name="lab", url="http://127.0.0.1:9"), backoff=FAST)
    with pytest.raises(RemoteDroppedError, match=r"lab \(http://127.0.0.1:9\) cannot be reached"):
        gone.get("/version")


@pytest.mark.parametrize("old", [False, True])
def test_both_error_bodies_of_vllm_are_read(start: Start, old: bool) -> None:
    server = VllmServer()
    server.old_errors = old
    start(server)
    connection = Connection(endpoint_for(server), backoff=FAST)
    with pytest.raises(RemoteStatusError, match="The model `other` does not exist"):
        connection.post("/classify", {**BODY, "model": "other"})


def test_the_error_body_of_tei_is_read(start: Start) -> None:
    server = start(TeiServer())
    connection = Connection(endpoint_for(server), backoff=FAST)
    with pytest.raises(RemoteStatusError, match="status 413: batch size 9 > maximum allowed 4"):
        connection.post("/predict", {"inputs": [["a"]] * 9})


def test_a_page_in_place_of_json_is_said_to_be_one(
    server: EngineServer, connection: Connection
) -> None:
    server.faults.append("html")
    with pytest.raises(RemoteShapeError, match=r"not JSON.*nginx"):
        connection.post("/classify", BODY)
    assert len(server.posts) == 1


def test_redirects_are_not_followed(server: EngineServer, connection: Connection) -> None:
    server.faults.append(Reply("", 307, {"Location": "http://127.0.0.1:9/classify"}))
    with pytest.raises(RemoteStatusError, match="redirects are not followed"):
        connection.post("/classify", BODY)


def test_the_key_is_sent_and_never_shown(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = VllmServer()
    server.key = "sk-right"
    start(server)
    endpoint = endpoint_for(server, api_key_env="LAB_KEY")
    connection = Connection(endpoint, backoff=FAST)
    with pytest.raises(RemoteError, match=r"LAB_KEY.*is not set"):
        connection.get("/version")
    monkeypatch.setenv("LAB_KEY", "sk-right")
    assert connection.get("/version") == {"version": "0.11.2"}
    monkeypatch.setenv("LAB_KEY", "sk-wrong-and-secret")
    with caplog.at_level(logging.DEBUG), pytest.raises(RemoteStatusError) as caught:
        connection.get("/version")
    assert "Incorrect API key" in str(caught.value)
    assert "api_key_env" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(endpoint)
    assert "secret" not in " ".join(r.getMessage() for r in caplog.records if r.name != "httpcore")


def test_requests_at_once_are_bounded_over_all_callers(start: Start) -> None:
    server = VllmServer()
    server.latency_s = 0.05
    start(server)
    connection = Connection(endpoint_for(server, concurrency=2), backoff=FAST)
    threads = [threading.Thread(target=connection.post, args=("/classify", BODY)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.posts) == 8
    assert server.peak == 2


def test_nobody_waits_on_for_what_is_not_wanted_any_more(
    server: EngineServer, connection: Connection
) -> None:
    server.faults.extend(["500"] * 5)
    with pytest.raises(StoppedError):
        connection.post("/classify", BODY, should_stop=lambda: True)
    assert len(server.posts) == 1


def test_only_what_may_pass_is_worth_another_attempt() -> None:
    assert worth_another(RemoteTimeoutError("late"))
    assert worth_another(RemoteStatusError("", status=429, retry_after_s=2.0)) == 2.0
    assert worth_another(RemoteStatusError("", status=502)) is True
    assert worth_another(RemoteStatusError("", status=501)) is False
    assert worth_another(RemoteShapeError("no")) is False
