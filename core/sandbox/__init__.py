"""Runs small untrusted Python programs, the calculator of a tool-using policy, and contains them.

    with Sandbox() as sandbox:
        sandbox.run("37*48").output  # "1776\\n"

A bare worker process forks one child for each program, which costs about a millisecond. Around each
program stand, from outside in:

1. The worker's own place: no environment, an empty folder, its own session, no open files. On Linux
   also, where the machine allows it, its own namespaces (no network, no other processes in sight),
   the empty folder as its whole file system, an unprivileged user and no capabilities.
2. The child's limits: address space, processor time, no new files, no new processes; and a watchdog
   that ends it at the wall-clock limit.
3. On Linux on x86-64 and arm64 a system call filter: a program can ask the kernel for memory, the
   time, its own pipe and its end, and for nothing else.
4. In Python: only arithmetic names, `math` and printing. This gives readable refusals; it is not
   what containment rests on.

`Sandbox.level` says which of these hold on this machine, `Sandbox.contained` whether the third
does. Without it (macOS, other processors, a machine that forbids filters) limits and the Python
guard remain, which stop accidents and not an attacker: do not feed it hostile programs there.
Windows cannot fork and is refused with that reason. What no level gives: safety from a bug in the
kernel or in the interpreter's memory handling used together with one in the kernel, or from timing
side channels. The text of a program is parsed in the child, under its limits.
"""

from core.sandbox.client import Execution, Kind, Sandbox

__all__ = ["Execution", "Kind", "Sandbox"]
