"""A reward model behind a server, used like any other."""

import hashlib
import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import RemoteError, WorkbenchError
from core.models.base import Capability, FloatArray, ModelOutput, StreamingRewardModel
from core.models.card import RewardModelCard
from core.models.reading import read_rewards
from core.models.remote.activation import (
    WIDEST,
    ActivationProbe,
    judge_activation,
    probe_texts,
    undo_sigmoid,
)
from core.models.remote.batches import fill_requests, run_requests
from core.models.remote.http import (
    RemoteDroppedError,
    RemoteStatusError,
    RemoteTimeoutError,
    StoppedError,
    worth_another,
)
from core.models.remote.identify import Identity
from core.models.remote.memory import Remembered, remember
from core.models.remote.protocol import Answer, Client, Row, Sent, choose_values
from core.models.remote.texts import Renderer
from core.schema import Conversation, content_id

SPLIT_STATUSES = (400, 413, 422)
"""Refusals that may concern one text of a request: its halves are asked for on their own."""
GIVE_UP_AFTER = 2
"""Requests in a row that got no answer, all attempts included, before the rest is not sent."""
GIVE_UP_REFUSED = 4
"""The same for requests that were answered with 429 or 5xx: that may be for one text's sake."""
MEMO_SIZE = 2048


@dataclass(frozen=True)
class RemoteReading:
    """All that is known about one row: its values as the server gave them, and its reward.

    Attributes:
        reward: NaN where there is an error.
        values: what the reward is read from, one value or one for each objective; before the
            inverse of a sigmoid.
        half_width: how far off the reward may be because a sigmoid was undone; 0 elsewhere.
        n_read: tokens that the server says it read, None where it does not say.
        n_expected: tokens that should have been read, None without a tokenizer.
        mass: probability that the verdict tokens capture, None where no words are asked for.
        error: why there is no reward, "" where there is one.
    """

    reward: float
    values: tuple[float, ...] = ()
    half_width: float = 0.0
    n_read: int | None = None
    n_expected: int | None = None
    mass: float | None = None
    error: str = ""

    @staticmethod
    def failed(error: str, *, n_expected: int | None = None) -> "RemoteReading":
        """A row without a reward."""
        return RemoteReading(float("nan"), n_expected=n_expected, error=error)


