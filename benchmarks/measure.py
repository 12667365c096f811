"""Timing that survives a busy machine: interleaved rounds, paired ratios, and what it ran on."""

import functools
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from core.engine.threads import in_passing_thread
from core.models.precision import cpu_has_bfloat16

CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
"""Instruction sets that decide how fast this machine multiplies matrices."""


@dataclass(frozen=True)
class Target:
    """What a ratio must reach: at least or at most `limit`."""

    sense: Literal["≥", "≤"]
    limit: float

    def is_met(self, ratio: float) -> bool:
        """Whether the ratio reaches the target."""
        return ratio >= self.limit if self.sense == "≥" else ratio <= self.limit

    def __str__(self) -> str:
        return f"{self.sense} {self.limit:g}"


@dataclass(frozen=True)
class Line:
    """One row of the report.

    Attributes:
        part: which measurement it belongs to.
        what: what was measured.
        figures: values by name; the name carries the unit.
        ratio: this row against `peer`, or None for a row that is only a reference.
        peer: the name of the row it is compared with.
        target: what the ratio should be.
    """

    part: str
    what: str
    figures: Mapping[str, float] = field(default_factory=dict)
    ratio: float | None = None
    peer: str = ""
    target: Target | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None or self.ratio is None:
            return None
        return self.target.is_met(self.ratio)

    def to_json(self) -> dict[str, object]:
        """The row as plain values."""
        return {
            "part": self.part,
            "what": self.what,
            **self.figures,
            "ratio": self.ratio,
            "peer": self.peer,
            "target": str(self.target or ""),
            "met": self.is_met,
        }


Timings = dict[str, list[float]]
"""Seconds by side, one value a round, in the order of the rounds."""


def interleave(
    sides: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    apart: bool = False,
    say: Callable[[str], None] = lambda _line: None,
) -> Timings:
    """Runs every side once a round, A B C A B C ..., so that what else runs slows all alike.


    Args:
        sides: what to run, by name; each must have been warmed up.
        rounds: at least one.
        apart: every run in a thread of its own, so that no pool of processor threads stands in
            another's way; needed where a side computes in a thread of its own anyway.
        say: told about each finished side.
    """
    seconds: Timings = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, run in sides.items():
            timed = functools.partial(_timed, run)
            seconds[name].append(in_passing_thread(timed) if apart else timed())
            say(f"round {number}/{rounds}: {name}: {seconds[name][-1]:.3f} s")
    return seconds


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median(values: list[float]) -> float:
    """The median."""
    return float(np.median(values))


def percentile(values: list[float], percent: float) -> float:
    """The percentile, interpolated between neighbours."""
    return float(np.percentile(values, percent))


def paired_ratio(numerator: list[float], denominator: list[float]) -> float:
    """Median over the rounds of the ratio within a round, where both saw the same machine."""
    return median([a / b for a, b in zip(numerator, denominator, strict=True)])


def describe_machine() -> dict[str, object]:
    """What the figures depend on: processor, instruction sets, threads, versions."""
    versions = {
        name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")
    }
    name, flags = _processor()
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "instruction_sets": [flag for flag in CPU_FLAGS if flag in flags],
        "native_bfloat16": cpu_has_bfloat16(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> tuple[str, set[str]]:
    listing = Path("/proc/cpuinfo")
    name, flags = platform.processor() or platform.machine(), set[str]()
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8").splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "model name":
                name = value
            elif key in ("flags", "Features"):
                flags.update(value.split())
    return name, flags
