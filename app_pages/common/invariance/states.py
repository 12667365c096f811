"""Hidden states on a page: what reading them costs, the button, progress with Stop, the result."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from app_pages.common.background import POLL_S, look_again, tasks
from app_pages.common.invariance.setup import NAME
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.service import (
    model_titles,
    reading_speed,
    reference_rewards,
    reward_service,
    speed_is_coming,
)
from core.engine.hidden_states import StatesRun, StateStore
from core.engine.plans import PlanCost, plan_cost
from core.schema import Conversation, content_id


@st.cache_resource(show_spinner=False)
def state_store() -> StateStore:
    """The process's hidden states, shared by all sessions."""
    return StateStore()


@dataclass
class _Started:
    key: str
    run: StatesRun


@dataclass(frozen=True)
class StatesFound:
    """Hidden states of conversations.

    Attributes:
        key: changes whenever the states do.
        states: (n, d), NaN where there are none.
        errors: (n,) why there are none.
    """

    key: str
    states: npt.NDArray[np.float64]
    errors: list[str]


def read_states(name: str, model: str, conversations: Sequence[Conversation]) -> StatesFound | None:
    """Draws the controls and returns the states once there are some.

    Args:
        name: of this reading; a session has one run of each.
        model: id.
        conversations: what is read.
    """
    key = content_id([name, model, [list(each) for each in conversations]])
    field = f"{NAME}-states-{name}"
    started: _Started | None = st.session_state.get(field)
    if started is None or started.key != key:
        _offer(field, key, model, conversations, "Read")
        return None
    if not started.run.finished:
        _progress(field)
        return None
    run = started.run
    if run.state == "failed":
        st.error(plain(run.error), icon=":material/error:")
        return None
    if run.state == "stopped":
        _offer(field, key, model, conversations, "Continue: read")
        st.caption("Stopped: what was read is kept, and the button goes on from there.")
        return None
    states, errors = run.states()
    return StatesFound(key, states, errors)


def _offer(
    field: str, key: str, model: str, conversations: Sequence[Conversation], verb: str
) -> None:
    """The button, with what it will cost."""
    n_distinct = len({content_id(list(each)) for each in conversations})
    cost = tasks().outcome(
        ("state-cost", key), lambda: plan_cost(reward_service(), model, conversations)
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.button(
            f"{verb} {n_distinct:,} conversations",
            key=f"{field}-run",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_start,
            args=(field, key, model, conversations),
        )
        if is_there(cost, "Counting what it takes …"):
            st.caption(_cost_words(model, n_distinct, cost.value))
            if speed_is_coming(model):
                look_again()


def _cost_words(model: str, n_distinct: int, cost: PlanCost) -> str:
    reference_rewards(model)
    speed = reading_speed(model)
    time = f", at most about {max(1, round(cost.n_tokens / speed))} s" if speed > 0 else ""
    return (
        f"{n_distinct:,} distinct conversations, {cost.n_tokens:,} tokens{time}: the hidden states "
        "the reward is read from, kept in memory. Everything after that takes seconds."
    )


def _start(field: str, key: str, model: str, conversations: Sequence[Conversation]) -> None:
    run = StatesRun(reward_service(), model, conversations, state_store())
    st.session_state[field] = _Started(key, run)


@st.fragment(run_every=POLL_S)
def _progress(field: str) -> None:
    started: _Started | None = st.session_state.get(field)
    if started is None or started.run.finished:
        st.rerun()
    progress = started.run.progress()
    title = plain(model_titles().get(started.run.model, started.run.model))
    left = f" (about {round(progress.remaining_s)} s left)" if progress.remaining_s else ""
    st.progress(
        progress.done / max(1, progress.total),
        text=f"{title}: hidden states of {progress.done:,} of {progress.total:,}{left}",
    )
    st.button("Stop", key=f"{field}-stop", icon=":material/stop:", on_click=started.run.cancel)
