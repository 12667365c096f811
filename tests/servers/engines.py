"""The protocols of the engines, as their documentation and sources give them."""

import math
from typing import Any, ClassVar

from tests import tiny
from tests.servers.base import EngineServer, Reply, text_reward

CHAT_START = "<s>"
TEI_MAX_ROWS = 4


def rendered(messages: list[dict[str, str]]) -> str:
    """A conversation in the template of the tiny tokenizer, as a server would render it."""
    return str(tiny.chat_tokenizer().apply_chat_template(messages, tokenize=False))


def count(text: str, *, add: bool = False) -> int:
    """Tokens of a text; a tokenizer that adds its own puts a beginning-of-text token before."""
    n = len(tiny.chat_tokenizer()(text, add_special_tokens=False)["input_ids"])
    return n + (1 if add else 0)


class VllmServer(EngineServer):
    """vLLM: /classify, /pooling, /score, /rerank beside /version and /v1/models.

    Attributes:
        old_errors: the flat error body of older versions.
        max_model_len: longer texts are refused, unless the request lets them be cut.
        cuts_silently: cut texts at max_model_len whatever the request says.
        adds_bos: add a beginning-of-text token whatever the request says.
        classes: how many values a text gets.
        base64: /pooling answers with base64 strings.
        unknown_ids: the /v1/models list.
    """

    engine: ClassVar[str] = "vllm"

    def __init__(self) -> None:
        super().__init__()
        self.old_errors = False
        self.max_model_len = 4096
        self.cuts_silently = False
        self.adds_bos = False
        self.classes = 1
        self.token_rows = False
        self.names = ["org/reward-model"]
        self.routes = {"/classify", "/pooling", "/score", "/rerank"}

    def get(self, path: str) -> Reply:
        if path == "/version":
            return Reply({"version": "0.11.2"})
        if path == "/health":
            return Reply("")
        if path == "/v1/models":
            entries = [
                {"id": name, "object": "model", "max_model_len": self.max_model_len}
                for name in self.names
            ]
            return Reply({"object": "list", "data": entries})
        return Reply({"detail": "Not Found"}, 404)

    def refused(self, status: int, message: str, kind: str = "BadRequestError") -> Reply:
        inner = {"message": message, "type": kind, "param": None, "code": status}
        return Reply({"object": "error", **inner} if self.old_errors else {"error": inner}, status)

    def post(self, path: str, body: Any) -> Reply:
        if path not in self.routes:
            return Reply({"detail": "Not Found"}, 404)
        if body.get("model") not in self.names:
            return self.refused(404, f"The model `{body.get('model')}` does not exist.")
        if path == "/score":
            pairs = list(zip(body["text_1"], body["text_2"], strict=True))
            return self._pairs(path, pairs, body)
        if path == "/rerank":
            return self._pairs(path, [(body["query"], d) for d in body["documents"]], body)
        if "messages" in body:
            texts = [rendered(body["messages"])]
        else:
            texts = [body["input"]] if isinstance(body["input"], str) else list(body["input"])
        return self._texts(path, texts, body)

    def _texts(self, path: str, texts: list[str], body: dict[str, Any]) -> Reply:
        add = bool(body.get("add_special_tokens", True)) or self.adds_bos
        counts = [count(text, add=add) for text in texts]
        limit = body.get("truncate_prompt_tokens")
        if limit is None and max(counts) > self.max_model_len and not self.cuts_silently:
            return self.refused(
                400, f"This model's maximum context length is {self.max_model_len} tokens."
            )
        counts = [min(n, limit or self.max_model_len) for n in counts]
        activated = bool(body.get("use_activation", True))
        data = []
        for index, text in enumerate(texts):
            value = self.value_of(text, activated=activated)
            if path == "/pooling":
                shown = value if isinstance(value, str | list) else [value]
                if self.token_rows:
                    shown = [[0.0], [value]]
                data.append({"index": index, "object": "pooling", "data": shown})
                continue
            probs = value if isinstance(value, list) else [value]
            probs = probs + [-value for _ in range(self.classes - 1)]
            data.append(
                {"index": index, "label": "LABEL_0", "probs": probs, "num_classes": len(probs)}
            )
        return Reply(
            {
                "id": f"{path[1:]}-1",
                "object": "list",
                "created": 1,
                "model": body["model"],
                "data": self.ordered(data),
                "usage": {
                    "prompt_tokens": sum(counts),
                    "total_tokens": sum(counts),
                    "completion_tokens": 0,
                    "prompt_tokens_details": None,
                },
            }
        )

    def _pairs(self, path: str, pairs: list[tuple[str, str]], body: dict[str, Any]) -> Reply:
        if path == "/score" and self.classes != 1:
            return self.refused(400, "Score API is only enabled for num_labels == 1.")
        activated = bool(body.get("use_activation", True))
        values = [self.value_of(f"{q}\n{d}", activated=activated) for q, d in pairs]
        if path == "/score":
            data = [
                {"index": index, "object": "score", "score": value}
                for index, value in enumerate(values)
            ]
            return Reply({"object": "list", "model": body["model"], "data": self.ordered(data)})
        results = [
            {"index": index, "document": {"text": pairs[index][1]}, "relevance_score": value}
            for index, value in enumerate(values)
        ]
        results.sort(key=lambda item: -item["relevance_score"])
        top = body.get("top_n") or len(results)
        return Reply({"id": "rerank-1", "model": body["model"], "results": results[:top]})


