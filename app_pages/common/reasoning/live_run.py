"""One press of "Judge": a thread that asks, and what a page can read of it at any moment."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from app_pages.common.service import reward_service
from core.engine.judgements import JudgementStore, default_store, judge_items
from core.errors import WorkbenchError
from core.models.base import RewardModel
from core.models.judges import Item, Judge, JudgeRewardModel, JudgingFormat, Question, Reading

State = Literal["waiting", "writing", "done", "stopped", "failed"]

SHOW_EVERY_S = 0.3
"""A text that is being written is turned into letters at most this often."""


@dataclass(frozen=True)
class Draft:
    """A text as far as it is written.

    Attributes:
        reading: what it says so far; None while it is being written.
        whole: nothing will be added.
    """

    order: str
    sample: int
    text: str
    reading: Reading | None = None
    whole: bool = False


@dataclass(frozen=True)
class Wish:
    """What the visitor asked for."""

    model: str
    item: Item
    samples: int
    settings: tuple[tuple[str, object], ...]


@dataclass
class LiveRun:
    """A run in a thread of its own; everything here may be read from any thread."""

    wish: Wish
    state: State = "waiting"
    error: str = ""
    form: JudgingFormat | None = None
    table: pd.DataFrame | None = None
    n_known: int = 0
    seconds: float = 0.0
    _drafts: dict[tuple[str, int], Draft] = field(default_factory=dict)
    _shown_at: dict[tuple[str, int], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> "LiveRun":
        """Begins; returns at once."""
        threading.Thread(target=self._work, name="live-judge", daemon=True).start()
        return self

    def stop(self) -> None:
        """Ends the texts that are being written; those that are whole stay."""
        self._stop.set()

    @property
    def running(self) -> bool:
        """Whether anything more will come."""
        return self.state in ("waiting", "writing")

    def drafts(self) -> list[Draft]:
        """The texts so far, by order and sample."""
        with self._lock:
            return [self._drafts[key] for key in sorted(self._drafts)]

    def _work(self) -> None:
        started = time.monotonic()
        try:
            # The judge's own thread: two visitors take turns, and the model stays in memory.
            reward_service().exclusive(self.wish.model, self._ask)
            self.state = "stopped" if self._stop.is_set() else "done"
        except WorkbenchError as error:
            self.error, self.state = str(error), "failed"
        except Exception as error:  # noqa: BLE001 - the page shows it
            self.error, self.state = f"{type(error).__name__}: {error}", "failed"
        finally:
            self.seconds = time.monotonic() - started

    def _ask(self, model: RewardModel) -> None:
        if not isinstance(model, JudgeRewardModel):
            raise WorkbenchError(f"{self.wish.model} is no judge.")
        judge = model.judge.changed(**dict(self.wish.settings))
        self.form, self.state = judge.form, "writing"
        store = _store()
        try:
            judged = judge_items(
                judge,
                [self.wish.item],
                store=store,
                samples=self.wish.samples,
                should_stop=self._stop.is_set,
                watch=self._watch,
            )
        finally:
            store.close()
        self.n_known = judged.n_known
        self._finish(judge, judged.table)

    def _watch(self, question: Question, sample: int, text: Callable[[], str]) -> bool:
        key = (question.order, sample)
        now = time.monotonic()
        if now - self._shown_at.get(key, 0.0) >= SHOW_EVERY_S:
            self._shown_at[key] = now
            draft = Draft(question.order, sample, text())
            with self._lock:
                self._drafts[key] = draft
        return self._stop.is_set()

    def _finish(self, judge: Judge, table: pd.DataFrame) -> None:
        for row in table.itertuples():
            order, raw = str(row.order), str(row.raw)
            reading = judge.form.read(raw, len(order)) if raw and not judge.reads_words else None
            draft = Draft(order, int(row.sample), raw, reading, whole=True)
            with self._lock:
                self._drafts[order, draft.sample] = draft
        self.table = table


def _store() -> JudgementStore:
    return default_store()
