"""What all engines have in common: what is sent for a conversation, and what comes back for it."""

import base64
import binascii
import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from core.errors import RemoteError
from core.models.card import RewardModelCard
from core.models.remote.http import Connection, RemoteShapeError
from core.schema import Message

_TOO_LARGE = 10**300
"""JSON has whole numbers beyond what a float holds."""
LONGEST_HEAD = 64
"""More values than this for one text are a hidden state and no head's output."""

HIDDEN_STATES_FIX = (
    "Start the server for rewards: vLLM with --runner pooling --convert classify, or a checkpoint "
    "whose architecture ends in ForSequenceClassification. A value head that stands beside the "
    "weights is not served."
)


@dataclass(frozen=True)
class Sent:
    """One conversation in the forms servers take.

    Attributes:
        messages: its turns, the card's system policy applied.
        prompt: everything before the response, as one text.
        response: the last turn.
        text: rendered with the template, None where the server has to render it.
        ids: token ids after truncation, None without a tokenizer.
        n_tokens: tokens the server should read, None without a tokenizer.
        n_cut: tokens beyond the card's max_length.
        add_special_tokens: whether the server's tokenizer should add its own to `text`.
    """

    messages: tuple[Message, ...]
    prompt: str
    response: str
    text: str | None = None
    ids: tuple[int, ...] | None = None
    n_tokens: int | None = None
    n_cut: int = 0
    add_special_tokens: bool = False

    @property
    def weight(self) -> int:
        """Tokens, counted or estimated at three characters each, for filling requests."""
        if self.n_tokens is not None:
            return max(1, self.n_tokens)
        return max(1, sum(len(m["content"]) + 12 for m in self.messages) // 3)


@dataclass(frozen=True)
class Row:
    """What a server said about one text.

    Attributes:
        values: outputs of the head, in the order of its classes where that is known.
        labels: names of the classes, in the order of `values`; empty where the server names none.
        n_tokens: tokens it read, where it says so for each text.
        mass: probability that the verdict tokens capture, where the reward is made of them.
    """

    values: tuple[float, ...]
    labels: tuple[str, ...] = ()
    n_tokens: int | None = None
    mass: float | None = None


@dataclass(frozen=True)
class Answer:
    """What a server said about a batch.

    Attributes:
        rows: in the order sent; a text says why there is no value for that row.
        prompt_tokens: tokens it read for all of them, None where it does not say.
    """

    rows: tuple[Row | str, ...]
    prompt_tokens: int | None = None


class Client(ABC):
    """One route of one engine.

    Args:
        connection: to the server.
        model: the name the server knows the model by.
        card: how the model is read.
    """

    route: ClassVar[str]
    has_switch: ClassVar[bool] = False
    """Whether a request can ask for values before or after the activation."""
    needs_text: ClassVar[str] = ""
    """Why the route cannot do without a text that is rendered here; "" where it can."""
    reads_pairs: ClassVar[bool] = False
    """Whether it takes prompt and response as two texts."""
    reads_chats: ClassVar[bool] = True
    """Whether it takes one text, or messages."""

    max_rows: int | None = None

    def __init__(self, connection: Connection, model: str, card: RewardModelCard) -> None:
        self.connection = connection
        self.model = model
        self.card = card

    @abstractmethod
    def ask(
        self,
        batch: Sequence[Sent],
        *,
        activated: bool,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Answer:
        """The values of a batch, in the order sent, in one request.

        Args:
            activated: ask for values after the activation; without a switch it has no effect.

        Raises:
            RemoteError: when there is no value for any of them, and why.
        """

    def goes_with(self, batch: Sequence[Sent], item: Sent) -> bool:
        """Whether a text may join others in one request."""
        if item.n_cut > 0 or (batch and batch[-1].n_cut > 0):
            # Only for texts that are too long is the server told to cut.
            return (item.n_cut > 0) == (batch[-1].n_cut > 0)
        return True

    def wrong(self, expected: str, found: object) -> RemoteShapeError:
        """The error for an answer of another shape."""
        return RemoteShapeError(
            f"{self.connection.place} answered {self.route} in another form than expected: "
            f"{expected} is missing in {outline(found)}.",
            fix="Check the engine in the settings and its version; the card's remote.route may "
            "name another route.",
        )


def outline(value: object) -> str:
    """The form of a JSON value without its content: keys, lengths, types."""
    if isinstance(value, dict):
        keys = ", ".join(repr(str(key)[:40]) for key in list(value)[:8])
        return f"an object with {keys or 'no keys'}"
    if isinstance(value, list):
        inner = f", the first {outline(value[0])}" if value else ""
        return f"a list of {len(value)}{inner}"
    names = {str: "a text", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else type(value).__name__)


def by_index(
    items: Sequence[object], n: int, read: Callable[[Mapping[str, Any]], Row | str]
) -> tuple[Row | str, ...]:
    """Results in the order sent, from a list whose entries say their `index`.

    An entry that is missing, comes twice or lies outside costs only its own row.
    """
    rows: list[Row | str | None] = [None] * n
    for position, item in enumerate(items):
        if not isinstance(item, Mapping):
            continue
        index = item.get("index", position)
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < n:
            continue
        if rows[index] is not None:
            rows[index] = f"The server answered twice for text {index} of the request."
            continue
        rows[index] = read(item)
    return tuple(
        f"The server gave no result for text {index} of the request." if row is None else row
        for index, row in enumerate(rows)
    )


def numbers(value: object, *, columns: int = 1) -> tuple[float, ...] | str:
    """Head outputs from any form in use, or what is wrong with them.

    A number, a list of them, a list with one list for each token (the last is the reward of an
    outcome model), or a base64 string of little-endian float32.

    Args:
        columns: values the card expects; longer vectors than `LONGEST_HEAD` and this are refused.
    """
    if isinstance(value, str):
        try:
            raw = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return "The server returned a text where a number was expected."
        if not raw or len(raw) % 4:
            return "The server returned a base64 value that holds no float32 numbers."
        value = list(struct.unpack(f"<{len(raw) // 4}f", raw))
    if isinstance(value, list) and value and isinstance(value[0], list):
        value = value[-1]
    found = value if isinstance(value, list) else [value]
    if len(found) > max(LONGEST_HEAD, columns):
        return (
            f"This server returns hidden states ({len(found)} values for one text), "
            f"not rewards. {HIDDEN_STATES_FIX}"
        )
    if not found:
        return "The server returned an empty list where a number was expected."
    values = []
    for number in found:
        if isinstance(number, bool) or not isinstance(number, int | float):
            return f"The server returned {outline(number)} where a number was expected."
        values.append(math.inf if abs(number) > _TOO_LARGE else float(number))
    if not all(map(math.isfinite, values)):
        return (
            f"The server returned {values[0] if len(values) == 1 else values}, not a finite reward."
        )
    return tuple(values)


def prompt_tokens(body: object) -> int | None:
    """Tokens the server says it read for the request."""
    usage = body.get("usage") if isinstance(body, dict) else None
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def choose_values(card: RewardModelCard, row: Row) -> tuple[float, ...] | str:
    """The reward's value, or those of the card's objectives, among a row's classes.

    The class is named by `remote.label`, by the name the server gives or as LABEL_<n>; else
    `reward.index` says which, where the card sets it; one value alone needs neither.
    """
    label = card.remote.label if card.remote is not None else ""
    n = len(row.values)
    if card.reward.objectives:
        if n != len(card.reward.objectives):
            return f"The card names {len(card.reward.objectives)} objectives; the server gave {n}."
        return row.values
    if label:
        if label in row.labels:
            return (row.values[row.labels.index(label)],)
        number = label.removeprefix("LABEL_")
        if label != number and number.isdigit() and not row.labels and int(number) < n:
            return (row.values[int(number)],)
        if n > 1 or row.labels:
            known = ", ".join(row.labels) or ", ".join(f"LABEL_{i}" for i in range(n))
            return f"The server has no class {label!r} (it has {known}): correct remote.label."
    if n == 1:
        return row.values
    if "index" in card.reward.model_fields_set:
        if card.reward.index < n:
            return (row.values[card.reward.index],)
        return f"reward.index {card.reward.index} is beyond the server's {n} classes."
    known = ", ".join(row.labels) or ", ".join(f"LABEL_{i}" for i in range(n))
    return (
        f"The server gives {n} values for a text. Say in the card which is the reward: "
        f"remote.label ({known}) or reward.index."
    )


def no_text(client_route: str, engine: str) -> RemoteError:
    """The error for a card without a tokenizer on a route that takes rendered text only."""
    return RemoteError(
        f"{engine} {client_route} takes text that is rendered already, and the card has no "
        "tokenizer to render it with.",
        fix="Give the card remote.tokenizer (the model's hub id or a folder), or input.form "
        "raw-template with the template.",
    )