class SglangServer(EngineServer):
    """SGLang: the native /classify, and the OpenAI-like one that is always 1 for one class."""

    engine: ClassVar[str] = "sglang"

    def get(self, path: str) -> Reply:
        if path == "/get_model_info":
            return Reply(
                {"model_path": "org/reward-model", "tokenizer_path": "x", "is_generation": False}
            )
        if path == "/server_info":
            return Reply({"version": "0.5.3", "dtype": "bfloat16", "context_length": 8192})
        if path == "/health":
            return Reply("")
        if path == "/v1/models":
            return Reply({"object": "list", "data": [{"id": "org/reward-model"}]})
        return Reply({"detail": "Not Found"}, 404)

    def post(self, path: str, body: Any) -> Reply:
        if path == "/v1/classify":
            data = [{"index": 0, "label": "LABEL_0", "probs": [1.0], "num_classes": 1}]
            return Reply({"object": "list", "data": data})
        if path != "/classify":
            return Reply({"detail": "Not Found"}, 404)
        tokenizer = tiny.chat_tokenizer()
        if "input_ids" in body:
            texts = [tokenizer.decode(ids) for ids in body["input_ids"]]
            counts = [len(ids) for ids in body["input_ids"]]
        else:
            single = isinstance(body["text"], str)
            texts = [body["text"]] if single else body["text"]
            counts = [count(text, add=True) for text in texts]
        found = [
            {
                "embedding": [value] if not isinstance(value, list) else value,
                "meta_info": {"id": "1", "prompt_tokens": n, "e2e_latency": 0.01},
            }
            for text, n in zip(texts, counts, strict=True)
            for value in [self.value_of(text, activated=False)]
        ]
        return Reply(found[0] if isinstance(body.get("text"), str) else found)


