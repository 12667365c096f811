"""Which conversations share a beginning, and in what order to read them so that it is read once.

Sequences are sorted, so that those with a common beginning stand together. Of each such group the
one that shares most with the others becomes the *trunk*, read on its own. The others are *limbs*:
read together, each from the point where it leaves the trunk. Where several limbs share more with
each other than with the trunk, they form a tree of their own that grows out of it. One prompt with
many responses and one response with many endings are both trees of this kind.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.models.base import TokenSequence

MIN_SHARED = 8
"""Tokens that must be shared before reuse is worth looking at."""

MIN_SAVING = 0.2
"""Share of a group's cost that reuse must save: below it, plain batches sorted by length win."""

MAX_DEPTH = 12
"""Trees do not nest deeper than this; what would goes into the level above as limbs."""


@dataclass(frozen=True)
class Limb:
    """One sequence (its `position` in the input), read from token `start` on."""

    position: int
    start: int


@dataclass(frozen=True)
class Tree:
    """A trunk (its `position` in the input), read from token `start` on, and what grows there."""

    position: int
    start: int
    limbs: tuple[Limb, ...]
    children: tuple["Tree", ...]

    def n_tokens(self, sequences: Sequence[TokenSequence]) -> int:
        """Tokens that reading the whole tree takes."""
        own = len(sequences[self.position]) - self.start
        own += sum(len(sequences[limb.position]) - limb.start for limb in self.limbs)
        return own + sum(child.n_tokens(sequences) for child in self.children)

    def positions(self) -> list[int]:
        """Input positions of all sequences in the tree."""
        found = [self.position, *(limb.position for limb in self.limbs)]
        for child in self.children:
            found.extend(child.positions())
        return found


@dataclass(frozen=True)
class Plan:
    """How a set of sequences is read.

    Attributes:
        trees: groups that share a beginning.
        plain: input positions of the rest.
        n_tokens: tokens that reading takes.
        n_plain: tokens it would take without reuse.
    """

    trees: tuple[Tree, ...]
    plain: tuple[int, ...]
    n_tokens: int
    n_plain: int


@dataclass(frozen=True)
class PassCost:
    """What forward passes cost beside their tokens, to weigh few large ones against many small.

    Attributes:
        pass_tokens: a pass, however short, takes as long as about this many tokens more.
        batch_tokens: tokens that go into one pass.
    """

    pass_tokens: int = 0
    batch_tokens: int = 640

    def of_tree(self, tree: Tree, sequences: Sequence[TokenSequence]) -> float:
        """Cost of reading a tree: a pass for each trunk, and batches of its limbs."""
        limbs = sum(len(sequences[limb.position]) - limb.start for limb in tree.limbs)
        passes = 1 + math.ceil(limbs / self.batch_tokens)
        cost = len(sequences[tree.position]) - tree.start + limbs + passes * self.pass_tokens
        return cost + sum(self.of_tree(child, sequences) for child in tree.children)

    def of_batches(self, n_tokens: int) -> float:
        """Cost of reading tokens in plain batches, which other sequences fill up."""
        return n_tokens * (1 + self.pass_tokens / self.batch_tokens)


FREE_PASSES = PassCost()
"""Only tokens count."""


def plan_reading(
    sequences: Sequence[TokenSequence],
    read_positions: Sequence[int],
    cost: PassCost = FREE_PASSES,
) -> Plan:
    """Finds the beginnings worth sharing.

    Args:
        sequences: token sequences, in any order, duplicates allowed.
        read_positions: the token each reward is read from. It is always read anew, so a sequence
            that is wholly contained in a trunk still costs its last tokens.
        cost: what makes a small tree not worth its passes.
    """
    order = sorted(range(len(sequences)), key=lambda position: sequences[position].ids)
    shared = [
        shared_length(sequences[a].ids, sequences[b].ids) for a, b in itertools.pairwise(order)
    ]
    planner = _Planner(sequences, read_positions, order, shared, cost)
    trees, plain = planner.forest(0, len(order))
    n_tokens = sum(tree.n_tokens(sequences) for tree in trees)
    n_tokens += sum(len(sequences[position]) for position in plain)
    n_plain = sum(len(sequence) for sequence in sequences)
    return Plan(tuple(trees), tuple(plain), n_tokens, n_plain)


