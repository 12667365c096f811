"""Readers of what trainers write; `core.rollouts.reading` chooses among them."""

from core.rollouts.readers import columns, inspect_logs, openrlhf, prime_rl, trl, verl
from core.rollouts.readers.base import Converted, Reader
from core.rollouts.readers.columns import ColumnMapping, guess_mapping

READERS: tuple[Reader, ...] = (
    inspect_logs.READER,
    trl.READER,
    verl.READER,
    prime_rl.READER,
    openrlhf.READER,
    columns.READER,
)
"""Every reader; the first that recognises a file reads it, the last recognises all."""


def reader_of(held: list[str], name: str) -> Reader:
    """The reader of a file with these columns and this name."""
    return next(reader for reader in READERS if reader.recognises(held, name))


__all__ = ["READERS", "ColumnMapping", "Converted", "Reader", "guess_mapping", "reader_of"]
