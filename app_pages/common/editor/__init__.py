"""The live conversation editor: a role-structured text editor that sends every edit as it is typed.

The browser's half is `editor.js`, which describes the protocol; this is Python's half. What arrives
is checked here, because a browser can send anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.schema import ROLES, Message

MAX_CHARACTERS = 1_000_000
"""Longest conversation taken from the browser, all turns together (about 170,000 words)."""

_FOLDER = Path(__file__).parent


def _source(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


_COMPONENT = st.components.v2.component(
    "reward_workbench_editor",
    html=_source("editor.html"),
    css=_source("editor.css"),
    js=_source("editor.js"),
)


@dataclass(frozen=True)
class Acknowledgement:
    """The last edit Python has taken in: which mounted editor sent it, and its number there."""

    client: str = ""
    seq: int = 0


@dataclass(frozen=True)
class Edit:
    """One message from the editor.

    Attributes:
        ack: what to echo back once the edit has been taken in.
        base: the revision the edit was typed on.
        settled: whether typing has paused since.
        messages: the turns, or None in raw mode.
        raw: the JSON text of raw mode, or None.
    """

    ack: Acknowledgement
    base: int
    settled: bool
    messages: tuple[Message, ...] | None
    raw: str | None


@dataclass(frozen=True)
class EditorContent:
    """What Python tells the editor.

    Attributes:
        messages: the conversation.
        raw: the text of raw mode, or None in turn mode.
        revision: the editor's text is replaced by `messages` when this number changes.
        ack: the last edit taken in.
        problem: why the text cannot be scored, or an empty string.
        poll_ms: the editor asks again after so many milliseconds; 0 for never.
    """

    messages: Sequence[Message]
    raw: str | None
    revision: int
    ack: Acknowledgement
    problem: str = ""
    poll_ms: int = 0


def conversation_editor(
    content: EditorContent, *, key: str, on_edit: Callable[[], None], on_tick: Callable[[], None]
) -> None:
    """Draws the editor. `read_edit(key)` gives the newest edit, in `on_edit` and after."""
    state = st.session_state.get(key) or {}
    _COMPONENT(
        key=key,
        data={
            "messages": list(content.messages),
            "raw": content.raw,
            "revision": content.revision,
            "ack": {"client": content.ack.client, "seq": content.ack.seq},
            "problem": content.problem,
            "poll_ms": content.poll_ms,
            # Echoed so that the data differs after every poll and the browser takes notice.
            "beat": state.get("tick") or 0,
        },
        on_doc_change=on_edit,
        on_tick_change=on_tick,
    )


def read_edit(key: str) -> Edit | None:
    """The newest edit of the editor mounted under `key`, or None where there is none to trust."""
    state = st.session_state.get(key) or {}
    return parse_edit(state.get("doc"))


def parse_edit(value: Any) -> Edit | None:
    """Checks what a browser sent; None for anything that is not an edit."""
    if not isinstance(value, dict):
        return None
    client, seq, base = value.get("client"), value.get("seq"), value.get("base")
    if not (isinstance(client, str) and isinstance(seq, int) and isinstance(base, int)):
        return None
    raw, messages = value.get("raw"), _parse_turns(value.get("messages"))
    raw = well_formed(raw) if isinstance(raw, str) else None
    if (raw is None) == (messages is None) or _size(raw, messages) > MAX_CHARACTERS:
        return None
    ack = Acknowledgement(client[:40], seq)
    return Edit(ack, base, bool(value.get("settled")), messages, raw)


def _parse_turns(value: Any) -> tuple[Message, ...] | None:
    if not isinstance(value, list):
        return None
    turns: list[Message] = []
    for item in value:
        role = item.get("role") if isinstance(item, dict) else None
        content = item.get("content") if isinstance(item, dict) else None
        if role not in ROLES or not isinstance(content, str):
            return None
        turns.append({"role": role, "content": well_formed(content)})
    return tuple(turns)


def well_formed(text: str) -> str:
    """The text with halves of split characters replaced: they fit into no message to a browser."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _size(raw: str | None, messages: Sequence[Message] | None) -> int:
    return len(raw or "") + sum(len(message["content"]) for message in messages or ())
