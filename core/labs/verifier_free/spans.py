"""Scoring only a part of each reference: its first or last tokens, or those of a text within it.

A mean over a long reference is held up by tokens that any trace would get; the answer itself may be
a few of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from core.errors import SettingsError
from core.labs.verifier_free.aggregates import WHOLE, Span
from core.labs.verifier_free.tables import Scores

Which = Literal["whole", "first", "last", "text"]
WHICH: tuple[Which, ...] = get_args(Which)

NOT_THERE = "the reference does not contain the text that counts"
NO_PIECES = "the texts of the reference's tokens are not known"

_LISTS = ("pieces", "ref_log_probabilities", "ref_log_probabilities_without", "ref_entropies")


@dataclass(frozen=True)
class Part:
    """Which tokens of a reference count.

    Attributes:
        which: all of them, the first or last `n`, or those that hold `text`.
        n: for "first" and "last"; a shorter reference counts as a whole.
        text: for "text", case ignored; the first place where it stands, and every token that
            holds a character of it.
    """

    which: Which = "whole"
    n: int = 1
    text: str = ""

    def __post_init__(self) -> None:
        if self.which in ("first", "last") and self.n < 1:
            raise SettingsError("At least one token of the reference must count.")
        if self.which == "text" and not self.text.strip():
            raise SettingsError("The text within the reference that counts is empty.")


ALL = Part()


def span_of(part: Part, n_tokens: int, pieces: Sequence[str] | None) -> Span | None:
    """The part as tokens left away at both ends; None where the reference does not hold it.

    Args:
        part: what counts.
        n_tokens: of the reference.
        pieces: the text of each token; needed for a text only.
    """
    if part.which == "whole":
        return WHOLE
    if part.which in ("first", "last"):
        rest = max(0, n_tokens - part.n)
        return Span(end=rest) if part.which == "first" else Span(start=rest)
    if pieces is None or len(pieces) != n_tokens:
        return None
    found = re.search(re.escape(part.text.strip()), "".join(pieces), re.IGNORECASE)
    if found is None:
        return None
    held, at = [], 0
    for number, piece in enumerate(pieces):
        if at < found.end() and at + len(piece) > found.start():
            held.append(number)
        at += len(piece)
    return Span(held[0], n_tokens - 1 - held[-1])


def restrict(scores: Scores, part: Part) -> Scores:
    """The table with nothing but the part of each reference; rows without it are counted."""
    if part.which == "whole":
        return scores
    given = zip(scores.table["ref_log_probabilities"], scores.table["pieces"], strict=True)
    spans = [span_of(part, len(logs), pieces) for logs, pieces in given]
    left_out = dict(scores.left_out)
    for span, pieces in zip(spans, scores.table["pieces"], strict=True):
        if span is None:
            reason = NO_PIECES if pieces is None else NOT_THERE
            left_out[reason] = left_out.get(reason, 0) + 1
    table = scores.table.loc[[span is not None for span in spans]].reset_index(drop=True)
    kept = [span for span in spans if span is not None]
    for name in _LISTS:
        table[name] = pd.Series(
            [
                None if values is None else values[span.start : len(values) - span.end]
                for values, span in zip(table[name], kept, strict=True)
            ],
            dtype=object,
        )
    return Scores(table, left_out)
