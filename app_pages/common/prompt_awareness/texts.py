"""Texts of a pair beside each other, and the way into the playground with them."""

from collections.abc import Hashable, Mapping
from typing import Any

import streamlit as st

from app_pages.common.markup import Piece, show_pieces
from app_pages.common.open_in_playground import open_in_playground
from app_pages.common.prompt_awareness.setup import NAME, Setup
from core.schema import Conversation

OPEN = "Open in the playground"
OPEN_HELP = (
    "Opens it in the playground under this prompt, with the same models: the chosen response on "
    "screen, the rejected one pinned as the baseline."
)


def side_by_side(texts: Mapping[str, Any]) -> None:
    """Texts in columns, each under its name, exactly as they are."""
    columns = st.columns(len(texts), gap="medium")
    for column, (name, text) in zip(columns, texts.items(), strict=True):
        with column:
            st.caption(name)
            show_pieces([Piece(str(text) or "(no words)", "same" if str(text) else "muted")])


def open_pair_button(
    setup: Setup,
    conversations: Mapping[tuple[Hashable, ...], Conversation],
    reading: tuple[Any, Any, Any],
    *,
    key: str,
) -> None:
    """A button that opens a pair's reading (pair, kind, swap) in the playground."""
    chosen = conversations.get((*reading, "chosen"))
    rejected = conversations.get((*reading, "rejected"))
    if chosen is None or rejected is None:
        return
    open_button(setup, chosen, rejected, key=key, labels=("rejected", "chosen"))


def open_button(
    setup: Setup,
    conversation: Conversation,
    baseline: Conversation,
    *,
    key: str,
    labels: tuple[str, str],
    hint: str = OPEN_HELP,
    label: str = OPEN,
) -> None:
    """A button that opens a conversation in the playground, against a baseline."""
    if st.button(label, key=f"{NAME}-open-{key}", icon=":material/edit_note:", help=hint):
        open_in_playground(conversation, baseline, setup.models, labels=labels)
