"""Conversations, preference pairs and the columns of the tables that hold them.

A conversation is a list of messages that ends with the assistant's turn: that turn is the response,
everything before it is the prompt.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from typing_extensions import TypedDict

from core.errors import ConversationError

Role = Literal["system", "user", "assistant"]
ROLES: tuple[str, ...] = get_args(Role)

PairRole = Literal["response", "chosen", "rejected"]
"""What a scored conversation is in its table: a lone response, or one side of a pair."""

SCORE_COLUMNS = ("prompt_id", "response_id", "role", "reward", "n_tokens", "truncated", "error")
"""Columns every scores table carries, in this order, before the caller's own columns."""

PAIR_COLUMNS = ("prompt_id", "pair_id", "reward_chosen", "reward_rejected", "margin", "error")
"""Columns of a pairs table, one row a pair; `margin` is reward(chosen) - reward(rejected)."""

ROLLOUT_COLUMNS = (
    "run",
    "step",
    "problem_id",
    "prompt",
    "sample",
    "response",
    "answer",
    "correct",
    "reward",
)
"""Columns every rollout table carries, in this order: one row is one sampled response of a policy
to a problem at a training step.

`run` (text), `step` (whole number), `problem_id` (text), `prompt` (text, missing where unknown),
`sample` (whole number within run, split, step and problem), `response` (text, missing where
only the answer was kept), `answer` (normalised; missing where it could not be read), `correct`
(nullable boolean), `reward` (float, NaN for none).
"""

OPTIONAL_ROLLOUT_COLUMNS = (
    "split",
    "task",
    "tokens",
    "log_probability",
    "reference_log_probability",
    "entropy",
    "tool_calls",
    "tool_errors",
    "answer_tags",
    "turns",
    "truncated",
    "kept",
    "class_id",
    "source",
    "messages",
)
"""Columns a rollout table may carry besides.

`split` ("train": drawn for an update; "checkpoint": training problems sampled again from a fixed
checkpoint; "held_out": problems never trained on), `task` (family of the problem), `tokens` (of the
response), `log_probability` and `reference_log_probability` (nats, summed over the response),
`entropy` (mean nats per token), counts of tool calls, tool errors, answer tags and turns,
`truncated`, `kept` (False: drawn but not used in the update), `class_id` (equivalence class within
the problem), `source` (which model drew it), `messages` (the whole trajectory).
"""

JUDGEMENT_COLUMNS = (
    "judge",
    "item_id",
    "sample",
    "order",
    "format",
    "verdict",
    "scores",
    "confidence",
    "mass",
    "meta_score",
    "n_tokens",
    "truncated",
    "seed",
    "raw",
    "problem",
)
"""Columns of a judgements table, in this order: one row is one text that one judge wrote about one
item in one order.

`judge` (text), `item_id` (text), `sample` (whole number within judge, item and order), `order` (the
candidates' own letters as they were shown: "AB" or "BA" for a pair, "CABD" for a list, "A" for a
lone response), `format` (of the judge's card), `verdict` (the winner's own letter, "tie" where the
format allows one, missing where nothing could be read), `scores` (list of floats in the candidates'
own order, the shuffling undone; missing where the format gives none or nothing could be read),
`confidence` (probability of the verdict among the verdict tokens, NaN where only text was read),
`mass` (probability that all verdict tokens together capture, NaN likewise), `meta_score` (what a
second model thinks of the judgement, NaN for none), `n_tokens` (of the text, NaN where the server
does not say), `truncated` (the text was cut at its limit), `seed` (of the draw), `raw` (the text),
`problem` (why nothing could be read, "" where it could).
"""

ITEM_COLUMNS = ("item_id", "prompt", "responses", "best", "subset", "source")
"""Columns of an items table, in this order: one row is one prompt with the responses to judge.

`item_id` (text), `prompt` (text), `responses` (list of texts, the candidates A, B, C, ... in their
own order), `best` (letter of the right winner, missing where none is known), `subset` (text),
`source` (where the item comes from).
"""


class Message(TypedDict):
    """One turn: who speaks and what is said."""

    role: Role
    content: str


Conversation = Sequence[Message]


@dataclass(frozen=True)
class PreferencePair:
    """One prompt with a preferred and a dispreferred response."""

    prompt_id: str
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str

    def conversations(self) -> tuple[list[Message], list[Message]]:
        """The chosen and the rejected conversation."""
        return with_response(self.prompt, self.chosen), with_response(self.prompt, self.rejected)


def make_conversation(prompt: str, response: str, *, system: str | None = None) -> list[Message]:
    """A single-turn conversation from plain strings."""
    messages: list[Message] = []
    if system is not None:
        messages.append({"role": "system", "content": system})
    messages.append({"role": "user", "content": prompt})
    messages.append({"role": "assistant", "content": response})
    return messages


def with_response(prompt: Iterable[Message], response: str) -> list[Message]:
    """The conversation that continues `prompt` with `response` as the assistant's turn."""
    return [*prompt, {"role": "assistant", "content": response}]


def split_conversation(conversation: Conversation) -> tuple[list[Message], str]:
    """Prompt (all turns but the last) and response (the last, assistant's turn).

    Raises:
        ConversationError: when the conversation does not end with the assistant's turn.
    """
    if not conversation or conversation[-1]["role"] != "assistant":
        raise ConversationError(
            "The conversation does not end with the assistant's turn.",
            fix="Add an assistant message at the end: it is the response that gets the reward.",
        )
    return list(conversation[:-1]), conversation[-1]["content"]


def parse_conversation(value: object) -> list[Message]:
    """Checks that `value` is a conversation and returns it with nothing but role and content.

    Raises:
        ConversationError: names the message and the field that is wrong.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConversationError(f"Expected a list of messages, found {describe_type(value)}.")
    messages = [_parse_message(item, position) for position, item in enumerate(value)]
    split_conversation(messages)
    return messages


def _parse_message(item: Any, position: int) -> Message:
    where = f"Message {position + 1}"
    if not isinstance(item, Mapping):
        raise ConversationError(f"{where}: expected role and content, found {describe_type(item)}.")
    role, content = item.get("role"), item.get("content")
    if role not in ROLES:
        raise ConversationError(f"{where}: role {role!r} is not one of {', '.join(ROLES)}.")
    if not isinstance(content, str):
        raise ConversationError(f"{where}: content must be text, found {describe_type(content)}.")
    return {"role": role, "content": content}


def describe_type(value: object) -> str:
    """The type of a value in words a table's owner uses ("a list", "a number", "nothing")."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Iterable):
        return "a list"
    return f"a {type(value).__name__}"


def content_id(value: object) -> str:
    """A short stable id of any JSON-like value: 12 hexadecimal digits of its SHA-256."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
