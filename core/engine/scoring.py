"""Rewards of token sequences as fast as one model gives them: batching, reuse, recovery.

The service decides what is scored when; this module decides how.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeGuard, TypeVar

import torch

from core.engine.batching import BatchLimits, next_batch
from core.engine.prefix_tree import Limb, PassCost, Tree, plan_reading, shared_length
from core.models.base import Capability, ModelOutput, TokenRewardModel, TokenSequence
from core.models.causal import EMPTY_PREFIX, Branch, CausalRewardModel, PrefixState

Outcome = tuple[list[int], ModelOutput | Exception]
"""Positions in the input, and their rewards in that order or the error they share."""

Item = TypeVar("Item")

PASS_TOKENS = {"cpu": 64, "gpu": 1024}
"""How many tokens' worth of time the fixed work of a forward pass takes. On a CPU measured with a
model of 30 layers: a pass of 60 tokens takes as long as 120 in a large batch. On a GPU, where
starting the kernels of some 30 layers takes over 10 ms, estimated."""

YIELDING_TOKENS = 160
"""Tokens in a bulk batch while somebody types: about a sixth of a second on two cores."""

logger = logging.getLogger(__name__)


def score_sequences(
    model: TokenRewardModel,
    sequences: Sequence[TokenSequence],
    *,
    should_stop: Callable[[], bool] = lambda: False,
    yielding: Callable[[], bool] = lambda: False,
    reuse_prefixes: bool = True,
) -> Iterator[Outcome]:
    """Scores sequences in whatever order is fastest, and yields each batch as it is done.

    A batch that runs out of memory is halved until it fits, and later ones stay small; a sequence
    that cannot be scored even alone yields its error and harms no other.

    Args:
        model: any model that reads tokens.
        sequences: what to score; each within the model's length limit.
        should_stop: asked between batches; when true, the rest is left undone.
        yielding: asked before each batch; when true, somebody is typing and the batch stays small,
            so that the next live edit soon has its turn.
        reuse_prefixes: off for comparison and tests; the rewards are the same.
    """
    run = _Run(model, sequences, should_stop, yielding)
    plain: Sequence[int] = range(len(sequences))
    if reuse_prefixes and reuses_prefixes(model) and len(sequences) > 1:
        reads = [model.read_position(sequence.ids) for sequence in sequences]
        plan = plan_reading(sequences, reads, pass_cost(model))
        for tree in plan.trees:
            yield from run.read_tree(model, tree, EMPTY_PREFIX)
        plain = plan.plain
    yield from run.read_plain(plain)


def live_reward(
    model: CausalRewardModel, state: PrefixState | None, sequence: TokenSequence
) -> tuple[ModelOutput, PrefixState]:
    """The reward of one conversation, read from the first token that differs from the last one.

    Args:
        state: what the last call for this conversation returned, or None.
        sequence: the conversation as it is now.

    Returns:
        A batch of one, and the state to pass in after the next edit.
    """
    before = state or EMPTY_PREFIX
    read = model.read_position(sequence.ids)
    start = min(shared_length(before.ids, sequence.ids), read)
    state, output = model.extend(before.cropped(start), sequence.ids[start:], read=[read - start])
    return output, state


def reuses_prefixes(model: TokenRewardModel) -> TypeGuard[CausalRewardModel]:
    """Whether the model can continue from a beginning it has read before."""
    return isinstance(model, CausalRewardModel) and Capability.PREFIX_REUSE in model.capabilities


def batch_limits(model: TokenRewardModel) -> BatchLimits:
    """What one forward pass of this model should hold."""
    if model.pad_id is None:
        return BatchLimits(max_rows=1, max_tokens=1)
    if model.device.type == "cpu":
        # Measured on two cores: larger batches are no faster, and a live edit would wait for them.
        return BatchLimits(max_rows=32, max_tokens=640)
    return BatchLimits(max_rows=256, max_tokens=16_384)


def pass_cost(model: TokenRewardModel) -> PassCost:
    """What this model's forward passes cost beside their tokens."""
    kind = "cpu" if model.device.type == "cpu" else "gpu"
    return PassCost(PASS_TOKENS[kind], batch_limits(model).max_tokens)


