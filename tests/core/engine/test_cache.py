"""The cache on disk: what is stored comes back, in every process, whatever dies."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.engine.cache import RewardCache

MEGABYTE = 1024**2


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def make_cache(folder: Path, **options: object) -> RewardCache:
    return RewardCache(folder / "rewards.sqlite", **{"max_bytes": 64 * MEGABYTE, **options})


def stored_keys(cache: RewardCache) -> set[bytes]:
    """The keys in the file, looked at without counting as use."""
    with sqlite3.connect(cache.path) as connection:
        return {row[0] for row in connection.execute("SELECT key FROM rewards")}


def test_values_come_back_exactly(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    values = {key(1): (0.1,), key(2): (-3.5, 1e-300, 2.0**-52), key(3): (23.125,)}
    cache.put_many(values)
    assert cache.get_many([key(1), key(2), key(3), key(4)]) == values


def test_more_keys_than_one_statement_takes(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    cache.put_many({key(n): (float(n),) for n in range(2500)})
    found = cache.get_many([key(n) for n in range(2500)])
    assert found == {key(n): (float(n),) for n in range(2500)}


def test_another_cache_on_the_same_file_sees_the_values(tmp_path: Path) -> None:
    make_cache(tmp_path).put_many({key(7): (7.0,)})
    assert make_cache(tmp_path).get_many([key(7)]) == {key(7): (7.0,)}


def test_info_counts_and_clear_empties(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    cache.put_many({key(n): (float(n),) for n in range(1000)})
    before = cache.info()
    assert before.entries == 1000
    assert 1000 * (32 + 8) < before.n_bytes < MEGABYTE
    cache.clear()
    assert cache.info().entries == 0
    assert cache.info().n_bytes < before.n_bytes
    assert cache.get_many([key(1)]) == {}


def test_eviction_keeps_the_bound_and_drops_the_longest_unused(tmp_path: Path) -> None:
    now = [1000.0]
    cache = make_cache(tmp_path, max_bytes=200 * 1024, clock=lambda: now[0])
    cache.put_many({key(n): (float(n),) for n in range(500)})
    now[0] += 7200
    assert len(cache.get_many([key(n) for n in range(100)])) == 100  # used again: young
    old, young = {key(n) for n in range(100, 500)}, {key(n) for n in range(100)}
    start = 1000
    while old & stored_keys(cache):
        now[0] += 1
        cache.put_many({key(n): (float(n),) for n in range(start, start + 50)})
        assert cache.info().n_bytes <= 200 * 1024
        assert young <= stored_keys(cache) or not old & stored_keys(cache)
        start += 50
    assert key(start - 1) in stored_keys(cache)


def test_a_bound_below_one_batch_ends_empty_rather_than_never(tmp_path: Path) -> None:
    cache = make_cache(tmp_path, max_bytes=1)
    cache.put_many({key(n): (float(n),) for n in range(50)})
    assert cache.info().entries == 0


def test_threads_write_and_read_at_once(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    failures: list[Exception] = []

    def work(part: int) -> None:
        try:
            for n in range(part * 100, part * 100 + 100, 10):
                cache.put_many({key(m): (float(m),) for m in range(n, n + 10)})
                assert cache.get_many([key(n)]) == {key(n): (float(n),)}
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert cache.info().entries == 1600


WRITER = """
import sys
from pathlib import Path
from core.engine.cache import RewardCache
start, count, pause = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
cache = RewardCache(Path(sys.argv[1]), 2**26)
for n in range(start, start + count, 10):
    cache.put_many({m.to_bytes(32, "big"): (float(m),) for m in range(n, n + 10)})
    print(n, flush=True)
    import time; time.sleep(pause)
"""


def start_writer(path: Path, start: int, count: int, pause: float) -> "subprocess.Popen[str]":
    arguments = [str(path), str(start), str(count), str(pause)]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env=dict(os.environ),
    )


def test_two_processes_write_one_cache(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    writers = [start_writer(cache.path, start, 500, 0.0) for start in (0, 500)]
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert cache.get_many([key(n) for n in range(1000)]) == {
        key(n): (float(n),) for n in range(1000)
    }


def test_a_killed_process_leaves_its_finished_batches(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    writer = start_writer(cache.path, 0, 100_000, 0.002)
    assert writer.stdout is not None
    finished = [int(writer.stdout.readline()) for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    writer.wait(timeout=60)
    assert finished[-1] == 190
    assert cache.get_many([key(n) for n in range(200)]) == {key(n): (float(n),) for n in range(200)}
    cache.put_many({key(10**6): (1.0,)})
    assert cache.get_many([key(10**6)]) == {key(10**6): (1.0,)}


def test_a_damaged_file_is_set_aside_and_a_new_one_started(tmp_path: Path) -> None:
    path = tmp_path / "rewards.sqlite"
    path.write_bytes(b"This is not a database at all. " * 400)
    cache = make_cache(tmp_path)
    with pytest.warns(RuntimeWarning, match=r"rewards\.sqlite was damaged"):
        assert cache.get_many([key(1)]) == {}
    cache.put_many({key(1): (1.0,)})
    assert cache.get_many([key(1)]) == {key(1): (1.0,)}
    (aside,) = tmp_path.glob("rewards.sqlite.damaged-*")
    assert aside.read_bytes().startswith(b"This is not a database")


def test_a_file_damaged_while_in_use_is_replaced(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    cache.put_many({key(n): (float(n),) for n in range(2000)})
    cache.close()
    for wal in tmp_path.glob("*-wal"):
        wal.unlink()
    content = bytearray(cache.path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    cache.path.write_bytes(bytes(content))
    with pytest.warns(RuntimeWarning, match="was damaged"):
        cache.get_many([key(n) for n in range(2000)])
    cache.put_many({key(5): (5.0,)})
    assert make_cache(tmp_path).get_many([key(5)]) == {key(5): (5.0,)}


def test_a_cache_that_cannot_be_written_warns_once_and_is_empty(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    cache.path.mkdir()  # no file can be made here
    with pytest.warns(RuntimeWarning, match="computed without it"):
        cache.put_many({key(1): (1.0,)})
    assert cache.get_many([key(1)]) == {}


def test_reading_does_not_write_unless_the_entry_was_long_unused(tmp_path: Path) -> None:
    now = [1000.0]
    cache = make_cache(tmp_path, clock=lambda: now[0])
    cache.put_many({key(1): (1.0,)})

    def last_used() -> float:
        with sqlite3.connect(cache.path) as connection:
            return float(connection.execute("SELECT used FROM rewards").fetchone()[0])

    now[0] = 1100.0
    cache.get_many([key(1)])
    assert last_used() == 1000.0
    now[0] = 9000.0
    cache.get_many([key(1)])
    assert last_used() == 9000.0


def test_a_writer_waits_for_another_ones_lock(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    cache.put_many({key(1): (1.0,)})
    other = sqlite3.connect(cache.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
    begin = time.monotonic()
    cache.put_many({key(2): (2.0,)})
    assert time.monotonic() - begin > 0.2
    assert cache.get_many([key(2)]) == {key(2): (2.0,)}
    other.close()
