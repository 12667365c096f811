"""One cell becomes text, a message list or a list of responses, or says why it cannot.

What a column holds is decided by most of its cells, so that one odd cell is that row's mistake and
a response that happens to look like JSON stays text.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from core.errors import ConversationError, WorkbenchError
from core.schema import Message, describe_type, parse_conversation


class CellError(WorkbenchError):
    """A cell that does not hold what its column should; the message starts with "expected"."""


class CellKind(StrEnum):
    """What the cells of a column hold."""

    TEXT = "text"
    MESSAGES = "a list of messages"
    TEXTS = "a list of texts"


def column_kind(cells: Iterable[Any]) -> CellKind:
    """What most of the cells hold; missing and unusable ones have no say."""
    counts = Counter(kind for kind in map(_kind, cells) if kind is not None)
    return counts.most_common(1)[0][0] if counts else CellKind.TEXT


def _kind(cell: Any) -> CellKind | None:
    if isinstance(cell, str):
        return CellKind.TEXT if _decode_messages(cell) is None else CellKind.MESSAGES
    if not isinstance(cell, list):
        return None
    if cell and all(isinstance(item, str) for item in cell):
        return CellKind.TEXTS
    return CellKind.MESSAGES if _looks_like_messages(cell) else None


def _looks_like_messages(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, Mapping) and "role" in item for item in value)
    )


def _decode_messages(text: str) -> list[Any] | None:
    """The message list that a text cell holds as JSON, or None."""
    if not text.lstrip().startswith("[{"):
        return None
    value = _decode(text)
    return value if _looks_like_messages(value) else None


def _decode(text: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        pass
    # A DataFrame with message lists, saved by to_csv, holds Python literals with single quotes.
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def found(cell: Any) -> str:
    """What is in a cell, in the words of an error message."""
    if cell is None:
        return "nothing"
    if isinstance(cell, list) and not cell:
        return "an empty list"
    return describe_type(cell)


def read_text(cell: Any) -> str:
    """The cell as text; the empty text is text.

    Raises:
        CellError: when it is anything else.
    """
    if not isinstance(cell, str):
        raise CellError(f"expected text, found {found(cell)}")
    return cell


def read_texts(cell: Any) -> list[str]:
    """The cell as a list of at least one text.

    Raises:
        CellError: names the item that is not text.
    """
    if not isinstance(cell, list) or not cell:
        raise CellError(f"expected a list of texts, found {found(cell)}")
    for place, item in enumerate(cell, start=1):
        if not isinstance(item, str):
            raise CellError(f"expected a list of texts, found {found(item)} as item {place}")
    return cell


def read_messages(cell: Any) -> list[Message]:
    """The cell as a conversation: messages that end with the assistant's turn.

    Raises:
        CellError: names the message and what is wrong with it.
    """
    try:
        return parse_conversation(_message_list(cell))
    except ConversationError as error:
        raise _lower(error) from error


def read_prompt_messages(cell: Any) -> list[Message]:
    """The cell as the messages of a prompt, which may end with any turn.

    Raises:
        CellError: names the message and what is wrong with it.
    """
    messages = _message_list(cell)
    try:
        return parse_conversation([*messages, {"role": "assistant", "content": ""}])[:-1]
    except ConversationError as error:
        raise _lower(error) from error


def _message_list(cell: Any) -> list[Any]:
    value = cell
    if isinstance(cell, str):
        value = _decode_messages(cell)
        if value is None:
            raise CellError("expected a list of messages, found text that is not one")
    if not isinstance(value, list) or not value:
        raise CellError(f"expected a list of messages, found {found(value)}")
    return value


def _lower(error: ConversationError) -> CellError:
    return CellError(f"expected a conversation; {error.message[0].lower()}{error.message[1:-1]}")


_TURN = re.compile(r"\n\n(Human|Assistant): ?")


def read_transcript(cell: Any) -> list[Message]:
    r"""A text of turns that begin with "\n\nHuman:" and "\n\nAssistant:" as a conversation.

    Raises:
        CellError: when it is no such text or does not end with the assistant's turn.
    """
    text = "\n\n" + read_text(cell).lstrip()
    parts = _TURN.split(text)
    if parts[0] or len(parts) < 5 or parts[-2] != "Assistant":
        raise CellError(
            "expected messages, or a text of Human: and Assistant: turns, found other text"
        )
    roles: Sequence[str] = parts[1::2]
    messages: list[Message] = []
    for role, content in zip(roles, parts[2::2], strict=True):
        turn = content.strip()
        messages.append({"role": "user" if role == "Human" else "assistant", "content": turn})
    return messages


def read_label(cell: Any) -> int:
    """The cell as the number, 1 or 2, of the better output.

    Raises:
        CellError: when it is anything else.
    """
    text = str(cell).strip() if isinstance(cell, str | int | float) else ""
    if isinstance(cell, bool) or text not in {"1", "2", "1.0", "2.0"}:
        shown = repr(cell) if isinstance(cell, str | int | float) else found(cell)
        raise CellError(f"expected 1 or 2, found {shown}")
    return int(text[0])


def read_id(cell: Any) -> str | None:
    """The cell as an id, or None when it holds none (a list, nothing, an empty text)."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip() or None
