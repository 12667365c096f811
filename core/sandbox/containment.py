"""What the kernel holds back from an untrusted program: namespaces, resource limits, system calls.

Standard library only and no import of the rest of the project: it runs in the bare worker process.
Every step that the machine refuses is left out and missing from the level that is reported.
"""

import contextlib
import ctypes
import os
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

NOBODY = 65534

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_ALL_NAMESPACES = _CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID | _CLONE_NEWNET

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_SECCOMP_RET_ALLOW = 0x7FFF0000
_SECCOMP_RET_EPERM = 0x00050000 | 1
_SECCOMP_RET_KILL = 0x80000000

_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION_3 = 0x20080522

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The kernel's AUDIT_ARCH numbers: a system call made in another mode of the CPU ends the process,
since its numbers would mean something else."""

_ALLOWED_CALLS = {
    # read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn
    # sched_yield mremap madvise nanosleep getpid exit gettimeofday getrusage times sigaltstack time
    # futex restart_syscall clock_gettime clock_nanosleep exit_group getrandom
    "x86_64": (
        *(0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 28, 35, 39, 60, 96, 98, 100, 131),
        *(201, 202, 219, 228, 230, 231, 318),
    ),
    "aarch64": (
        *(63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 124, 216, 233, 101, 172, 93),
        *(169, 165, 153, 132, 98, 128, 113, 115, 94, 278),
    ),
}
"""All that a program may ask of the kernel: memory, its own clock, its pipe, and to end. Opening
files, sockets, processes, signals to others, mounts, tracing are not there, so they are refused."""


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class CallFilter:
    """A seccomp filter, built once and put on in each child."""

    def __init__(self, machine: str) -> None:
        """Builds the filter for a CPU family that `supported` names."""
        code = _filter_code(_ARCHITECTURES[machine], _ALLOWED_CALLS[machine])
        self._buffer = ctypes.create_string_buffer(code, len(code))
        self._program = _FilterProgram(len(code) // 8, ctypes.addressof(self._buffer))
        self._pointer = ctypes.byref(self._program)
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl

    @staticmethod
    def supported(machine: str) -> bool:
        """Whether the kernel's call numbers of this CPU family are known here."""
        return sys.platform == "linux" and machine in _ARCHITECTURES

    def install(self) -> bool:
        """From here on this process may make the allowed calls only; there is no way back."""
        status = self._prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._pointer, 0, 0)
        return bool(status == 0)


def _filter_code(architecture: int, allowed: Iterable[int]) -> bytes:
    """Berkeley packet filter: right architecture and listed number, else refused with EPERM."""
    load, jump_equal, give = 0x20, 0x15, 0x06
    numbers = tuple(allowed)
    code = [struct.pack("HBBI", load, 0, 0, 4)]
    code.append(struct.pack("HBBI", jump_equal, 1, 0, architecture))
    code.append(struct.pack("HBBI", give, 0, 0, _SECCOMP_RET_KILL))
    code.append(struct.pack("HBBI", load, 0, 0, 0))
    for position, number in enumerate(numbers):
        to_allow = len(numbers) - position
        code.append(struct.pack("HBBI", jump_equal, to_allow, 0, number))
    code.append(struct.pack("HBBI", give, 0, 0, _SECCOMP_RET_EPERM))
    code.append(struct.pack("HBBI", give, 0, 0, _SECCOMP_RET_ALLOW))
    return b"".join(code)


def isolate(folder: str) -> list[str]:
    """Cuts this process off: own namespaces, an empty root folder, no rights. Names what holds.

    With a process namespace the caller must fork: the first child is its process 1.

    Args:
        folder: an empty folder that becomes the whole file system.
    """
    if sys.platform != "linux":
        return []
    held = []
    as_root = os.geteuid() == 0
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _ALL_NAMESPACES if as_root else _ALL_NAMESPACES | _CLONE_NEWUSER
    if libc.unshare(flags) == 0:
        held += ["namespaces"]
    try:
        os.chroot(folder)
        os.chdir("/")
        held += ["empty file system"]
    except OSError:
        pass
    if as_root and _become_nobody():
        held += ["unprivileged user"]
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and _drop_capabilities(libc):
        held += ["no capabilities"]
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return held


def _become_nobody() -> bool:
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    return True


def _drop_capabilities(libc: ctypes.CDLL) -> bool:
    number = _CAPSET.get(os.uname().machine)
    if number is None:
        return False
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(struct.pack("6I", *[0] * 6))
    return bool(libc.syscall(number, header, nothing) == 0)


def die_with_parent() -> None:
    """Has the kernel end this process when the one that forked it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def address_space() -> int:
    """Bytes of address space this process has now; 0 where it cannot be read."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def limit_resources(memory: int, cpu_seconds: int) -> None:
    """Puts hard limits on this process: memory, processor time, no files, no processes, no core.

    Args:
        memory: bytes of address space in all.
        cpu_seconds: seconds of processor time before the kernel ends it.
    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    _lower(resource.RLIMIT_NOFILE, 0)
    _lower(resource.RLIMIT_AS, memory)


def _lower(which: int, value: int) -> None:
    """A limit that the system does not know, or that is lower already, is left as it is."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (value, value))
