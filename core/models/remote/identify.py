"""What answers at an address: engine, version, models, and what limits it names."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from core.errors import RemoteError
from core.models.remote.http import Connection, RemoteShapeError, RemoteStatusError

EngineName = Literal["vllm", "sglang", "tei", "openrlhf", "openai"]

ENGINE_TITLES: dict[EngineName, str] = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "tei": "text-embeddings-inference",
    "openrlhf": "OpenRLHF reward server",
    "openai": "OpenAI-compatible chat",
}


@dataclass(frozen=True)
class Identity:
    """What a server says about itself.

    Attributes:
        engine: which protocol it speaks.
        version: as it says it, "" where it does not.
        models: names it knows models by; empty where it names none.
        revision: commit of the weights, "" where it does not say.
        dtype: number format it computes in, "" where it does not say.
        max_length: longest text in tokens, None where it does not say.
        max_rows: most texts in one request, None where it does not say.
        labels: names of its classes in the order of the head's outputs.
        kind: what it says the model is for ("classifier", "reranker", "embedding", ...).
        seconds: how long it took to answer.
    """

    engine: EngineName
    version: str = ""
    models: tuple[str, ...] = ()
    revision: str = ""
    dtype: str = ""
    max_length: int | None = None
    max_rows: int | None = None
    labels: tuple[str, ...] = field(default=())
    kind: str = ""
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """Engine and version in words."""
        return f"{ENGINE_TITLES[self.engine]} {self.version}".strip()


def identify(connection: Connection) -> Identity:
    """Asks a server what it is; only about the engine the operator named, if one is named.

    Raises:
        RemoteError: when it cannot be reached, or is none of the engines that are known.
    """
    started = time.monotonic()
    chosen = connection.endpoint.engine
    for engine, look in _LOOKS.items():
        if chosen not in ("auto", engine):
            continue
        found = look(connection)
        if found is not None:
            return _timed(found, started)
    if chosen == "auto":
        raise RemoteError(
            f"{connection.place} answers, but is none of the engines known here "
            f"({', '.join(ENGINE_TITLES.values())}).",
            fix="Check the url in the settings, or name the engine there.",
        )
    raise RemoteError(
        f"{connection.place} does not answer as {ENGINE_TITLES[chosen]}, which the settings say "
        "it is.",
        fix='Correct the engine in the settings, or set it to "auto".',
    )


def _timed(identity: Identity, started: float) -> Identity:
    values = {name: getattr(identity, name) for name in identity.__dataclass_fields__}
    return Identity(**values | {"seconds": time.monotonic() - started})


def _sglang(connection: Connection) -> Identity | None:
    info = _object(connection, "/get_model_info")
    if info is None or "model_path" not in info:
        return None
    server = _object(connection, "/server_info") or _object(connection, "/get_server_info") or {}
    kinds = {True: "language model", False: "classifier"}
    kind = kinds.get(bool(info["is_generation"]), "") if "is_generation" in info else ""
    return Identity(
        "sglang",
        version=_text(server.get("version")),
        models=(str(info["model_path"]),),
        revision=_text(server.get("revision")),
        dtype=_text(server.get("dtype")).removeprefix("auto"),
        max_length=_whole(server.get("context_length")),
        kind=kind,
    )


def _tei(connection: Connection) -> Identity | None:
    info = _object(connection, "/info")
    if info is None or "model_id" not in info or "max_client_batch_size" not in info:
        return None
    kinds = info.get("model_type")
    kind = next(iter(kinds), "") if isinstance(kinds, dict) else _text(kinds)
    details = kinds.get(kind) if isinstance(kinds, dict) else None
    names = details.get("id2label") if isinstance(details, dict) else None
    labels: tuple[str, ...] = ()
    if isinstance(names, dict) and all(str(key).isdigit() for key in names):
        labels = tuple(str(names[key]) for key in sorted(names, key=int))
    return Identity(
        "tei",
        version=_text(info.get("version")),
        models=(str(info["model_id"]),),
        revision=_text(info.get("model_sha")),
        dtype=_text(info.get("model_dtype")),
        max_length=_whole(info.get("max_input_length")),
        max_rows=_whole(info.get("max_client_batch_size")),
        labels=labels,
        kind=kind,
    )


def _vllm(connection: Connection) -> Identity | None:
    found = _object(connection, "/version")
    if found is None or not isinstance(found.get("version"), str):
        return None
    names, length = _models(connection) or ((), None)
    return Identity("vllm", version=found["version"], models=names, max_length=length)


def _openrlhf(connection: Connection) -> Identity | None:
    # It has no route that says what it is; but a GET on its one route is refused as the wrong
    # method, where another server would not know the route.
    try:
        connection.get("/get_reward")
    except RemoteStatusError as error:
        return Identity("openrlhf") if error.status == 405 else None
    except RemoteShapeError:
        return None
    return None


def _openai(connection: Connection) -> Identity | None:
    found = _models(connection)
    return None if found is None else Identity("openai", models=found[0], max_length=found[1])


_LOOKS: dict[EngineName, Callable[[Connection], Identity | None]] = {
    "sglang": _sglang,
    "tei": _tei,
    "vllm": _vllm,
    "openrlhf": _openrlhf,
    # The others serve /v1/models too.
    "openai": _openai,
}


def _models(connection: Connection) -> tuple[tuple[str, ...], int | None] | None:
    body = _object(connection, "/v1/models")
    data = body.get("data") if body is not None else None
    if not isinstance(data, list):
        return None
    entries = [item for item in data if isinstance(item, dict) and isinstance(item.get("id"), str)]
    lengths = [_whole(item.get("max_model_len")) for item in entries]
    known = [length for length in lengths if length is not None]
    return tuple(item["id"] for item in entries), min(known, default=None)


def _object(connection: Connection, route: str) -> dict[str, Any] | None:
    """The JSON object at a route; None where the server has no such route."""
    try:
        value = connection.get(route)
    except RemoteStatusError as error:
        if error.status in (400, 404, 405, 422, 501):
            return None
        raise
    except RemoteShapeError:
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
