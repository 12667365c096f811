"""The link that opens the same state in another browser."""

from typing import Any

import streamlit as st

from app_pages.common.editor import read_edit
from app_pages.common.markup import plain
from app_pages.common.service import model_titles
from app_pages.common.session import redraw, restart, waits_for, workspace
from app_pages.common.workspace import Workspace
from core.errors import ShareError, WorkbenchError
from core.share import open_link, share
from core.versions import VersionTree

PARAMETERS = ("s", "session")


@st.fragment(key="share")
def share_button() -> None:
    """A button that shows the link to what is on screen."""
    popover = st.popover(
        "Share", icon=":material/link:", key="share", on_change=_settle, width="content"
    )
    if not popover.open:
        return
    with popover:
        try:
            link = share(state_of(workspace(), list(st.session_state.get("models") or [])))
        except WorkbenchError as error:
            st.text(str(error))
            return
        st.code(f"{_address()}?{link.name}={link.value}", language=None)
        where = (
            "The link holds everything itself."
            if link.name == "s"
            else "The history is long: it is kept on this server, and the link opens it from there."
        )
        st.caption(f"Opens this history, baseline and choice of models anywhere. {where}")


def _settle() -> None:
    """Makes what was typed last part of the history, so that the link has it."""
    space = workspace()
    space.absorb(read_edit("editor"))
    space.record("edit")
    waits_for("details", waiting=True)
    redraw("share", "live", "details")


def _address() -> str:
    return (st.context.url or "").split("?", 1)[0]


def state_of(space: Workspace, models: list[str]) -> dict[str, Any]:
    """What a link carries: the history, baseline and models, but no rewards.

    Whoever opens it has the models score the texts: a link cannot claim a number.
    """
    tree = space.tree.to_dict()
    for version in tree["versions"]:
        del version["rewards"]
    return {"tree": tree, "models": models}


def open_shared_link() -> None:
    """Takes over the state of the link the visitor came by, once; says what is wrong with it."""
    name = next((name for name in PARAMETERS if name in st.query_params), None)
    if name is None:
        return
    value = st.query_params[name]
    if st.session_state.get("opened-link") != value:
        st.session_state["opened-link"] = value
        try:
            _take_over(open_link(name, value))
            st.session_state["link-problem"] = ""
        except WorkbenchError as error:
            st.session_state["link-problem"] = str(error)
    problem = st.session_state.get("link-problem")
    if problem:
        st.warning(plain(problem), icon=":material/link_off:")


def _take_over(state: Any) -> None:
    if not isinstance(state, dict) or not isinstance(state.get("models"), list):
        raise ShareError("The link holds no history.", fix="Copy the whole link.")
    restart(Workspace.of_tree(VersionTree.from_dict(state.get("tree"))))
    known = model_titles()
    st.session_state["models"] = [name for name in state["models"] if name in known]
    unknown = [str(name)[:100] for name in state["models"] if name not in known]
    if unknown:
        workspace().notice = f"Not in this catalogue, so not asked: {', '.join(unknown)}."
