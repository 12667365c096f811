"""What a judge runs on: a language model in this process, or a chat server.

A judge asks for texts and for the log-probabilities of verdict words; `JudgeBackend` is all it
knows of who answers.
"""

import hashlib
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import ConversationError, ModelLoadError, ScoringError
from core.models.card import BaseSource, Dtype, JudgePart
from core.models.language import LanguageModel, load_language_model
from core.models.remote.chat import message_text
from core.models.remote.http import StoppedError
from core.models.sampling import Sampling, Tokens, draw
from core.schema import Message

ROWS = 96
"""Texts a local model writes side by side."""

LIKELIEST_ONLY = 1e-9
"""A nucleus of this size holds the likeliest token alone: temperature 0."""

Watch = Callable[[int, int, Callable[[], str]], bool]
"""Told while texts are written: position among the asks, sample, and a function that gives the text
so far. True ends that text there; it then counts as not written."""


Told = Callable[[int, str], bool]
"""The same of one request: number of the choice, and its text so far."""

Stream = Callable[[dict[str, Any], Told, Callable[[], bool]], dict[str, Any]]
"""Posts a body; tells while texts come; asks whether to stop before another attempt."""


@dataclass(frozen=True)
class Ask:
    """Texts wanted.

    Attributes:
        messages: a conversation that ends with a user's turn.
        n: how many.
        first: number of the first, so that more can be asked for later.
        seed: of the draws; with the number of the text it fixes the text.
    """

    messages: tuple[Message, ...]
    n: int
    first: int
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Written:
    """What came back.

    Attributes:
        text: of the reply.
        n_tokens: of the reply, end token included; None where the server does not say.
        truncated: it was cut at the limit.
        problem: why there is no text, "" where there is one.
    """

    text: str
    n_tokens: int | None
    truncated: bool
    problem: str = ""


@dataclass(frozen=True)
class Words:
    """Log-probabilities (nats) of the words a verdict may be; a problem where there are none."""

    log_probabilities: dict[str, float]
    problem: str = ""


class JudgeBackend(Protocol):
    """Who writes.

    Attributes:
        fingerprint: of the model behind it.
    """

    fingerprint: str

    def complete(
        self, asks: Sequence[Ask], part: JudgePart, *, watch: Watch | None = None
    ) -> list[list[Written | None]]:
        """The texts of each ask, in the order of their numbers; None for one that was ended."""

    def verdict_log_probabilities(
        self, conversations: Sequence[Sequence[Message]], opening: str, words: Sequence[str]
    ) -> list[Words]:
        """How likely each word is right after a reply that begins with `opening`."""


