"""Laid out weights give the same bits, leave gradients alone, and stay what PEFT looks for."""

import pytest
import torch
from torch import nn

from core.models import packing
from core.models.packing import pack_matrices, packed_bytes
from core.models.precision import cpu_has_bfloat16

pytestmark = pytest.mark.skipif(
    not cpu_has_bfloat16(), reason="this processor has no bfloat16 products"
)


def layers(dtype: torch.dtype = torch.bfloat16) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(48, 96, bias=False), nn.Linear(96, 16)).to(dtype)


@pytest.mark.parametrize("rows", [1, 5, 60, 700])
def test_products_are_the_same_within_bfloat16_rounding(rows: int) -> None:
    model = layers()
    x = torch.randn(rows, 48)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        plain = model(x)
        pack_matrices(model)
        packed = model(x)
        assert packed.dtype == plain.dtype
        torch.testing.assert_close(packed, plain)
        torch.testing.assert_close(model(x[None])[0], plain)


def test_gradients_go_through_the_plain_weights() -> None:
    model = layers().requires_grad_(False)
    x = torch.randn(3, 48, dtype=torch.bfloat16, requires_grad=True)
    (before,) = torch.autograd.grad(model(x).sum(), x)
    pack_matrices(model)
    (after,) = torch.autograd.grad(model(x).sum(), x)
    torch.testing.assert_close(before, after)


def test_other_formats_and_large_models_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    single = layers(torch.float32)
    pack_matrices(single)
    assert packed_bytes(single) == 0
    monkeypatch.setattr(packing, "MAX_BYTES", 100)
    large = layers()
    pack_matrices(large)
    assert packed_bytes(large) == 0


def test_memory_is_counted_once_and_the_modules_stay_linear() -> None:
    model = layers()
    pack_matrices(model)
    pack_matrices(model)
    assert packed_bytes(model) == 2 * (48 * 96 + 96 * 16)
    assert all(type(module) is nn.Linear for module in model)
