"""The authored preference set, one good and two flawed responses a prompt, and its held-out split.

Reading and splitting live here; what a trainer makes of the prompts is `core.training.groups`.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import TableError
from core.paths import data_folder
from core.schema import Message, PreferencePair

FLAWS = (
    "off_topic",
    "wrong_fact",
    "ignores_constraint",
    "rambling",
    "rude",
    "flattering",
    "truncated",
    "unsafe",
)
"""The named ways in which an authored response is worse than the good one."""

CATEGORIES = (
    "advice",
    "arithmetic",
    "chat",
    "code",
    "constraints",
    "facts",
    "refusals",
    "summaries",
)
"""The kinds of prompts, one file each."""

_FIELDS = {"id", "category", "prompt", "good", "flawed"}


@dataclass(frozen=True)
class FlawedResponse:
    """A response that is worse than the good one in one named way."""

    flaw: str
    response: str


@dataclass(frozen=True)
class AuthoredPrompt:
    """One prompt with a good response and its flawed ones."""

    id: str
    category: str
    prompt: str
    good: str
    flawed: tuple[FlawedResponse, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt as the turns before the response."""
        return ({"role": "user", "content": self.prompt},)

    @property
    def pairs(self) -> tuple[PreferencePair, ...]:
        """The good response against each flawed one."""
        return tuple(
            PreferencePair(self.id, self.messages, self.good, flawed.response)
            for flawed in self.flawed
        )


@dataclass(frozen=True)
class Split:
    """Prompts to train on and prompts that nothing is fitted to or selected by."""

    train: tuple[AuthoredPrompt, ...]
    held_out: tuple[AuthoredPrompt, ...]


def is_held_out(prompt_id: str) -> bool:
    """Whether a prompt is in the held-out fifth; decided by its id alone, so it never moves."""
    return int(hashlib.sha256(prompt_id.encode()).hexdigest()[:8], 16) % 5 == 0


def preferences_folder() -> Path:
    """The folder of the authored set that comes with the package."""
    return data_folder() / "preferences"


def read_preferences(source: Path | None = None) -> tuple[AuthoredPrompt, ...]:
    """Reads authored prompts from a JSONL file or from every JSONL file of a folder.

    Args:
        source: file or folder; the authored set of the package when None.

    Raises:
        TableError: names the line and the field that is wrong, or the id that is there twice.
    """
    source = source or preferences_folder()
    files = sorted(source.glob("*.jsonl")) if source.is_dir() else [source]
    if not files:
        raise TableError(f"No .jsonl file in {source}.", fix="Name a folder or file of prompts.")
    prompts = tuple(prompt for file in files for prompt in _read_file(file))
    seen: set[str] = set()
    for prompt in prompts:
        if prompt.id in seen:
            raise TableError(f"The id {prompt.id!r} is there twice in {source}.")
        seen.add(prompt.id)
    return prompts


def split_prompts(prompts: Iterable[AuthoredPrompt]) -> Split:
    """Divides prompts into training and held-out ones by `is_held_out`."""
    train: list[AuthoredPrompt] = []
    held_out: list[AuthoredPrompt] = []
    for prompt in prompts:
        (held_out if is_held_out(prompt.id) else train).append(prompt)
    return Split(tuple(train), tuple(held_out))


def _read_file(path: Path) -> list[AuthoredPrompt]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: cannot be read: {error}") from error
    return [
        _parse_line(line, f"{path.name} line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _parse_line(line: str, where: str) -> AuthoredPrompt:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise TableError(f"{where}: not JSON: {error}") from error
    if not isinstance(row, dict) or set(row) != _FIELDS:
        raise TableError(f"{where}: expected exactly the fields {', '.join(sorted(_FIELDS))}.")
    texts = {name: _text(row[name], f"{where}, {name}") for name in _FIELDS - {"flawed"}}
    if not isinstance(row["flawed"], list) or not row["flawed"]:
        raise TableError(f"{where}, flawed: expected a list of at least one flawed response.")
    return AuthoredPrompt(
        flawed=tuple(_parse_flawed(item, f"{where}, flawed") for item in row["flawed"]), **texts
    )


def _parse_flawed(item: Any, where: str) -> FlawedResponse:
    if not isinstance(item, dict) or set(item) != {"flaw", "response"}:
        raise TableError(f"{where}: expected the fields flaw and response.")
    return FlawedResponse(
        _text(item["flaw"], f"{where}.flaw"), _text(item["response"], f"{where}.response")
    )


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TableError(f"{where}: expected text that is not empty.")
    return value