class LocalBackend:
    """A causal language model in this process.

    Args:
        model: the model.
        context: tokens that prompt and reply may have together; the model's own limit where lower.
        rows: texts written side by side.
    """

    def __init__(self, model: LanguageModel, *, context: int = 32768, rows: int = ROWS) -> None:
        self.model = model
        self.fingerprint = model.fingerprint
        limit = getattr(model.network.config, "max_position_embeddings", None)
        self.context = min(context, limit) if isinstance(limit, int) else context
        self.rows = rows

    def complete(
        self, asks: Sequence[Ask], part: JudgePart, *, watch: Watch | None = None
    ) -> list[list[Written | None]]:
        prompts = [self._encoded(ask.messages) for ask in asks]
        found: list[list[Written | None]] = [[None] * ask.n for ask in asks]
        groups: dict[tuple[int, int], list[int]] = {}
        for index, (ask, prompt) in enumerate(zip(asks, prompts, strict=True)):
            refused = self._too_long(len(prompt), part.max_new_tokens)
            if refused:
                found[index] = [Written("", 0, False, refused)] * ask.n
            else:
                groups.setdefault((ask.first, ask.n), []).append(index)
        for (first, n), members in groups.items():
            self._draw(members, first, n, asks, prompts, part, found, watch)
        return found

    def _draw(
        self,
        members: Sequence[int],
        first: int,
        n: int,
        asks: Sequence[Ask],
        prompts: Sequence[Tokens],
        part: JudgePart,
        found: list[list[Written | None]],
        watch: Watch | None,
    ) -> None:
        ended: set[tuple[int, int]] = set()

        def told(position: int, sample: int, tokens: Tokens) -> bool:
            # A text that ends by itself with this token is whole, whatever the watcher wants.
            if watch is None or tokens[-1] in self.model.end_ids:
                if watch is not None:
                    watch(members[position], sample, lambda: self.model.text(tokens))
                return False
            stop = watch(members[position], sample, lambda: self.model.text(tokens))
            if stop:
                ended.add((position, sample))
            return stop

        drawn = draw(
            self.model,
            [prompts[index] for index in members],
            n,
            _sampling(part, self.rows),
            seed=(),
            seeds=[asks[index].seed for index in members],
            first=first,
            watch=told if watch is not None else None,
        )
        for each in drawn:
            if (each.prompt, each.sample) not in ended:
                written = Written(each.text, len(each.tokens), each.truncated)
                found[members[each.prompt]][each.sample - first] = written

    def verdict_log_probabilities(
        self, conversations: Sequence[Sequence[Message]], opening: str, words: Sequence[str]
    ) -> list[Words]:
        found: list[Words | None] = [None] * len(conversations)
        asked: list[tuple[int, Tokens, list[int]]] = []
        for index, messages in enumerate(conversations):
            begun = self._rendered(messages) + opening
            shared, tokens = split_words([self.model.encode(begun + word) for word in words])
            refused = self._too_long(len(shared), 1)
            if len(set(tokens)) < len(words):
                refused = "The verdict words do not differ in their first token."
            if refused:
                found[index] = Words({}, refused)
            else:
                asked.append((index, shared, tokens))
        if asked:
            after = self.model.next_token([shared for _, shared, _ in asked])
            for (index, _, tokens), each in zip(asked, after, strict=True):
                chosen = {w: float(each[t]) for w, t in zip(words, tokens, strict=True)}
                found[index] = Words(chosen)
        return [words_ for words_ in found if words_ is not None]

    def _rendered(self, messages: Sequence[Message]) -> str:
        try:
            return self.model.render(messages)
        except ConversationError:
            # Some templates know no system turn: then it opens the first user turn.
            if messages[0]["role"] != "system" or len(messages) < 2:
                raise
            merged = f"{messages[0]['content']}\n\n{messages[1]['content']}"
            return self.model.render([{"role": "user", "content": merged}, *messages[2:]])

    def _encoded(self, messages: Sequence[Message]) -> Tokens:
        return self.model.encode(self._rendered(messages))

    def _too_long(self, n_prompt: int, n_reply: int) -> str:
        if n_prompt + n_reply <= self.context:
            return ""
        return (
            f"The question has {n_prompt:,} tokens and the reply may have {n_reply:,}: more than "
            f"the {self.context:,} that the judge reads."
        )


class ChatBackend:
    """A model behind an OpenAI-compatible chat server.

    Args:
        ask: posts a request's body to the server and gives its reply (`choices` is in it).
        fingerprint: of server and model.
        concurrency: requests under way at once.
        stream: the same, telling which choice has which text so far, and asked whether to go on
            before another attempt; a choice without `finish_reason` was ended. None: texts come
            whole.
    """

    TOP = 20
    """Likeliest tokens whose log-probabilities are asked for: the most that servers give."""

    def __init__(
        self,
        ask: Callable[[dict[str, Any]], dict[str, Any]],
        fingerprint: str,
        concurrency: int,
        *,
        stream: Stream | None = None,
    ) -> None:
        self._ask = ask
        self._stream = stream
        self.fingerprint = fingerprint
        self._concurrency = max(1, concurrency)

    def complete(
        self, asks: Sequence[Ask], part: JudgePart, *, watch: Watch | None = None
    ) -> list[list[Written | None]]:
        def one(index: int) -> list[Written | None]:
            ask = asks[index]
            found: list[Written | None] = []
            while len(found) < ask.n:
                left = ask.n - len(found)
                told = _told(watch, index, ask.first + len(found))
                if told is not None and told(0, ""):
                    return found + [None] * left
                try:
                    found += self._texts(ask, ask.first + len(found), left, part, told)
                except StoppedError:
                    return found + [None] * left
                except ScoringError as error:
                    return [*found, *[Written("", None, False, str(error))] * left]
            return found

        with ThreadPoolExecutor(self._concurrency) as pool:
            return list(pool.map(one, range(len(asks))))

    def _texts(
        self, ask: Ask, number: int, n: int, part: JudgePart, told: Told | None
    ) -> list[Written | None]:
        """At least one of n texts; some servers give one at a time whatever n is."""
        body = {
            "messages": [dict(message) for message in ask.messages],
            "n": n,
            "temperature": part.temperature,
            "top_p": part.top_p,
            "max_tokens": part.max_new_tokens,
            "seed": _short_seed(*ask.seed, number),
        }
        if told is None or self._stream is None:
            reply = self._ask(body)
        else:
            reply = self._stream(body, told, lambda: told(0, ""))
        choices = reply["choices"][:n]
        if not choices:
            raise ScoringError("The server answered with no text.")
        total = (reply.get("usage") or {}).get("completion_tokens")
        # Usage is of the whole reply: each of its texts gets an equal part. Servers that count
        # nothing leave it out, or say 0, which no text has.
        tokens = total // len(choices) if isinstance(total, int) and total > 0 else None
        texts = [_written(choice, tokens) for choice in choices]
        if told is not None:
            for place, each in enumerate(texts):
                if each is not None:
                    told(place, each.text)
        return texts

    def verdict_log_probabilities(
        self,
        conversations: Sequence[Sequence[Message]],
        opening: str,  # noqa: ARG002 - a chat server writes the whole reply
        words: Sequence[str],
    ) -> list[Words]:
        wanted = f"\n\nGive no reasons. Reply with one word and nothing else: {_either(words)}."

        def one(messages: Sequence[Message]) -> Words:
            last = {**messages[-1], "content": messages[-1]["content"] + wanted}
            body = {
                "messages": [*(dict(message) for message in messages[:-1]), last],
                "max_tokens": 1,
                "temperature": 0,
                "logprobs": True,
                "top_logprobs": self.TOP,
            }
            try:
                return _words_of(self._ask(body), words)
            except ScoringError as error:
                return Words({}, str(error))

        with ThreadPoolExecutor(self._concurrency) as pool:
            return list(pool.map(one, conversations))


