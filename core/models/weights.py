"""Getting a checkpoint's files, and refusing those that must not be read.

Weights come as safetensors only: a pickle can run any code when it is opened. Code from a
repository runs only where the operator's settings name the model and pin its revision.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.errors import ModelLoadError
from core.models import embedded
from core.models.card import BaseSource, EmbeddedSource, HubSource
from core.paths import cache_folder

PICKLE_PATTERNS = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
DOWNLOAD_PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")

_hash_lock = threading.Lock()


def fetch(source: BaseSource) -> Path:
    """The folder with the checkpoint's files; downloads or converts them where needed.

    Raises:
        ModelLoadError: when the files cannot be had, or hold no safetensors weights.
    """
    if isinstance(source, EmbeddedSource):
        if source.name != embedded.BASE_NAME:
            raise ModelLoadError(
                f"There is no embedded model {source.name!r}.",
                fix=f"The embedded model is {embedded.BASE_NAME!r}.",
            )
        return embedded.prepare_base()
    if isinstance(source, HubSource):
        return _download(source)
    if not source.path.is_dir():
        raise ModelLoadError(f"There is no folder {source.path}.")
    refuse_pickles(source.path.name, (file.name for file in source.path.iterdir()))
    return source.path


def _download(source: HubSource) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name = f"{source.repo} (revision {source.revision})"
    try:
        folder = snapshot_download(
            source.repo, revision=source.revision, allow_patterns=list(DOWNLOAD_PATTERNS)
        )
    except LocalEntryNotFoundError as error:
        raise ModelLoadError(
            f"{name} is not in the local hub cache and the hub cannot be reached.",
            fix="Check the network, or name a local folder instead.",
        ) from error
    except (HfHubHTTPError, HFValidationError) as error:
        raise ModelLoadError(f"The hub refused {name}: {error}") from error
    except OSError as error:
        raise ModelLoadError(f"{name} could not be downloaded: {error}") from error
    path = Path(folder)
    names = [file.name for file in path.iterdir()]
    if not any(file.endswith(".safetensors") for file in names):
        try:
            names = HfApi().list_repo_files(source.repo, revision=source.revision)
        except (OSError, HfHubHTTPError):
            names = names or []
    refuse_pickles(name, names)
    return path


def refuse_pickles(name: str, files: Iterable[str]) -> None:
    """Raises when a checkpoint has weights, but none as safetensors.

    Raises:
        ModelLoadError: explains why a pickle is not opened and how to convert it.
    """
    listed = [Path(file) for file in files]
    if any(file.suffix == ".safetensors" for file in listed):
        return
    pickles = sorted(
        str(file) for file in listed if any(file.match(pattern) for pattern in PICKLE_PATTERNS)
    )
    if pickles:
        raise ModelLoadError(
            f"{name} has its weights only as pickle files ({', '.join(pickles)}), "
            "which can run any code when they are opened.",
            fix="Convert them once in a place you trust: "
            "model.save_pretrained(folder) writes safetensors.",
        )
    raise ModelLoadError(f"{name} has no safetensors weights.")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file, or an empty one where there is no file."""
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}


def needs_remote_code(folder: Path) -> bool:
    """Whether the checkpoint's configuration points to code of its own."""
    return bool(read_json(folder / "config.json").get("auto_map"))


def folder_hash(folder: Path) -> str:
    """SHA-256 over all safetensors files and the configuration that decides how they are read."""
    digest = hashlib.sha256()
    names = sorted(
        [file for file in folder.iterdir() if file.suffix == ".safetensors"]
        + [folder / name for name in ("config.json", "adapter_config.json")]
    )
    for file in names:
        if file.is_file():
            digest.update(f"{file.name}:{file_hash(file)}\n".encode())
    return digest.hexdigest()


def file_hash(file: Path) -> str:
    """SHA-256 of a file, remembered by path, size and time of change."""
    target = file.resolve()
    # In the hub's cache a large file's blob is named by its SHA-256.
    if target.parent.name == "blobs" and len(target.name) == 64:
        return target.name
    status = target.stat()
    key = f"{target}:{status.st_size}:{status.st_mtime_ns}"
    memory = cache_folder() / "file-hashes.json"
    with _hash_lock:
        known = read_json(memory) if memory.is_file() else {}
        if key in known:
            return str(known[key])
        with target.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        scratch = memory.with_suffix(f".{os.getpid()}.tmp")
        scratch.write_text(json.dumps({**known, key: digest}), encoding="utf-8")
        scratch.replace(memory)
    return digest
