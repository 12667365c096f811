"""Many rollouts: time and memory of ours against pandas, each in a fresh process.

`python -m benchmarks.rollouts` writes tables of 10,000, 100,000 and 1,000,000 rollouts, summarises
each by step, reads it for the labs and runs the collapse lab on it. The rows are the recorded runs
of a collection, repeated under new run names until there are enough. The policies of these runs
answer in a few characters; so that texts weigh what they weigh in practice, each response is put
together of two recorded ones of a language model. The report says which.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parent.parent
SIZES = (10_000, 100_000, 1_000_000)
THREADS = 2
TIMEOUT_S = 900

TARGET_S, TARGET_MB = 10.0, 2000.0
"""What summarising a million rollouts may take on two cores."""

OURS, OURS_PROBLEMS = "ours, by step", "ours, by problem and step"
OURS_READ = "ours, checked table for the labs"
OURS_COLLAPSE = "ours, table and whole collapse lab"
PEER, PEER_COLUMNS = "pandas, all columns", "pandas, only the columns needed"
SIDES = (OURS, OURS_PROBLEMS, OURS_READ, OURS_COLLAPSE, PEER, PEER_COLUMNS)
COMPARED = (OURS, PEER, PEER_COLUMNS)
"""Sides that come to the same sums."""

NEEDED = ["run", "split", "step", "problem_id", "sample", "answer", "correct", "reward"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; returns 1 where a target is missed at the largest size."""
    options = _options(arguments)
    if options.side:
        print(json.dumps(measure(options.side, Path(options.table))))
        return 0
    # It imports torch, which the measured processes should not hold.
    from benchmarks.measure import describe_machine

    report: dict[str, Any] = {"machine": describe_machine(), "rows": []}
    with tempfile.TemporaryDirectory() as scratch:
        for size in options.sizes:
            path = Path(scratch) / f"rollouts_{size}.parquet"
            report["source"] = write_table(path, size, options.collection)
            for side in SIDES:
                row = {"rollouts": size, "file_mb": path.stat().st_size / 1e6, "side": side}
                row |= _median([_in_fresh_process(side, path) for _ in range(options.rounds)])
                row["load"] = os.getloadavg()[0]
                report["rows"].append(row)
                print(_line(row), flush=True)
    problems = _disagreements(report["rows"])
    for problem in problems:
        print(problem)
    print(report["source"])
    if options.output:
        Path(options.output).write_text(json.dumps(report, indent=1), encoding="utf-8")
    return int(bool(problems) or not _meets_target(report["rows"]))


def _median(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Each number's median over rounds."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def measure(side: str, path: Path) -> dict[str, float]:
    """Time, peak memory and a check sum of one side, in this process.

    On a busy machine the processor time of all threads says more than the clock.
    """
    import duckdb  # noqa: F401 - its import is not what is measured
    import pyarrow.parquet  # noqa: F401

    from core.labs.collapse.analysis import analyse
    from core.rollouts.large import open_large
    from core.rollouts.reading import read_rollout_files

    before = _peak_mb()
    start, start_cpu = time.perf_counter(), time.process_time()
    if side == OURS:
        made = open_large(path, threads=THREADS).by_step()
        check = float((made["mean_reward"] * made["n"]).sum() + made["n_answers"].sum())
    elif side == OURS_PROBLEMS:
        counts = open_large(path, threads=THREADS).by_problem()
        check = float(counts["reward_sum"].sum() + counts["n_answers"].sum())
    elif side in (OURS_READ, OURS_COLLAPSE):
        table = read_rollout_files(path).table
        if side == OURS_COLLAPSE:
            analyse(table, tuple(run for run in table["run"].unique() if "base" in run))
        check = float(len(table))
    else:
        check = _by_pandas(path, None if side == PEER else NEEDED)
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - start_cpu,
        "peak_mb": _peak_mb(),
        "before_mb": before,
        "check": check,
    }


