"""What a caller holds while rewards are computed: the job, its progress and its rows."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from core.errors import in_one_line

JobState = Literal["queued", "running", "done", "stopped", "failed"]

FRAME_COLUMNS = ("model", "index", "reward", "n_tokens", "truncated", "cached", "error")
"""Columns every frame of rewards has, in this order, before `objective_<name>` columns."""

RATE_BATCHES = 20
"""How many of the latest batches the rate is taken over: long enough to be steady, short enough to
follow a model that warms up or a machine that gets busy."""


@dataclass(frozen=True)
class ScoreRow:
    """The reward of one conversation by one model.

    Attributes:
        model: the model's name as the caller gave it.
        index: position of the conversation in the caller's list.
        reward: NaN when there is an error.
        n_tokens: tokens read by the model; 0 for models that read no tokens.
        truncated: tokens cut off, 0 if none.
        cached: whether the reward was there already.
        error: what went wrong, "" if nothing did.
        objectives: name and value of each objective, for multi-objective models.
    """

    model: str
    index: int
    reward: float
    n_tokens: int = 0
    truncated: int = 0
    cached: bool = False
    error: str = ""
    objectives: tuple[tuple[str, float], ...] = ()

    @staticmethod
    def failed(
        model: str, index: int, error: str, *, n_tokens: int = 0, cut: int = 0
    ) -> "ScoreRow":
        """A row that holds an error instead of a reward."""
        return ScoreRow(model, index, float("nan"), n_tokens, cut, error=error)


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        done: rows that are there, cached and failed ones included.
        total: rows asked for.
        rate_per_s: rows computed per second over the latest batches, cached ones not counted;
            0 until the first batch is through.
        remaining_s: estimated seconds to the end, None while the rate is unknown.
        n_cached: rows that did not have to be computed.
        state: queued, running, done, stopped (cancelled) or failed (the model did not load).
    """

    done: int
    total: int
    rate_per_s: float
    remaining_s: float | None
    n_cached: int
    state: JobState

    @staticmethod
    def of(parts: Sequence["Progress"]) -> "Progress":
        """The progress of several jobs together, which run at the same time."""
        rate = sum(part.rate_per_s for part in parts)
        done, total = sum(part.done for part in parts), sum(part.total for part in parts)
        states = {part.state for part in parts}
        order: tuple[JobState, ...] = ("running", "queued", "failed", "stopped", "done")
        state: JobState = next((s for s in order if s in states), "done")
        left = total - done
        remaining = 0.0 if left == 0 else (left / rate if rate > 0 else None)
        return Progress(done, total, rate, remaining, sum(p.n_cached for p in parts), state)


class ScoreJob:
    """Conversations handed to one model. Safe to read and to cancel from any thread.

    Args:
        model: the model's name as the caller gave it.
        total: how many conversations were handed in.
        live: whether someone waits for the answer while typing.
        session: whose live edit it is, or None.
    """

    def __init__(
        self, model: str, total: int, *, live: bool = False, session: str | None = None
    ) -> None:
        self.model = model
        self.total = total
        self.live = live
        self.session = session
        self.error: Exception | None = None
        self._rows: dict[int, ScoreRow] = {}
        self._changed = threading.Condition()
        self._state: JobState = "done" if total == 0 else "queued"
        self._n_cached = 0
        self._computed = 0
        self._marks: deque[tuple[float, int]] = deque(maxlen=RATE_BATCHES)
        self._at_end: list[Callable[[], None]] = []

    @property
    def state(self) -> JobState:
        """Where the job is in its life."""
        return self._state

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self._state not in ("queued", "running")

    @property
    def n_done(self) -> int:
        """How many rows are there."""
        return len(self._rows)

    def progress(self) -> Progress:
        """How far the job is, at this moment."""
        with self._changed:
            rate = self._rate()
            left = self.total - len(self._rows)
            remaining = 0.0 if left == 0 else (left / rate if rate > 0 else None)
            return Progress(
                len(self._rows), self.total, rate, remaining, self._n_cached, self._state
            )

    def cancel(self) -> None:
        """Stops after the batch in flight; rows that are there stay."""
        self._end("stopped")

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end, at most `timeout` seconds; True when the job has ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self.finished, timeout)

    def rows(self) -> list[ScoreRow]:
        """The rows that are there, in the caller's order."""
        with self._changed:
            return [self._rows[index] for index in sorted(self._rows)]

    def frame(self) -> pd.DataFrame:
        """The rows that are there as a table (see `FRAME_COLUMNS`), in the caller's order."""
        return rows_frame(self.rows())

    def iterate(self) -> Iterator[ScoreRow]:
        """Yields each row as it comes, in the order of completion, until the job ends."""
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.finished or len(self._rows) > seen)  # noqa: B023
                fresh = list(self._rows.values())[seen:]
                ended = self.finished
            yield from fresh
            seen += len(fresh)
            if ended:
                return

    # What follows is for the engine.

    def start(self) -> None:
        """Marks the job as running; the rate is measured from here."""
        with self._changed:
            self._begin()

    def deliver(self, rows: Iterable[ScoreRow]) -> None:
        """Adds rows of one batch. A job that has ended takes no more."""
        fresh = list(rows)
        with self._changed:
            if self.finished or not fresh:
                return
            self._begin()
            for row in fresh:
                self._rows[row.index] = row
                self._n_cached += row.cached
                self._computed += not row.cached
            if self._marks[-1][1] < self._computed:
                self._marks.append((time.monotonic(), self._computed))
            complete = len(self._rows) == self.total
            self._changed.notify_all()
        if complete:
            self._end("done")

    def fail(self, error: Exception) -> None:
        """Ends the job: each row that is not there yet gets the error."""
        with self._changed:
            if self.finished:
                return
            self.error = error
            for index in range(self.total):
                self._rows.setdefault(index, ScoreRow.failed(self.model, index, in_one_line(error)))
        self._end("failed")

    def at_end(self, action: Callable[[], None]) -> None:
        """Calls `action` once when the job ends, at once if it has."""
        with self._changed:
            if not self.finished:
                self._at_end.append(action)
                return
        action()

    def _begin(self) -> None:
        if self._state == "queued":
            self._state = "running"
            self._marks.append((time.monotonic(), 0))

    def _end(self, state: JobState) -> None:
        with self._changed:
            if self.finished:
                return
            self._state = state
            actions, self._at_end = self._at_end, []
            self._changed.notify_all()
        for action in actions:
            action()

    def _rate(self) -> float:
        if len(self._marks) < 2:
            return 0.0
        (begin, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) / (end - begin) if end > begin else 0.0


def rows_frame(rows: Sequence[ScoreRow]) -> pd.DataFrame:
    """Rows as a table: `FRAME_COLUMNS`, then one `objective_<name>` column for each objective."""
    frame = pd.DataFrame(
        {name: [getattr(row, name) for row in rows] for name in FRAME_COLUMNS},
        columns=list(FRAME_COLUMNS),
    ).astype(
        {"index": "int64", "reward": "float64", "n_tokens": "int64", "truncated": "int64"}
        | {"cached": "bool", "model": "object", "error": "object"}
    )
    names = dict.fromkeys(name for row in rows for name, _ in row.objectives)
    for name in names:
        values = [dict(row.objectives).get(name, float("nan")) for row in rows]
        frame[f"objective_{name}"] = pd.Series(values, dtype="float64", index=frame.index)
    return frame
