"""Asking a server: one connection for each, with what may be tried again and what may not.

A busy server (429), a failing one (5xx), a late answer (once) and a connection that drops are tried
again with growing pauses; any other refusal (4xx) would be refused again, and is not. A key is read
from the environment for each request and struck out of everything that is shown.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import httpx
import stamina

from core.errors import RemoteError
from core.settings import Endpoint

CONNECT_TIMEOUT_S = 10.0
LONGEST_WAIT_S = 60.0
"""A server that asks to be left alone for longer than this is not waited for."""
MESSAGE_LENGTH = 600
MOST_BYTES = 64 * 1024**2
"""A longer answer holds no rewards: it is dropped before it fills the memory."""
TIMEOUT_ATTEMPTS = 2
"""Each costs the whole `timeout_s`: a server that was late twice is stuck or too slow."""

_KEPT_HEADERS = ("Content-Type", "Retry-After")
RETRIED = frozenset({429, 500, 502, 503, 504})
"""Answers after which the same request may succeed."""


@dataclass(frozen=True)
class Backoff:
    """How often a request is tried, and how long the pauses are.

    Attributes:
        attempts: the first one included.
        first_s: the first pause; each next one is twice as long.
        longest_s: bound on a pause.
        jitter_s: up to this much is added at random, so that callers do not come back together.
    """

    attempts: int = 5
    first_s: float = 0.5
    longest_s: float = 20.0
    jitter_s: float = 0.5


class StoppedError(Exception):
    """The caller lost interest between two attempts; nothing is known about the request."""


class RemoteTimeoutError(RemoteError):
    """A server that did not answer in time."""


class RemoteDroppedError(RemoteError):
    """A server that cannot be reached, or a connection that ended before the answer did."""


class RemoteShapeError(RemoteError):
    """An answer that is not what the protocol says."""


class RemoteStatusError(RemoteError):
    """A refusal.

    Args:
        status: the HTTP status.
        retry_after_s: how long the server asks to wait, None where it does not say.
    """

    def __init__(
        self, message: str, *, status: int, retry_after_s: float | None = None, fix: str = ""
    ) -> None:
        super().__init__(message, fix=fix)
        self.status = status
        self.retry_after_s = retry_after_s


class Receiver(Protocol):
    """Who puts a streamed answer together."""

    def begin(self) -> None:
        """Forgets what came before: an attempt begins."""

    def take(self, event: Any) -> bool:
        """Takes the next piece; True: no more is wanted."""

    def whole(self) -> bool:
        """Whether what came is complete, for servers that do not say so."""


class Connection:
    """One server of the operator's settings; safe to use from several threads.

    Args:
        endpoint: its address, key and limits.
        backoff: of requests that are worth another attempt.
    """

    def __init__(self, endpoint: Endpoint, *, backoff: Backoff | None = None) -> None:
        self.endpoint = endpoint
        self._backoff = backoff or Backoff()
        self._slots = threading.BoundedSemaphore(endpoint.concurrency)
        connect = min(CONNECT_TIMEOUT_S, endpoint.timeout_s)
        self._client = httpx.Client(
            base_url=endpoint.url,
            timeout=httpx.Timeout(endpoint.timeout_s, connect=connect),
            # Where it redirects to is not what the operator named, and would be sent the key.
            follow_redirects=False,
        )

    @property
    def place(self) -> str:
        """Name and address, for messages."""
        return f"{self.endpoint.name} ({self.endpoint.url})"

    def get(self, route: str, *, attempts: int = 1) -> Any:
        """The JSON value at a route.

        Raises:
            RemoteError: what went wrong, with the address.
        """
        return self._tried(lambda: self._once("GET", route, None), attempts, lambda: False)

    def post(
        self,
        route: str,
        body: Mapping[str, Any],
        *,
        should_stop: Callable[[], bool] = lambda: False,
        attempts: int | None = None,
    ) -> Any:
        """The JSON value a route answers to a JSON body.

        Args:
            should_stop: asked before another attempt.
            attempts: by default the backoff's.

        Raises:
            RemoteError: what went wrong, with the address.
            StoppedError: when `should_stop` said True after a failed attempt.
        """
        attempts = attempts or self._backoff.attempts
        return self._tried(lambda: self._once("POST", route, body), attempts, should_stop)

    def post_streamed(
        self,
        route: str,
        body: Mapping[str, Any],
        receiver: "Receiver",
        *,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Any:
        """Gives the receiver what a route answers piece by piece (server-sent events).

        An attempt that fails midway is made anew from the beginning.

        Returns:
            None, or the JSON value of a server that answers in one piece all the same.

        Raises:
            RemoteError: what went wrong, with the address.
            StoppedError: when `should_stop` said True after a failed attempt.
        """
        return self._tried(
            lambda: self._events(route, body, receiver), self._backoff.attempts, should_stop
        )

    def is_healthy(self) -> bool:
        """Whether GET /health is answered with 200. Engines without that route say no."""
        try:
            with self._slots:
                return self._client.get("/health", headers=self._headers()).status_code == 200
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        """Ends open connections."""
        self._client.close()

    def _tried(
        self, once: Callable[[], Any], attempts: int, should_stop: Callable[[], bool]
    ) -> Any:
        late = 0

        def again(error: Exception) -> bool | float:
            nonlocal late
            late += isinstance(error, RemoteTimeoutError)
            if should_stop() or late >= TIMEOUT_ATTEMPTS:
                return False
            return worth_another(error)

        pause = self._backoff
        try:
            for attempt in stamina.retry_context(
                on=again,
                attempts=attempts,
                timeout=None,
                wait_initial=pause.first_s,
                wait_max=pause.longest_s,
                wait_jitter=pause.jitter_s,
            ):
                with attempt:
                    if attempt.num > 1 and should_stop():
                        raise StoppedError
                    return once()
        except RemoteError as error:
            if should_stop() and worth_another(error):
                raise StoppedError from error
            raise
        raise AssertionError("unreachable")

    def _once(self, method: str, route: str, body: Mapping[str, Any] | None) -> Any:
        what = f"{method} {route}"
        headers = self._headers()
        content = None if body is None else _encoded(body)
        with self._named_errors(what), self._slots:
            response = self._answer(method, route, content, headers)
        if response.status_code != 200:
            raise self._refusal(response, what)
        return self._parsed(response, what)

    def _answer(
        self, method: str, route: str, content: bytes | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        """The whole answer. httpx bounds the wait for each piece of it; this bounds all of them."""
        deadline = time.monotonic() + self.endpoint.timeout_s
        pieces: list[bytes] = []
        size = 0
        with self._client.stream(method, route, content=content, headers=headers) as response:
            for piece in response.iter_bytes():
                pieces.append(piece)
                size += len(piece)
                if size > MOST_BYTES:
                    raise RemoteShapeError(
                        f"{self.place} answers {method} {route} with more than "
                        f"{MOST_BYTES // 1024**2} MB, which are no rewards.",
                        fix="It may return hidden states or a value for each token: start it for "
                        "rewards, or set another remote.route in the card.",
                    )
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer comes too slowly")
        kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        return httpx.Response(response.status_code, headers=kept, content=b"".join(pieces))

    def _events(self, route: str, body: Mapping[str, Any], receiver: "Receiver") -> Any:
        what = f"POST {route}"
        headers = {**self._headers(), "Accept": "text/event-stream, application/json"}
        receiver.begin()
        with (
            self._named_errors(what),
            self._slots,
            self._client.stream("POST", route, content=_encoded(body), headers=headers) as response,
        ):
            if response.status_code != 200:
                response.read()
                raise self._refusal(response, what)
            if "text/event-stream" not in response.headers.get("Content-Type", ""):
                response.read()
                return self._parsed(response, what)
            for line in response.iter_lines():
                field, _, data = line.partition(":")
                if field != "data":
                    continue
                if data.strip() == "[DONE]" or receiver.take(self._event(data, what)):
                    return None
        if not receiver.whole():
            raise RemoteDroppedError(f"{self.place}: the answer to {what} broke off in its stream.")
        return None

    def _event(self, data: str, what: str) -> Any:
        try:
            event = json.loads(data)
        except ValueError as error:
            start = self._without_key(data.strip())[:80]
            raise RemoteShapeError(
                f"{self.place} answered {what} with a piece that is not JSON: {start!r}."
            ) from error
        failed = event.get("error") if isinstance(event, dict) else None
        if failed:
            said = failed.get("message", failed) if isinstance(failed, dict) else failed
            code = failed.get("code") if isinstance(failed, dict) else None
            status = code if isinstance(code, int) else 500
            raise RemoteStatusError(
                f"{self.place} gave up {what} in its stream with status {status}: "
                f"{self._without_key(str(said))[:MESSAGE_LENGTH]}",
                status=status,
                fix=_advice(status),
            )
        return event

    @contextmanager
    def _named_errors(self, what: str) -> Iterator[None]:
        """Turns what the HTTP library raises into errors that name server and request."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise RemoteTimeoutError(
                f"{self.place} timed out: no answer to {what} within "
                f"{self.endpoint.timeout_s:g} seconds.",
                fix="See whether the server is busy or stuck; timeout_s of this endpoint in the "
                "settings allows more, batch_tokens makes requests smaller.",
            ) from error
        except httpx.HTTPError as error:
            reason = self._without_key(str(error) or type(error).__name__)
            if isinstance(error, httpx.ConnectError):
                raise RemoteDroppedError(
                    f"{self.place} cannot be reached: {reason}.",
                    fix="Start the server, or correct its url in the settings.",
                ) from error
            raise RemoteDroppedError(
                f"{self.place} dropped the connection during {what}: {reason}.",
                fix="See the server's log: it may have run out of memory or been restarted.",
            ) from error

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        key = self._key()
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return headers

    def _key(self) -> str:
        name = self.endpoint.api_key_env
        if not name:
            return ""
        key = os.environ.get(name, "").strip()
        if not key:
            raise RemoteError(
                f"{self.endpoint.name}: the environment variable {name}, which should hold its "
                "key, is not set.",
                fix="Set it for the workbench's process, or drop api_key_env from the settings.",
            )
        if not key.isascii() or not key.isprintable():
            raise RemoteError(
                f"{self.endpoint.name}: the key in {name} cannot be sent in a header."
            )
        return key

    def _without_key(self, text: str) -> str:
        name = self.endpoint.api_key_env
        key = os.environ.get(name, "").strip() if name else ""
        return text.replace(key, "(key)") if key else text

    def _parsed(self, response: httpx.Response, what: str) -> Any:
        try:
            return json.loads(response.content)
        except json.JSONDecodeError as error:
            if _is_cut(error):
                raise RemoteDroppedError(
                    f"{self.place}: the answer to {what} broke off after "
                    f"{len(response.content)} bytes."
                ) from error
        except (ValueError, RecursionError):
            pass  # no text, a number too long to read, or lists nested without end
        # First without the key, then cut: half a key would not be known as one.
        start = self._without_key(response.text)[:80]
        raise RemoteShapeError(
            f"{self.place} answered {what} with something that is not JSON: {start!r}.",
            fix="Check that the url in the settings is the server's, not that of a page or proxy.",
        )

    def _refusal(self, response: httpx.Response, what: str) -> RemoteStatusError:
        status = response.status_code
        said = self._without_key(error_message(response))[:MESSAGE_LENGTH]
        wait = _seconds(response.headers.get("Retry-After"))
        return RemoteStatusError(
            f"{self.place} refused {what} with status {status}" + (f": {said}" if said else "."),
            status=status,
            retry_after_s=wait,
            fix=_advice(status),
        )


