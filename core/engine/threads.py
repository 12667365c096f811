"""Keeping PyTorch to one pool of processor threads.

OpenMP, which divides PyTorch's work on a CPU, keeps a pool for every thread that ever computed.
When the pools together have more threads than there are cores, each of the thousand parallel steps
of a forward pass waits for the scheduler: on two cores a pass of 100 tokens took 265 ms instead of
115. So all passes on the CPU run in one thread, and whatever else computes, such as loading a
model, runs in a thread that ends and takes its pool along.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from core.models.base import RewardModel, TokenRewardModel

T = TypeVar("T")

CPU_WORKER = "cpu"


def in_passing_thread(function: Callable[[], T]) -> T:
    """The result of `function`, run in a thread that is gone afterwards (blocking)."""
    with ThreadPoolExecutor(1, thread_name_prefix="passing") as pool:
        return pool.submit(function).result()


def worker_name(model: RewardModel) -> str:
    """Which thread scores with a model: one for all on the CPU, else one for its shared weights."""
    on_cpu = isinstance(model, TokenRewardModel) and model.device.type == "cpu"
    return CPU_WORKER if on_cpu else model.residence
