"""Adapters come to a shared base, are replaced there, and keep apart, whatever their names."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import AutoModelForSequenceClassification

from core.errors import ModelLoadError
from core.models.adapters import AdapterHost
from tests import tiny

IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tiny.save_model("llama", tmp_path / "base")


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Callable[..., Path]:
    """Saves a random adapter with a head of its own; the seed tells them apart."""

    def build(seed: int, *, onto: Path = base) -> Path:
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_pretrained(onto)
        config = LoraConfig(
            task_type=TaskType.SEQ_CLS, r=2, target_modules=["q_proj"], init_lora_weights=False
        )
        folder = tmp_path / f"adapter-{seed}"
        get_peft_model(model, config).save_pretrained(folder)
        return folder

    return build


@pytest.fixture
def host(base: Path) -> AdapterHost:
    plain = AutoModelForSequenceClassification.from_pretrained(base)
    return AdapterHost(plain, tiny.chat_tokenizer())


def reward(host: AdapterHost, name: str) -> float:
    with host.lock, torch.no_grad():
        host.activate(name)
        return float(host.model(IDS).logits)


def alone(base: Path, folder: Path) -> float:
    plain = AutoModelForSequenceClassification.from_pretrained(base)
    with torch.no_grad():
        return float(PeftModel.from_pretrained(plain, folder).eval()(IDS).logits)


def test_the_only_adapter_is_replaced_under_its_own_name(
    host: AdapterHost, adapter: Callable[..., Path], base: Path
) -> None:
    first, second = adapter(1), adapter(2)
    host.add("mine", first)
    before = reward(host, "mine")
    host.add("mine", second)
    assert before == pytest.approx(alone(base, first), abs=1e-6)
    assert reward(host, "mine") == pytest.approx(alone(base, second), abs=1e-6)
    assert abs(before - reward(host, "mine")) > 1e-4
    host.add("mine", first)  # and back again
    assert reward(host, "mine") == pytest.approx(before, abs=1e-6)
    assert len(host.model.peft_config) == 1  # the ones replaced take no memory


def test_replacing_one_leaves_its_neighbour_alone(
    host: AdapterHost, adapter: Callable[..., Path], base: Path
) -> None:
    folders = [adapter(seed) for seed in (1, 2, 3)]
    host.add("a", folders[0])
    host.add("b", folders[1])
    host.add("b", folders[2])
    assert reward(host, "a") == pytest.approx(alone(base, folders[0]), abs=1e-6)
    assert reward(host, "b") == pytest.approx(alone(base, folders[2]), abs=1e-6)


def test_an_adapter_that_does_not_fit_leaves_the_one_it_would_have_replaced(
    host: AdapterHost, adapter: Callable[..., Path], base: Path, tmp_path: Path
) -> None:
    good = adapter(1)
    wider = tiny.save_model("llama", tmp_path / "wider", hidden_size=64, head_dim=16)
    host.add("mine", good)
    for _ in range(2):
        with pytest.raises(ModelLoadError, match=r"mine: .* does not fit its base"):
            host.add("mine", adapter(9, onto=wider))
        assert reward(host, "mine") == pytest.approx(alone(base, good), abs=1e-6)
    assert len(host.model.peft_config) == 1


def test_names_that_peft_could_not_tell_apart_are_two_adapters(
    host: AdapterHost, adapter: Callable[..., Path], base: Path
) -> None:
    names = ("run-1.5", "run-1_5", "run/2", "run__2")
    folders = {name: adapter(seed) for seed, name in enumerate(names)}
    for name, folder in folders.items():
        host.add(name, folder)
    for name, folder in folders.items():
        assert reward(host, name) == pytest.approx(alone(base, folder), abs=1e-6)
