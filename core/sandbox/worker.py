"""The worker: a small process that forks one contained child for each program.

It is started bare (no site packages, no environment), cuts itself off, then reads requests and
answers them, one line of JSON each. It never runs a program itself and it believes nothing that a
child says beyond its own result.
"""

import contextlib
import gc
import json
import math
import os
import select
import signal
import sys
import time
from typing import Any

from core.sandbox.calculator import run_program, warm_up
from core.sandbox.containment import (
    CallFilter,
    address_space,
    die_with_parent,
    isolate,
    limit_resources,
)

CHILD_KINDS = ("ok", "error", "memory", "forbidden", "output")


class Worker:
    """What stays the same between programs."""

    def __init__(self, settings: dict[str, Any], held: list[str]) -> None:
        """Builds the call filter and measures the memory that an idle process has."""
        machine = os.uname().machine
        self.seconds = float(settings["seconds"])
        self.limit = int(settings["output_chars"])
        self.guarded = bool(settings["guarded"])
        self.null = int(settings["null"])
        self.memory = int(settings["address_space"]) + int(settings["memory_mb"]) * 2**20
        self.filter = CallFilter(machine) if CallFilter.supported(machine) else None
        if self.filter is not None and _works(self.filter):
            held.append("system call filter")
        else:
            self.filter = None
        self.held = held

    def run(self, source: str) -> dict[str, Any]:
        """Forks a child for one program, waits no longer than allowed, and says how it ended."""
        started = time.monotonic()
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            self._be_the_child(source, receive, send)
        os.close(send)
        data, in_time = self._receive(receive, started + self.seconds)
        os.close(receive)
        code = _end(child)
        result = _read_result(data, code, in_time, self.seconds, self.limit)
        return result | {"seconds": time.monotonic() - started}

    def _be_the_child(self, source: str, receive: int, send: int) -> None:
        """Shuts every door, runs the program, hands over its result, ends. Never returns."""
        try:
            os.close(receive)
            os.dup2(self.null, 0)
            os.dup2(self.null, 1)
            os.setpgid(0, 0)
            limit_resources(self.memory, math.ceil(self.seconds) + 1)
            if self.filter is None or self.filter.install():
                data = run_program(source, self.limit, guarded=self.guarded)
                while data:
                    data = data[os.write(send, data) :]
        finally:
            os._exit(0)

    def _receive(self, receive: int, deadline: float) -> tuple[bytes, bool]:
        """What the child wrote, and whether it closed its end in time and within bounds."""
        most = 12 * self.limit + 20_000
        data = b""
        poll = select.poll()
        poll.register(receive, select.POLLIN | select.POLLHUP)
        while len(data) <= most:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(math.ceil(left * 1000)):
                return data, False
            part = os.read(receive, 65_536)
            if not part:
                return data, True
            data += part
        return b"", True


def _works(call_filter: CallFilter) -> bool:
    """Whether a child with the filter on is refused what it must be refused."""
    child = os.fork()
    if child == 0:
        try:
            if call_filter.install():
                os.pipe()
        except PermissionError:
            os._exit(7)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def _end(child: int) -> int:
    """Ends a child and all it may have started; a child that has ended keeps its exit code."""
    for stop in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            stop(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _read_result(
    data: bytes, code: int, in_time: bool, seconds: float, limit: int
) -> dict[str, Any]:
    """The child's result when it left a whole one; otherwise what its end tells."""
    if not in_time or code == -signal.SIGXCPU:
        error = f"TimeoutError: the program was stopped after {seconds:g} s"
        return {"kind": "timeout", "output": "", "error": error}
    try:
        told = json.loads(data)
        kind, output, error = told["kind"], told["output"], told["error"]
        if kind in CHILD_KINDS and isinstance(output, str) and isinstance(error, str | None):
            return {"kind": kind, "output": output[:limit], "error": error and error[:400]}
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        pass
    if code == -signal.SIGSYS:
        error = "PermissionError: the program asked the system for something it may not have"
        return {"kind": "forbidden", "output": "", "error": error}
    error = f"RuntimeError: the program ended without a result (exit code {code})"
    return {"kind": "crash", "output": "", "error": error}


def serve(worker: Worker) -> None:
    """Answers requests until the caller closes the pipe."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(json.dumps({"held": worker.held}).encode() + b"\n")
    answers.flush()
    warm_up()
    gc.collect()
    gc.freeze()
    gc.disable()
    for line in requests:
        answers.write(json.dumps(worker.run(json.loads(line))).encode() + b"\n")
        answers.flush()


def main() -> None:
    """Cuts this process off from the machine and serves."""
    settings = json.loads(sys.argv[1])
    settings["null"] = os.open(os.devnull, os.O_RDWR)
    settings["address_space"] = address_space()
    held = isolate(".")
    if "namespaces" in held:
        _become_first_process()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Worker(settings, held))


def _become_first_process() -> None:
    """The child goes on as process 1 of its namespace: when it ends, so does all in there."""
    child = os.fork()
    if child:
        os.close(0)
        os.close(1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    die_with_parent()
