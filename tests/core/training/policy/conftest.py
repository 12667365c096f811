"""A tiny policy, with and without an adapter."""

from pathlib import Path

import pytest
import torch

from core.training.policy import AdapterShape, Policy, load_policy

PROMPT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{{ '<|assistant|>\n' }}"
)
SHAPE = AdapterShape(rank=2, first_layer=1)


def tiny_policy(base: Path, adapter: AdapterShape | None = None) -> Policy:
    """A policy over the tiny base."""
    return load_policy(
        base, adapter=adapter, prompt_template=PROMPT_TEMPLATE, dtype="float32",
        device=torch.device("cpu"),
    )  # fmt: skip


@pytest.fixture(scope="session")
def plain_policy(tiny_base: Path) -> Policy:
    """A policy without an adapter."""
    return tiny_policy(tiny_base)


@pytest.fixture
def trained_policy(tiny_base: Path) -> Policy:
    """A policy with an adapter that already changes what it says."""
    policy = tiny_policy(tiny_base, SHAPE)
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in policy.adapter_parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return policy
