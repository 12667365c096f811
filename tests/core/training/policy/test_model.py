"""A policy reads responses as a plain forward does, and only its adapter is trained."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from core.errors import SettingsError
from core.training.policy import AdapterShape, Policy
from tests.core.training.policy.conftest import SHAPE, tiny_policy

RESPONSES = [(20, 31, 7, 45), (12,), (99, 98, 97, 96, 95, 94, 6)]


def plain_reading(
    model: LlamaForCausalLM, prompt: tuple[int, ...], response: tuple[int, ...]
) -> tuple[float, torch.Tensor]:
    """Log-probability and mean state of one unpadded row, token by token."""
    ids = torch.tensor([[*prompt, *response]])
    with torch.no_grad():
        out = model(input_ids=ids, output_hidden_states=True)
    total, states = 0.0, []
    for position, token in enumerate(response, start=len(prompt)):
        total += float(out.logits[0, position - 1].log_softmax(-1)[token])
        states.append(out.hidden_states[-1][0, position - 1])
    return total, torch.stack(states).mean(0)


def test_a_padded_batch_is_read_as_single_rows_are(plain_policy: Policy, tiny_base: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(tiny_base).eval()
    prompts = [plain_policy.encode_prompt(text) for text in ("Hi", "What is two plus two?", "Go")]
    found = plain_policy.read(prompts, RESPONSES)
    for row, (prompt, response) in enumerate(zip(prompts, RESPONSES, strict=True)):
        expected, states = plain_reading(model, prompt, response)
        assert float(found.log_probabilities[row]) == pytest.approx(expected, abs=1e-3)
        assert torch.allclose(found.mean_states[row], states, atol=1e-3)


def test_the_prompt_ends_where_the_response_begins(plain_policy: Policy) -> None:
    ids = plain_policy.encode_prompt("Hello")
    assert plain_policy.tokenizer.decode(ids) == "<|user|>\nHello<|end|>\n<|assistant|>\n"


def test_a_fresh_adapter_changes_nothing_and_a_moved_one_can_be_left_out(
    plain_policy: Policy, trained_policy: Policy, tiny_base: Path
) -> None:
    prompts = [plain_policy.encode_prompt("Hi")] * 3
    with torch.no_grad():
        base = plain_policy.read(prompts, RESPONSES).log_probabilities
        fresh = tiny_policy(tiny_base, SHAPE).read(prompts, RESPONSES).log_probabilities
        moved = trained_policy.read(prompts, RESPONSES).log_probabilities
        with trained_policy.untrained():
            left_out = trained_policy.read(prompts, RESPONSES).log_probabilities
    assert torch.allclose(fresh, base, atol=1e-4)
    assert torch.allclose(left_out, base, atol=1e-4)
    assert not torch.allclose(moved, base, atol=0.1)


def test_gradients_reach_the_adapter_and_nothing_else(trained_policy: Policy) -> None:
    prompts = [trained_policy.encode_prompt("Hi")] * 3
    trained_policy.read(prompts, RESPONSES).log_probabilities.sum().backward()
    assert all(weight.grad is not None for weight in trained_policy.adapter_parameters())
    with_gradient = {
        name for name, weight in trained_policy.model.named_parameters() if weight.grad is not None
    }
    assert with_gradient
    assert all("lora_" in name for name in with_gradient)
    assert not any(".layers.0." in name for name in with_gradient)


def test_an_adapter_state_puts_the_policy_back(trained_policy: Policy) -> None:
    prompts = [trained_policy.encode_prompt("Hi")] * 3
    state = trained_policy.adapter_state()
    with torch.no_grad():
        before = trained_policy.read(prompts, RESPONSES).log_probabilities
        for weight in trained_policy.adapter_parameters():
            weight.mul_(1.5)
        changed = trained_policy.read(prompts, RESPONSES).log_probabilities
        trained_policy.load_adapter_state(state)
        after = trained_policy.read(prompts, RESPONSES).log_probabilities
    assert not torch.equal(changed, before)
    assert torch.equal(after, before)


def test_layers_that_are_not_there_and_maps_that_are_not_there_are_told(tiny_base: Path) -> None:
    with pytest.raises(SettingsError, match="4 layers"):
        tiny_policy(tiny_base, AdapterShape(first_layer=4))
    with pytest.raises(SettingsError, match="No adapter fits"):
        tiny_policy(tiny_base, AdapterShape(first_layer=0, targets=("nothing_of_that_name",)))