class _Run:
    """One call of `score_sequences`: what is scored, and how large batches may be by now."""

    def __init__(
        self,
        model: TokenRewardModel,
        sequences: Sequence[TokenSequence],
        should_stop: Callable[[], bool],
        yielding: Callable[[], bool],
    ) -> None:
        self._model = model
        self._sequences = sequences
        self._should_stop = should_stop
        self._yielding = yielding
        self._limits = batch_limits(model)
        self._has_shrunk = False

    def read_plain(self, positions: Sequence[int]) -> Iterator[Outcome]:
        """Reads sequences on their own, similar lengths together."""
        yield from self._in_batches(
            [(len(self._sequences[position]), position, position) for position in positions],
            lambda part: self._model.rewards([self._sequences[i] for i in part]),
        )

    def read_tree(
        self, model: CausalRewardModel, tree: Tree, below: PrefixState
    ) -> Iterator[Outcome]:
        """Reads a trunk on top of the state `below`, then its limbs, then what grows out of it."""
        if self._should_stop():
            return
        ids = self._sequences[tree.position].ids
        read = model.read_position(ids) - tree.start
        try:
            state, output = model.extend(below.cropped(tree.start), ids[tree.start :], read=[read])
        except Exception as error:  # noqa: BLE001 - whatever a model raises belongs to these rows
            logger.warning("A shared beginning could not be read, going without it: %s", error)
            yield from self.read_plain(tree.positions())
            return
        yield [tree.position], output

        def read_limbs(part: list[Limb]) -> ModelOutput:
            ends = [self._sequences[limb.position].ids[limb.start :] for limb in part]
            starts = [limb.start for limb in part]
            return model.branch_rewards(
                state, [Branch(start, end) for start, end in zip(starts, ends, strict=True)]
            )

        yield from self._in_batches(
            [
                (len(self._sequences[limb.position]) - limb.start, limb.position, limb)
                for limb in tree.limbs
            ],
            read_limbs,
        )
        for child in tree.children:
            yield from self.read_tree(model, child, state)

    def _in_batches(
        self,
        items: list[tuple[int, int, Item]],
        read: Callable[[list[Item]], ModelOutput],
    ) -> Iterator[Outcome]:
        """Reads (length, position, item) entries, longest first: no memory shows at once."""
        waiting = sorted(items, key=lambda entry: -entry[0])
        while waiting and not self._should_stop():
            limits = self._limits
            if self._yielding():
                limits = limits.capped(YIELDING_TOKENS)
            count = next_batch([length for length, _, _ in waiting], limits)
            batch, waiting = waiting[:count], waiting[count:]
            yield from self._recovering(
                read, [item for _, _, item in batch], [position for _, position, _ in batch]
            )

    def _recovering(
        self, read: Callable[[list[Item]], ModelOutput], items: list[Item], positions: list[int]
    ) -> Iterator[Outcome]:
        """Reads the items together; after an error in halves, down to the one that fails alone."""
        try:
            output = read(items)
        except Exception as error:  # noqa: BLE001 - whatever a model raises belongs to its rows
            if is_out_of_memory(error):
                self._shrink(len(items))
            if len(items) == 1:
                yield positions, error
                return
            middle = len(items) // 2
            yield from self._recovering(read, items[:middle], positions[:middle])
            yield from self._recovering(read, items[middle:], positions[middle:])
            return
        yield positions, output

    def _shrink(self, count: int) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._limits = self._limits.halved(count)
        if not self._has_shrunk:
            logger.warning("Out of memory with %d conversations in a batch: halving it.", count)
            self._has_shrunk = True


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that the device or the machine had no memory left."""
    return isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
