"""Work that a page starts and looks at again later, so that no script ever waits for it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.errors import WorkbenchError

MAX_OUTCOMES = 256
N_WORKERS = 2
POLL_S = 0.5
"""How soon a page that waits looks again."""

RETRY_S = 15.0
"""How long a failure is remembered; asking again after that tries again."""


@dataclass(frozen=True)
class Outcome:
    """What is known of a piece of work: still running, its value, or why there is none."""

    state: Literal["running", "done", "failed"]
    value: Any = None
    error: str = ""


RUNNING = Outcome("running")

WATCH_S = 1.0
"""How soon a page that shows an older value looks whether the newer one is there."""


class Tasks:
    """Computes each thing once, in threads of its own, and remembers the latest outcomes.

    The threads draw nothing: they return values, and the script that asks again draws them.
    """

    def __init__(self, n_workers: int = N_WORKERS, max_outcomes: int = MAX_OUTCOMES) -> None:
        self._pool = ThreadPoolExecutor(n_workers, thread_name_prefix="page-task")
        self._futures: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._failed_at: dict[Hashable, float] = {}
        self._max = max_outcomes
        self._lock = threading.Lock()

    def outcome(self, key: Hashable, compute: Callable[[], Any]) -> Outcome:
        """The outcome of `compute`, started now unless this key was asked for before."""
        with self._lock:
            future = self._futures.get(key)
            if future is None or self._may_retry(key, future):
                future = self._futures[key] = self._pool.submit(compute)
                self._drop_oldest()
            self._futures.move_to_end(key)
        return _outcome(future)

    def known(self, key: Hashable) -> Outcome | None:
        """The outcome under this key, or None when nothing was started; starts nothing."""
        with self._lock:
            future = self._futures.get(key)
        return None if future is None else _outcome(future)

    def forget(self, key: Hashable) -> None:
        """Drops the outcome, so that the next question computes it again."""
        with self._lock:
            self._futures.pop(key, None)
            self._failed_at.pop(key, None)

    def _may_retry(self, key: Hashable, future: "Future[Any]") -> bool:
        if not future.done() or future.exception() is None:
            return False
        first_seen = self._failed_at.setdefault(key, time.monotonic())
        if time.monotonic() - first_seen < RETRY_S:
            return False
        del self._failed_at[key]
        return True

    def _drop_oldest(self) -> None:
        for key in [key for key, future in self._futures.items() if future.done()]:
            if len(self._futures) <= self._max:
                return
            del self._futures[key]
            self._failed_at.pop(key, None)


def _outcome(future: "Future[Any]") -> Outcome:
    if not future.done():
        return RUNNING
    error = future.exception()
    if error is None:
        return Outcome("done", future.result())
    known = isinstance(error, WorkbenchError)
    return Outcome("failed", error=str(error) if known else f"{type(error).__name__}: {error}")


@st.cache_resource(show_spinner=False)
def tasks() -> Tasks:
    """The process's tasks, shared by all sessions: what one has computed, all have."""
    return Tasks()


@st.fragment(run_every=POLL_S)
def look_again() -> None:
    """Runs the page again after a moment, for a page that waits for an outcome."""
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run:
        st.rerun()


@dataclass
class _Steady:
    """What a session shows in one place, and what it waits for there."""

    variant: Hashable = None
    asked: Hashable | None = None
    shown: tuple[Hashable, Outcome] | None = None


def steady_outcome(
    slot: str, variant: Hashable, key: Hashable, compute: Callable[[], Any]
) -> Outcome:
    """The outcome for data that changes by itself, such as a folder that training fills.

    While the latest state is worked on, the value of an earlier one stays; states that come faster
    than they can be worked on are skipped, one piece of work at a time; and only the value that is
    shown is kept.

    Args:
        slot: the place on the page; each session has one value in it.
        variant: what the visitor chose; another choice never shows the value of this one.
        key: the state of the data.
        compute: makes the value.
    """
    field = f"steady-{slot}"
    held: _Steady = st.session_state.get(field) or _Steady()
    if held.variant != variant:
        held = _Steady(variant)
    st.session_state[field] = held
    wanted = (slot, variant, key)
    if held.shown is not None and held.shown[0] == wanted and held.shown[1].state == "done":
        return held.shown[1]
    if held.asked is not None and held.asked != wanted:
        earlier = tasks().known(held.asked)
        if earlier is not None and earlier.state == "running":
            return _older(held, held.asked)
        if earlier is not None and earlier.state == "done":
            _show(held, held.asked, earlier)
    held.asked = wanted
    outcome = tasks().outcome(wanted, compute)
    if outcome.state == "running":
        return _older(held, wanted)
    _show(held, wanted, outcome)
    return outcome


def _older(held: _Steady, awaited: Hashable) -> Outcome:
    """The value that is there, until what is awaited is; running where there is none."""
    if held.shown is None:
        return RUNNING
    _look_when_done(awaited)
    return held.shown[1]


def _show(held: _Steady, key: Hashable, outcome: Outcome) -> None:
    if held.shown is not None and held.shown[0] != key:
        tasks().forget(held.shown[0])
    held.shown = (key, outcome)


@st.fragment(run_every=WATCH_S)
def _look_when_done(key: Hashable) -> None:
    """Runs the page again once a piece of work is done."""
    context = get_script_run_ctx()
    if context is None or not context.fragment_ids_this_run:
        return
    outcome = tasks().known(key)
    if outcome is None or outcome.state != "running":
        st.rerun()
