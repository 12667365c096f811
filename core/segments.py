"""Where the words and the sentences of a text begin and end, as character ranges.

The ranges of `words` and of `sentences` tile the text: every character belongs to exactly one of
them, so that leaving one out, colouring them or joining them again never loses a character. What
must not be edited inside a text (code, links, formulas) is `core.verbatim`'s subject.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

import regex

from core.sentence_ends import sentence_starts
from core.verbatim import (
    REMEMBERED_TEXTS,
    Range,
    RangeSet,
    fenced_ranges,
    inline_ranges,
    line_ranges,
)

SegmentKind = Literal["word", "symbol", "prose", "item", "heading", "table", "code"]
"""`word` and `symbol` come from `words`; the others say what kind of block a sentence stands in."""

TokenKind = Literal["space", "word", "symbol"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One unit of a text.

    Attributes:
        start: first character of the tile.
        end: one past the last character of the tile; the next segment starts here.
        core_start: first character of the part that carries the meaning: without the white space
            around it and, for a word, without the punctuation that clings to it.
        core_end: one past the last character of that part.
        kind: what the unit is.
    """

    start: int
    end: int
    core_start: int
    core_end: int
    kind: SegmentKind

    def text(self, source: str) -> str:
        """The whole tile, as it stands in `source`."""
        return source[self.start : self.end]

    def core(self, source: str) -> str:
        """The part that carries the meaning, as it stands in `source`."""
        return source[self.core_start : self.core_end]


# Han is one word a character and kana one word a run, because Chinese and Japanese have no spaces;
# Thai, Lao and Khmer have none either, but a split without a dictionary would cut inside words.
_TOKEN = regex.compile(
    r"""(?V1)
    (?P<space>[\r\n]+|[^\S\r\n]+)
    |(?P<word>
        \p{Han}\p{M}*
        |[\p{Hiragana}\u30fc]+
        |[\p{Katakana}\u30fc]+
        |(?:{w}\p{M}*)+(?:(?:['’.\-\u2010\u2011\u00ad\u200c\u200d]|(?<=\d)[,:/](?=\d))(?:{w}\p{M}*)+)*
    )
    |(?P<symbol>\p{Regional_Indicator}{1,2}|\X)
    """.replace("{w}", r"[[\p{L}\p{N}_]--[\p{Han}\p{Hiragana}\p{Katakana}]]"),
    regex.VERBOSE,
)
_OPENING = regex.compile(r"[\p{Ps}\p{Pi}¿¡]")
_PICTURE = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}")


def tokens(text: str) -> Iterator[tuple[TokenKind, int, int]]:
    """The finest units (a word, a symbol, a run of white space), with ranges that tile `text`.

    A symbol is one grapheme: an emoji of several code points or an accented sign stays whole.
    """
    for match in _TOKEN.finditer(text):
        yield cast(TokenKind, match.lastgroup), match.start(), match.end()


def words(text: str) -> list[Segment]:
    """The words of `text`, each with the punctuation that clings to it and the space after it.

    Symbols that stand alone (an emoji, a list marker) are units of their own, of kind `symbol`.
    White space alone gives one unit with an empty core; the empty text gives no unit.
    """
    return list(_words(text))


@lru_cache(maxsize=REMEMBERED_TEXTS)
def _words(text: str) -> tuple[Segment, ...]:
    units: list[Segment] = []
    start = 0  # of the unit that is being built
    core: tuple[int, int] | None = None
    kind: SegmentKind = "symbol"
    after_space = False

    def close(end: int) -> None:
        nonlocal start, core
        begin, stop = core or _stripped(text, start, end)
        units.append(Segment(start, end, begin, stop, kind))
        start, core = end, None

    for sort, begin, end in tokens(text):
        if sort == "space":
            after_space = True
            continue
        if begin > start and after_space and text[start:begin].strip():
            close(begin)
        picture = sort == "symbol" and _PICTURE.match(text, begin) is not None
        opening = sort == "symbol" and _OPENING.match(text, begin) is not None
        if core is not None and (sort == "word" or picture or opening):
            close(begin)
        if sort == "word" or picture:
            core, kind = (begin, end), "word" if sort == "word" else "symbol"
        elif core is None:
            kind = "symbol"
        after_space = False
    if start < len(text):
        close(len(text))
    return tuple(units)


