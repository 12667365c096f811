"""What the engines' test servers share: a real HTTP server, a log of requests, planned faults.

They hold no network: a reward is a fixed function of the text, so a test can work it out.
Everything around it (routes, bodies, errors, order) follows the protocol of the engine.
"""

import hashlib
import json
import math
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


def text_reward(text: str) -> float:
    """The raw reward of a text: between -4 and 4, and better where it names Paris."""
    share = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
    reward = 4 * share - 2 + 2 * ("Paris" in text) - 2 * ("Bananas" in text)
    # As a server with float32 logits sends it.
    return float(struct.unpack("f", struct.pack("f", reward))[0])


def squashed(value: float) -> float:
    """The sigmoid of a reward, as float32."""
    return float(struct.unpack("f", struct.pack("f", 1 / (1 + math.exp(-value))))[0])


@dataclass
class Reply:
    """A status, a JSON value and headers."""

    value: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """A request as it came in."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


class EngineServer:
    """One server on a port of its own.

    Attributes:
        requests: all that came in, oldest first.
        faults: what happens to the next POST requests, one entry each, before they are served:
            "429", "500", "503", "slow", "drop", "cut", "html", or a `Reply`.
        slow_s: how long "slow" takes.
        squash: apply a sigmoid whatever the request says.
        shuffle: results come in another order than asked.
        noise: rewards differ a little from one request to the next.
        spoil: maps a text to the value that is sent in place of its reward (NaN, a long list).
        key: the bearer key the server wants, "" for none.
        peak: most requests that were served at once.
    """

    engine: ClassVar[str]

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: deque[str | Reply] = deque()
        self.slow_s = 1.0
        self.squash = False
        self.shuffle = False
        self.noise = 0.0
        self.spoil: dict[str, Any] = {}
        self.key = ""
        self.latency_s = 0.0
        self.peak = 0
        self._running = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def posts(self) -> list[Request]:
        """The POST requests so far."""
        return [request for request in self.requests if request.method == "POST"]

    def get(self, path: str) -> Reply:
        """What a GET is answered with."""
        raise NotImplementedError

    def post(self, path: str, body: Any) -> Reply:
        """What a POST is answered with."""
        raise NotImplementedError

    def refused(self, status: int, message: str, kind: str = "BadRequestError") -> Reply:
        """An error in the engine's own form."""
        return Reply({"error": {"message": message, "type": kind, "code": status}}, status)

    def value_of(self, text: str, *, activated: bool) -> Any:
        """What is sent for a text: its reward, squashed where asked or always, or spoilt."""
        for part, value in self.spoil.items():
            if part in text:
                return value
        reward = text_reward(text)
        if self.noise:
            reward += self.noise * len(self.requests)
        return squashed(reward) if activated or self.squash else reward

    def ordered(self, items: list[Any]) -> list[Any]:
        """The results, in another order where the server shuffles."""
        return items[1::2] + items[0::2] if self.shuffle else items

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def serve(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        """Answers one request, with the next planned fault if there is one."""
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else None
        with self._lock:
            self.requests.append(Request(method, handler.path, body, dict(handler.headers)))
            fault = self.faults.popleft() if method == "POST" and self.faults else None
            self._running += 1
            self.peak = max(self.peak, self._running)
        try:
            if method == "POST" and self.latency_s:
                time.sleep(self.latency_s)
            self._answer(handler, method, body, fault)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client did not wait
        finally:
            with self._lock:
                self._running -= 1

    def _answer(
        self, handler: BaseHTTPRequestHandler, method: str, body: Any, fault: str | Reply | None
    ) -> None:
        if self.key and handler.headers.get("Authorization") != f"Bearer {self.key}":
            given = handler.headers.get("Authorization", "no key")
            _send(handler, self.refused(401, f"Incorrect API key provided: {given}"))
            return
        if isinstance(fault, Reply):
            _send(handler, fault)
        elif fault == "429":
            _send(handler, Reply(self.refused(429, "busy").value, 429, {"Retry-After": "0.1"}))
        elif fault in ("500", "503"):
            _send(handler, self.refused(int(fault), "internal error", "InternalServerError"))
        elif fault == "html":
            _send_raw(handler, b"<html>Welcome to nginx!</html>")
        elif fault == "drop":
            handler.close_connection = True
            handler.connection.close()
        elif fault == "cut":
            whole = json.dumps(self.post(handler.path, body).value).encode()
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(whole)))
            handler.end_headers()
            handler.wfile.write(whole[: len(whole) // 2])
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.close()
        else:
            if fault == "slow":
                time.sleep(self.slow_s)
            reply = self.get(handler.path) if method == "GET" else self.post(handler.path, body)
            _send(handler, reply)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                engine.serve(self, "GET")

            def do_POST(self) -> None:
                engine.serve(self, "POST")

            def log_message(self, *args: object) -> None:
                """Tests read `requests` instead."""

        return Handler


@contextmanager
def running(server: EngineServer) -> Iterator[EngineServer]:
    """The server, started, and stopped at the end."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    # allow_nan: servers in Python send the word NaN, which is no JSON.
    _send_raw(handler, json.dumps(reply.value).encode(), reply.status, reply.headers)


def _send_raw(
    handler: BaseHTTPRequestHandler,
    content: bytes,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> None:
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
