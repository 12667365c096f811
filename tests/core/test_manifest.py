"""What an export says about itself, with loaded models."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import core
from core.errors import TableError
from core.manifest import (
    library_versions,
    make_manifest,
    manifest_path,
    model_record,
    write_manifest,
)
from core.models.base import TokenRewardModel
from core.models.card import AdapterSource, HubSource, LocalSource, RewardModelCard
from core.models.function import FunctionRewardModel
from core.models.loading import load_card_model
from tests import tiny


def load(kind: str, folder: Path, **changes: Any) -> TokenRewardModel:
    card = RewardModelCard.model_validate(tiny.card_content(kind, folder, **changes))
    model = load_card_model(card, device="cpu")
    assert isinstance(model, TokenRewardModel)
    return model


def test_record_of_a_loaded_model_says_what_decides_its_rewards(
    tiny_folder: Callable[..., Path],
) -> None:
    folder = tiny_folder("llama")
    record = model_record(load("llama", folder, dtype="float32"))
    assert record.id == "tiny-llama"
    assert record.source == {"kind": "local", "path": str(folder)}
    assert (record.dtype, record.device, record.max_length) == ("float32", "cpu", 256)
    assert record.revision == ""


def test_other_weights_or_precision_give_another_fingerprint(
    tiny_folder: Callable[..., Path],
) -> None:
    folder = tiny_folder("llama")
    prints = {
        model_record(load("llama", folder, dtype="float32")).fingerprint,
        model_record(load("llama", folder, dtype="bfloat16")).fingerprint,
        model_record(load("llama", tiny_folder("llama", seed=1), dtype="float32")).fingerprint,
    }
    assert len(prints) == 3
    again = model_record(load("llama", folder, dtype="float32")).fingerprint
    assert again in prints


def test_another_template_gives_another_template_hash(tiny_folder: Callable[..., Path]) -> None:
    folder = tiny_folder("llama")
    raw = {"form": "raw-template", "template": "{% for m in messages %}{{ m.content }}{% endfor %}"}
    own = model_record(load("llama", folder))
    other = model_record(load("llama", folder, input=raw))
    assert own.template_hash
    assert own.template_hash != other.template_hash
    assert own.fingerprint == other.fingerprint


def test_revision_is_that_of_the_weights() -> None:
    model = FunctionRewardModel("f", lambda _conversation: 0.0)
    assert model_record(model).revision == ""
    hub = HubSource(kind="hub", repo="org/name", revision="abc")
    model.card = model.card.model_copy(update={"source": hub})
    assert model_record(model).revision == "abc"
    base = LocalSource(kind="local", path=Path("/base"))
    adapter = AdapterSource(kind="adapter", adapter=hub, base=base)
    model.card = model.card.model_copy(update={"source": adapter})
    assert model_record(model).revision == "abc"
    assert model_record(model).source["base"] == {"kind": "local", "path": "/base"}


def test_function_model_has_neither_template_nor_precision() -> None:
    record = model_record(FunctionRewardModel("f", lambda _conversation: 0.0))
    assert (record.template_hash, record.dtype, record.device) == ("", "", "")
    assert len(record.fingerprint) == 64


def test_versions_are_those_of_the_imported_libraries() -> None:
    versions = library_versions()
    assert versions["reward-workbench"] == core.__version__
    # A build's local label (+cpu) may be missing from either.
    assert versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert versions["transformers"] == transformers.__version__


def test_manifest_is_written_beside_its_table(tmp_path: Path) -> None:
    model = FunctionRewardModel("f", lambda _conversation: 0.0)
    details = {"rows": 3, "share": float("nan"), "folder": tmp_path}
    begin = datetime.now(UTC).replace(microsecond=0)
    manifest = make_manifest("scores", [model_record(model)], seed=5, details=details)
    path = write_manifest(manifest, tmp_path / "out.csv")

    assert path == manifest_path(tmp_path / "out.csv") == tmp_path / "out.csv.manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["kind"] == "scores"
    assert content["seed"] == 5
    assert content["models"][0]["id"] == "f"
    assert content["details"] == {"rows": 3, "share": None, "folder": str(tmp_path)}
    assert begin <= datetime.fromisoformat(content["created"]) <= datetime.now(UTC)


def test_manifest_into_a_missing_folder_is_a_table_error(tmp_path: Path) -> None:
    manifest = make_manifest("scores", [])
    with pytest.raises(TableError, match="cannot be written"):
        write_manifest(manifest, tmp_path / "absent" / "out.csv")
