"""Batches with little padding: conversations of similar length together, within a token budget."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BatchLimits:
    """What one batch may hold: rows, and tokens with padding counted in."""

    max_rows: int
    max_tokens: int

    def capped(self, tokens: int) -> "BatchLimits":
        """These limits with at most `tokens` in a batch."""
        return BatchLimits(self.max_rows, min(self.max_tokens, tokens))

    def halved(self, rows: int) -> "BatchLimits":
        """Limits under which a batch of `rows` that was too large comes in two parts."""
        return BatchLimits(max(1, min(self.max_rows, rows // 2)), max(1, self.max_tokens // 2))


def next_batch(lengths: Sequence[int], limits: BatchLimits) -> int:
    """How many of the waiting conversations go into the next batch, at least one.

    Args:
        lengths: tokens of each, longest first, so that the first one sets the padded length.
        limits: what a batch may hold; a conversation beyond it gets a batch of its own.
    """
    fitting = limits.max_tokens // lengths[0] if lengths[0] else limits.max_rows
    return max(1, min(len(lengths), limits.max_rows, fitting))