_HEADING = regex.compile(r"\s{0,3}#{1,6}(?:\s|$)")
_TABLE = regex.compile(r"\s*\|.*\|\s*$")
LIST_MARKER = regex.compile(
    r"(?P<indent>[^\S\r\n]*)(?P<marker>[-*+•‣–]|(?P<number>\d{1,3})(?P<dot>[.)]))(?P<gap>[^\S\r\n]+)(?=\S)"
)
"""The marker at the start of a list item's line: `- `, `* `, `1. `, `2) `."""

_HARD_WRAP_LENGTH = 50
"""A line at least this long that ends in mid-sentence goes on in the next line; a shorter one
(a verse, an address, a command) is a unit of its own."""


def sentences(text: str) -> list[Segment]:
    """The sentences of `text`, each with the white space after it (an indent is the next one's).

    A code block, a heading, a table row and a list item end where their block ends; inside prose
    and items a sentence ends at its punctuation (see `core.sentence_ends`). White space alone gives
    one unit with an empty core; the empty text gives no unit.
    """
    return list(_sentences(text))


@lru_cache(maxsize=REMEMBERED_TEXTS)
def _sentences(text: str) -> tuple[Segment, ...]:
    blocks = list(_blocks(text))
    protected = RangeSet(inline_ranges(text))
    starts: list[tuple[int, SegmentKind]] = []
    for begin, end, kind in blocks:
        starts.append((begin, kind))
        if kind in ("prose", "item"):
            content = _after_marker(text, begin) if kind == "item" else begin
            starts.extend((at, kind) for at in sentence_starts(text, content, end, protected))
    if not starts:
        return (Segment(0, len(text), 0, 0, "prose"),) if text else ()
    starts[0] = (0, starts[0][1])
    ends = [at for at, _ in starts[1:]] + [len(text)]
    return tuple(
        Segment(begin, end, *_stripped(text, begin, end), kind)
        for (begin, kind), end in zip(starts, ends, strict=True)
    )


def item_content(text: str, segment: Segment) -> int:
    """Where a sentence's own words begin: after the list marker, if it opens with one."""
    return _after_marker(text, segment.start) if segment.kind == "item" else segment.core_start


def _after_marker(text: str, begin: int) -> int:
    marker = LIST_MARKER.match(text, begin)
    return int(marker.end()) if marker else begin


def _blocks(text: str) -> Iterator[tuple[int, int, SegmentKind]]:
    """Ranges of the blocks between which a sentence cannot run on, in order.

    Blank lines belong to no block.
    """
    fences = dict(fenced_ranges(text))
    lines = line_ranges(text)
    at = 0
    while at < len(lines):
        begin, end = lines[at]
        at += 1
        if begin in fences:
            end = fences[begin]
            kind: SegmentKind = "code"
            while at < len(lines) and lines[at][0] < end:
                at += 1
        elif text[begin:end].strip():
            kind = _line_kind(text, begin, end)
            if kind in ("prose", "item"):
                while at < len(lines) and _goes_on(text, lines[at - 1], lines[at], fences):
                    at += 1
                end = lines[at - 1][1]
        else:
            continue
        yield begin, end, kind


def _line_kind(text: str, begin: int, end: int) -> SegmentKind:
    if _HEADING.match(text, begin, end):
        return "heading"
    if _TABLE.match(text, begin, end):
        return "table"
    return "item" if LIST_MARKER.match(text, begin, end) else "prose"


def _goes_on(text: str, line: Range, following: Range, fences: Container[int]) -> bool:
    """Whether a paragraph was wrapped by hand, in mid-sentence, between two lines."""
    content = text[slice(*line)].strip()
    if len(content) < _HARD_WRAP_LENGTH or content[-1] in ".!?:;…。！？؟۔।|":
        return False
    begin, end = following
    blank = not text[begin:end].strip()
    return not blank and begin not in fences and _line_kind(text, begin, end) == "prose"


def _stripped(text: str, begin: int, end: int) -> tuple[int, int]:
    """The range without the white space at both sides; empty, at `begin`, if all is space."""
    core = text[begin:end]
    core_start = begin + len(core) - len(core.lstrip())
    return (core_start, begin + len(core.rstrip())) if core_start < end else (begin, begin)