@lru_cache(maxsize=64)
def connection_to(endpoint: Endpoint) -> Connection:
    """The process's connection to a server: all its models share the bound on requests."""
    return Connection(endpoint)


def worth_another(error: Exception) -> bool | float:
    """Whether the same request may succeed later; a number is the pause in seconds it asks for."""
    if isinstance(error, RemoteTimeoutError | RemoteDroppedError):
        return True
    if not isinstance(error, RemoteStatusError) or error.status not in RETRIED:
        return False
    if error.retry_after_s is None:
        return True
    return error.retry_after_s if error.retry_after_s <= LONGEST_WAIT_S else False


def error_message(response: httpx.Response) -> str:
    """What a server says about its refusal, in any of the forms in use.

    `{"error": {"message"}}` (newer vLLM, OpenAI), `{"message"}` (older vLLM), `{"error": "..."}`
    (text-embeddings-inference), `{"detail"}` (FastAPI), or plain text.
    """
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return response.text.strip()
    found: Any = body
    if isinstance(body, dict):
        found = body.get("error") or body.get("message") or body.get("detail") or body
        if isinstance(found, dict) and "message" in found:
            found = found["message"]
    text = found if isinstance(found, str) else json.dumps(found)
    return text.strip()


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body).encode("ascii")


def _is_cut(error: json.JSONDecodeError) -> bool:
    """Whether JSON that began well only lacks its end."""
    text = error.doc.rstrip()
    at_end = error.pos >= len(text) - 1 or error.msg.startswith("Unterminated string")
    return text.lstrip()[:1] in ("{", "[") and at_end


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; the form with a date is rare here and left to the usual pause."""
    try:
        value = float(header) if header is not None else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None


def _advice(status: int) -> str:
    if status in (401, 403):
        return "Check the key: api_key_env of this endpoint in the settings."
    if 300 <= status < 400:
        return "Put the address it redirects to into the settings; redirects are not followed."
    if status in (404, 405):
        return (
            "The server has no such route: check the engine in the settings and remote.route in "
            "the card. vLLM has /classify, /score and /pooling only when the model was resolved "
            "as a pooling model (--runner pooling, --convert classify)."
        )
    if status == 429:
        return "It is overloaded; lower concurrency of this endpoint in the settings."
    return ""
