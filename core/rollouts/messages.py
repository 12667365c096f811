"""Prompts and responses as trainers write them, text or chat messages, brought to text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.schema import content_id
from core.tables.files import plain_value


def as_messages(cell: Any) -> list[Mapping[str, Any]] | None:
    """The messages that a cell holds, as a list or as JSON text; None where it holds none."""
    if isinstance(cell, str):
        if not cell.lstrip().startswith("[{"):
            return None
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    value = plain_value(cell)
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(each, Mapping) and "role" in each for each in value):
        # Parquet gives every message the fields of all: those it lacks are null.
        return [{k: v for k, v in each.items() if v is not None} for each in value]
    return None


def message_text(message: Mapping[str, Any]) -> str:
    """What a message says: its content, of parts those that are text."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        parts = [
            part if isinstance(part, str) else str(part.get("text") or "")
            for part in content
            if isinstance(part, str | Mapping)
        ]
        return "\n".join(part for part in parts if part)
    return ""


def prompt_text(cell: Any) -> Any:
    """A prompt as text: one user message is its text, several are told apart by their role."""
    messages = as_messages(cell)
    if messages is None:
        return cell
    if len(messages) == 1:
        return message_text(messages[0])
    return "\n\n".join(f"{each['role']}: {message_text(each)}" for each in messages)


def response_text(cell: Any) -> Any:
    """A response as text: one message is its text, a trajectory has a line with each role."""
    messages = as_messages(cell)
    if messages is None:
        return cell
    if len(messages) == 1:
        return message_text(messages[0])
    return "\n\n".join(f"<{each['role']}>\n{_with_calls(each)}" for each in messages)


def trajectory(cell: Any) -> list[Mapping[str, Any]] | None:
    """The messages of a response that is more than one plain message; None of one that is not."""
    messages = as_messages(cell)
    if messages is None or (len(messages) == 1 and not messages[0].get("tool_calls")):
        return None
    return messages


def last_words(cell: Any) -> Any:
    """The text of the last message of the assistant, where an answer stands."""
    messages = as_messages(cell)
    if messages is None:
        return cell
    spoken = [each for each in messages if each["role"] == "assistant"]
    return message_text(spoken[-1]) if spoken else ""


def count_tool_calls(cell: Any) -> int | None:
    """Tool calls in a trajectory; None where the response is plain text."""
    messages = as_messages(cell)
    if messages is None:
        return None
    return sum(len(each.get("tool_calls") or ()) for each in messages)


def problem_of(cell: Any) -> str | None:
    """The id of the problem that a prompt poses: the same for the same prompt."""
    messages = as_messages(cell)
    if messages is None:
        return content_id(cell) if isinstance(cell, str) else None
    return content_id([[each["role"], message_text(each)] for each in messages])


def _with_calls(message: Mapping[str, Any]) -> str:
    calls = [f"<tool_call>{_call(call)}</tool_call>" for call in message.get("tool_calls") or ()]
    return "\n".join(part for part in (message_text(message), *calls) if part)


def _call(call: Any) -> str:
    function = call.get("function", call) if isinstance(call, Mapping) else call
    if isinstance(function, Mapping):
        function = {
            k: v for k, v in function.items() if k in ("name", "arguments") and v is not None
        }
    return json.dumps(function, ensure_ascii=False, default=str)