def _by_pandas(path: Path, columns: list[str] | None) -> float:
    frame = pd.read_parquet(path, columns=columns)
    keys = ["run", "split", "step"]
    means = frame.groupby(keys, observed=True).agg(
        n=("reward", "size"), mean=("reward", "mean"), share=("correct", "mean")
    )
    answers = frame.groupby([*keys, "problem_id"], observed=True)["answer"].nunique()
    return float((means["mean"] * means["n"]).sum() + answers.sum())


def write_table(path: Path, n_rows: int, collection: str) -> str:
    """Writes a table of recorded rollouts, repeated until there are enough; says what they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from core.rollouts.recorded import collections, read_rollouts

    table = read_rollouts(collection)
    table = table[[*NEEDED, *(name for name in ("prompt", "response") if name in table.columns)]]
    told = f"Rows: the recorded runs of {collection} ({len(table):,} rollouts), repeated"
    names = [each.name for each in collections()]
    texts: list[str] = []
    if "temperatures" in names and collection != "temperatures":
        texts = read_rollouts("temperatures")["response"].dropna().tolist()
        told += "; a response is the beginning of one and the end of another of SmolLM2-135M"
    rng = np.random.default_rng(0)
    length = 0.0
    schema = None
    writer = None
    for copy in range(math.ceil(n_rows / len(table))):
        part = table.head(n_rows - copy * len(table))
        part = part.assign(run=f"copy-{copy}/" + part["run"].astype(str))
        if texts:
            part = part.assign(response=_spliced(texts, len(part), rng))
        length += part["response"].str.len().sum() / n_rows
        rows = pa.Table.from_pandas(part, schema=schema, preserve_index=False)
        if writer is None:
            schema = rows.schema
            writer = pq.ParquetWriter(path, schema)
        writer.write_table(rows)
    assert writer is not None
    writer.close()
    return f"{told}; a response has {length:,.0f} characters in the mean."


def _spliced(texts: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """Texts that differ: repeated ones would be packed into next to nothing."""
    first, second = rng.integers(0, len(texts), (2, n))
    cuts = rng.random(n)
    return [
        texts[one][: int(cut * len(texts[one]))] + texts[two][int(cut * len(texts[two])) :]
        for one, two, cut in zip(first, second, cuts, strict=True)
    ]


def _in_fresh_process(side: str, path: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.rollouts", "--side", side, "--table", str(path)],
        cwd=REPOSITORY,
        check=True,
        timeout=TIMEOUT_S,
        stdout=subprocess.PIPE,
        text=True,
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _peak_mb() -> float:
    """The most memory this process has held at once, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count what the parent held when it started this process.
        told = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(told.split()[1]) / 1e3
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _disagreements(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Sizes at which the sides did not come to the same sums."""
    found = []
    for size in dict.fromkeys(row["rollouts"] for row in rows):
        checks = [
            row["check"] for row in rows if row["rollouts"] == size and row["side"] in COMPARED
        ]
        if not np.allclose(checks, checks[0], rtol=1e-6):
            found.append(f"At {size:,} rollouts the sides disagree: {checks}.")
    return found


def _meets_target(rows: Sequence[dict[str, Any]]) -> bool:
    largest = max(row["rollouts"] for row in rows)
    (ours,) = [row for row in rows if row["rollouts"] == largest and row["side"] == OURS]
    return bool(ours["seconds"] <= TARGET_S and ours["peak_mb"] <= TARGET_MB)


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['rollouts']:>9,} rollouts ({row['file_mb']:,.1f} MB)  {row['side']:<32} "
        f"{row['seconds']:7.2f} s "
        f"({row['cpu_seconds']:6.2f} s of processor)  peak {row['peak_mb']:7,.0f} MB "
        f"(of that {row['before_mb']:,.0f} MB before it began)  load {row['load']:.1f}"
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollouts", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=3, help="of which the medians are told")
    parser.add_argument("--collection", default="collapse", help="recorded runs to repeat")
    parser.add_argument("--output", help="write the report as JSON to this file")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--table", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
