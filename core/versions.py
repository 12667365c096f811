"""The history of an edited conversation: every edit a version with a parent, never an overwrite."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pandas as pd

from core.errors import ConversationError, VersionError
from core.schema import Message, parse_conversation

MAX_VERSIONS = 2_000
"""More than a session of typing makes; bounds what a link or file may bring in."""

_NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Version:
    """One state of the conversation.

    Attributes:
        id: 1, 2, 3, ... in the order of making.
        parent: the version it was edited from, or None for a beginning.
        messages: the whole conversation.
        label: what made it ("edit", the name of a perturbation, ...).
        created: ISO 8601, UTC.
        rewards: model id to reward, as far as known.
    """

    id: int
    parent: int | None
    messages: tuple[Message, ...]
    label: str
    created: str
    rewards: Mapping[str, float] = field(default_factory=lambda: _NOTHING)


class VersionTree:
    """All versions of one session, the current one and the pinned baseline."""

    def __init__(self) -> None:
        self._versions: dict[int, Version] = {}
        self._current: int | None = None
        self._pinned: int | None = None

    def __getitem__(self, version_id: int) -> Version:
        version = self._versions.get(version_id)
        if version is None:
            raise VersionError(f"There is no version {version_id}.")
        return version

    def __len__(self) -> int:
        return len(self._versions)

    def __iter__(self) -> Iterator[Version]:
        return iter(self._versions.values())

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions, oldest first."""
        return tuple(self._versions.values())

    @property
    def current(self) -> Version:
        """The version the next edit starts from."""
        return self[_known(self._current)]

    @property
    def pinned(self) -> Version:
        """The baseline that changes are measured against; the first version until one is pinned."""
        return self[_known(self._pinned)]

    def add(
        self,
        messages: Sequence[Message],
        parent: int | None,
        label: str,
        rewards: Mapping[str, float] = _NOTHING,
    ) -> Version:
        """Adds a version and makes it current; one equal to its parent is not added again.

        Raises:
            VersionError: when the parent does not exist or the history is full.
        """
        before = None if parent is None else self[parent]
        content = tuple(Message(role=m["role"], content=m["content"]) for m in messages)
        if before is not None and before.messages == content:
            self._current = before.id
            self.set_rewards(before.id, rewards)
            return self.current
        return self._append(content, parent, label, rewards)

    def branch(self, version_id: int) -> Version:
        """Adds a copy of a version as its child and makes it current: a new line starts there.

        Raises:
            VersionError: when the version does not exist or the history is full.
        """
        copied = self[version_id]
        return self._append(copied.messages, copied.id, f"branch of v{copied.id}", copied.rewards)

    def _append(
        self,
        content: tuple[Message, ...],
        parent: int | None,
        label: str,
        rewards: Mapping[str, float],
    ) -> Version:
        if len(self._versions) >= MAX_VERSIONS:
            raise VersionError(
                f"The history holds {MAX_VERSIONS} versions, its limit.",
                fix="Export it and start a new one.",
            )
        created = datetime.now(UTC).isoformat(timespec="seconds")
        version = Version(
            len(self._versions) + 1, parent, content, label, created, MappingProxyType({**rewards})
        )
        self._versions[version.id] = version
        self._current = version.id
        if self._pinned is None:
            self._pinned = version.id
        return version

    def pin(self, version_id: int) -> None:
        """Makes a version the baseline."""
        self._pinned = self[version_id].id

    def go_back(self, version_id: int) -> Version:
        """Makes an earlier version current; the next edit branches off from it."""
        self._current = self[version_id].id
        return self.current

    def set_rewards(self, version_id: int, rewards: Mapping[str, float]) -> None:
        """Adds rewards to a version, model by model."""
        version = self[version_id]
        merged = MappingProxyType({**version.rewards, **rewards})
        self._versions[version_id] = replace(version, rewards=merged)

    def children(self, version_id: int) -> tuple[Version, ...]:
        """The versions edited from this one, oldest first."""
        parent = self[version_id].id
        return tuple(version for version in self if version.parent == parent)

    def path(self, version_id: int) -> tuple[Version, ...]:
        """The version and all it came from, the beginning first."""
        line = [self[version_id]]
        while line[-1].parent is not None:
            line.append(self[line[-1].parent])
        return tuple(reversed(line))

    def to_frame(self) -> pd.DataFrame:
        """One row a version: version, parent, label, created, pinned, current, the prompt's turns
        as one text, the response, and a column `reward_<model>` for each model.
        """
        models = sorted({model for version in self for model in version.rewards})
        rows = [
            {
                "version": version.id,
                "parent": version.parent,
                "label": version.label,
                "created": version.created,
                "pinned": version.id == self._pinned,
                "current": version.id == self._current,
                "prompt": "\n\n".join(
                    f"{m['role']}: {m['content']}" for m in version.messages[:-1]
                ),
                "response": version.messages[-1]["content"],
                **{f"reward_{model}": version.rewards.get(model) for model in models},
            }
            for version in self
        ]
        return pd.DataFrame(rows).astype({"parent": "Int64"}) if rows else pd.DataFrame()

    def to_dict(self) -> dict[str, Any]:
        """The whole history as JSON-like values."""
        return {
            "current": self._current,
            "pinned": self._pinned,
            "versions": [
                {
                    "parent": version.parent,
                    "messages": [dict(message) for message in version.messages],
                    "label": version.label,
                    "created": version.created,
                    "rewards": {m: r for m, r in version.rewards.items() if math.isfinite(r)},
                }
                for version in self
            ],
        }

    @classmethod
    def from_dict(cls, content: object) -> "VersionTree":
        """The history that `to_dict` wrote.

        Raises:
            VersionError: names the version and what is wrong with it.
        """
        if not isinstance(content, Mapping) or not isinstance(content.get("versions"), list):
            raise VersionError("The saved history has no list of versions.")
        entries = content["versions"]
        if not 0 < len(entries) <= MAX_VERSIONS:
            raise VersionError(
                f"The saved history has {len(entries)} versions; 1 to {MAX_VERSIONS} can be read."
            )
        tree = cls()
        for position, entry in enumerate(entries, start=1):
            tree._versions[position] = _read_version(position, entry)
        tree._current = _reference(content.get("current"), len(entries), "current")
        tree._pinned = _reference(content.get("pinned"), len(entries), "pinned")
        return tree


def _known(version_id: int | None) -> int:
    if version_id is None:
        raise VersionError("The history is empty.")
    return version_id


def _reference(value: object, count: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= count:
        raise VersionError(f"The saved history names {value!r} as its {name} version.")
    return value


def _is_finite(value: object) -> bool:
    # Beyond 1e300 a whole number may not fit a float at all.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e300


def _read_version(position: int, entry: object) -> Version:
    where = f"Version {position} of the saved history"
    if not isinstance(entry, Mapping):
        raise VersionError(f"{where} is not a mapping.")
    parent = entry.get("parent")
    if parent is not None:
        parent = _reference(parent, position - 1, f"parent of {position}")
    try:
        messages = tuple(parse_conversation(entry.get("messages")))
    except ConversationError as error:
        raise VersionError(f"{where}: {error}") from error
    rewards = entry.get("rewards", {})
    numbers = (
        isinstance(rewards, Mapping)
        and all(isinstance(model, str) for model in rewards)
        and all(_is_finite(reward) for reward in rewards.values())
    )
    if not numbers:
        raise VersionError(f"{where}: rewards must be finite numbers by model.")
    created = str(entry.get("created", ""))[:40]
    label = str(entry.get("label", ""))[:200]
    return Version(position, parent, messages, label, created, MappingProxyType({**dict(rewards)}))
