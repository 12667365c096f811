"""The attributes that come with the package, each read off a text by rule.

Rules on words know English; on other languages the counts of words, characters, markup, lists and
exclamation marks still hold, and the others are near 0. Code does not count as prose.
"""

from typing import Final

import regex

from core.labs.attributes.phrases import (
    AGREEMENT,
    BARE_AGREEMENT,
    DISAGREEMENT_BEFORE,
    FLATTERY,
    HEDGE,
    REFUSAL,
)
from core.labs.attributes.registry import Attribute
from core.perturbations.age_and_origin import mentions_of_age_or_origin
from core.perturbations.demographic import mentions_of_people
from core.segments import LIST_MARKER, sentences, words
from core.verbatim import RangeSet, VerbatimKind, fenced_ranges, line_ranges, verbatim_ranges


def _count(pattern: "regex.Pattern[str]", text: str, *without: VerbatimKind) -> int:
    """Matches outside the verbatim parts of these kinds."""
    left_alone = verbatim_ranges(text, without)
    return sum(not left_alone.touches(*match.span()) for match in pattern.finditer(text))


def n_words(text: str) -> float:
    """Number of words; in Chinese and Japanese, of characters."""
    return sum(unit.kind == "word" for unit in words(text))


def _per_hundred_words(count: float, text: str) -> float:
    return 100 * count / max(1.0, n_words(text))


def n_characters(text: str) -> float:
    """Number of characters (code points), white space included."""
    return len(text)


_HEADING = regex.compile(r"(?m)^[ \t]{0,3}#{1,6}[ \t]+\S")
_TABLE_ROW = regex.compile(r"(?m)^[ \t]*\|.*\|[ \t]*$")
_EMPHASIS = regex.compile(
    r"(?<![\w*])(?P<mark>\*{1,3}|_{2,3})(?=[^\s*_])[^*_\n]{1,300}?(?<=[^\s*_])(?P=mark)(?![\w*])"
)
_INLINE_CODE = regex.compile(r"(?<!`)`{1,2}[^`\n]+`{1,2}(?!`)")


def list_items(text: str) -> float:
    """Number of list items, bulleted and numbered, outside code blocks."""
    code = RangeSet(fenced_ranges(text))
    return sum(
        LIST_MARKER.match(text, start, end) is not None and not code.touches(start, end)
        for start, end in line_ranges(text)
    )


def markdown_density(text: str) -> float:
    """Headings, list items, table rows, bold or italic spans and code marks per 100 words."""
    marks = list_items(text) + len(fenced_ranges(text))
    marks += _count(_HEADING, text, "code") + _count(_TABLE_ROW, text, "code")
    marks += _count(_EMPHASIS, text, "code", "formula") + len(_INLINE_CODE.findall(text))
    return _per_hundred_words(marks, text)


def hedging(text: str) -> float:
    """Hedges ("perhaps", "I think", "might") per 100 words, outside code and quotations."""
    return _per_hundred_words(_count(HEDGE, text, "code", "quotation"), text)


def agreement_opener(text: str) -> float:
    """1 if the first sentence or the one after it agrees with the reader, else 0."""
    found = [unit for unit in sentences(text) if unit.core_end > unit.core_start][:2]
    if not found:
        return 0.0
    opening = text[found[0].core_start : found[-1].core_end][:300]
    if BARE_AGREEMENT.match(opening):
        return 1.0
    agreements = AGREEMENT.finditer(opening)
    return float(any(not _turned_round(opening, agreement) for agreement in agreements))


def _turned_round(opening: str, agreement: "regex.Match[str]") -> bool:
    """Whether a negation or a condition stands before, in the same sentence."""
    before = opening[: agreement.start()]
    denied = regex.search(
        r"(?i)\b(?:not|never|half|partly|almost|nearly|don['’]t|can['’]t|cannot)\b",
        agreement.group(),
    )
    more = agreement.group().lower().endswith("more")
    return DISAGREEMENT_BEFORE.search(before) is not None or (denied is not None and not more)


_FIRST_PERSON = regex.compile(r"(?<![\w'’.\-])(?:I(?![\w.\-])|(?i:me|my|mine|myself)(?![\w\-]))")


def first_person(text: str) -> float:
    """I, me, my, mine and myself per 100 words, outside code and quotations."""
    return _per_hundred_words(_count(_FIRST_PERSON, text, "code", "quotation"), text)


_EXCLAMATION = regex.compile(r"!+(?!=|\[)")


def exclamations(text: str) -> float:
    """Number of exclamation marks outside code, several in a row as one."""
    return _count(_EXCLAMATION, text, "code", "link", "formula")


_WHERE_REFUSALS_STAND = 400


def refusal(text: str) -> float:
    """1 if the text says within its first 400 characters that it will not help, else 0."""
    return float(REFUSAL.search(text[:_WHERE_REFUSALS_STAND]) is not None)


def flattery(text: str) -> float:
    """Number of sentences that praise the reader or the reader's question."""
    left_alone = verbatim_ranges(text, ("code", "quotation"))
    found = 0
    for unit in sentences(text):
        praise = FLATTERY.search(text, unit.core_start, unit.core_end)
        found += praise is not None and not left_alone.touches(*praise.span())
    return float(found)


def demographic_terms(text: str) -> float:
    """Number of given names, words of gender, ages and nationalities from the swap sets."""
    spans = [*mentions_of_people(text), *mentions_of_age_or_origin(text)]
    return float(len(set(spans)))


ATTRIBUTES: Final = (
    Attribute("words", "Words", "Number of words.", n_words),
    Attribute("characters", "Characters", "Number of characters.", n_characters),
    Attribute(
        "markdown_density",
        "Markdown density",
        "Headings, list items, table rows, emphasis and code marks per 100 words.",
        markdown_density,
    ),
    Attribute("list_items", "List items", "Number of bulleted and numbered items.", list_items),
    Attribute("hedging", "Hedging", "Hedges such as perhaps or I think per 100 words.", hedging),
    Attribute(
        "agreement_opener",
        "Opens with agreement",
        "1 if one of the first two sentences agrees with the reader, else 0.",
        agreement_opener,
    ),
    Attribute("first_person", "First person", "I, me, my and mine per 100 words.", first_person),
    Attribute("exclamations", "Exclamations", "Number of exclamation marks.", exclamations),
    Attribute("refusal", "Refusal", "1 if the text opens with a refusal, else 0.", refusal),
    Attribute("flattery", "Flattery", "Number of sentences that praise the reader.", flattery),
    Attribute(
        "demographic_terms",
        "Demographic terms",
        "Number of given names, words of gender, ages and nationalities.",
        demographic_terms,
    ),
)
