"""Model cards: what is written is read back, and what is wrong is named by file and field."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import CardError
from core.models.card import (
    AdapterSource,
    EmbeddedSource,
    LocalSource,
    RewardModelCard,
    read_card,
    write_card,
)

MINIMAL: dict[str, Any] = {
    "id": "mine",
    "source": {"kind": "hub", "repo": "org/mine", "revision": "main"},
    "family": "sequence-classifier",
}
OBJECTIVES = [{"name": "helpful", "weight": 0.7}, {"name": "brief", "weight": 0.3}]


def write(folder: Path, content: object, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_a_minimal_card_gets_the_documented_defaults(tmp_path: Path) -> None:
    card = read_card(write(tmp_path, MINIMAL))
    assert card.input.form == "chat-template"
    assert card.input.system_prompt == "keep"
    assert (card.reward.output, card.reward.index, card.reward.sign) == ("logits", 0, 1)
    assert (card.max_length, card.truncation_side) == (4096, "right")
    assert (card.dtype, card.attention, card.padding.side) == ("auto", "auto", "right")


def test_a_card_survives_being_written_and_read(tmp_path: Path) -> None:
    content = {
        **MINIMAL,
        "family": "multi-objective",
        "reward": {"objectives": OBJECTIVES, "sign": -1},
        "input": {"form": "raw-template", "template": "{{ messages[0]['content'] }}\n<r>"},
        "fixtures": [
            {
                "messages": [
                    {"role": "user", "content": "9 ÷ 3?"},
                    {"role": "assistant", "content": "3\n  apples: 'each'"},
                ],
                "reward": 1.5,
                "tolerance": 0.1,
                "source": "a paper",
            }
        ],
    }
    card = read_card(write(tmp_path, content))
    write_card(card, tmp_path / "again.yaml")
    assert read_card(tmp_path / "again.yaml") == card


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "blue"}, "field colour: Extra inputs"),
        ({"input": {"system": "drop"}}, "field input.system: Extra inputs"),
        ({"source": {"kind": "hub", "repo": "o/m", "commit": "x"}}, "commit: Extra inputs"),
        ({"source": {"kind": "web", "url": "x"}}, "field source: "),
        ({"family": "oracle"}, "field family: "),
        ({"max_length": 1}, "field max_length: "),
        ({"reward": {"sign": 0}}, "field reward.sign: "),
        ({"id": "has space"}, "field id: "),
        ({"dtype": "int8"}, "field dtype: "),
    ],
)
def test_a_wrong_field_is_named_with_its_file(
    tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    path = write(tmp_path, {**MINIMAL, **change})
    with pytest.raises(CardError) as caught:
        read_card(path)
    assert str(path) in str(caught.value)
    assert field in str(caught.value)


@pytest.mark.parametrize("field", ["id", "source", "family"])
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    path = write(tmp_path, {k: v for k, v in MINIMAL.items() if k != field})
    with pytest.raises(CardError, match=f"field {field}: Field required"):
        read_card(path)


@pytest.mark.parametrize(
    ("change", "explanation"),
    [
        ({"family": "text-pair"}, "'text-pair' go together"),
        ({"input": {"form": "text-pair"}}, "'text-pair' go together"),
        ({"family": "multi-objective"}, "reward.objectives is required"),
        ({"reward": {"objectives": OBJECTIVES}}, "'multi-objective' only"),
        (
            {"family": "multi-objective", "reward": {"objectives": OBJECTIVES, "index": 1}},
            "reward.index has no meaning",
        ),
        ({"input": {"form": "raw-template"}}, "template is required"),
        ({"input": {"template": "{{ messages }}"}}, "allowed only there"),
    ],
)
def test_a_contradiction_is_explained(
    tmp_path: Path, change: dict[str, Any], explanation: str
) -> None:
    path = write(tmp_path, {**MINIMAL, **change})
    with pytest.raises(CardError) as caught:
        read_card(path)
    assert str(path) in str(caught.value)
    assert explanation in str(caught.value)


@pytest.mark.parametrize("text", ["id: [", "- a\n- b\n", "", "\x00"])
def test_a_file_that_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(CardError, match=r"odd\.yaml"):
        read_card(path)


def test_relative_paths_are_relative_to_the_card(tmp_path: Path) -> None:
    source = {
        "kind": "adapter",
        "adapter": {"kind": "local", "path": "../adapters/a"},
        "base": {"kind": "embedded", "name": "base"},
    }
    folder = tmp_path / "cards"
    folder.mkdir()
    card = read_card(write(folder, {**MINIMAL, "source": source}))
    assert isinstance(card.source, AdapterSource)
    adapter = LocalSource(kind="local", path=tmp_path / "adapters" / "a")
    assert card.source.adapter == adapter
    assert card.source.base == EmbeddedSource(kind="embedded", name="base")


def test_a_card_cannot_be_changed_behind_the_models_back() -> None:
    card = RewardModelCard.model_validate(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        card.max_length = 10  # type: ignore[misc]