class TeiServer(EngineServer):
    """text-embeddings-inference: /predict and /rerank; classes come sorted by score.

    Attributes:
        reranker: what /info says it serves.
        labels: names of its classes in the head's order.
    """

    engine: ClassVar[str] = "tei"

    def __init__(self) -> None:
        super().__init__()
        self.reranker = False
        self.labels = ["LABEL_0"]
        self.max_words = 512

    def get(self, path: str) -> Reply:
        if path == "/health":
            return Reply("")
        if path != "/info":
            return Reply({}, 404)
        names = {str(i): name for i, name in enumerate(self.labels)}
        kind = {"reranker" if self.reranker else "classifier": {"id2label": names, "label2id": {}}}
        return Reply(
            {
                "model_id": "org/cross-encoder",
                "model_sha": "abc123",
                "model_dtype": "float16",
                "model_type": kind,
                "version": "1.9.3",
                "max_input_length": self.max_words,
                "max_batch_tokens": 16384,
                "max_client_batch_size": TEI_MAX_ROWS,
            }
        )

    def refused(self, status: int, message: str, kind: str = "Validation") -> Reply:
        return Reply({"error": message, "error_type": kind}, status)

    def post(self, path: str, body: Any) -> Reply:
        if path == "/predict":
            return self._predict(body)
        if path != "/rerank":
            return Reply({}, 404)
        texts = [f"{body['query']}\n{text}" for text in body["texts"]]
        if len(texts) > TEI_MAX_ROWS:
            return self.refused(413, f"batch size {len(texts)} > {TEI_MAX_ROWS}")
        activated = not body.get("raw_scores", False)
        ranks = [
            {"index": index, "score": self.value_of(text, activated=activated)}
            for index, text in enumerate(texts)
        ]
        return Reply(sorted(ranks, key=lambda rank: -rank["score"]))

    def _predict(self, body: Any) -> Reply:
        inputs = body["inputs"]
        if isinstance(inputs, str):
            return Reply(self._classes(inputs, body))
        if all(isinstance(item, str) for item in inputs):
            # The trap: two texts in a plain list are one pair.
            return Reply(self._classes("\n".join(inputs), body))
        if len(inputs) > TEI_MAX_ROWS:
            return self.refused(413, f"batch size {len(inputs)} > maximum allowed {TEI_MAX_ROWS}")
        texts = ["\n".join(item) for item in inputs]
        if not body.get("truncate") and any(len(t.split()) > self.max_words for t in texts):
            return self.refused(413, f"`inputs` must have less than {self.max_words} tokens.")
        return Reply([self._classes(text, body) for text in texts])

    def _classes(self, text: str, body: Any) -> list[dict[str, Any]]:
        activated = not body.get("raw_scores", False)
        value = self.value_of(text, activated=activated)
        found = [
            {"label": label, "score": value if index == 0 else -value - index}
            for index, label in enumerate(self.labels)
        ]
        return sorted(found, key=lambda item: -item["score"])


class OpenRlhfServer(EngineServer):
    """OpenRLHF's serve_rm: one route, nothing that says what it is."""

    engine: ClassVar[str] = "openrlhf"
    newer = False

    def get(self, path: str) -> Reply:
        if path == "/get_reward":
            return Reply({"detail": "Method Not Allowed"}, 405)
        return Reply({"detail": "Not Found"}, 404)

    def post(self, path: str, body: Any) -> Reply:
        if path != "/get_reward":
            return Reply({"detail": "Not Found"}, 404)
        rewards = [self.value_of(text, activated=False) for text in body["query"]]
        extra = {"scores": rewards, "extra_logs": {}} if self.newer else {}
        return Reply({"rewards": rewards, **extra})


class OpenAiServer(EngineServer):
    """An OpenAI-compatible chat server that says Yes or No.

    Attributes:
        silent: answer with other words.
        only_yes: No is not among the likeliest tokens.
    """

    engine: ClassVar[str] = "openai"
    silent = False
    only_yes = False
    share = 0.9

    def get(self, path: str) -> Reply:
        if path == "/v1/models":
            return Reply({"object": "list", "data": [{"id": "judge", "object": "model"}]})
        return Reply({"error": {"message": "Not Found", "type": "invalid_request_error"}}, 404)

    def post(self, path: str, body: Any) -> Reply:
        if path != "/v1/chat/completions":
            return Reply({"error": {"message": "Not Found"}}, 404)
        yes = 1 / (1 + math.exp(-text_reward(body["messages"][-1]["content"])))
        words = {"Yes": 0.75 * yes, " yes": 0.25 * yes, "No": 1 - yes}
        if self.only_yes:
            words = {"Yes": 0.9, "The": 0.01}
        if self.silent:
            words = {"I": 0.6, "As": 0.3}
        top = [
            {"token": word, "logprob": math.log(self.share * p), "bytes": []}
            for word, p in sorted(words.items(), key=lambda item: -item[1])
        ][: body["top_logprobs"]]
        content = [{"token": top[0]["token"], "logprob": top[0]["logprob"], "top_logprobs": top}]
        return Reply(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "model": body["model"],
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": top[0]["token"]},
                        "logprobs": {"content": content},
                        "finish_reason": "length",
                    }
                ],
                "usage": {
                    "prompt_tokens": count(body["messages"][-1]["content"], add=True),
                    "completion_tokens": 1,
                },
            }
        )