class RemoteRewardModel(StreamingRewardModel):
    """Asks a server for rewards.

    Args:
        card: how the model is read.
        client: the route that is asked.
        renderer: makes what is sent.
        identity: what the server said about itself.

    Attributes:
        activation: what the probe at loading found, None until `probe_activation` was called.
        remembered: whether this is the model that was seen behind this card before; likewise.
    """

    def __init__(
        self, card: RewardModelCard, client: Client, renderer: Renderer, identity: Identity
    ) -> None:
        self.card = card
        self.client = client
        self.renderer = renderer
        self.identity = identity
        self.activation: ActivationProbe | None = None
        self.remembered: Remembered | None = None
        self.fingerprint = self._fingerprint()
        self._memo: OrderedDict[str, Sent] = OrderedDict()
        self._memo_lock = threading.Lock()

    @property
    def capabilities(self) -> frozenset[Capability]:
        found = {Capability.REWARD, Capability.REMOTE}
        if self.card.reward.objectives:
            found.add(Capability.OBJECTIVES)
        return frozenset(found)

    @property
    def undoes_sigmoid(self) -> bool:
        """Whether the card says that the server's values went through a sigmoid."""
        return self.card.remote is not None and self.card.remote.activated == "sigmoid"

    def token_counts(self, conversation: Conversation) -> tuple[int, int]:
        sent = self._sent(conversation)
        return sent.n_tokens or 0, sent.n_cut

    def stream(
        self,
        conversations: Sequence[Conversation],
        *,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[list[int], ModelOutput]]:
        for positions, readings in self.read(conversations, should_stop=should_stop):
            yield positions, self._output(readings)

    def read(
        self,
        conversations: Sequence[Conversation],
        *,
        should_stop: Callable[[], bool] = lambda: False,
        activated: bool | None = None,
    ) -> Iterator[tuple[list[int], list[RemoteReading]]]:
        """Yields positions and readings, request by request; a failing row fails alone.

        Args:
            should_stop: asked between requests; what is left then is not yielded.
            activated: ask for values after the activation; by default as the card says.
        """
        items: list[tuple[int, Sent]] = []
        for position, conversation in enumerate(conversations):
            try:
                items.append((position, self._sent(conversation)))
            except WorkbenchError as error:
                yield [position], [RemoteReading.failed(str(error))]
        endpoint = self.client.connection.endpoint
        ask_activated = self.undoes_sigmoid if activated is None else activated
        losses = _Losses()

        def send(request: list[tuple[int, Sent]]) -> list[RemoteReading] | None:
            given_up = losses.given_up
            if given_up:
                return [RemoteReading.failed(f"Not asked any more. {given_up}") for _ in request]
            try:
                return self._ask([sent for _, sent in request], ask_activated, losses, should_stop)
            except StoppedError:
                return None

        requests = fill_requests(self.client, items, endpoint.batch_tokens)
        for request, readings in run_requests(
            requests, send, concurrency=endpoint.concurrency, should_stop=should_stop
        ):
            if readings is not None:
                yield [position for position, _ in request], readings

    def read_all(
        self, conversations: Sequence[Conversation], *, activated: bool | None = None
    ) -> list[RemoteReading]:
        """The readings of all conversations, in the order given."""
        found: dict[int, RemoteReading] = {}
        for positions, readings in self.read(conversations, activated=activated):
            found.update(zip(positions, readings, strict=True))
        return [found[position] for position in range(len(conversations))]

    def probe_activation(self) -> ActivationProbe:
        """Looks at the activation and keeps what is found; for the time of loading.

        The fingerprint takes it up, so that rewards kept from a server that squashed are not given
        out for the same server once it does not; and likewise when the values show that the server
        has another model under the same name.

        Raises:
            RemoteError: when none of the texts gets a value, and why.
        """
        self.remembered = None
        self.activation = self.look_at_activation()
        key = self._fingerprint()
        self.remembered = remember(key, self.activation.plain, self.identity.dtype)
        self.fingerprint = self._fingerprint()
        return self.activation

    def look_at_activation(self) -> ActivationProbe:
        """Asks for a few known texts, before and after the activation where both can be had.

        Raises:
            RemoteError: when none of the texts gets a value, and why.
        """
        texts = probe_texts()
        plain = self.read_all(texts, activated=False)
        if all(reading.error and not reading.values for reading in plain):
            raise RemoteError(f"{self.card.id}: {plain[0].error}")
        switched = self.read_all(texts, activated=True) if self.client.has_switch else None
        return judge_activation(
            [_first(reading) for reading in plain],
            None if switched is None else [_first(reading) for reading in switched],
        )

    def _sent(self, conversation: Conversation) -> Sent:
        key = content_id(list(conversation))
        with self._memo_lock:
            known = self._memo.get(key)
        if known is None:
            known = self.renderer.render(conversation)
            with self._memo_lock:
                self._memo[key] = known
                while len(self._memo) > MEMO_SIZE:
                    self._memo.popitem(last=False)
        return known

    def _ask(
        self,
        batch: Sequence[Sent],
        activated: bool,
        losses: "_Losses",
        should_stop: Callable[[], bool],
    ) -> list[RemoteReading]:
        """The readings of one request; one that is refused for a text is divided."""
        try:
            answer = self.client.ask(batch, activated=activated, should_stop=should_stop)
        except RemoteStatusError as error:
            if error.status in SPLIT_STATUSES and len(batch) > 1:
                return self._halves(batch, activated, losses, should_stop)
            return self._lost(batch, error, losses)
        except RemoteError as error:
            return self._lost(batch, error, losses)
        losses.none()
        if _read_less(batch, answer) and len(batch) > 1:
            # Some text was cut without a word; which one, only its own count can tell.
            return self._halves(batch, activated, losses, should_stop)
        return [
            self._reading(sent, row, answer if len(batch) == 1 else None)
            for sent, row in zip(batch, answer.rows, strict=True)
        ]

    def _halves(
        self,
        batch: Sequence[Sent],
        activated: bool,
        losses: "_Losses",
        should_stop: Callable[[], bool],
    ) -> list[RemoteReading]:
        middle = len(batch) // 2
        return [
            reading
            for half in (batch[:middle], batch[middle:])
            for reading in self._ask(half, activated, losses, should_stop)
        ]

    def _lost(
        self, batch: Sequence[Sent], error: RemoteError, losses: "_Losses"
    ) -> list[RemoteReading]:
        losses.add(error)
        return [RemoteReading.failed(str(error), n_expected=sent.n_tokens) for sent in batch]

    def _reading(self, sent: Sent, row: Row | str, alone: Answer | None) -> RemoteReading:
        if isinstance(row, str):
            return RemoteReading.failed(row, n_expected=sent.n_tokens)
        values = choose_values(self.card, row)
        if isinstance(values, str):
            return RemoteReading.failed(values, n_expected=sent.n_tokens)
        n_read = row.n_tokens
        if n_read is None and alone is not None:
            n_read = alone.prompt_tokens
        if n_read is not None and sent.n_tokens is not None and n_read < sent.n_tokens:
            # The values are kept: the conformance check shows them beside the reason.
            return RemoteReading(
                float("nan"),
                values,
                n_read=n_read,
                n_expected=sent.n_tokens,
                error=f"The server read {n_read} tokens of {sent.n_tokens}: it cut the text "
                "without saying so. Raise its length limit (vLLM: --max-model-len), or lower "
                "max_length in the card to what it can read.",
            )
        before = values
        half_width = 0.0
        if self.undoes_sigmoid:
            undone = _undo(values)
            if isinstance(undone, str):
                return RemoteReading(
                    float("nan"), before, math.inf, n_read, sent.n_tokens, error=undone
                )
            values, half_width = undone
        reward = _reward(self.card, values)
        return RemoteReading(reward, before, half_width, n_read, sent.n_tokens, row.mass)

    def _output(self, readings: Sequence[RemoteReading]) -> ModelOutput:
        rewards = np.array([reading.reward for reading in readings], dtype=np.float64)
        errors = tuple(reading.error for reading in readings)
        objectives: FloatArray | None = None
        count = len(self.card.reward.objectives)
        if count:
            blank = (float("nan"),) * count
            rows = [blank if reading.error else self._objectives(reading) for reading in readings]
            objectives = np.array(rows, dtype=np.float64)
        return ModelOutput(rewards, objectives, errors if any(errors) else ())

    def _objectives(self, reading: RemoteReading) -> tuple[float, ...]:
        if not self.undoes_sigmoid:
            return reading.values
        return tuple(undo_sigmoid(value)[0] for value in reading.values)

    def _fingerprint(self) -> str:
        """Hash of all that decides a reward beside the text: see the design of cache keys."""
        remote = self.card.remote
        state = self.activation.state if self.activation is not None else ""
        parts = [
            self.client.connection.endpoint.url,
            self.client.route,
            self.client.model,
            self.identity.engine,
            self.identity.revision,
            self.identity.dtype,
            self.renderer.key(),
            remote.activated if remote is not None else "no",
            remote.label if remote is not None else "",
            state,
            self.remembered.mark if self.remembered is not None else "",
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _Losses:
    """Requests in a row that came to nothing; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silent = self._refused = 0
        self.given_up = ""

    def none(self) -> None:
        with self._lock:
            self._silent = self._refused = 0

    def add(self, error: RemoteError) -> None:
        """Counts a request; a key or route that is refused will be refused for all."""
        fatal = isinstance(error, RemoteStatusError) and error.status in (401, 403, 404, 405)
        silent = isinstance(error, RemoteTimeoutError | RemoteDroppedError)
        with self._lock:
            self._refused = self._refused + 1 if worth_another(error) is not False else 0
            self._silent = self._silent + 1 if silent else 0
            gone = self._silent >= GIVE_UP_AFTER or self._refused >= GIVE_UP_REFUSED
            if fatal or gone:
                self.given_up = str(error)


def _read_less(batch: Sequence[Sent], answer: Answer) -> bool:
    expected = [sent.n_tokens for sent in batch]
    by_row = any(isinstance(row, Row) and row.n_tokens is not None for row in answer.rows)
    if answer.prompt_tokens is None or by_row:
        return False
    known = [count for count in expected if count is not None]
    return len(known) == len(expected) and answer.prompt_tokens < sum(known)


def _undo(values: Sequence[float]) -> tuple[tuple[float, ...], float] | str:
    found, widths = [], []
    for value in values:
        if not 0 <= value <= 1:
            return (
                f"{value:.4g} is not what a sigmoid gives: the server returns raw values. "
                "Set remote.activated to no in the card."
            )
        logit, half_width = undo_sigmoid(value)
        if half_width > WIDEST:
            return (
                f"The sigmoid is saturated at {value:.6g}: the reward behind it cannot be told "
                "apart from others. Have the server return raw values."
            )
        found.append(logit)
        widths.append(half_width)
    return tuple(found), max(widths)


def _reward(card: RewardModelCard, values: Sequence[float]) -> float:
    if card.reward.objectives:
        return float(read_rewards(np.array([values], dtype=np.float64), card.reward).rewards[0])
    return float(card.reward.sign * values[0])


def _first(reading: RemoteReading) -> float:
    """One value of a row to judge the activation by, the card's sign left aside."""
    return reading.values[0] if reading.values else float("nan")
