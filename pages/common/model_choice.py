"""Which models are asked, and how a visitor adds one."""

import streamlit as st

from core.errors import WorkbenchError
from core.models.catalogue import add_card
from pages.common.service import default_models, forget_titles, model_titles
from pages.common.session import refresh

ADD_HELP = "A Hugging Face id (org/name), a folder with a checkpoint or adapter, or a card file."


def choose_models() -> list[str]:
    """The control for the models asked; returns their ids."""
    titles = model_titles()
    if "models" not in st.session_state:
        st.session_state["models"] = default_models()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.multiselect(
            "Reward models",
            list(titles),
            format_func=lambda name: titles.get(name, name),
            key="models",
            placeholder="Choose reward models",
            label_visibility="collapsed",
            on_change=refresh,
            persist_state="session",
        )
        with st.popover("", icon=":material/add:", help="Add a model", key="add-popover"):
            add_model_form(key="playground")
    if not chosen:
        st.caption(":material/arrow_upward: Choose a reward model to see its reward.")
    return list(chosen)


def add_model_form(*, key: str) -> None:
    """A small form that puts a model into the user's catalogue."""
    field, problem = f"{key}-add-name", f"{key}-add-problem"
    st.text_input("Add a model", key=field, placeholder="org/name, folder or card", help=ADD_HELP)
    st.button("Add", key=f"{key}-add", icon=":material/add:", on_click=_add, args=(field, problem))
    message = st.session_state.get(problem)
    if message:
        st.text(message)


def _add(field: str, problem: str) -> None:
    name = (st.session_state.get(field) or "").strip()
    if not name:
        st.session_state[problem] = f"Nothing to add yet. {ADD_HELP}"
        return
    try:
        card = add_card(name)
    except WorkbenchError as error:
        st.session_state[problem] = str(error)
        return
    forget_titles()
    st.session_state[problem] = ""
    st.session_state[field] = ""
    chosen = list(st.session_state.get("models") or [])
    if card.id not in chosen:
        st.session_state["models"] = [*chosen, card.id]
