"""Several adapters on one base in memory: the base is loaded once, adapters take turns on it."""

import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from peft import PeftConfig, PeftModel
from safetensors import safe_open
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from core.errors import ModelLoadError
from core.models.packing import packed_bytes

HEAD_NAMES = ("score", "classifier")


class AdapterHost:
    """A base model and the adapters resident on it.

    Attributes:
        model: the base with its adapters; which one counts is set by `activate`.
        lock: must be held from `activate` until the forward pass is over.
    """

    def __init__(self, base: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
        self.model = base
        self.tokenizer = tokenizer
        self.lock = threading.RLock()
        self.n_bytes = int(base.get_memory_footprint()) + packed_bytes(base)
        self._peft: PeftModel | None = None
        self._folders: dict[str, Path] = {}
        self._active: str | None = None

    def add(self, name: str, folder: Path) -> int:
        """Loads an adapter from `folder` under `name`; returns its size in bytes.

        Raises:
            ModelLoadError: when it is not a PEFT adapter of safetensors with a scalar head.
        """
        n_bytes = _check_adapter(name, folder)
        key = _peft_name(name)
        with self.lock:
            if self._folders.get(key) == folder:
                return n_bytes
            try:
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(self.model, folder, adapter_name=key)
                else:
                    if key in self._folders:
                        self._peft.delete_adapter(key)
                    self._peft.load_adapter(folder, adapter_name=key)
            except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
                raise ModelLoadError(
                    f"{name}: the adapter in {folder} does not fit its base: {error}"
                ) from error
            self._peft.eval().requires_grad_(False)
            self._folders[key] = folder
            self._active = None
        return n_bytes

    def activate(self, name: str) -> None:
        """Makes `name` the adapter that counts. The caller holds the lock."""
        key = _peft_name(name)
        if key != self._active and self._peft is not None:
            self._peft.set_adapter(key, inference_mode=True)
            self._active = key


_hosts: "weakref.WeakValueDictionary[str, AdapterHost]" = weakref.WeakValueDictionary()
_hosts_lock = threading.Lock()


def borrow_host(key: str, load: Callable[[], AdapterHost]) -> AdapterHost:
    """The host for a base, loaded once as long as any model holds on to it."""
    with _hosts_lock:
        host = _hosts.get(key)
        if host is None:
            host = load()
            _hosts[key] = host
        return host


def _peft_name(name: str) -> str:
    # PEFT uses the name as a module's name, where a dot would be a path.
    return name.replace(".", "_").replace("/", "__")


def _check_adapter(name: str, folder: Path) -> int:
    file = folder / "adapter_model.safetensors"
    if not (folder / "adapter_config.json").is_file() or not file.is_file():
        raise ModelLoadError(
            f"{name}: {folder} holds no adapter_config.json with adapter_model.safetensors."
        )
    with safe_open(file, framework="pt") as tensors:
        names = list(tensors.keys())
    if not any(part in HEAD_NAMES for key in names for part in key.split(".")):
        raise ModelLoadError(
            f"{name}: the adapter has no reward head (no weights named "
            f"{' or '.join(HEAD_NAMES)}), which would be random.",
            fix='Train it with modules_to_save=["score"], or name a checkpoint that has the head.',
        )
    config = PeftConfig.from_pretrained(folder)
    if config.task_type not in (None, "SEQ_CLS"):
        raise ModelLoadError(
            f"{name}: the adapter is for {config.task_type}, not for sequence classification."
        )
    return file.stat().st_size
