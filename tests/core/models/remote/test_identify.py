"""A server says what it is, and an operator's wrong word about it is found."""

from collections.abc import Callable

import pytest

from core.errors import RemoteError
from core.models.remote import Connection, identify
from tests.core.models.remote.conftest import FAST, endpoint_for
from tests.servers.base import EngineServer, Reply
from tests.servers.engines import (
    OpenAiServer,
    OpenRlhfServer,
    SglangServer,
    TeiServer,
    VllmServer,
)

Start = Callable[[EngineServer], EngineServer]


@pytest.mark.parametrize(
    "kind", [VllmServer, SglangServer, TeiServer, OpenRlhfServer, OpenAiServer]
)
@pytest.mark.parametrize("named", [False, True])
def test_every_engine_is_known(start: Start, kind: type[EngineServer], named: bool) -> None:
    server = start(kind())
    endpoint = endpoint_for(server, engine=kind.engine if named else "auto")
    identity = identify(Connection(endpoint, backoff=FAST))
    assert identity.engine == kind.engine
    assert identity.seconds > 0


def test_what_the_engines_say_is_kept(start: Start) -> None:
    tei = TeiServer()
    tei.labels = ["bad", "good"]
    found = identify(Connection(endpoint_for(start(tei))))
    assert found.title == "text-embeddings-inference 1.9.3"
    assert (found.models, found.revision, found.dtype) == (
        ("org/cross-encoder",),
        "abc123",
        "float16",
    )
    assert (found.max_length, found.max_rows, found.labels) == (512, 4, ("bad", "good"))
    assert found.kind == "classifier"
    vllm = identify(Connection(endpoint_for(start(VllmServer()))))
    assert (vllm.version, vllm.models, vllm.max_length) == ("0.11.2", ("org/reward-model",), 4096)
    sglang = identify(Connection(endpoint_for(start(SglangServer()))))
    assert (sglang.version, sglang.dtype, sglang.kind) == ("0.5.3", "bfloat16", "classifier")


def test_a_wrong_engine_in_the_settings_is_found(start: Start) -> None:
    connection = Connection(endpoint_for(start(TeiServer()), engine="vllm"))
    with pytest.raises(RemoteError, match="does not answer as vLLM"):
        identify(connection)


def test_another_kind_of_server_is_none_of_them(start: Start) -> None:
    class Other(EngineServer):
        engine = "other"

        def get(self, path: str) -> Reply:
            return Reply({"hello": "world"})

    with pytest.raises(RemoteError, match="none of the engines known"):
        identify(Connection(endpoint_for(start(Other()))))


def test_a_refused_key_is_not_taken_for_another_engine(start: Start) -> None:
    server = VllmServer()
    server.key = "sk"
    with pytest.raises(RemoteError, match="status 401"):
        identify(Connection(endpoint_for(start(server))))
