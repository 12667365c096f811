"""Texts from an OpenAI-compatible chat server, piece by piece where it streams.

A server that refuses to stream is asked for whole texts from then on; one that answers a request
for a stream in one piece is taken at its word.
"""

from collections.abc import Callable
from typing import Any

from core.models.remote.http import Connection, RemoteStatusError
from core.models.remote.openai import OpenAiYesNo, chat, checked_reply

Watch = Callable[[int, str], bool]
"""Told while texts are written: which of the choices, and its text so far. True when it is not
wanted any more; a request ends once that holds for all its unfinished texts."""

REFUSALS = frozenset({400, 404, 405, 422, 501})
"""Answers of a server that cannot stream, or does not know an option of it."""


class ChatServer:
    """One model of a chat server; safe to use from several threads.

    Args:
        connection: to the server.
        model: as the server calls it.
    """

    def __init__(self, connection: Connection, model: str) -> None:
        self.connection = connection
        self.model = model
        self._streams = True

    def whole(self, body: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request, in one piece.

        Raises:
            RemoteError: what went wrong, with the address.
        """
        return chat(self.connection, self.model, body)

    def streamed(
        self, body: dict[str, Any], watch: Watch, should_stop: Callable[[], bool]
    ) -> dict[str, Any]:
        """The reply to a request, in the form of one in one piece.

        A choice whose `finish_reason` is None was ended by the watcher.

        Raises:
            RemoteError: what went wrong, with the address.
            StoppedError: `should_stop` said True after a failed attempt.
        """
        if self._streams:
            try:
                return self._stream(body, watch, should_stop)
            except RemoteStatusError as error:
                if error.status not in REFUSALS:
                    raise
            reply = chat(self.connection, self.model, body, should_stop=should_stop)
            self._streams = False  # it was the stream that was refused, and not the request
            return reply
        return chat(self.connection, self.model, body, should_stop=should_stop)

    def _stream(
        self, body: dict[str, Any], watch: Watch, should_stop: Callable[[], bool]
    ) -> dict[str, Any]:
        pieces = _Pieces(watch)
        wanted = {**body, "stream": True, "stream_options": {"include_usage": True}}
        answer = self.connection.post_streamed(
            OpenAiYesNo.route, {"model": self.model, **wanted}, pieces, should_stop=should_stop
        )
        if answer is None:
            return pieces.reply()
        return checked_reply(self.connection, answer)


class _Pieces:
    """Choices put together from the pieces of a stream."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.begin()

    def begin(self) -> None:
        self._messages: dict[int, dict[str, str]] = {}
        self._finished: dict[int, str] = {}
        self._unwanted: set[int] = set()
        self._usage: Any = None

    def take(self, event: Any) -> bool:
        if not isinstance(event, dict):
            return False
        self._usage = event.get("usage") or self._usage
        for choice in event.get("choices") or []:
            self._add(choice)
        left = self._messages.keys() - self._finished.keys()
        return bool(left) and left <= self._unwanted

    def whole(self) -> bool:
        return bool(self._messages) and self._messages.keys() == self._finished.keys()

    def reply(self) -> dict[str, Any]:
        choices = [
            {"index": index, "message": message, "finish_reason": self._finished.get(index)}
            for index, message in sorted(self._messages.items())
        ]
        return {"choices": choices, "usage": self._usage}

    def _add(self, choice: Any) -> None:
        if not isinstance(choice, dict):
            return
        index = int(choice.get("index") or 0)
        message = self._messages.setdefault(index, {"content": ""})
        delta = choice.get("delta") or {}
        for part in ("content", "reasoning_content", "reasoning"):
            if delta.get(part):
                message[part] = message.get(part, "") + str(delta[part])
        if choice.get("finish_reason"):
            self._finished[index] = str(choice["finish_reason"])
        if self._watch(index, message_text(message)):
            self._unwanted.add(index)


def message_text(message: dict[str, Any]) -> str:
    """A message's text; thinking that the server took out is put back, as the formats know it."""
    text = str(message.get("content") or "")
    thinking = message.get("reasoning_content") or message.get("reasoning")
    if not isinstance(thinking, str) or not thinking:
        return text
    begun = f"<think>\n{thinking}"
    # Without an answer yet (or ever, where the text was cut) the thinking has not ended.
    return f"{begun}\n</think>\n{text}" if text else begun
