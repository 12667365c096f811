"""Judgements that are asked for once: a store of raw texts, and the run that fills it.

What a judge wrote is kept with all that determined it, and read anew every time: a better parser
needs no new texts. A run that is stopped or killed keeps what was whole, and goes on from there.
"""

import json
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from core.models.judges.backends import ROWS
from core.models.judges.judge import Item, Judge, Question, Record, judgement_table
from core.paths import cache_folder

STORE_FILE = "judgements.sqlite"
BUSY_TIMEOUT_S = 30.0
KEYS_AT_ONCE = 500
"""Keys a statement; SQLite allows 999 parameters in its oldest supported builds."""

RATE_CHUNKS = 5
"""The rate is taken over so many of the latest chunks."""

Watch = Callable[[Question, int, Callable[[], str]], bool]
"""Told while texts are written: the question, the sample, and a function that gives the text so
far. True ends that text there."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS judgements (
    key BLOB PRIMARY KEY, judge TEXT NOT NULL, orders TEXT NOT NULL, sample INTEGER NOT NULL,
    record TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: judgements that are there.
        total: judgements wanted.
        n_known: of those done, how many were in the store.
        rate_per_s: judgements a second over the latest chunks, 0 until the first is through.
        tokens_per_s: tokens a second, likewise; NaN where a server does not count them.
        remaining_s: estimated seconds to the end, None while the rate is unknown.
    """

    done: int
    total: int
    n_known: int
    rate_per_s: float
    tokens_per_s: float
    remaining_s: float | None


@dataclass(frozen=True)
class Judged:
    """What a run gave.

    Attributes:
        table: judgements (`core.schema.JUDGEMENT_COLUMNS`), by item, order and sample.
        n_known: how many were in the store already.
        n_wanted: how many were asked for.
        stopped: it was stopped before all were there.
    """

    table: pd.DataFrame
    n_known: int
    n_wanted: int
    stopped: bool


class JudgementStore:
    """Records by key in one SQLite file; safe to use from several threads and processes.

    Args:
        path: the file; its folder is created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Record]:
        """The records of the keys that are there."""
        found: dict[bytes, Record] = {}
        with self._lock:
            for start in range(0, len(keys), KEYS_AT_ONCE):
                part = keys[start : start + KEYS_AT_ONCE]
                marks = ",".join("?" * len(part))
                query = f"SELECT key, record FROM judgements WHERE key IN ({marks})"  # noqa: S608
                for key, record in self._connection.execute(query, part):
                    found[key] = _unpacked(record)
        return found

    def put_many(self, judge: str, records: Mapping[bytes, tuple[str, int, Record]]) -> None:
        """Stores records with order and sample, in one transaction."""
        now = time.time()
        rows = [
            (key, judge, order, sample, _packed(record), now)
            for key, (order, sample, record) in records.items()
        ]
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO judgements VALUES (?, ?, ?, ?, ?, ?)", rows
                )
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def __len__(self) -> int:
        with self._lock:
            (n,) = self._connection.execute("SELECT count(*) FROM judgements").fetchone()
        return int(n)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()


def default_store() -> JudgementStore:
    """The store in the user's cache folder."""
    return JudgementStore(cache_folder() / STORE_FILE)


def judge_items(
    judge: Judge,
    items: Iterable[Item],
    *,
    store: JudgementStore | None = None,
    samples: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] | None = None,
    watch: Watch | None = None,
    rows: int = ROWS,
) -> Judged:
    """The judgements of the items: those in the store, and the others asked for now.

    Args:
        store: where texts are kept; None keeps none.
        samples: of each item and order, in place of the card's.
        should_stop: asked often; when it says True, texts that are not whole are dropped and what
            is whole is kept.
        progress: told after every chunk.
        watch: told while texts are written.
        rows: texts of one chunk, at most; each chunk is stored when it is through.

    Raises:
        WorkbenchError: an item does not fit the judge's format.
    """
    run = _Run(judge, judge.questions(items, samples), store, progress)
    run.look_up()
    for chunk in run.chunks(rows):
        if should_stop():
            break
        run.ask(chunk, should_stop, watch)
    return run.judged()


