"""Number formats: which one a card's `dtype` means on this machine, and how to apply it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from core.models.card import Dtype


@dataclass(frozen=True)
class Precision:
    """How a model computes.

    Attributes:
        weights: the dtype the checkpoint is read in.
        mixed: keep the residual stream in float32 and run only matrix products in `weights`.
    """

    weights: torch.dtype
    mixed: bool = False

    @property
    def name(self) -> str:
        """The name used in cards, manifests and cache keys."""
        plain = str(self.weights).removeprefix("torch.")
        return f"{plain}-matmul" if self.mixed else plain

    @property
    def is_reduced(self) -> bool:
        """Whether rewards carry rounding noise that depends on the batch."""
        return self.weights != torch.float32

    @contextlib.contextmanager
    def computing(self, device: torch.device) -> Iterator[None]:
        """The context every forward pass runs in."""
        if self.mixed:
            with torch.autocast(device.type, dtype=self.weights):
                yield
        else:
            yield

    def prepare(self, model: nn.Module) -> None:
        """Puts all but the inner matrix weights into float32 when the precision is mixed."""
        if not self.mixed:
            return
        head = getattr(model, "score", None)
        for module in model.modules():
            if not isinstance(module, nn.Linear) or module is head:
                for parameter in module.parameters(recurse=False):
                    parameter.data = parameter.data.float()


def resolve(dtype: Dtype, device: torch.device) -> Precision:
    """The precision for a card's dtype on a device.

    "auto" is bfloat16 on a GPU that has it and float32 on a CPU. "bfloat16-matmul" falls back to
    float32 on a CPU without bfloat16 instructions, where emulation would be slower than float32.
    """
    if dtype == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return Precision(torch.bfloat16 if fast else torch.float32)
    if dtype == "bfloat16-matmul":
        if device.type == "cpu" and not cpu_has_bfloat16():
            return Precision(torch.float32)
        return Precision(torch.bfloat16, mixed=True)
    return Precision(getattr(torch, dtype))


def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively (AVX512-BF16 or AMX)."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, check, lambda: False)()) for check in checks)


def default_device(name: str | None = None) -> torch.device:
    """The device named, or the first GPU, or the CPU."""
    if name:
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