_models: "weakref.WeakValueDictionary[tuple[str, ...], LanguageModel]" = (
    weakref.WeakValueDictionary()
)
_models_lock = threading.Lock()


def shared_language_model(source: BaseSource, *, dtype: Dtype, device: str | None) -> LanguageModel:
    """The language model of a source, loaded once for all judges that stand on it.

    Raises:
        ModelLoadError: it cannot be loaded.
    """
    key = (source.model_dump_json(), dtype, str(device))
    with _models_lock:
        model = _models.get(key)
        if model is None:
            model = _models[key] = load_language_model(source, dtype=dtype, device=device)
        if not model.tokenizer.chat_template:
            raise ModelLoadError(
                "The judge's tokenizer has no chat template.",
                fix="A judge is asked in a conversation: take an instruction-tuned model.",
            )
        return model


def split_words(encoded: Sequence[Tokens]) -> tuple[Tokens, list[int]]:
    """What all token sequences begin with, and the token of each that follows it.

    Read off whole encodings, so it holds where a tokenizer joins a word with what stands before it.
    """
    n = 0
    while all(len(tokens) > n + 1 for tokens in encoded) and len({t[n] for t in encoded}) == 1:
        n += 1
    return tuple(encoded[0][:n]), [tokens[n] for tokens in encoded]


def _sampling(part: JudgePart, rows: int) -> Sampling:
    greedy = part.temperature == 0
    return Sampling(
        temperature=1.0 if greedy else part.temperature,
        top_p=LIKELIEST_ONLY if greedy else part.top_p,
        max_new_tokens=part.max_new_tokens,
        rows=rows,
    )


def _short_seed(*parts: int) -> int:
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _told(watch: Watch | None, index: int, first: int) -> Told | None:
    """A request's own watcher: its choices are texts from number `first` of the ask."""
    if watch is None:
        return None
    return lambda place, text: watch(index, first + place, lambda: text)


def _written(choice: Any, n_tokens: int | None) -> Written | None:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return Written("", n_tokens, False, "The server's answer holds no message.")
    if "finish_reason" in choice and choice["finish_reason"] is None:
        return None  # a stream that was ended here: the text is not whole
    return Written(message_text(message), n_tokens, choice.get("finish_reason") == "length")


def _words_of(reply: dict[str, Any], words: Sequence[str]) -> Words:
    import math

    try:
        top = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        pairs = [(str(each["token"]), float(each["logprob"])) for each in top]
    except (KeyError, IndexError, TypeError, ValueError):
        return Words({}, "The server gives no log-probabilities.")
    sums = dict.fromkeys(words, 0.0)
    for token, log_probability in pairs:
        word = token.strip().strip("[]\"'*▁Ġ ")
        if word in sums:
            sums[word] += math.exp(log_probability)
    found = {word: math.log(p) if p > 0 else -math.inf for word, p in sums.items()}
    if not any(sums.values()):
        return Words({}, f"None of {_either(words)} is among the likeliest tokens.")
    return Words(found)


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))
