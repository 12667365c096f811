"""Which models are checkpoints of one training run, and after how many steps each was saved.

A card does not say so in a field of its own. What says it is a name: the trainer here ends a
checkpoint's id with `-step-0030`; others end a folder, a hub repository or its revision with
`checkpoint-500`, `step_100` or `global_step_40`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.models.card import AdapterSource, HubSource, LocalSource, RewardModelCard, Source

_STEP = re.compile(
    r"(?P<run>.+?)[-_./@ ]+(?:global[-_]?step|checkpoint|ckpt|step|iter)[-_]?(?P<step>\d{1,12})",
    re.IGNORECASE,
)
_HOLDERS = ("checkpoints", "ckpts")
"""Folders that hold checkpoints and are not what the run is called."""


@dataclass(frozen=True)
class Checkpoint:
    """One saved state of a run.

    Attributes:
        model: the model's id.
        run: what the run is called; the same for all its checkpoints.
        step: training steps before it was saved.
    """

    model: str
    run: str
    step: int


def checkpoint_of(model: str, card: RewardModelCard | None = None) -> Checkpoint | None:
    """The checkpoint that a model is by its id or by where its weights are; None for none.

    Args:
        model: the model's id.
        card: its card, where it has one.

    >>> checkpoint_of("pocket-step-0030")
    Checkpoint(model='pocket-step-0030', run='pocket', step=30)
    >>> checkpoint_of("skywork-v2-0.6b") is None
    True
    """
    for name in [model, *(_places(card.source) if card is not None else [])]:
        match = _STEP.fullmatch(name)
        if match is not None:
            return Checkpoint(model, match["run"], int(match["step"]))
    return None


def training_runs(checkpoints: Iterable[Checkpoint]) -> dict[str, tuple[Checkpoint, ...]]:
    """Runs with two checkpoints or more, by name, each in the order of its steps.

    Of two checkpoints after the same step only the first is kept.
    """
    by_run: dict[str, dict[int, Checkpoint]] = {}
    for checkpoint in checkpoints:
        by_run.setdefault(checkpoint.run, {}).setdefault(checkpoint.step, checkpoint)
    return {
        run: tuple(found[step] for step in sorted(found))
        for run, found in sorted(by_run.items())
        if len(found) > 1
    }


def _places(source: Source) -> list[str]:
    """Where the weights are, as names that may say a step."""
    if isinstance(source, AdapterSource):
        return _places(source.adapter)
    if isinstance(source, HubSource):
        return [source.repo, f"{source.repo}@{source.revision}"]
    return [_folder(source.path)] if isinstance(source, LocalSource) else []


def _folder(path: Path) -> str:
    """A folder and the one it is in, without folders that only hold checkpoints."""
    parents = [parent for parent in path.parents if parent.name not in _HOLDERS]
    return f"{parents[0]}/{path.name}" if parents else path.name
