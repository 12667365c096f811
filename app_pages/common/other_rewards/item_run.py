"""Texts read one by one in the background: the button, progress with Stop, and what was read.

What has been read stays when a visitor stops; the same button goes on with the rest. An item that
cannot be read is a problem beside the others.
"""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import streamlit as st

from app_pages.common.background import POLL_S, tasks
from app_pages.common.lab_run import is_there
from app_pages.common.other_rewards.work import NAME
from core.errors import ConversationError

T = TypeVar("T")


@dataclass
class ItemRun:
    """Items on their way; a session has one in each place.

    Attributes:
        key: of what is read.
        total: how many items there are.
        done: what was read, by position.
        problems: why an item could not be read, by position.
        turn: counts the starts.
        started: when the latest start was.
        before: items that were done by then.
        stop: set when somebody stops it.
        name: of the run among all sessions' runs.
    """

    key: str
    total: int
    done: dict[int, Any] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)
    turn: int = 0
    started: float = 0.0
    before: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def n_through(self) -> int:
        """Items that are read or cannot be."""
        return len(self.done) + len(self.problems)

    def work(self, read: Callable[[int], Any]) -> bool:
        """Reads what is missing until it is all there or somebody stops it."""
        for position in range(self.total):
            if self.stop.is_set():
                return False
            if position in self.done or position in self.problems:
                continue
            try:
                self.done[position] = read(position)
            except ConversationError as error:
                self.problems[position] = str(error)
        return True


@dataclass(frozen=True)
class Read(Generic[T]):
    """What a run has read.

    Attributes:
        done: by position.
        problems: why an item could not be read, by position.
        total: how many items there are.
    """

    done: dict[int, T]
    problems: dict[int, str]
    total: int

    @property
    def n_missing(self) -> int:
        """Items that nobody has tried yet."""
        return self.total - len(self.done) - len(self.problems)


def read_items(
    slot: str, key: str, label: str, items: Sequence[object], read: Callable[[int], T]
) -> Read[T] | None:
    """Draws the controls of a run; None until it has ended or was stopped.

    Args:
        slot: the place on the page; begins the widgets' keys.
        key: changes whenever the items or how they are read do.
        label: of the button.
        items: what is read.
        read: reads the item at a position; called in the background.
    """
    field_name = f"{NAME}-{slot}-run"
    run: ItemRun | None = st.session_state.get(field_name)
    if run is None or run.key != key:
        if run is not None:
            run.stop.set()  # other items are wanted now
        run = st.session_state[field_name] = ItemRun(key, len(items))
    if not run.turn:
        _button(slot, f"{label} ({run.total:,})", run)
        return None
    outcome = tasks().outcome((field_name, run.name, run.turn), lambda: run.work(read))
    if outcome.state == "running":
        _progress(field_name, slot, (field_name, run.name, run.turn))
        return None
    if not is_there(outcome, ""):
        _button(slot, "Try again", run)
        return None
    if not outcome.value:
        _button(slot, f"Continue ({run.total - run.n_through:,} left)", run)
        st.caption("Stopped: what follows is from what was read until then.")
    if run.problems:
        with st.expander(f"{len(run.problems):,} could not be read"):
            for position, why in sorted(run.problems.items())[:20]:
                st.text(f"{items[position]}: {why}")
    return Read(dict(run.done), dict(run.problems), run.total) if run.done else None


def _button(slot: str, label: str, run: ItemRun) -> None:
    st.button(
        label,
        key=f"{NAME}-{slot}-start",
        icon=":material/play_arrow:",
        on_click=_start,
        args=(run,),
    )


def _start(run: ItemRun) -> None:
    run.stop.clear()
    run.turn += 1
    run.started, run.before = time.monotonic(), run.n_through


@st.fragment(run_every=POLL_S)
def _progress(field_name: str, slot: str, task: object) -> None:
    run: ItemRun | None = st.session_state.get(field_name)
    outcome = tasks().known(task)  # type: ignore[arg-type]
    if run is None or outcome is None or outcome.state != "running":
        st.rerun()
    st.progress(run.n_through / max(1, run.total), text=_told(run))
    st.button("Stop", key=f"{NAME}-{slot}-stop", icon=":material/stop:", on_click=run.stop.set)


def _told(run: ItemRun) -> str:
    text = f"{run.n_through:,} of {run.total:,} read"
    n_new = run.n_through - run.before
    if n_new < 2:
        return text
    each = (time.monotonic() - run.started) / n_new
    left_s = max(1, round(each * (run.total - run.n_through)))
    return f"{text} ({1 / each:,.1f} a second, {left_s} s left)"
