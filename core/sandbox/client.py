"""`Sandbox`: runs small untrusted programs one after the other in contained child processes."""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from core.errors import SandboxError

Kind = Literal["ok", "error", "timeout", "memory", "forbidden", "output", "crash"]
"""How a program ended: by itself, with a Python error, stopped for its time, its memory, for what
it asked for, for what it printed, or without a result."""

_PATIENCE = 5.0
"""Seconds beyond a program's time before the worker itself is taken for lost."""

_BOOTSTRAP = """
import sys, types
package, subpackage = types.ModuleType("core"), types.ModuleType("core.sandbox")
package.__path__, subpackage.__path__ = [], [sys.argv.pop()]
sys.modules["core"], sys.modules["core.sandbox"] = package, subpackage
from core.sandbox.worker import main
main()
"""


@dataclass(frozen=True)
class Execution:
    """How one program ended.

    Attributes:
        output: what it printed and the value of its last expression, cut to the allowed length.
        error: one line naming what went wrong, as Python would; None when nothing did.
        kind: how it ended.
        seconds: wall-clock time from fork to end.
    """

    output: str
    error: str | None
    kind: Kind
    seconds: float

    @property
    def text(self) -> str:
        """What a model that called the tool is shown: the output, then the error if any."""
        parts = [self.output.rstrip("\n"), self.error or ""]
        return "\n".join(part for part in parts if part)


class Sandbox:
    """Runs small Python programs that nobody vouches for; a context manager.

    Safe to call from several threads (they take turns); not to be shared with a forked process.
    """

    def __init__(
        self,
        seconds: float = 1.0,
        memory_mb: int = 64,
        output_chars: int = 2000,
        *,
        guarded: bool = True,
    ) -> None:
        """Starts nothing yet; entering the context does.

        Args:
            seconds: wall-clock time of one program, above 0.
            memory_mb: memory of one program beyond the bare interpreter's, at least 8.
            output_chars: characters of output kept, at least 1.
            guarded: refuse in Python what a calculator has no use for. Without it any Python is
                tried and only the kernel's limits hold: this is how they are tested.

        Raises:
            ValueError: when a limit is out of its range.
        """
        if seconds <= 0 or memory_mb < 8 or output_chars < 1:
            raise ValueError(
                "A sandbox needs seconds > 0, memory_mb >= 8 and output_chars >= 1, not "
                f"{seconds}, {memory_mb} and {output_chars}."
            )
        self._seconds = seconds
        self._settings = {
            "seconds": seconds,
            "memory_mb": memory_mb,
            "output_chars": output_chars,
            "guarded": guarded,
        }
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._held: tuple[str, ...] = ()
        self._unread = b""

    def __enter__(self) -> Self:
        """Starts the worker.

        Raises:
            SandboxError: where processes cannot be forked, or the worker does not start.
        """
        with self._lock:
            self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Ends the worker and everything in it."""
        self.close()

    def close(self) -> None:
        """Ends the worker and everything in it; a closed sandbox can be entered again."""
        with self._lock:
            self._stop()

    @property
    def level(self) -> tuple[str, ...]:
        """What holds a program on this machine, in words; see the package's docstring."""
        return ("time and memory limits", *self._held)

    @property
    def contained(self) -> bool:
        """Whether the kernel itself refuses files, network and processes to a program."""
        return "system call filter" in self._held

    def run(self, program: str) -> Execution:
        """Runs one program and says how it ended. What the program does never raises here.

        Raises:
            SandboxError: when the sandbox was not entered, or no worker can be started.
        """
        with self._lock:
            if self._folder is None:
                raise SandboxError(
                    "The sandbox is not running.", fix="Use it as `with Sandbox() as sandbox:`."
                )
            if self._process is None:
                self._start()
            started = time.monotonic()
            answer = self._ask(program)
            if answer is None:
                self._stop(keep_folder=True)
                error = "RuntimeError: the sandbox's worker ended with the program"
                return Execution("", error, "crash", time.monotonic() - started)
        return Execution(answer["output"], answer["error"], answer["kind"], answer["seconds"])

    def run_many(self, programs: Iterable[str]) -> list[Execution]:
        """Runs programs one after the other, each in a child of its own, in the given order."""
        return [self.run(program) for program in programs]

    def _ask(self, program: str) -> dict[str, Any] | None:
        """The worker's answer, None when it is lost."""
        pipe = self._process.stdin if self._process is not None else None
        if pipe is None:
            return None
        try:
            pipe.write(json.dumps(program).encode() + b"\n")
            pipe.flush()
        except OSError:
            return None
        return self._answer(time.monotonic() + self._seconds + _PATIENCE)

    def _answer(self, deadline: float) -> dict[str, Any] | None:
        """The next line from the worker, None when it does not come in time."""
        pipe = self._process.stdout if self._process is not None else None
        if pipe is None:
            return None
        while b"\n" not in self._unread:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([pipe], [], [], left)
            part = os.read(pipe.fileno(), 65_536) if ready else b""
            if not part:
                return None
            self._unread += part
        line, self._unread = self._unread.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _start(self) -> None:
        if not hasattr(os, "fork"):
            raise SandboxError(
                f"Programs cannot be contained on {sys.platform}: it cannot fork processes.",
                fix="Run this on Linux; recorded runs can be read anywhere.",
            )
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="calculator-")
        command = [sys.executable, "-I", "-S", "-B", "-c", _BOOTSTRAP, json.dumps(self._settings)]
        self._unread = b""
        self._process = subprocess.Popen(  # noqa: S603 - this very Python and a constant text
            [*command, str(Path(__file__).parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env={},
            start_new_session=True,
        )
        greeting = self._answer(time.monotonic() + 30.0)
        if greeting is None:
            self._stop()
            raise SandboxError(
                "The worker that runs programs did not start.",
                fix="Check that this Python can start another one (memory, process limits).",
            )
        self._held = tuple(greeting["held"])

    def _stop(self, *, keep_folder: bool = False) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._folder is not None and not keep_folder:
            self._folder.cleanup()
            self._folder = None
