"""Which models are asked, and how a visitor adds one."""

from collections.abc import Sequence

import streamlit as st

from app_pages.common.service import default_models, forget_titles, model_titles
from app_pages.common.session import refresh
from core.errors import WorkbenchError
from core.models.catalogue import add_card

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


def choose_lab_models(
    key: str, *, default: Sequence[str] | None = None, most: int = 8, label: str = "Reward models"
) -> list[str]:
    """The control for the models of a lab; returns their ids, none until one is chosen.

    Args:
        key: of the lab, for the widgets; the choice is in the session state under
            `lab_models_key(key)` and outlives a change of page.
        default: ids chosen at first, as far as they exist; by default the playground's defaults.
        most: models that can be chosen at once.
        label: what the control is called.
    """
    titles, field = model_titles(), lab_models_key(key)
    if field not in st.session_state:
        wanted = default_models() if default is None else default
        st.session_state[field] = [name for name in wanted if name in titles][:most]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.multiselect(
            label,
            list(titles),
            format_func=lambda name: titles.get(name, name),
            key=field,
            max_selections=most,
            placeholder="Choose reward models",
            help=f"Up to {most}. Each is loaded when its first conversation is scored.",
            persist_state="session",
        )
        with st.popover("", icon=":material/add:", help="Add a model", key=f"{key}-add-popover"):
            add_model_form(key=key, chosen=field, most=most)
    return list(chosen)


def lab_models_key(key: str) -> str:
    """Where the session state keeps the models that `choose_lab_models(key)` offers."""
    return f"{key}-models"


def add_model_form(*, key: str, chosen: str = "models", most: int | None = None) -> None:
    """A small form that puts a model into the user's catalogue and among those chosen.

    Args:
        key: of the page, for the widgets.
        chosen: where the session state keeps the ids of the models chosen.
        most: models that can be chosen at once; one more is added to the catalogue only.
    """
    field, problem = f"{key}-add-name", f"{key}-add-problem"
    st.text_input("Add a model", key=field, placeholder="org/name, folder or card", help=ADD_HELP)
    st.button(
        "Add",
        key=f"{key}-add",
        icon=":material/add:",
        on_click=_add,
        args=(field, problem, chosen, most),
    )
    message = st.session_state.get(problem)
    if message:
        st.text(message)


def _add(field: str, problem: str, chosen_key: str, most: int | None) -> None:
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
    chosen = list(st.session_state.get(chosen_key) or [])
    if card.id not in chosen and (most is None or len(chosen) < most):
        st.session_state[chosen_key] = [*chosen, card.id]
