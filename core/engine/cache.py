"""The reward cache: what was computed once is never computed again.

One SQLite file, shared by all threads and processes of a user. A key is a digest of everything
that determines a reward (`core.engine.requests` makes it), so an entry never goes stale. Each batch
is committed as a whole: a run that is killed finds everything up to its last batch when it starts
again.
"""

import os
import sqlite3
import threading
import time
import warnings
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

CACHE_FILE = "rewards.sqlite"
BUSY_TIMEOUT_S = 30.0
CHUNK = 500
"""Keys a statement; SQLite allows 999 parameters in its oldest supported builds."""
EVICTION_SHARE = 0.1
"""Share of the entries that leaves at once when the bound is reached, so that it is not reached
again with the next batch."""
TOUCH_AFTER_S = 3600.0
"""An entry's last use is rewritten at most this often: reading must not turn into writing."""

Values = tuple[float, ...]
"""What is stored for a key: the reward, then the objectives of a multi-objective model."""

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rewards (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, created REAL NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rewards_used ON rewards (used);
"""


@dataclass(frozen=True)
class CacheInfo:
    """The state of the cache: where it is, how many entries, how full."""

    path: Path
    entries: int
    n_bytes: int
    max_bytes: int


class RewardCache:
    """Rewards by key, in a file bounded in size; the least recently used entries leave first.

    A cache that cannot be read or written (a full disk, a read-only folder) warns once and is then
    as good as empty: it never stops a computation.

    Args:
        path: the database file; its folder is created.
        max_bytes: bound on the data in the file.
        clock: seconds since the epoch, replaceable in tests.
    """

    def __init__(
        self, path: Path, max_bytes: int, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._clock = clock
        self._local = threading.local()
        self._recovering = threading.Lock()
        self._warned = False
        path.parent.mkdir(parents=True, exist_ok=True)

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Values]:
        """The values of the keys that are there."""
        return self._attempt(lambda connection: self._read(connection, keys), {})

    def put_many(self, values: Mapping[bytes, Values]) -> None:
        """Stores the values in one transaction, then drops old entries if the bound is passed."""
        if values:
            self._attempt(lambda connection: self._write(connection, values), None)

    def info(self) -> CacheInfo:
        """How many entries there are and how much of the bound they use."""

        def measure(connection: sqlite3.Connection) -> CacheInfo:
            (entries,) = connection.execute("SELECT count(*) FROM rewards").fetchone()
            return CacheInfo(self.path, entries, _data_bytes(connection), self.max_bytes)

        return self._attempt(measure, CacheInfo(self.path, 0, 0, self.max_bytes))

    def clear(self) -> None:
        """Removes every entry and gives the space back."""

        def empty(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                connection.execute("DELETE FROM rewards")
            connection.execute("PRAGMA incremental_vacuum").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

        self._attempt(empty, None)

    def close(self) -> None:
        """Closes this thread's connection; those of other threads close with their thread."""
        known: tuple[int, sqlite3.Connection] | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if known is not None and known[0] == os.getpid():
            known[1].close()

    def _read(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Values]:
        found: dict[bytes, Values] = {}
        stale: list[bytes] = []
        now = self._clock()
        for start in range(0, len(keys), CHUNK):
            part = keys[start : start + CHUNK]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, value, used FROM rewards WHERE key IN ({marks})"  # noqa: S608
            for key, value, used in connection.execute(query, part):
                found[key] = _unpack(value)
                if now - used > TOUCH_AFTER_S:
                    stale.append(key)
        if stale:
            with _transaction(connection):
                connection.executemany(
                    "UPDATE rewards SET used = ? WHERE key = ?", [(now, key) for key in stale]
                )
        return found

    def _write(self, connection: sqlite3.Connection, values: Mapping[bytes, Values]) -> None:
        now = self._clock()
        entries = [(key, _pack(value), now, now) for key, value in values.items()]
        with _transaction(connection):
            connection.executemany("INSERT OR REPLACE INTO rewards VALUES (?, ?, ?, ?)", entries)
        if _data_bytes(connection) > self.max_bytes:
            self._evict(connection)

    def _evict(self, connection: sqlite3.Connection) -> None:
        while _data_bytes(connection) > self.max_bytes:
            (entries,) = connection.execute("SELECT count(*) FROM rewards").fetchone()
            if entries == 0:
                return
            with _transaction(connection):
                connection.execute(
                    "DELETE FROM rewards WHERE key IN "
                    "(SELECT key FROM rewards ORDER BY used, created LIMIT ?)",
                    (max(1, int(entries * EVICTION_SHARE)),),
                )
        connection.execute("PRAGMA incremental_vacuum").fetchall()

    def _attempt(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Runs `action`; a damaged file is replaced and the action tried once more."""
        try:
            return action(self._connection())
        except sqlite3.OperationalError as error:
            self._warn_once(f"The reward cache {self.path} cannot be used: {error}.")
            return otherwise
        except sqlite3.DatabaseError:
            self._recover()
        try:
            return action(self._connection())
        except sqlite3.DatabaseError as error:
            self._warn_once(f"The reward cache {self.path} cannot be used: {error}.")
            return otherwise

    def _connection(self) -> sqlite3.Connection:
        known: tuple[int, sqlite3.Connection] | None = getattr(self._local, "connection", None)
        # A connection must not cross a fork.
        if known is not None and known[0] == os.getpid():
            return known[1]
        connection = _connect(self.path)
        self._local.connection = (os.getpid(), connection)
        return connection

    def _recover(self) -> None:
        """Sets a damaged file aside, unless another thread or process has done so already."""
        self.close()
        with self._recovering:
            if self.path.exists() and not _is_sound(self.path):
                aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
                for suffix in ("", "-wal", "-shm"):
                    part = self.path.with_name(self.path.name + suffix)
                    if part.exists():
                        part.rename(aside.with_name(aside.name + suffix))
                warnings.warn(
                    f"The reward cache {self.path} was damaged. It is kept as {aside.name} and a "
                    "new one was started: rewards in it will be computed again.",
                    RuntimeWarning,
                    stacklevel=4,
                )

    def _warn_once(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            text = f"{message} Rewards are computed without it."
            warnings.warn(text, RuntimeWarning, stacklevel=4)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        # Takes effect on a new file only; space of dropped entries can then be given back.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _use_write_ahead_log(connection)
        # Safe when the process is killed; only a power cut may lose the last batches.
        connection.execute("PRAGMA synchronous = NORMAL")
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables < 2:
            connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switches a new file to WAL. That needs the file alone, and SQLite does not wait for it."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _is_sound(path: Path) -> bool:
    try:
        with closing(_connect(path)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return True  # busy or unreadable is not damaged
    except sqlite3.DatabaseError:
        return False
    return bool(verdict == "ok")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE takes the write lock at once: a read lock that is upgraded later fails when another
    # process wrote in between, whatever the timeout.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _data_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _pack(values: Values) -> bytes:
    return array("d", values).tobytes()


def _unpack(value: bytes) -> Values:
    numbers = array("d")
    numbers.frombytes(value)
    return tuple(numbers)
