"""Styles of the same answer: concise, detailed, plain text; markdown is in `shortcut`.

RM-Bench (2410.16184) has each answer written in three styles by a language model: concise, detailed
in plain text, detailed in markdown. Rules reach only part of that: they can take out what says
nothing, keep the sentences that open a paragraph, add words without content, and set or remove
markup. So `style_variants` is our reading, not the paper's data.
"""

import itertools
import random
from dataclasses import dataclass
from typing import Final

import regex

from core.perturbations.adding import continued, opened, require_english
from core.perturbations.base import (
    Edit,
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.perturbations.lexicon import FUNCTION_WORDS, looks_english, word_set
from core.perturbations.rewording import Replacement
from core.perturbations.shortcut import dress_in_markdown
from core.segments import Segment, sentences, words
from core.verbatim import Range, RangeSet, line_ranges, verbatim_ranges

_SAYS_NOTHING = regex.compile(
    r"""(?xi)\W*(?:
        (?:certainly|sure(?:\s+thing)?|of\s+course|absolutely|great|gladly|definitely)[!.,]?
            (?:\s+(?:i\s+can|i['’]d\s+be|i['’]m\s+happy|happy\s+to|here(?:['’]s|\s+is|\s+are))[^:]*)?
        |(?:what\s+an?|that['’]s\s+an?|this\s+is\s+an?)\s+(?:\w+\s+){0,2}question.*
        |(?:great|good|excellent|interesting|wonderful)\s+question.*
        |(?:i['’]d\s+be|i['’]m|i\s+am|i\s+would\s+be)\s+(?:happy|glad|pleased)\s+to\s+help.*
        |thank(?:s|\s+you)\s+for\s+(?:asking|your\s+(?:question|patience|interest)).*
        |(?:i\s+)?hope\s+(?:this|that|it)\s+(?:helps|is\s+helpful|clarifies|answers|makes\s+sense).*
        |(?:please\s+)?(?:let\s+me\s+know|feel\s+free\s+to\s+(?:ask|reach)|do(?:n['’]t|\s+not)\s+hesitate
            |if\s+you\s+have\s+(?:any\s+)?(?:more\s+|other\s+|further\s+)?questions).*
        |(?:is|was)\s+there\s+anything\s+else.*
        |(?:good\s+luck|enjoy|happy\s+\w+ing|have\s+fun)\s*
        |let['’]s\s+(?:dive|take\s+a\s+(?:closer\s+)?look|get\s+started|begin|explore).*
        |(?:there\s+is\s+a\s+lot|a\s+lot\s+could\s+be\s+said|there\s+are\s+many\s+things).*\babout\s+this.*
    )[.!?…]*\W*"""
)
_EMPTY_OPENER = regex.compile(
    r"(?i)(?:it\s+is\s+(?:important|worth)\s+(?:to\s+note|noting)\s+that|it['’]s\s+(?:important|worth)\s+"
    r"(?:to\s+note|noting)\s+that|please\s+note\s+that|note\s+that|as\s+you\s+may\s+know,|in\s+fact,"
    r"|basically,|essentially,|generally\s+speaking,|needless\s+to\s+say,|as\s+mentioned\s+(?:above|"
    r"earlier|before),)\s+(?=\p{L})"
)


def shorten(request: EditRequest) -> Edited:
    """Takes out the sentences and openings that say nothing: pleasantries, offers, "note that".

    Every sentence with content stays.

    Raises:
        NotApplicable: there is no such phrase, or nothing else.
    """
    text = request.text
    verbatim = verbatim_ranges(text)
    units = [unit for unit in sentences(text) if unit.core_end > unit.core_start]
    empty = [unit for unit in units if _says_nothing(text, unit)]
    if len(empty) == len(units):
        raise NotApplicable("All sentences are pleasantries: nothing would be left.")
    changes = _without(text, units, empty)
    for unit in units:
        opener = _EMPTY_OPENER.match(text, unit.core_start, unit.core_end)
        if opener and unit not in empty and not verbatim.touches(*opener.span()):
            changes.append((opener.start(), opener.end() + 1, text[opener.end()].upper()))
    if not changes:
        raise NotApplicable("There is no sentence and no opening that says nothing.")
    noun = "phrase" if len(changes) == 1 else "phrases"
    return Edited(replace_ranges(text, changes), f"{len(changes)} empty {noun} taken out")


def _without(text: str, units: list[Segment], removed: list[Segment]) -> list[Replacement]:
    """Leaves sentences out: with the space behind where they open a line, else with that before."""
    ranges: list[Range] = []
    for before, unit in zip([None, *units], units, strict=False):
        if unit not in removed:
            continue
        opens = before is None or "\n" in text[before.core_end : unit.core_start]
        if opens or (ranges and ranges[-1][1] == unit.start):
            last = unit is units[-1] and before is not None
            start = before.core_end if last and before is not None else unit.start
            ranges.append((start, unit.core_end if last else unit.end))
        elif before is not None:
            ranges.append((before.core_end, unit.core_end))
    return [(start, end, "") for start, end in RangeSet(ranges).ranges]


def _says_nothing(text: str, unit: Segment) -> bool:
    core = unit.core(text)
    introduces = core[-1] in ":："
    return (
        unit.kind == "prose"
        and not introduces
        and len(core) < 200
        and _SAYS_NOTHING.fullmatch(core) is not None
    )


def core_sentences(text: str) -> str:
    """The first sentence of each paragraph and list item, and all code, without pleasantries.

    The concise style of our reading of RM-Bench; unlike `shorten` it gives up content.
    """
    units = [unit for unit in sentences(text) if unit.core_end > unit.core_start]
    kept = [unit for unit in units if not _says_nothing(text, unit)] or units
    dropped = [unit for unit in units if unit not in kept]
    previous: Segment | None = None
    for unit in kept:
        follows = (
            previous is not None
            and unit.kind == previous.kind
            and unit.kind in ("prose", "item")
            and not _starts_line(text, unit)
        )
        if follows:
            dropped.append(unit)
        previous = unit
    return replace_ranges(text, _without(text, units, dropped)).strip()


def _starts_line(text: str, unit: Segment) -> bool:
    line = max(text.rfind("\n", 0, unit.core_start), text.rfind("\r", 0, unit.core_start)) + 1
    return not text[line : unit.core_start].strip()


_INTRODUCTIONS: Final = (
    "To answer this well, it helps to look at the matter one point at a time.",
    "There are several aspects to this, and each of them deserves a closer look.",
    "Before going into the details, it is useful to see how the parts fit together.",
)
_LINKS: Final = (
    "In addition,", "It should also be said that", "Beyond that,", "At the same time,",
    "It is also worth mentioning that", "Furthermore,",
)  # fmt: skip
_SUMMARIES: Final = ("To sum up the main point once more:", "In short, to repeat the main point:")
_OPENS_SAFELY: Final = FUNCTION_WORDS - word_set(
    """
    i also however then therefore thus instead although though because if when while as yet
    still so such can could will would does do did has have may might should must please let
    """
)
_LONGEST_REPEAT = 300


def add_detail(request: EditRequest) -> Edited:
    """Makes a text longer with an introduction, links between sentences and a summary.

    Nothing is said that was not there: the summary repeats the first full sentence.

    Raises:
        NotApplicable: the text is not English or has no full sentence outside code.
    """
    require_english(request)
    text, rng = request.text, request.rng
    code = verbatim_ranges(text, ("code",))
    prose = [
        unit
        for unit in sentences(text)
        if unit.kind == "prose"
        and not code.touches(unit.core_start, unit.core_end)
        and unit.core(text)[-1:] in ".!"
        and len(unit.core(text)) <= _LONGEST_REPEAT
        and sum(word.kind == "word" for word in words(unit.core(text))) > 2
    ]
    if not prose:
        raise NotApplicable("There is no full sentence outside code.")
    links = _linked(text, prose, rng)
    body = opened(rng.choice(_INTRODUCTIONS), replace_ranges(text, links))
    repeated = f"{rng.choice(_SUMMARIES)} {prose[0].core(text)}"
    return Edited(
        continued(body, repeated), f"an introduction, {len(links)} links and a summary added"
    )


def _linked(text: str, prose: list[Segment], rng: random.Random) -> list[Replacement]:
    """Links before every second sentence that follows another in its paragraph."""
    following = [
        unit
        for before, unit in itertools.pairwise(prose)
        if before.end == unit.start and "\n" not in text[before.core_end : before.end]
    ]
    changes: list[Replacement] = []
    for unit in following[::2]:
        first = regex.match(r"\p{Lu}\p{Ll}*(?=\s)", text, pos=unit.core_start)
        if first and first.group().lower() in _OPENS_SAFELY:
            lowered = f"{rng.choice(_LINKS)} {first.group().lower()}"
            changes.append((*first.span(), lowered))
    return changes


_ASKS_FOR_MARKUP = regex.compile(
    r"(?i)\b(?:bullet|list|markdown|table|heading|headline|bold|italic|format|numbered|outline|html)"
)
_LINE_MARKUP = regex.compile(
    r"[ \t]{0,3}(?:(?P<heading>\#{1,6})[ \t]+|(?:[-*+•][ \t]+)|(?:>[ \t]?)+)"
)
_BULLET = regex.compile(r"(?P<indent>[ \t]*)[-*+•][ \t]+(?=\S)")
_EMPHASIS = regex.compile(
    r"(?<![\w*])(?P<mark>\*{1,3}|_{2,3})(?=[^\s*_])(?P<words>[^*_\n]{1,300}?)(?<=[^\s*_])(?P=mark)(?![\w*])"
)
_RULE = regex.compile(r"[ \t]{0,3}(?:-{3,}|\*{3,}|_{3,})[ \t]*\r?\n?")


def write_plainly(request: EditRequest) -> Edited:
    """Takes headings, bullets, quotation bars, bold and italics out; the words all stay.

    Numbers of lists, code, formulas, links and tables stay as they are.

    Raises:
        NotApplicable: the prompt asks for markup, or the text has none of these.
    """
    if _ASKS_FOR_MARKUP.search(request.prompt):
        raise NotApplicable("The prompt asks for a list or another layout.")
    text = request.text
    changes = _markup(text)
    if not changes:
        raise NotApplicable("The text has no heading, bullet, bold or italic words.")
    edited = replace_ranges(text, changes)
    if not edited.strip():
        raise NotApplicable("The text is nothing but markup.")
    return Edited(edited, f"{len(changes)} marks taken out")


def _markup(text: str) -> list[Replacement]:
    keeps = verbatim_ranges(text, ("code", "link", "formula"))
    changes: list[Replacement] = []
    for start, end in line_ranges(text):
        rule = _RULE.fullmatch(text, start, end)
        marker = _BULLET.match(text, start, end) or _LINE_MARKUP.match(text, start, end)
        if rule and not keeps.touches(start, end):
            changes.append((start, end, ""))
        elif marker and not keeps.touches(*marker.span()):
            indent = marker.groupdict().get("indent") or ""
            changes.append((*marker.span(), indent))
    taken = {at for start, end, _ in changes for at in range(start, end)}
    for found in _EMPHASIS.finditer(text):
        marks = (found.span("mark"), (found.end("words"), found.end()))
        free = not any(keeps.touches(*mark) or mark[0] in taken for mark in marks)
        if free:
            changes.extend((start, end, "") for start, end in marks)
    return changes


@dataclass(frozen=True)
class StyleVariants:
    """One answer in the three styles of RM-Bench, made by rule; None where a rule found nothing.

    Attributes:
        concise: first sentence of each paragraph and item, no markup.
        detailed: longer plain text.
        markdown: the longer text with bullets and bold words.
    """

    concise: str | None
    detailed: str | None
    markdown: str | None


def style_variants(text: str, prompt: str = "", seed: int = 0) -> StyleVariants:
    """Writes an answer in three styles.

    Args:
        text: the answer, in any style.
        prompt: the question; a prompt that asks for a layout keeps the answer's own.
        seed: decides which words without content are added.
    """

    if not text.strip() or not looks_english(text):
        return StyleVariants(None, None, None)

    def edited(edit: Edit, before: str) -> str | None:
        rng = random.Random(f"styles:{seed}:{prompt}")  # noqa: S311 - words, no secret
        try:
            return edit(EditRequest(before, prompt, rng)).text
        except NotApplicable:
            return None

    plain = edited(write_plainly, text) or text
    detailed = edited(add_detail, plain)
    markdown = edited(dress_in_markdown, detailed) if detailed else None
    return StyleVariants(core_sentences(plain) or None, detailed, markdown)


PERTURBATIONS = (
    Perturbation(
        name="concise",
        title="Take out what says nothing",
        group="nothing",
        description="Takes out pleasantries, offers of help and openings such as note that.",
        target="response",
        edit=shorten,
    ),
    Perturbation(
        name="plain-text",
        title="Take the markdown out",
        group="nothing",
        description="Takes headings, bullets, bold and italics out; every word stays.",
        target="response",
        edit=write_plainly,
    ),
    Perturbation(
        name="detailed",
        title="Make it longer without content",
        group="shortcut",
        description="Adds an introduction, links between sentences and a repeated main point.",
        target="response",
        edit=add_detail,
    ),
)
