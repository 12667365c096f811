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
        self._names: dict[str, str] = {}
        self._active: str | None = None

    def add(self, name: str, folder: Path) -> int:
        """Loads an adapter from `folder` under `name`; returns its size in bytes.

        One of the same name from another folder is replaced, once the new one is there.

        Raises:
            ModelLoadError: when it is not a PEFT adapter of safetensors with a scalar head.
        """
        n_bytes = _check_adapter(name, folder)
        with self.lock:
            if self._folders.get(name) == folder:
                return n_bytes
            before, fresh = self._names.get(name), self._free_name(name)
            self._active = None
            try:
                peft = self._load(fresh, folder)
            except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
                raise ModelLoadError(
                    f"{name}: the adapter in {folder} does not fit its base: {error}"
                ) from error
            self._names[name], self._folders[name] = fresh, folder
            if before is not None:
                # PEFT cannot do without an active adapter, so the new one takes over first.
                peft.set_adapter(fresh, inference_mode=True)
                peft.delete_adapter(before)
            peft.eval().requires_grad_(False)
        return n_bytes

    def activate(self, name: str) -> None:
        """Makes `name` the adapter that counts. The caller holds the lock."""
        if name != self._active and self._peft is not None:
            self._peft.set_adapter(self._names[name], inference_mode=True)
            self._active = name

    def _load(self, name: str, folder: Path) -> PeftModel:
        if self._peft is None:
            self._peft = PeftModel.from_pretrained(self.model, folder, adapter_name=name)
            return self._peft
        try:
            self._peft.load_adapter(folder, adapter_name=name)
        except Exception:
            if name in self._peft.peft_config:
                self._peft.delete_adapter(name)
            raise
        return self._peft

    def _free_name(self, name: str) -> str:
        """A name for PEFT, which uses it as a module's name, where a dot would be a path."""
        plain = name.replace(".", "_").replace("/", "__")
        taken = set(self._names.values())
        places = (plain, *(f"{plain}__{number}" for number in range(2, len(taken) + 3)))
        return next(each for each in places if each not in taken)


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
