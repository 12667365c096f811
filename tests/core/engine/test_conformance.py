"""The check finds planted faults and passes sound models."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.engine.conformance import ConformanceReport, check_model
from core.models.base import ModelOutput, TokenRewardModel
from core.models.card import RewardModelCard
from core.models.function import FunctionRewardModel
from core.models.loading import load_card_model
from tests import tiny

TinyModel = Callable[[str], TokenRewardModel]


def verdicts(report: ConformanceReport) -> dict[str, str]:
    return {line.name: line.verdict for line in report.lines}


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma2", "deberta", "modernbert"])
def test_numerics_of_sound_models_hold(kind: str, tiny_model: TinyModel) -> None:
    report = check_model(tiny_model(kind))
    found = verdicts(report)
    for name in (
        "rewards are finite and differ",
        "the same text twice",
        "alone against a mixed-length batch",
        "order within the batch",
        "one beginning-of-text token",
        "padding token apart from the text",
        "too long a text is cut and said so",
    ):
        assert found[name] == "holds", (name, report.lines)
    causal = kind in tiny.CAUSAL_KINDS
    assert found["reuse of a beginning"] == ("holds" if causal else "not applicable")
    assert report.noise_floor < 1e-4 * 10
    assert report.probe_spread > 0


def load_with(folder: Path, **changes: object) -> TokenRewardModel:
    content = tiny.card_content("llama", folder, **changes)
    model = load_card_model(RewardModelCard.model_validate(content), device="cpu")
    assert isinstance(model, TokenRewardModel)
    return model


def test_a_doubled_beginning_token_is_found(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path)
    template = "{{ bos_token }}" + tiny.CHAT_TEMPLATE
    model = load_with(folder, input={"form": "raw-template", "template": template})
    assert verdicts(check_model(model))["one beginning-of-text token"] == "fails"


def test_padding_with_a_token_of_the_text_is_found(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path)
    model = load_with(folder, padding={"token": "<|end|>"})
    report = check_model(model)
    assert verdicts(report)["padding token apart from the text"] == "fails"


def test_a_flipped_sign_fails_exactly_one_of_two(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path)
    name = "a good answer beats a bad one"
    outcomes = {
        verdicts(check_model(load_with(folder, reward={"sign": sign})))[name] for sign in (1, -1)
    }
    assert outcomes == {"holds", "fails"}


def test_a_published_reward_is_held_against_the_model(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    fixture = {"messages": messages, "reward": 1e6, "tolerance": 0.1, "source": "made up"}
    found = verdicts(check_model(load_with(folder, fixtures=[fixture])))
    assert found["published reward"] == "fails"


def test_a_model_that_depends_on_its_neighbours_is_found(tiny_model: TinyModel) -> None:
    class Leaky:
        def __init__(self, model: TokenRewardModel) -> None:
            self._inner = model

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def rewards(self, sequences: list[object], **options: object) -> ModelOutput:
            output = self._inner.rewards(sequences, **options)  # type: ignore[arg-type]
            return ModelOutput(output.rewards + 0.1 * (len(sequences) - 1))

    class LeakyModel(Leaky, TokenRewardModel):
        capabilities = frozenset()  # type: ignore[assignment]
        read_position = None  # type: ignore[assignment]

        def __getattribute__(self, name: str) -> object:
            if name in ("rewards", "_inner", "__class__", "__dict__", "capabilities"):
                return object.__getattribute__(self, name)
            return getattr(object.__getattribute__(self, "_inner"), name)

    report = check_model(LeakyModel(tiny_model("llama")))
    assert verdicts(report)["alone against a mixed-length batch"] == "fails"
    assert report.noise_floor == pytest.approx(0.5, abs=1e-3), "six probes in one batch"


def test_functions_are_checked_too() -> None:
    sound = FunctionRewardModel("length", lambda conversation: len(conversation[-1]["content"]))
    report = check_model(sound)
    assert report.holds
    lengths = [31, 44, 21]
    assert report.noise_floor == 0
    assert report.probe_spread > np.std(lengths) * 0.1
