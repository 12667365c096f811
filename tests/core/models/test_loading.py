"""The real loading path on tiny saved checkpoints: what loads, what is refused, and how."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, TaskType, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from core.engine.templating import encode
from core.errors import ModelLoadError
from core.models.base import Capability, TokenRewardModel
from core.models.card import RewardModelCard
from core.models.causal import CausalRewardModel
from core.models.loading import load_card_model
from core.schema import make_conversation
from tests import tiny

CONVERSATION = make_conversation("What is the capital of France?", "It is Paris.")


def load(content: dict[str, Any], **options: Any) -> TokenRewardModel:
    model = load_card_model(RewardModelCard.model_validate(content), device="cpu", **options)
    assert isinstance(model, TokenRewardModel)
    return model


def reward(model: TokenRewardModel) -> float:
    return float(model.rewards([encode(model, CONVERSATION).sequence]).rewards[0])


@pytest.mark.parametrize("kind", [*tiny.CAUSAL_KINDS, *tiny.ENCODER_KINDS])
def test_reward_equals_transformers_own(kind: str, tiny_folder: Callable[..., Path]) -> None:
    folder = tiny_folder(kind)
    model = load(tiny.card_content(kind, folder))
    sequence = encode(model, CONVERSATION).sequence
    plain = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    inputs = {"input_ids": torch.tensor([sequence.ids])}
    if sequence.type_ids is not None:
        inputs["token_type_ids"] = torch.tensor([sequence.type_ids])
    with torch.no_grad():
        expected = float(plain(**inputs).logits[0, 0])
    assert reward(model) == pytest.approx(expected, abs=1e-5)


def test_pickled_weights_are_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path)
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelLoadError, match=r"pytorch_model\.bin.*any code.*save_pretrained"):
        load(tiny.card_content("llama", folder))


def test_a_missing_head_is_refused_by_name(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"score\.weight"):
        load(tiny.card_content("llama", folder))


def test_a_missing_layer_is_refused_by_name(tmp_path: Path) -> None:
    folder = tiny.save_model("qwen3", tmp_path)
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"layers\.1\.mlp\.up_proj"):
        load(tiny.card_content("qwen3", folder))


def test_code_of_a_repository_is_not_run(tmp_path: Path) -> None:
    import json

    folder = tiny.save_model("llama", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "mine"
    config["auto_map"] = {"AutoModelForSequenceClassification": "mine.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('code of a checkpoint was run')")
    with pytest.raises(ModelLoadError, match=r"code of its own.*settings"):
        load(tiny.card_content("llama", folder))


def test_an_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="nowhere"):
        load(tiny.card_content("llama", tmp_path / "nowhere"))


def test_a_broken_weights_file_is_reported(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelLoadError, match="cannot be loaded"):
        load(tiny.card_content("llama", folder))


def test_several_outputs_need_a_card_that_says_which(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path, labels=3)
    with pytest.raises(ModelLoadError, match="3 outputs"):
        load(tiny.card_content("llama", folder))
    second = load(tiny.card_content("llama", folder, reward={"index": 1}))
    third = load(tiny.card_content("llama", folder, reward={"index": 2}))
    assert reward(second) != reward(third)


def test_objectives_are_named_and_weighted(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path, labels=2)
    objectives = [{"name": "helpful", "weight": 0.75}, {"name": "brief", "weight": -2.0}]
    content = tiny.card_content(
        "llama", folder, family="multi-objective", reward={"objectives": objectives}
    )
    model = load(content)
    assert Capability.OBJECTIVES in model.capabilities
    output = model.rewards([encode(model, CONVERSATION).sequence])
    assert output.objectives is not None
    helpful, brief = output.objectives[0]
    assert output.rewards[0] == pytest.approx(0.75 * helpful - 2 * brief)


def test_a_cost_model_is_turned_around(tiny_folder: Callable[..., Path]) -> None:
    folder = tiny_folder("llama")
    plain, negated = (
        load(tiny.card_content("llama", folder, reward={"sign": sign})) for sign in (1, -1)
    )
    assert reward(plain) == -reward(negated)
    assert plain.fingerprint != negated.fingerprint


@pytest.fixture
def adapters(tmp_path: Path) -> list[dict[str, Any]]:
    """Two adapters with heads of their own over one base, as PEFT saves them."""
    base = tiny.save_model("llama", tmp_path / "base")
    cards = []
    for seed in (1, 2):
        model = AutoModelForSequenceClassification.from_pretrained(base)
        config = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=2,
            target_modules=["q_proj", "v_proj"],
            modules_to_save=["score"],
            init_lora_weights=False,
        )
        torch.manual_seed(seed)
        peft_model = get_peft_model(model, config)
        with torch.no_grad():
            for name, parameter in peft_model.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(torch.randn_like(parameter) * 0.3)
                assert name
        folder = tmp_path / f"adapter-{seed}"
        peft_model.save_pretrained(folder)
        source = {
            "kind": "adapter",
            "adapter": {"kind": "local", "path": str(folder)},
            "base": {"kind": "local", "path": str(base)},
        }
        cards.append(tiny.card_content("llama", base, id=f"adapter-{seed}.x", source=source))
    return cards


def test_adapters_share_their_base_and_keep_their_rewards(adapters: list[dict[str, Any]]) -> None:
    first, second = (load(card) for card in adapters)
    assert isinstance(first, CausalRewardModel)
    assert isinstance(second, CausalRewardModel)
    assert first._model is second._model, "the base is in memory once"
    assert first.residence == second.residence
    interleaved = [reward(first), reward(second), reward(first), reward(second)]
    for card, value in zip(adapters, interleaved[:2], strict=True):
        from peft import PeftModel

        plain = AutoModelForSequenceClassification.from_pretrained(card["source"]["base"]["path"])
        alone = PeftModel.from_pretrained(plain, card["source"]["adapter"]["path"]).eval()
        ids = torch.tensor([encode(first, CONVERSATION).sequence.ids])
        with torch.no_grad():
            assert value == pytest.approx(float(alone(input_ids=ids).logits[0, 0]), abs=1e-5)
    assert interleaved[0] == interleaved[2]
    assert interleaved[1] == interleaved[3]
    assert not np.isclose(interleaved[0], interleaved[1])


def test_an_adapter_without_a_head_is_refused(adapters: list[dict[str, Any]]) -> None:
    card = adapters[0]
    file = Path(card["source"]["adapter"]["path"]) / "adapter_model.safetensors"
    weights = {k: v for k, v in load_file(file).items() if "score" not in k}
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match="no reward head"):
        load(card)


def test_the_fingerprint_follows_the_weights(tmp_path: Path) -> None:
    first = load(tiny.card_content("llama", tiny.save_model("llama", tmp_path / "a", seed=1)))
    again = load(tiny.card_content("llama", tiny.save_model("llama", tmp_path / "b", seed=1)))
    other = load(tiny.card_content("llama", tiny.save_model("llama", tmp_path / "c", seed=2)))
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint


def test_a_hub_model_offline_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    content = {
        "id": "remote",
        "source": {"kind": "hub", "repo": "some-org/some-model"},
        "family": "sequence-classifier",
    }
    with pytest.raises(ModelLoadError, match=r"some-org/some-model.*(cannot be reached|refused)"):
        load(content)


def test_a_hub_model_in_the_local_cache_loads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_folder: Callable[..., Path]
) -> None:
    """The hub's own code finds the snapshot; the reward is the local folder's."""
    folder = tiny_folder("llama")
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "models--some-org--some-model"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    shutil.copytree(folder, repo / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    source = {"kind": "hub", "repo": "some-org/some-model", "revision": commit}
    remote = load({**tiny.card_content("llama", folder), "id": "remote", "source": source})
    assert reward(remote) == reward(load(tiny.card_content("llama", folder)))
