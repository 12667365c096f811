"""The manifest of an exported table: what must be known to have its numbers again."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import core
from core.models.base import Capability, RewardModel, TokenRewardModel
from core.models.card import AdapterSource, HubSource, Source
from core.tables.writing import json_ready, write_atomically

LIBRARIES = ("torch", "transformers", "tokenizers", "peft", "numpy")
"""Packages whose version can move a reward."""


@dataclass(frozen=True)
class ModelRecord:
    """One reward model, as far as it decides the numbers.

    Attributes:
        id: the card's id.
        fingerprint: hash of weights, head and number format: equal ones give equal rewards.
        source: where the model came from, as in its card.
        revision: the hub revision of the weights (of the adapter, for an adapter), or "".
        dtype: the number format it computed in, or "" for models without weights of their own.
        device: where it computed, or "".
        template_hash: hash of how conversations became tokens, or "" for models that read none.
        max_length: tokens it reads at most.
    """

    id: str
    fingerprint: str
    source: Mapping[str, Any]
    revision: str
    dtype: str
    device: str
    template_hash: str
    max_length: int


@dataclass(frozen=True)
class Manifest:
    """What an export says about itself.

    Attributes:
        kind: what the table holds ("scores", "pairs", "versions", ...).
        models: the models that gave the rewards.
        seed: the seed of everything random in it, or None where nothing is.
        versions: of this package, Python and the libraries that can move a reward.
        created: time of the export, ISO 8601 in UTC.
        platform: operating system and processor.
        details: whatever else the export wants to say (input file, options, rows).
    """

    kind: str
    models: tuple[ModelRecord, ...]
    seed: int | None
    versions: Mapping[str, str]
    created: str
    platform: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON-ready values."""
        return asdict(self)


def make_manifest(
    kind: str,
    models: Sequence[ModelRecord],
    *,
    seed: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> Manifest:
    """The manifest of an export made now, with these models.

    Args:
        kind: what the table holds.
        models: a `model_record` of each model that gave rewards, taken while it was loaded.
        seed: the seed of everything random in it.
        details: JSON-ready values worth keeping (input file, options, rows).
    """
    return Manifest(
        kind=kind,
        models=tuple(models),
        seed=seed,
        versions=library_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        platform=f"{platform.system()} {platform.machine()}",
        details=dict(details or {}),
    )


def model_record(model: RewardModel) -> ModelRecord:
    """What decides a loaded model's rewards."""
    precision = getattr(model, "precision", None)
    template = ""
    if isinstance(model, TokenRewardModel):
        from core.engine.templating import template_hash

        template = template_hash(model)
    device = getattr(model, "device", None)
    dtype = "" if precision is None else str(precision.name)
    revision = _revision(model.card.source)
    if Capability.REMOTE in model.capabilities:
        # What the server says about itself; "" where it says nothing.
        identity = getattr(model, "identity", None)
        dtype, revision = getattr(identity, "dtype", ""), getattr(identity, "revision", "")
        template = model.renderer.key() if hasattr(model, "renderer") else ""
    return ModelRecord(
        id=model.card.id,
        fingerprint=model.fingerprint,
        source=model.card.source.model_dump(mode="json"),
        revision=revision,
        dtype=dtype,
        device="" if device is None else str(device),
        template_hash=template,
        max_length=model.card.max_length,
    )


def _revision(source: Source) -> str:
    if isinstance(source, AdapterSource):
        return _revision(source.adapter)
    return source.revision if isinstance(source, HubSource) else ""


def library_versions() -> dict[str, str]:
    """Versions of this package, Python and `LIBRARIES`, without importing any of them."""
    versions = {"reward-workbench": core.__version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def manifest_path(table: Path) -> Path:
    """Where a table's manifest is: the table's name with `.manifest.json` after it."""
    return table.with_name(table.name + ".manifest.json")


def write_manifest(manifest: Manifest, table: Path) -> Path:
    """Writes the manifest beside the table it describes and returns its path.

    Raises:
        TableError: when it cannot be written.
    """
    path = manifest_path(table)
    text = json.dumps(json_ready(manifest.to_dict()), ensure_ascii=False, indent=2) + "\n"
    data = text.encode("utf-8", "backslashreplace")
    write_atomically(path, lambda file: file.write(data))
    return path
