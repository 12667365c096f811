"""Which models are in memory: loaded when first asked for, the least recently used leaves first."""

import gc
import re
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import psutil

from core.errors import ModelLoadError
from core.models.base import RewardModel
from core.models.card import RewardModelCard

MEMORY_SHARE = 0.6
"""Share of the machine's (or the first GPU's) memory that models may take unless set otherwise."""
GIB = 1024**3


@dataclass(frozen=True)
class ResidentModel:
    """A model in memory.

    Attributes:
        n_bytes: memory that it shares with no other model.
        last_used: seconds since the epoch.
        in_use: whether a job is using it now.
    """

    id: str
    n_bytes: int
    last_used: float
    in_use: bool


@dataclass
class _Entry:
    model: RewardModel
    registered: bool = False
    users: int = 0
    last_used: float = field(default_factory=time.time)
    turn: int = 0


class Residency:
    """Loads models once, counts who uses them, and unloads idle ones under a memory budget.

    Args:
        loader: loads a model by name; may take minutes, is never called twice at once for one name.
        budget_bytes: memory all models together may take. Models in use are never unloaded, so the
            budget is passed while they are; a model that can never fit is refused.
        on_unload: called with a model that left.
        expected_bytes: estimate of a model's memory before it is loaded, 0 where it is unknown.
    """

    def __init__(
        self,
        loader: Callable[[str], RewardModel],
        budget_bytes: int,
        *,
        on_unload: Callable[[RewardModel], None] = lambda _model: None,
        expected_bytes: Callable[[str], int] = lambda _name: 0,
    ) -> None:
        self.budget_bytes = budget_bytes
        self._loader = loader
        self._on_unload = on_unload
        self._expected_bytes = expected_bytes
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._loading: dict[str, Future[None]] = {}
        self._turn = 0

    def register(self, model: RewardModel) -> None:
        """Adds a model that was made elsewhere. It is never unloaded of the budget's accord."""
        with self._lock:
            self._entries[model.card.id] = self._touch(_Entry(model, registered=True))

    def acquire(self, name: str) -> RewardModel:
        """The model, loaded if need be; it stays until `release` has been called as often.

        Raises:
            WorkbenchError: why it cannot be loaded. The next call tries again.
        """
        while True:
            with self._lock:
                entry = self._entries.get(name)
                if entry is not None:
                    entry.users += 1
                    return self._touch(entry).model
                pending = self._loading.get(name)
                if pending is None:
                    mine: Future[None] = Future()
                    self._loading[name] = mine
                    break
            pending.result()
        try:
            model = self._load(name)
        except BaseException as error:
            with self._lock:
                del self._loading[name]
            mine.set_exception(error)
            raise
        with self._lock:
            self._entries[name] = self._touch(_Entry(model, users=1))
            del self._loading[name]
        mine.set_result(None)
        self._trim(0)
        return model

    def release(self, name: str) -> None:
        """Ends one use of the model."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None:
                entry.users = max(0, entry.users - 1)
                self._touch(entry)
        self._trim(0)

    def unload(self, name: str) -> bool:
        """Drops the model from memory; False when it is in use (or not there) and stays."""
        with self._lock:
            if name not in self._entries or self._entries[name].users:
                return False
            dropped = [self._entries.pop(name)]
        self._drop(dropped)
        return True

    def resident(self) -> list[ResidentModel]:
        """The models in memory, most recently used first."""
        with self._lock:
            entries = sorted(self._entries.items(), key=lambda item: -item[1].turn)
            return [
                ResidentModel(name, e.model.n_bytes, e.last_used, e.users > 0)
                for name, e in entries
            ]

    def holds(self, residence: str) -> bool:
        """Whether any model of this residence is in memory."""
        with self._lock:
            return any(entry.model.residence == residence for entry in self._entries.values())

    def _load(self, name: str) -> RewardModel:
        expected = self._expected_bytes(name)
        if expected > self.budget_bytes:
            raise ModelLoadError(
                f"{name} needs about {expected / GIB:.1f} GB, and the memory budget is "
                f"{self.budget_bytes / GIB:.1f} GB.",
                fix="Choose a smaller model, or raise memory_budget_gb in the settings.",
            )
        self._trim(expected)
        model = self._loader(name)
        # What was just loaded lives long: later collections need not walk over it.
        gc.collect()
        gc.freeze()
        return model

    def _trim(self, coming: int) -> None:
        """Unloads idle models, the longest unused first, until `coming` bytes fit."""
        dropped: list[_Entry] = []
        with self._lock:
            while self._used_bytes() + coming > self.budget_bytes:
                idle = [
                    (entry.turn, name)
                    for name, entry in self._entries.items()
                    if not entry.users and not entry.registered
                ]
                if not idle:
                    break
                dropped.append(self._entries.pop(min(idle)[1]))
        if dropped:
            self._drop(dropped)

    def _used_bytes(self) -> int:
        models = [entry.model for entry in self._entries.values()]
        shared = {model.residence: model.shared_bytes for model in models}
        return sum(model.n_bytes for model in models) + sum(shared.values())

    def _drop(self, entries: list[_Entry]) -> None:
        while entries:
            self._on_unload(entries.pop().model)
        # Loaded models were frozen; those in reference cycles would never be collected.
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _touch(self, entry: _Entry) -> _Entry:
        self._turn += 1
        entry.turn, entry.last_used = self._turn, time.time()
        return entry


def default_budget_bytes(device: str | None = None) -> int:
    """`MEMORY_SHARE` of the memory of the device that models are loaded to.

    Args:
        device: "cpu", "cuda:0", ...; None is the first GPU where there is one.
    """
    if device != "cpu":
        import torch

        if torch.cuda.is_available():
            index = torch.device(device or "cuda").index or 0
            return int(MEMORY_SHARE * torch.cuda.get_device_properties(index).total_memory)
    return int(MEMORY_SHARE * psutil.virtual_memory().total)


def card_bytes(card: RewardModelCard) -> int:
    """Estimated memory of a model from the parameter count on its card ("0.6B", "435M")."""
    match = re.match(r"^\s*([\d.]+)\s*([BM])\b", card.parameters, re.IGNORECASE)
    if match is None:
        return 0
    count = float(match[1]) * (1e9 if match[2].upper() == "B" else 1e6)
    return int(count * (4 if card.dtype == "float32" else 2))
