"""Word differences of two texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from core.segments import tokens

Operation = Literal["equal", "insert", "delete"]

MAX_WORDS = 3_000
"""Longer stretches without a common line are shown as one change, to answer in bounded time."""


@dataclass(frozen=True)
class DiffPart:
    """A run of text that is in both texts, only in the new one, or only in the old one."""

    op: Operation
    text: str


def word_diff(old: str, new: str) -> list[DiffPart]:
    """The runs that turn `old` into `new`, word by word.

    The equal and deleted runs joined are `old`, the equal and inserted ones `new`, exactly.
    Long texts are compared line by line first, then word by word where lines differ.
    """
    before, after = _words(old), _words(new)
    if len(before) + len(after) <= MAX_WORDS:
        return _merged(_compare(before, after))
    parts: list[DiffPart] = []
    for part in _pairs(_compare(old.splitlines(keepends=True), new.splitlines(keepends=True))):
        removed, added = part
        words = (_words(removed.text), _words(added.text))
        if removed.op == "delete" and added.op == "insert" and sum(map(len, words)) <= MAX_WORDS:
            parts.extend(_compare(*words))
        else:
            parts.extend(each for each in part if each.text)
    return _merged(parts)


def _words(text: str) -> list[str]:
    return [text[start:end] for _, start, end in tokens(text)]


def _compare(before: Sequence[str], after: Sequence[str]) -> list[DiffPart]:
    parts: list[DiffPart] = []
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    for _, a, b, c, d in matcher.get_opcodes():
        old, new = "".join(before[a:b]), "".join(after[c:d])
        if before[a:b] == after[c:d]:
            parts.append(DiffPart("equal", old))
            continue
        if old:
            parts.append(DiffPart("delete", old))
        if new:
            parts.append(DiffPart("insert", new))
    return parts


def _pairs(parts: Sequence[DiffPart]) -> list[tuple[DiffPart, DiffPart]]:
    """Each deletion with the insertion that follows it; others with an empty partner."""
    found: list[tuple[DiffPart, DiffPart]] = []
    index = 0
    while index < len(parts):
        part = parts[index]
        follower = parts[index + 1] if index + 1 < len(parts) else None
        if part.op == "delete" and follower is not None and follower.op == "insert":
            found.append((part, follower))
            index += 2
        else:
            found.append((part, DiffPart("equal", "")))
            index += 1
    return found


def _merged(parts: Sequence[DiffPart]) -> list[DiffPart]:
    merged: list[DiffPart] = []
    for part in parts:
        if merged and merged[-1].op == part.op:
            merged[-1] = DiffPart(part.op, merged[-1].text + part.text)
        elif part.text:
            merged.append(part)
    return merged
