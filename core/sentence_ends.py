"""Where a sentence ends inside a paragraph: what ends one, and the dots that do not."""

from collections.abc import Iterator

import regex

from core.verbatim import RangeSet

_END = regex.compile(
    r"""(?x)
    (?<![.!?…‽؟۔।॥])(?P<mark>[.!?…‽؟۔।॥]++)(?P<closing>["'”’»)\]*_]*+)\s++(?=\S)
    |(?<![。！？｡])(?P<wide>[。！？｡]++[」』”’）】"]*+)\s*+(?=\S)
    """
)
_INITIALS = regex.compile(r"(?:\p{Lu}\.)+\p{Lu}")
_WORD = regex.compile(r"[\w’']+")
_OPENERS = "\"'“‘«([*_¿¡"


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEVER_ENDS = _word_set(
    """
    mr mrs ms dr prof st sr gen sen rep rev lt col sgt capt gov mt ft e.g i.e eg ie vs
    cf approx fig figs vol pp eq sec ca viz resp incl al
    """
)
"""Abbreviations that something always follows."""

_MAY_END = _word_set(
    """
    etc inc ltd co corp jr a.m p.m am pm u.s u.k u.n e.u ph.d b.sc m.sc d.c no nos dept
    est ave jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs
    fri sat sun
    """
)
"""Abbreviations that can stand at the end of a sentence: they end one if the next word opens one.

Short words among them ("no", "sat", "sun", "mar") end a sentence unless a digit follows.
"""

_WORDS_TOO = _word_set(
    """
    no co mar sat sun am dec mon wed
    """
)

_SENTENCE_OPENERS = _word_set(
    """
    the a an this that these those it its he she they we you i there here my your his
    her our their in on at for from by with as if when while after before since although
    though because but and so or then thus however also both each every most many some
    all no not what why how who where which to do does is are can use try take keep ask
    once first second next finally
    """
)


def sentence_starts(text: str, begin: int, end: int, protected: RangeSet) -> Iterator[int]:
    """Positions in [begin, end) where a new sentence starts, the first one's own start not counted.

    Args:
        text: the whole text.
        begin: first character of the paragraph.
        end: one past its last character.
        protected: ranges in which nothing ends, such as inline code and links.
    """
    casual = text[begin : begin + 1].islower()
    unit_start = begin
    for match in _END.finditer(text, begin, end):
        mark_start = match.start()
        if protected.touches(mark_start, mark_start + 1) or match.end() >= end:
            continue
        if match["wide"] is None and not _ends(text, match, unit_start, casual):
            continue
        unit_start = match.end()
        yield unit_start


def _ends(text: str, match: "regex.Match[str]", unit_start: int, casual: bool) -> bool:
    following = _next_word(text, match.end())
    lower = following[:1].islower()
    mark, closing = match["mark"], match["closing"]
    if mark != ".":
        return not lower or (casual and not closing) or (mark[0] in "!?" and not closing)
    word_start = _word_start(text, match.start(), unit_start)
    word = text[word_start : match.start()].lstrip(_OPENERS)
    if word.isdecimal() and len(word) <= 3 and _is_list_number(text, word_start, unit_start):
        return False
    if not _dot_can_end(word, following):
        return False
    return not lower or (casual and not closing)


def _dot_can_end(word: str, following: str) -> bool:
    lowered = word.lower()
    if lowered in _NEVER_ENDS:
        return False
    if lowered in _WORDS_TOO:
        return not following[:1].isdecimal()
    single_letter = len(word) == 1 and word.isalpha() and word.isascii()
    if single_letter or lowered in _MAY_END or _INITIALS.fullmatch(word):
        return following.lower() in _SENTENCE_OPENERS
    return True


def _next_word(text: str, at: int) -> str:
    found = _WORD.match(text, _skip_openers(text, at))
    return found.group() if found else ""


def _skip_openers(text: str, at: int) -> int:
    while at < len(text) and text[at] in _OPENERS:
        at += 1
    return at


def _word_start(text: str, end: int, floor: int) -> int:
    """Start of the run without white space that ends at `end`; looks back 20 characters at most."""
    at = end
    while at > max(floor, end - 20) and not text[at - 1].isspace():
        at -= 1
    return at


def _is_list_number(text: str, word_start: int, unit_start: int) -> bool:
    """Whether a number with a dot counts an item ("1. Mix") instead of ending a sentence."""
    at = word_start
    while at > unit_start and (text[at - 1].isspace() or text[at - 1] in _OPENERS):
        at -= 1
    return at == unit_start or text[at - 1] in ":;"
