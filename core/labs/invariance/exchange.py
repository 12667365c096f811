"""Which labels may change places when nothing depends on them: the ground of a permutation test.

A test by permutation is only as right as its exchangeability. Rewards of one prompt are alike and
so are the lengths of its responses, so labels never move freely over all rows. Two schemes remain:

- *within prompt*: labels change places among the responses to one prompt (in a conditional test:
  among its chosen, or its rejected, responses). It holds whatever prompts do to rewards and
  attributes, and needs prompts with responses in more than one bin.
- *between prompts*: the labels of one prompt go, as a block, to another prompt that has as many
  responses (as many chosen and as many rejected, in a conditional test). It keeps the likeness
  within prompts on both sides and needs prompts that are independent of each other; a prompt that
  draws long responses and high rewards at once counts as dependence. In an unconditional test the
  labels of a block are also shuffled, as there the side of a pair must not matter either.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.stats import cluster_codes

IntArray = npt.NDArray[np.int64]
Scheme = Literal["within prompt", "between prompts"]

FEWEST_MIXED_PROMPTS = 10
"""With fewer prompts whose labels differ, exchanging within them has too few arrangements."""

_MOST_CELLS = 4_000_000


@dataclass(frozen=True)
class Exchange:
    """How labels are exchanged.

    Attributes:
        scheme: within prompts or between them.
        prompts: (n,) number of each row's prompt.
        conditions: (n,) number of each row's condition; labels never leave it.
        n_moving: prompts whose labels can change.
        n_still: prompts whose labels cannot: all alike, or no other prompt of this size.
    """

    scheme: Scheme
    prompts: IntArray
    conditions: IntArray
    n_moving: int
    n_still: int


def choose_exchange(
    labels: IntArray, prompts: IntArray, conditions: IntArray, scheme: Scheme | None = None
) -> Exchange:
    """The scheme asked for, or within prompts where enough of them have labels that differ.

    Args:
        labels: (n,) number of each row's bin.
        prompts: (n,) number of each row's prompt.
        conditions: (n,) number of each row's condition (side of the pair); all 0 for one.
        scheme: which scheme; by default within prompts if at least `FEWEST_MIXED_PROMPTS` of them
            can move.
    """
    n_prompts = len(np.unique(prompts))
    mixed = _mixed_prompts(labels, prompts, conditions)
    if scheme is None:
        scheme = "within prompt" if mixed >= FEWEST_MIXED_PROMPTS else "between prompts"
    moving = mixed if scheme == "within prompt" else _movable_prompts(prompts, conditions)
    return Exchange(scheme, prompts, conditions, moving, n_prompts - moving)


def arrangements(
    exchange: Exchange, n_permutations: int, rng: np.random.Generator
) -> Iterator[IntArray]:
    """Random arrangements in batches: (batch, n), whose label each row takes."""
    n = len(exchange.prompts)
    step = max(1, _MOST_CELLS // max(1, n))
    for start in range(0, n_permutations, step):
        size = min(step, n_permutations - start)
        if exchange.scheme == "within prompt":
            yield _shuffle_cells(_cells(exchange), size, rng)
        else:
            yield _move_blocks(exchange, size, rng)


def _cells(exchange: Exchange) -> IntArray:
    """Number of each row's prompt and condition together."""
    pairs = zip(exchange.prompts.tolist(), exchange.conditions.tolist(), strict=True)
    return cluster_codes(list(pairs))


def _shuffle_cells(cells: IntArray, size: int, rng: np.random.Generator) -> IntArray:
    by_cell = np.argsort(cells, kind="stable")
    # A random fraction on top of the cell's number sorts rows within their cell only.
    keys = cells[by_cell] + rng.random((size, len(cells)))
    taken = np.empty((size, len(cells)), dtype=np.int64)
    taken[:, by_cell] = by_cell[np.argsort(keys, axis=1)]
    return taken


def _move_blocks(exchange: Exchange, size: int, rng: np.random.Generator) -> IntArray:
    n = len(exchange.prompts)
    taken = np.tile(np.arange(n), (size, 1))
    for blocks in _blocks(exchange.prompts, exchange.conditions):
        order = np.argsort(rng.random((size, len(blocks))), axis=1)
        taken[:, blocks.ravel()] = blocks[order].reshape(size, -1)
    if len(np.unique(exchange.conditions)) > 1:
        return taken
    shuffled = _shuffle_cells(exchange.prompts, size, rng)
    return np.take_along_axis(shuffled, taken, axis=1)


def _blocks(prompts: IntArray, conditions: IntArray) -> list[IntArray]:
    """For each size of prompt (rows by condition), the rows of its prompts: (prompts, rows)."""
    order = np.lexsort((conditions, prompts))
    starts = np.flatnonzero(np.diff(prompts[order], prepend=-1))
    of_shape: dict[tuple[int, ...], list[IntArray]] = defaultdict(list)
    for rows in np.split(order, starts[1:]):
        of_shape[tuple(conditions[rows].tolist())].append(rows)
    return [np.stack(blocks) for blocks in of_shape.values()]


def _mixed_prompts(labels: IntArray, prompts: IntArray, conditions: IntArray) -> int:
    """Prompts in which some condition has rows with different labels."""
    seen: dict[tuple[int, int], set[int]] = defaultdict(set)
    for prompt, condition, label in zip(
        prompts.tolist(), conditions.tolist(), labels.tolist(), strict=True
    ):
        seen[prompt, condition].add(label)
    return len({prompt for (prompt, _), found in seen.items() if len(found) > 1})


def _movable_prompts(prompts: IntArray, conditions: IntArray) -> int:
    return sum(len(blocks) for blocks in _blocks(prompts, conditions) if len(blocks) > 1)