def shared_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of equal tokens at the beginning of both."""
    limit = min(len(first), len(second))
    if first[:limit] == second[:limit]:
        return limit
    low, high = 0, limit  # the first `low` are equal, the first `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True)
class _Planner:
    """Works on ranges [begin, end) of the sorted order; `shared[i]` is between i and i + 1."""

    sequences: Sequence[TokenSequence]
    read_positions: Sequence[int]
    order: Sequence[int]
    shared: Sequence[int]
    cost: PassCost

    def forest(self, begin: int, end: int) -> tuple[list[Tree], list[int]]:
        """Trees where they pay, and positions of what is better read plainly."""
        trees: list[Tree] = []
        plain: list[int] = []
        waiting = [(begin, end)]
        while waiting:
            first, last = waiting.pop()
            if last - first == 0:
                continue
            lowest = min(self.shared[first : last - 1], default=0)
            if lowest >= MIN_SHARED:
                tree = self.grow(first, last, inherited=0, depth=0)
                length = sum(len(self.sequences[p]) for p in self.order[first:last])
                plain_cost = self.cost.of_batches(length)
                if self.cost.of_tree(tree, self.sequences) <= (1 - MIN_SAVING) * plain_cost:
                    trees.append(tree)
                    continue
            if last - first == 1 or lowest == max(self.shared[first : last - 1]) >= MIN_SHARED:
                plain.extend(self.order[first:last])
                continue
            waiting.extend(self._split(first, last, max(lowest, MIN_SHARED - 1)))
        return trees, plain

    def _split(self, begin: int, end: int, threshold: int) -> list[tuple[int, int]]:
        """Cuts a range wherever neighbours share no more than `threshold` tokens."""
        cuts = [i + 1 for i in range(begin, end - 1) if self.shared[i] <= threshold]
        edges = [begin, *cuts, end]
        return list(itertools.pairwise(edges))

    def grow(self, begin: int, end: int, *, inherited: int, depth: int) -> Tree:
        """The tree over a range whose members share `inherited` tokens with the trunk below."""
        trunk = self._best_trunk(begin, end)
        limbs: list[Limb] = []
        children: list[Tree] = []
        for first, last, common in self._branches(trunk, begin, end):
            if last - first > 1 and depth < MAX_DEPTH:
                children.append(self.grow(first, last, inherited=common, depth=depth + 1))
            else:
                limbs.extend(self._limb(i, trunk) for i in range(first, last))
        position = self.order[trunk]
        start = min(inherited, self.read_positions[position])
        return Tree(position, start, tuple(limbs), tuple(children))

    def _limb(self, index: int, trunk: int) -> Limb:
        low, high = min(index, trunk), max(index, trunk)
        position = self.order[index]
        return Limb(position, min(*self.shared[low:high], self.read_positions[position]))

    def _best_trunk(self, begin: int, end: int) -> int:
        """The member that shares most tokens with all others, counted over pairs."""
        forward = self._running_sums(range(begin, end), lambda i: self.shared[i - 1])
        backward = self._running_sums(range(end - 1, begin - 1, -1), lambda i: self.shared[i])
        totals = [a + b for a, b in zip(forward, reversed(backward), strict=True)]
        return begin + max(range(len(totals)), key=totals.__getitem__)

    @staticmethod
    def _running_sums(indices: range, shared_with_previous: Callable[[int], int]) -> list[int]:
        """For each member, the sum of what it shares with all members before it.

        What two members share is the least that any neighbours between them share, so a stack of
        rising values gives all sums in one pass.
        """
        sums: list[int] = []
        stack: list[tuple[int, int]] = []  # (shared, how many earlier members share just that)
        total = 0
        for count, index in enumerate(indices):
            if count:
                value, members = shared_with_previous(index), 1
                while stack and stack[-1][0] >= value:
                    previous, number = stack.pop()
                    total -= previous * number
                    members += number
                stack.append((value, members))
                total += value * members
            sums.append(total)
        return sums

    def _branches(self, trunk: int, begin: int, end: int) -> list[tuple[int, int, int]]:
        """Ranges beside the trunk that leave it at one point: (begin, end, tokens shared)."""
        found: list[tuple[int, int, int]] = []
        index = trunk + 1
        common = self.shared[trunk] if index < end else 0
        while index < end:
            common = min(common, self.shared[index - 1])
            last = index + 1
            while last < end and self._belong_together(last - 1, common):
                last += 1
            found.append((index, last, common))
            index = last
        index = trunk
        common = self.shared[trunk - 1] if index > begin else 0
        while index > begin:
            common = min(common, self.shared[index - 1])
            first = index - 1
            while first > begin and self._belong_together(first - 1, common):
                first -= 1
            found.append((first, index, common))
            index = first
        return found

    def _belong_together(self, left: int, common: int) -> bool:
        """Whether two neighbours share clearly more with each other than with the trunk."""
        length = len(self.sequences[self.order[left]])
        return self.shared[left] - common >= max(MIN_SHARED, (length - common) // 4)
