"""The playground: type into a conversation and watch real rewards move."""

import streamlit as st

from app_pages.common import details, one_click, sharing
from app_pages.common.editor import conversation_editor, read_edit
from app_pages.common.examples import EXAMPLES
from app_pages.common.model_choice import choose_models
from app_pages.common.readings import Reading, read_rewards
from app_pages.common.reward_cards import reward_cards
from app_pages.common.service import model_titles
from app_pages.common.session import act, redraw, refresh, session_jobs, still_waits, workspace
from app_pages.common.step_strip import read_steps, step_strips

# How soon the editor asks again while something is still being measured.
POLL_MS = 400


def take_edit() -> None:
    """Takes in what was typed; a new version also redraws what hangs on the history."""
    if workspace().absorb(read_edit("editor")):
        refresh()
    redraw("live")


def look_again() -> None:
    """Redraws what was still being measured."""
    redraw("live", *(["details"] if still_waits("details") else []))


def measure(models: list[str]) -> list[Reading]:
    """What the chosen models say about the text on screen, as far as it is known."""
    space = workspace()
    if space.conversation is None:
        return []
    baseline = space.tree.pinned.messages
    readings = read_rewards(models, space.conversation, baseline, jobs=session_jobs())
    space.note_rewards(readings)
    return readings


@st.fragment(key="live")
def live() -> None:
    """Editor and rewards: all that an edit redraws."""
    space = workspace()
    space.absorb(read_edit("editor"))
    if space.example is not None:
        st.caption(f"**{space.example.title}.** {space.example.point}")
    left, right = st.columns([0.6, 0.4], gap="medium")
    with right:
        models = choose_models()
        board = st.container()
    # Scored before the editor is drawn: its acknowledgement then says that the rewards are there.
    readings = measure(models)
    steps = read_steps(readings, space.conversation)
    pending = not all(reading.complete for reading in readings)
    pending = pending or any(each.outcome.state == "running" for each in steps)
    with left:
        conversation_editor(
            space.editor_content(poll_ms=POLL_MS if pending or still_waits("details") else 0),
            key="editor",
            on_edit=take_edit,
            on_tick=look_again,
        )
        step_strips(steps, model_titles())
        one_click.menus()
    with board:
        if space.problem:
            st.caption(":material/edit: No reward yet: the conversation is not complete.")
        reward_cards(readings, model_titles(), f"baseline v{space.tree.pinned.id}")


def header() -> None:
    """What this page is for, the examples and the share link, in one line."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("#### Edit the conversation, watch the reward move", width="content")
        st.space("stretch")
        st.menu_button(
            "Examples",
            EXAMPLES,
            format_func=lambda example: example.title,
            icon=":material/lightbulb:",
            key="example",
            on_click=open_example,
        )
        with st.container(width="content"):
            sharing.share_button()


def open_example() -> None:
    """Puts the chosen example on screen."""
    example = next(e for e in EXAMPLES if e.title == st.session_state["example"].title)
    act(lambda space: space.open_example(example))


sharing.open_shared_link()
header()
live()
details.details()
