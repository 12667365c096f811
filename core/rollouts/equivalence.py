"""Whether an answer is right: equal in normal form, or equal by computer algebra.

Almost all answers are decided by their normal form. What is left are expressions ("2\\sqrt{2}"
against "\\sqrt{8}"): math-verify compares them in a process of its own with limits on time, memory
and size, because a model may write anything.
"""

import contextlib
import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

from core.rollouts.normal_form import exact_number

MAX_EXPRESSION = 200
"""Characters of an expression that is handed to computer algebra."""

PAIR_TIMEOUT_S = 20.0
START_TIMEOUT_S = 120.0
"""Time for one comparison, and for the first one, which loads the library."""

_ALGEBRA = re.compile(r"\\[a-zA-Z]|\^|\*|[a-z]\s*[-+=/]|[-+/]\s*[a-z(]|[(\[].*,.*[)\]]|√|π|pi\b")
_CODE_FOLDER = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Verdicts:
    """Whether answers are right.

    Attributes:
        correct: (n,) nullable boolean; missing where there is no reference. An answer that could
            not be read is not right.
        n_unread: answers that could not be read.
        n_by_algebra: answers that only computer algebra found right.
        left_out: comparisons that were not made by algebra, by reason; they count as different.
    """

    correct: "pd.Series[Any]"
    n_unread: int
    n_by_algebra: int
    left_out: Mapping[str, int] = field(default_factory=dict)


def verdicts(
    answers: "pd.Series[Any]",
    references: "pd.Series[Any]",
    *,
    algebra: bool = True,
    budget_s: float = 60.0,
) -> Verdicts:
    """Compares each answer with its reference.

    Args:
        answers: (n,) in normal form, missing where none was read.
        references: (n,) in normal form, missing where there is none.
        algebra: whether expressions that differ as text are compared by computer algebra.
        budget_s: time for that in all; what is not compared by then is counted.
    """
    known = references.notna()
    correct = (answers == references).astype("boolean") & answers.notna()
    open_rows = known & answers.notna() & ~correct.fillna(False).astype(bool)
    pairs = pd.DataFrame({"answer": answers[open_rows], "reference": references[open_rows]})
    distinct = pairs.drop_duplicates()
    wanted = [
        (answer, reference)
        for answer, reference in distinct.itertuples(index=False, name=None)
        if algebra and needs_algebra(answer, reference)
    ]
    same, left_out = _compare_all(wanted, budget_s)
    right = [pair in same for pair in pairs.itertuples(index=False, name=None)]
    found = pairs.index[right]
    correct.loc[found] = True
    return Verdicts(
        correct=correct.where(known),
        n_unread=int((known & answers.isna()).sum()),
        n_by_algebra=len(found),
        left_out=left_out,
    )


def needs_algebra(left: str, right: str) -> bool:
    """Whether two different normal forms could still mean the same."""
    if max(len(left), len(right)) > MAX_EXPRESSION:
        return False
    if exact_number(left) is not None and exact_number(right) is not None:
        return False
    return any(_ALGEBRA.search(text) for text in (left, right))


def equivalent(left: str, right: str) -> bool | None:
    """Whether two expressions mean the same by algebra; None where that could not be told."""
    if max(len(left), len(right)) > MAX_EXPRESSION:
        return None
    with AlgebraProcess() as algebra:
        return algebra.same(left, right)


def _compare_all(
    pairs: list[tuple[str, str]], budget_s: float
) -> tuple[set[tuple[str, str]], dict[str, int]]:
    """The pairs that mean the same, and how many could not be compared."""
    same: set[tuple[str, str]] = set()
    left_out: dict[str, int] = {}
    if not pairs:
        return same, left_out
    end = time.monotonic() + budget_s
    with AlgebraProcess() as algebra:
        for done, pair in enumerate(pairs):
            if time.monotonic() > end:
                left_out["no time left for algebra"] = len(pairs) - done
                break
            verdict = algebra.same(*pair)
            if verdict is None:
                left_out["not understood as mathematics"] = (
                    left_out.get("not understood as mathematics", 0) + 1
                )
            elif verdict:
                same.add(pair)
    return same, left_out


class AlgebraProcess:
    """The process that compares expressions, started when first needed and killed when stuck."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> "AlgebraProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def same(self, left: str, right: str) -> bool | None:
        """Whether two expressions mean the same; None where it cannot tell or took too long."""
        fresh = self._process is None
        process = self._process or self._start()
        try:
            assert process.stdin is not None  # noqa: S101 - it was opened with a pipe
            process.stdin.write(json.dumps([left, right]) + "\n")
            process.stdin.flush()
            line = self._lines.get(timeout=START_TIMEOUT_S if fresh else PAIR_TIMEOUT_S)
        except (queue.Empty, OSError):
            self.close()
            return None
        verdict: bool | None = json.loads(line) if line else None
        if not line:
            self.close()
        return verdict

    def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if stream is not None:
                        stream.close()

    def _start(self) -> subprocess.Popen[str]:
        self._lines = queue.Queue()
        process = subprocess.Popen(
            [sys.executable, "-m", "core.rollouts.math_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            cwd=_CODE_FOLDER,
        )
        reader = threading.Thread(
            target=_pass_on, args=(process, self._lines), name="algebra-reader", daemon=True
        )
        reader.start()
        self._process = process
        return process


def _pass_on(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    """Hands on each line; an empty one says that the process has ended."""
    assert process.stdout is not None  # noqa: S101 - it was opened with a pipe
    with contextlib.suppress(ValueError, OSError):
        for line in process.stdout:
            lines.put(line)
    lines.put("")
