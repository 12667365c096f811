"""A chat server that judges: n texts a request, seeds, streams, log-probabilities."""

import hashlib
import json
import math
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from tests.servers.base import EngineServer, Reply


class JudgingServer(EngineServer):
    """An OpenAI-compatible chat server whose model prefers the response that names Paris.

    Attributes:
        model: the one it serves.
        one_at_a_time: gives one text whatever n is.
        streams: answers "stream" with server-sent events; otherwise refuses it.
        ignores_stream: answers "stream" in one piece.
        gives_usage: says how many tokens it wrote.
        thinks: puts its thinking into a field of its own.
        breaks_after: streams so many pieces and closes the connection, that many times.
        piece_s: time between pieces.
        verdict_share: probability that A and B have together as the first token.
        sent: pieces sent so far.
    """

    engine: ClassVar[str] = "openai"

    def __init__(self) -> None:
        super().__init__()
        self.model = "judge-1"
        self.one_at_a_time = False
        self.streams = True
        self.ignores_stream = False
        self.gives_usage = True
        self.thinks = False
        self.breaks_after: list[int] = []
        self.piece_s = 0.0
        self.verdict_share = 0.9
        self.sent = 0

    def get(self, path: str) -> Reply:
        if path == "/v1/models":
            return Reply({"object": "list", "data": [{"id": self.model, "object": "model"}]})
        return Reply({"error": {"message": "Not Found", "type": "invalid_request_error"}}, 404)

    def post(self, path: str, body: Any) -> Reply:
        if path != "/v1/chat/completions":
            return Reply({"error": {"message": "Not Found"}}, 404)
        if body["model"] != self.model:
            return self.refused(404, f"The model `{body['model']}` does not exist.")
        if body.get("stream") and not (self.streams or self.ignores_stream):
            return self.refused(400, "stream is not supported")
        if body.get("logprobs"):
            return Reply(self._reply([self._worded(body)], 1))
        texts = self.texts(body)
        choices = [self._choice(index, text, body) for index, text in enumerate(texts)]
        n_tokens = sum(len(self._pieces(each["message"]["content"])) for each in choices)
        return Reply(self._reply(choices, n_tokens))

    def texts(self, body: dict[str, Any]) -> list[str]:
        """The texts of a request; each depends on question, seed and place."""
        n = 1 if self.one_at_a_time else body.get("n", 1)
        return [self._text(body, place) for place in range(n)]

    def prefers(self, body: dict[str, Any]) -> str:
        """The letter of the shown response that names Paris."""
        asked = body["messages"][-1]["content"].partition("Response A:")[2]
        return "A" if "Paris" in asked.partition("Response B:")[0] else "B"

    def _text(self, body: dict[str, Any], place: int) -> str:
        told = json.dumps([body["messages"], body["seed"], place])
        word = hashlib.sha256(told.encode()).hexdigest()[:6]
        return f"Reason: it is right, says {word}.\nVerdict: [[{self.prefers(body)}]]"

    def _choice(self, index: int, text: str, body: dict[str, Any]) -> dict[str, Any]:
        kept, reason = self._cut(text, body)
        message = {"role": "assistant", "content": kept}
        if self.thinks:
            message["reasoning_content"] = "Verdict: [[A]] is what one says first."
        return {"index": index, "message": message, "finish_reason": reason}

    def _worded(self, body: dict[str, Any]) -> dict[str, Any]:
        best = self.prefers(body)
        other = "AB"[best == "A"]
        share = self.verdict_share
        words = {best: 0.5 * share, f" {best}": 0.25 * share, other: 0.25 * share, "The": 1 - share}
        likeliest = sorted(words.items(), key=lambda each: -each[1])[: body["top_logprobs"]]
        top = [{"token": word, "logprob": math.log(p), "bytes": []} for word, p in likeliest]
        content = [{"token": top[0]["token"], "logprob": top[0]["logprob"], "top_logprobs": top}]
        return {
            "index": 0,
            "message": {"role": "assistant", "content": top[0]["token"]},
            "logprobs": {"content": content},
            "finish_reason": "length",
        }

    def _reply(self, choices: list[dict[str, Any]], n_tokens: int) -> dict[str, Any]:
        usage = {"prompt_tokens": 9, "completion_tokens": n_tokens}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": self.model,
            "choices": choices,
            **({"usage": usage} if self.gives_usage else {}),
        }

    def _pieces(self, text: str) -> list[str]:
        return text.replace(" ", "\0 ").split("\0")

    def _cut(self, text: str, body: dict[str, Any]) -> tuple[str, str]:
        pieces = self._pieces(text)
        limit = body["max_tokens"]
        return "".join(pieces[:limit]), "length" if len(pieces) > limit else "stop"

    def _answer(
        self, handler: BaseHTTPRequestHandler, method: str, body: Any, fault: str | Reply | None
    ) -> None:
        streamed = method == "POST" and fault is None and (body or {}).get("stream")
        if streamed and self.streams and not self.ignores_stream and body["model"] == self.model:
            self._stream(handler, body)
        else:
            super()._answer(handler, method, body, fault)

    def _stream(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        handler.wfile.write(b": ping\n\n")
        breaks = self.breaks_after.pop(0) if self.breaks_after else -1
        for number, event in enumerate(self._events(body)):
            if number == breaks:
                return
            handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            handler.wfile.flush()
            self.sent += 1
            time.sleep(self.piece_s)
        handler.wfile.write(b"data: [DONE]\n\n")

    def _events(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        choices = self.post("/v1/chat/completions", {**body, "stream": False}).value["choices"]
        queues = [(each["index"], self._deltas(each["message"])) for each in choices]
        events = []
        for step in range(max(len(deltas) for _, deltas in queues)):
            for index, deltas in queues:
                if step < len(deltas):
                    events.append({"index": index, "delta": deltas[step], "finish_reason": None})
        ends = [
            {"index": each["index"], "delta": {}, "finish_reason": each["finish_reason"]}
            for each in choices
        ]
        n_tokens = sum(len(deltas) for _, deltas in queues)
        last = {"choices": [], "usage": {"completion_tokens": n_tokens}}
        usage = [last] if self.gives_usage and body.get("stream_options") else []
        return [*({"choices": [each]} for each in (*events, *ends)), *usage]

    def _deltas(self, message: dict[str, Any]) -> list[dict[str, str]]:
        thinking = message.get("reasoning_content", "")
        thoughts = [{"reasoning_content": each} for each in self._pieces(thinking) if each]
        return thoughts + [{"content": each} for each in self._pieces(message["content"])]
