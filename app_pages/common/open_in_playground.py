"""From a chart or table into the playground: one conversation, the other side as its baseline."""

from collections.abc import Sequence

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.service import model_titles
from app_pages.common.session import waits_for, workspace
from core.errors import WorkbenchError
from core.schema import Message, parse_conversation

PLAYGROUND = "app_pages/play/playground.py"


def open_in_playground(
    conversation: Sequence[Message],
    baseline: Sequence[Message] | None,
    models: Sequence[str],
    *,
    labels: tuple[str, str] = ("baseline", "opened"),
) -> None:
    """Goes to the playground with a conversation on screen and the same models.

    Call it from the page's script, not from a widget's callback: it leaves the page. What the
    playground held before stays in its history. Where that cannot be, this draws why and stays.

    Args:
        conversation: what goes on screen.
        baseline: what the rewards are held against, pinned; by default the conversation itself.
        models: ids; those that are not in the catalogue any more are left out.
        labels: what the history calls the baseline and the conversation.
    """
    try:
        pinned = None if baseline is None else parse_conversation(list(baseline))
        workspace().open_pair(pinned, parse_conversation(list(conversation)), labels)
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    known = model_titles()
    st.session_state["models"] = [model for model in models if model in known]
    waits_for("details", waiting=True)
    st.switch_page(PLAYGROUND)
