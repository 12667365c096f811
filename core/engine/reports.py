"""Conformance reports on disk: a model is checked once, until it, its card or the check changes."""

import contextlib
import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from core import __version__
from core.models.base import Capability, RewardModel

if TYPE_CHECKING:
    from core.engine.conformance import ConformanceReport


class ReportStore:
    """Reports by what they were measured on: fingerprint, card and version of this package.

    Args:
        folder: where they are kept; None keeps them in memory only.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, ConformanceReport] = {}

    def get(self, model: RewardModel) -> "ConformanceReport | None":
        """The report of this model, if it was checked before."""
        key = _key(model)
        if key not in self._known and self._folder is not None and not _may_change(model):
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                text = (self._folder / f"{key}.json").read_text(encoding="utf-8")
                self._known[key] = _parse(text)
        return self._known.get(key)

    def put(self, model: RewardModel, report: "ConformanceReport") -> None:
        """Keeps a report. A folder that cannot be written costs only a new check next time."""
        key = _key(model)
        self._known[key] = report
        if self._folder is None or _may_change(model):
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f"{key}.{os.getpid()}.partial"
            part.write_text(json.dumps(dataclasses.asdict(report), indent=1), encoding="utf-8")
            part.replace(self._folder / f"{key}.json")

    def forget(self, model: RewardModel) -> None:
        """Drops the report, so that the model is checked again."""
        key = _key(model)
        self._known.pop(key, None)
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / f"{key}.json").unlink(missing_ok=True)


def _may_change(model: RewardModel) -> bool:
    """Whether it can behave otherwise tomorrow: a server is restarted with other options."""
    return Capability.REMOTE in model.capabilities


def _key(model: RewardModel) -> str:
    parts = [model.fingerprint, model.card.model_dump_json(), __version__]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _parse(text: str) -> "ConformanceReport":
    from core.engine.conformance import Check, ConformanceReport

    content = json.loads(text)
    lines = tuple(Check(**line) for line in content.pop("lines"))
    return ConformanceReport(**content, lines=lines)
