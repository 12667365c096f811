"""Below the editor: the history, what moved the reward, what the models read, the export."""

import streamlit as st

from app_pages.common import attribution, export, history
from app_pages.common.markup import plain
from app_pages.common.model_view import model_view
from app_pages.common.service import model_titles
from app_pages.common.session import refresh, waits_for, workspace

HISTORY, WORDS, READING, EXPORT = (
    ":material/history: History",
    ":material/format_color_text: Which words",
    ":material/visibility: What the model reads",
    ":material/download: Take it with you",
)


@st.fragment(key="details")
def details() -> None:
    """The tabs; only the open one is drawn and computes anything."""
    tabs = st.tabs([HISTORY, WORDS, READING, EXPORT], key="tab", on_change=refresh)
    draw = (history.history, _words, _reading, export.export)
    models = list(st.session_state.get("models") or [])
    waiting = False
    for tab, part in zip(tabs, draw, strict=True):
        if tab.open:
            with tab:
                waiting = bool(part(models))
    waits_for("details", waiting=waiting)


def _words(models: list[str]) -> bool:
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with row:
        model = _one_of(models, "words-model")
    conversation = workspace().conversation
    if model is None or conversation is None:
        return False
    return attribution.attribution(model, model_titles().get(model, model), conversation, row)


def _reading(models: list[str]) -> bool:
    model = _one_of(models, "reading-model")
    conversation = workspace().conversation
    if model is None or conversation is None:
        return False
    return model_view(model, model_titles().get(model, model), conversation)


def _one_of(models: list[str], key: str) -> str | None:
    """One of the chosen models; a control only where there is a choice."""
    if not models:
        st.caption("Choose a reward model above.")
        return None
    if workspace().conversation is None:
        st.caption("The conversation is not complete yet.")
    if len(models) == 1:
        return models[0]
    titles = model_titles()
    chosen: str | None = st.segmented_control(
        "Model",
        models,
        default=models[0],
        required=True,
        format_func=lambda name: plain(titles.get(name, name)),
        key=key,
        label_visibility="collapsed",
        on_change=refresh,
    )
    return chosen if chosen in models else models[0]
