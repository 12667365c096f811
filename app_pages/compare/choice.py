"""A model of the comparison chosen within a tab; the choice outlives a change of page."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st


def choose_one(
    label: str,
    names: Sequence[str],
    *,
    key: str,
    default: str = "",
    help: str | None = None,  # noqa: A002 - Streamlit's word for it
    width: int | Literal["stretch"] = "stretch",
) -> str:
    """A select box over names; one that is gone falls back to the default, or to the first."""
    if st.session_state.get(key) not in names:
        st.session_state[key] = default if default in names else names[0]
    chosen = st.selectbox(
        label, list(names), key=key, help=help, width=width, persist_state="session"
    )
    return str(chosen)
