"""Word-level difference of two texts.

Joining the parts that are equal or deleted gives the old text back, character by character, and
joining those that are equal or inserted gives the new one. The time is bounded: where two long
texts have next to nothing in common, whole stretches are shown as replaced.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from core.segments import tokens

Op = Literal["equal", "delete", "insert"]


@dataclass(frozen=True)
class DiffPart:
    """A stretch of text that is in both texts, only in the old one or only in the new one."""

    op: Op
    text: str


_LARGE = 4_000
"""Units (words, spaces, symbols) of both sides together from which the words that occur once are
aligned first: the exact search grows with the square of the number of changes."""

_STEPS = 400_000
"""Work allowed to the exact search in one comparison; about half a second in the worst case."""

_DEEPEST = 40
"""How often a stretch between aligned words may itself be divided by aligned words."""

Matches = list[tuple[int, int]]
"""Positions in the old and in the new sequence that hold the same unit, both rising."""


def word_diff(old: str, new: str) -> list[DiffPart]:
    """What has to be deleted from `old` and inserted to get `new`, in words, spaces and symbols.

    Parts alternate between equal and changed; inside a change, what is deleted comes before what
    is inserted. Two equal texts give one part, two empty ones none.
    """
    before = [old[start:end] for _, start, end in tokens(old)]
    after = [new[start:end] for _, start, end in tokens(new)]
    matches = _Alignment().between(before, after)
    return list(_merged(_without_islands(list(_merged(_parts(before, after, matches))))))


class _Alignment:
    """Pairs equal units of two sequences within a budget of steps."""

    def __init__(self) -> None:
        self.steps_left = _STEPS

    def between(self, old: Sequence[str], new: Sequence[str], depth: int = 0) -> Matches:
        """Matches of two sequences: their common beginning and end, and those in between."""
        shortest = min(len(old), len(new))
        head = next((i for i in range(shortest) if old[i] != new[i]), shortest)
        rest = shortest - head
        tail = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
        middle = old[head : len(old) - tail], new[head : len(new) - tail]
        matches = [(i, i) for i in range(head)]
        if all(middle):
            matches += [(head + i, head + j) for i, j in self._inside(*middle, depth)]
        matches += [(len(old) - i, len(new) - i) for i in range(tail, 0, -1)]
        return matches

    def _inside(self, old: Sequence[str], new: Sequence[str], depth: int) -> Matches:
        if len(old) + len(new) <= _LARGE:
            exact = self._exact(old, new)
            if exact is not None:
                return exact
        anchors = _anchors(old, new) if depth < _DEEPEST else []
        if not anchors:
            return self._exact(old, new) or []
        matches: Matches = []
        i_from = j_from = 0
        for i, j in [*anchors, (len(old), len(new))]:
            between = self.between(old[i_from:i], new[j_from:j], depth + 1)
            matches += [(i_from + before, j_from + after) for before, after in between]
            matches.append((i, j))
            i_from, j_from = i + 1, j + 1
        return matches[:-1]  # the last one is the end of both

    def _exact(self, old: Sequence[str], new: Sequence[str]) -> Matches | None:
        """The fewest deletions and insertions, or None where finding them costs too many steps.

        Source: Myers 1986, "An O(ND) difference algorithm and its variations", greedy forward form.
        """
        # history[d][k]: how far into `old` d changes reach on diagonal 2k - d, where a diagonal is
        # the number of deletions minus the number of insertions.
        history: list[list[int]] = []
        for n_changes in range(len(old) + len(new) + 1):
            reached: list[int] = []
            for k in range(n_changes + 1):
                diagonal = 2 * k - n_changes
                start = i = _start(history[-1], k)[0] if history else 0
                while i < len(old) and i - diagonal < len(new) and old[i] == new[i - diagonal]:
                    i += 1
                reached.append(i)
                self.steps_left -= 1 + i - start
                if i >= len(old) and diagonal == len(old) - len(new):
                    return _retraced([*history, reached], len(old), len(new))
            if self.steps_left < 0:
                return None
            history.append(reached)
        raise AssertionError("deleting everything and inserting everything always works")


def _start(reached: Sequence[int], k: int) -> tuple[int, bool]:
    """Where the k-th path with one more change starts, and whether that change is an insertion."""
    inserted = reached[k] if k < len(reached) else -1
    deleted = reached[k - 1] + 1 if k > 0 else -1
    return (inserted, True) if inserted >= deleted else (deleted, False)


def _retraced(history: Sequence[Sequence[int]], i: int, j: int) -> Matches:
    """The matches along the path that reached (i, j), found from its end."""
    matches: Matches = []
    for n_changes in range(len(history) - 1, -1, -1):
        start, is_insertion = 0, False
        if n_changes:
            start, is_insertion = _start(history[n_changes - 1], (i - j + n_changes) // 2)
        while i > start:
            i, j = i - 1, j - 1
            matches.append((i, j))
        i, j = (i, j - 1) if is_insertion else (i - 1, j)
    return matches[::-1]


def _anchors(old: Sequence[str], new: Sequence[str]) -> Matches:
    """Units that occur once on both sides, as many as keep their order."""
    in_old, in_new = Counter(old), Counter(new)
    position = {unit: j for j, unit in enumerate(new) if in_new[unit] == 1}
    common = [(i, position[u]) for i, u in enumerate(old) if in_old[u] == 1 and u in position]
    return _longest_rising(common)


def _longest_rising(pairs: Matches) -> Matches:
    """The longest subsequence whose second numbers rise (patience sorting)."""
    lowest_end: list[int] = []  # by length: the lowest second number a rising run ends with
    end_at: list[int] = []  # by length: the pair it ends with
    before: list[int] = []  # by pair: the pair before it in its run, or -1
    for at, (_, j) in enumerate(pairs):
        length = bisect_left(lowest_end, j)
        before.append(end_at[length - 1] if length else -1)
        lowest_end[length : length + 1] = [j]
        end_at[length : length + 1] = [at]
    run: Matches = []
    at = end_at[-1] if end_at else -1
    while at >= 0:
        run.append(pairs[at])
        at = before[at]
    return run[::-1]


def _parts(old: Sequence[str], new: Sequence[str], matches: Matches) -> Iterator[DiffPart]:
    i_from = j_from = 0
    for i, j in [*matches, (len(old), len(new))]:
        yield DiffPart("delete", "".join(old[i_from:i]))
        yield DiffPart("insert", "".join(new[j_from:j]))
        yield DiffPart("equal", "".join(old[i : i + 1]))
        i_from, j_from = i + 1, j + 1


def _without_islands(parts: Sequence[DiffPart]) -> Iterator[DiffPart]:
    """Counts a space between two changed words as changed: three words read as one change."""
    for at, part in enumerate(parts):
        island = part.op == "equal" and part.text.isspace() and 0 < at < len(parts) - 1
        if island and all(side.text.strip() for side in (parts[at - 1], parts[at + 1])):
            yield DiffPart("delete", part.text)
            yield DiffPart("insert", part.text)
        else:
            yield part


def _merged(parts: Iterable[DiffPart]) -> Iterator[DiffPart]:
    """Neighbours of one kind joined; in a change first what is deleted, then what is inserted."""
    filled = (part for part in parts if part.text)
    for unchanged, group in groupby(filled, key=lambda part: part.op == "equal"):
        stretch = list(group)
        ops: tuple[Op, ...] = ("equal",) if unchanged else ("delete", "insert")
        for op in ops:
            text = "".join(part.text for part in stretch if part.op == op)
            if text:
                yield DiffPart(op, text)