class _Run:
    """One call of `judge_items`: what is wanted and what is there."""

    def __init__(
        self,
        judge: Judge,
        questions: Sequence[Question],
        store: JudgementStore | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.judge = judge
        self.store = store
        self.wanted = [
            (question, sample)
            for question in questions
            for sample in range(question.first, question.first + question.n)
        ]
        self.keys = [judge.key(question, sample) for question, sample in self.wanted]
        self.records: dict[bytes, Record] = {}
        self.n_known = 0
        self._say = progress or (lambda _progress: None)
        self._marks: list[tuple[float, int, float]] = []

    def look_up(self) -> None:
        if self.store is not None:
            self.records = self.store.get_many(self.keys)
        self.n_known = self._done()
        self._mark(0, 0)

    def chunks(self, rows: int) -> list[list[Question]]:
        """What is missing, as questions of runs of samples, in chunks of texts of like length."""
        missing: list[Question] = []
        for (question, sample), key in zip(self.wanted, self.keys, strict=True):
            if key in self.records:
                continue
            last = missing[-1] if missing else None
            joins = (
                last is not None
                and (last.item, last.order) == (question.item, question.order)
                and last.first + last.n == sample
                and last.n < rows
            )
            if joins and last is not None:
                missing[-1] = Question(last.item, last.order, last.first, last.n + 1)
            else:
                missing.append(Question(question.item, question.order, sample, 1))
        missing.sort(key=lambda each: (each.n, sum(map(len, each.item.responses))))
        chunks: list[list[Question]] = []
        for question in missing:
            if chunks and sum(each.n for each in chunks[-1]) + question.n <= rows:
                chunks[-1].append(question)
            else:
                chunks.append([question])
        return chunks

    def ask(
        self, chunk: Sequence[Question], should_stop: Callable[[], bool], watch: Watch | None
    ) -> None:
        def told(position: int, sample: int, text: Callable[[], str]) -> bool:
            ended = watch is not None and watch(chunk[position], sample, text)
            return ended or should_stop()

        fresh: dict[bytes, tuple[str, int, Record]] = {}
        n_tokens = 0.0
        for question, records in zip(chunk, self.judge.ask(chunk, watch=told), strict=True):
            for sample, record in enumerate(records, start=question.first):
                if record is None:
                    continue
                key = self.judge.key(question, sample)
                self.records[key] = record
                if not record.problem:  # a server that failed may answer the next time
                    n_tokens += math.nan if record.n_tokens is None else record.n_tokens
                    fresh[key] = (question.order, sample, record)
        if self.store is not None and fresh:
            self.store.put_many(self.judge.name, fresh)
        self._mark(len(fresh), n_tokens)

    def judged(self) -> Judged:
        found = [
            self.judge.read(question, sample, self.records[key])
            for (question, sample), key in zip(self.wanted, self.keys, strict=True)
            if key in self.records
        ]
        return Judged(
            judgement_table(found), self.n_known, len(self.wanted), len(found) < len(self.wanted)
        )

    def _done(self) -> int:
        return sum(key in self.records for key in self.keys)

    def _mark(self, n: int, n_tokens: float) -> None:
        self._marks.append((time.monotonic(), n, n_tokens))
        latest = self._marks[-RATE_CHUNKS - 1 :]
        seconds = latest[-1][0] - latest[0][0]
        rate = sum(each[1] for each in latest[1:]) / seconds if seconds > 0 else 0.0
        tokens = sum(each[2] for each in latest[1:]) / seconds if seconds > 0 else 0.0
        done = self._done()
        left = len(self.wanted) - done
        remaining = 0.0 if left == 0 else (left / rate if rate > 0 else None)
        self._say(Progress(done, len(self.wanted), self.n_known, rate, tokens, remaining))


def _packed(record: Record) -> str:
    return json.dumps(
        {
            "text": record.text,
            "n_tokens": record.n_tokens,
            "truncated": record.truncated,
            "log_probabilities": record.log_probabilities,
        },
        ensure_ascii=True,
    )


def _unpacked(text: str) -> Record:
    record = Record(**json.loads(text))
    if record.text and record.n_tokens == 0:
        # Stored before a missing count was told from none; a text has at least one token.
        return replace(record, n_tokens=None)
    return record
