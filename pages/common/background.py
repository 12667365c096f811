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
