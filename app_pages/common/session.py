"""A visitor's state on the server: one workspace, its open jobs, and how an action changes them."""

import uuid
from collections.abc import Callable
from contextlib import suppress

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import ScriptRunContext, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType

from app_pages.common.editor import read_edit
from app_pages.common.readings import SessionJobs
from app_pages.common.workspace import Workspace


def workspace() -> Workspace:
    """This visitor's workspace, made on the first visit."""
    if "workspace" not in st.session_state:
        st.session_state["workspace"] = Workspace.of_example()
    space: Workspace = st.session_state["workspace"]
    return space


def restart(space: Workspace) -> None:
    """Puts another workspace in this visitor's place, and into the editor."""
    # The editor shows what has a revision it does not know: never one that was used before.
    old: Workspace | None = st.session_state.get("workspace")
    space.revision = 1 + (old.revision if old is not None else 0)
    st.session_state["workspace"] = space


def session_jobs() -> SessionJobs:
    """This visitor's open scoring jobs."""
    if "jobs" not in st.session_state:
        st.session_state["jobs"] = SessionJobs(uuid.uuid4().hex)
    jobs: SessionJobs = st.session_state["jobs"]
    return jobs


def act(action: Callable[[Workspace], None]) -> None:
    """Runs an action on the workspace from a widget's callback and redraws what it may change.

    What was typed last is taken in first, so that no action can overtake a keystroke.
    """
    space = workspace()
    space.absorb(read_edit("editor"))
    action(space)
    refresh()


def refresh() -> None:
    """Redraws the whole playground, from a widget's callback."""
    waits_for("details", waiting=True)
    redraw("live", "details")


def redraw(*parts: str) -> None:
    """Redraws only these fragments, from a widget's callback.

    A run of the whole script is left alone, the present one and one that waits: the visitor may be
    on the way to another page, where the fragments are not.
    """
    context = get_script_run_ctx()
    if context is None or not context.fragment_ids_this_run or _whole_run_waits(context):
        return
    with suppress(StreamlitAPIException):  # the other page has begun already
        st.rerun(list(parts))


def _whole_run_waits(context: ScriptRunContext) -> bool:
    """Whether the browser has asked for a run of the whole script, as a click on a page does.

    Streamlit folds our request into one that waits and takes the page from the newer of the two,
    ours: the click would be lost.
    """
    requests = context.script_requests
    waiting = requests.on_scriptrunner_yield() if requests is not None else None
    if requests is None or waiting is None:
        return False
    if waiting.type is not ScriptRequestType.RERUN:
        return True
    requests.request_rerun(waiting.rerun_data)  # the look took it out
    return not waiting.rerun_data.fragment_id_queue


def waits_for(part: str, *, waiting: bool) -> None:
    """Notes whether a part of the page shows something that is still being computed."""
    st.session_state[f"{part}-waits"] = waiting


def still_waits(part: str) -> bool:
    """Whether a part of the page is to be drawn again as soon as possible."""
    return bool(st.session_state.get(f"{part}-waits", True))
