"""Edits that mend a slip of the writer: a good reward model gives a little more after them.

Each does nothing where nothing is wrong, so a battery over well-written responses has few of them:
`surface` and `nothing` make texts that they can mend.
"""

import itertools
from typing import Final

import regex

from core.perturbations.base import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.perturbations.lexicon import FUNCTION_WORDS, looks_english, word_set
from core.perturbations.numbers import list_markers
from core.perturbations.rewording import Replacement, in_the_style_of
from core.perturbations.spelling_words import MISSPELLINGS
from core.segments import Segment, sentences, words
from core.verbatim import fenced_ranges, line_ranges, verbatim_ranges

_DOUBLED_WORDS: Final = word_set(
    """
    a an the and or but of to in on at by for from with as is are was were be it its this these
    those he she we they you your his her their our can could will would should not if then than
    when which who what have has because about into
    """
)
"""Words that no English sentence has twice in a row ("that that" and "had had" are English)."""

_DOUBLED = regex.compile(r"(?i)(?<![\w'’\-])(?P<word>\p{L}+)(?P<again>[ \t]+(?P=word))(?![\w'’\-])")
_FEWEST_WORDS = 4


def remove_repetition(request: EditRequest) -> Edited:
    """Removes words written twice ("the the") and sentences said twice in a row.

    Raises:
        NotApplicable: no function word and no sentence stands twice in a row.
    """
    text = request.text
    verbatim = verbatim_ranges(text)
    changes: list[Replacement] = [
        (*match.span("again"), "")
        for match in _DOUBLED.finditer(text)
        if match["word"].lower() in _DOUBLED_WORDS and not verbatim.touches(*match.span())
    ]
    code = verbatim_ranges(text, ("code",))
    units = [unit for unit in sentences(text) if unit.core_end > unit.core_start]
    for before, unit in itertools.pairwise(units):
        same = unit.core(text) == before.core(text) and unit.kind == before.kind == "prose"
        n_words = sum(word.kind == "word" for word in words(unit.core(text))) if same else 0
        if n_words >= _FEWEST_WORDS and not code.touches(unit.core_start, unit.core_end):
            changes = [c for c in changes if not before.core_end <= c[0] < unit.core_end]
            changes.append((before.core_end, unit.core_end, ""))
    if not changes:
        raise NotApplicable("No word and no sentence stands twice in a row.")
    noun = "repetition" if len(changes) == 1 else "repetitions"
    return Edited(replace_ranges(text, changes), f"{len(changes)} {noun} removed")


# "i" may be a variable: the word that follows tells.
_LONE_I = regex.compile(
    r"(?<![\w.'’\-])i(?=['’](?:m|ve|ll|d)\b|\s+(?:am|was|have|had|will|would|think|thought|know|knew"
    r"|want|wanted|need|can|can['’]t|cannot|could|should|do|don['’]t|did|didn['’]t|like|love|feel|felt"
    r"|guess|mean|hope|just|really|believe|said|saw|understand|always|never|also|tried|wish)\b)"
)
_PLAIN_START = regex.compile(r"[\"“(*_]{0,3}(?P<letter>\p{Ll})[\p{Ll}'’]*(?![\w.@/\\])")
_LIKE_A_COMMAND = regex.compile(r"\s-{1,2}\w|[|=<>{}$\\#]|;\s*$|\($|\A\S+\Z")


def restore_capitals(request: EditRequest) -> Edited:
    """Opens sentences with a capital and writes "I" large.

    Raises:
        NotApplicable: every sentence opens with a capital.
    """
    text = request.text
    verbatim = verbatim_ranges(text)
    changes: list[Replacement] = []
    for unit in sentences(text):
        start = _PLAIN_START.match(text, unit.core_start, unit.core_end)
        command = _LIKE_A_COMMAND.search(unit.core(text))
        free = not command and not verbatim.touches(*start.span()) if start else False
        if start and free and _opens_sentence(text, unit):
            changes.append((*start.span("letter"), start["letter"].upper()))
    if looks_english(text):
        at_start = {start for start, *_ in changes}
        changes += [
            (*match.span(), "I")
            for match in _LONE_I.finditer(text)
            if match.start() not in at_start and not verbatim.touches(*match.span())
        ]
    if not changes:
        raise NotApplicable("Every sentence opens with a capital.")
    noun = "capital" if len(changes) == 1 else "capitals"
    return Edited(replace_ranges(text, changes), f"{len(changes)} {noun} put in")


def _opens_sentence(text: str, unit: Segment) -> bool:
    """Whether prose starts here, not the next line of a verse or the rest of a broken sentence."""
    before = text[: unit.core_start].rstrip(" \t")
    if before and before[-1] in "\r\n":
        starts = before.count("\n", len(before.rstrip())) != 1
    else:
        starts = not before or before.rstrip("\"”'’)*_")[-1:] in (".", "!", "?")
    return unit.kind == "prose" and starts


_UNFINISHED: Final = FUNCTION_WORDS - word_set(
    "again all also always another before both down even here how it itself less more most much"
    " neither never no none nothing now off often once one other others over out ours quite rather"
    " same so some something sometimes soon still such that then there this those though through"
    " together too up us very way ways well why within without yes yet you yours yourself me him"
    " her hers mine them they these"
)
_LETTER_LAST = regex.compile(r"(?s).*[\p{L}\p{N})%°\"”'’*_`]")


def finish(request: EditRequest) -> Edited:
    """Sets the full stop that the last sentence lacks, or closes a code block left open.

    Only where the text is one sentence: a longer text without its last full stop was more often
    cut off, and a full stop would mend nothing.

    Raises:
        NotApplicable: the text ends as it should, or with words after which more has to come.
    """
    text = request.text
    body = text.rstrip()
    if _open_fence(body):
        return Edited(f"{body}\n{_open_fence(body)}{text[len(body) :]}", "the code block closed")
    last = sentences(body)[-1]
    core = last.core(body)
    found = [word.core(core).lower() for word in words(core) if word.kind == "word"]
    lone = len(sentences(body)) == 1 and last.kind == "prose" and len(found) >= _FEWEST_WORDS
    if not lone or not _LETTER_LAST.fullmatch(core) or _ends_inside(body):
        raise NotApplicable("The text is not one sentence that lacks its full stop.")
    if found[-1] in _UNFINISHED:
        raise NotApplicable(f"The last sentence is not finished: it ends with {found[-1]}.")
    mark = next((m for m in "。。" if regex.search(r"[\p{Han}\p{Hiragana}]", core)), ".")
    return Edited(f"{body}{mark}{text[len(body) :]}", "a full stop set")


def _open_fence(text: str) -> str:
    """The mark that would close the code block left open at the end, or the empty text."""
    ranges = fenced_ranges(text)
    if not ranges or ranges[-1][1] != len(text):
        return ""
    block = text[slice(*ranges[-1])]
    lines = [block[slice(*line)].strip() for line in line_ranges(block)]
    fence = regex.match(r"`{3,}|~{3,}", lines[0])
    mark = fence.group() if fence else "```"
    closed = len(lines) > 1 and set(lines[-1]) == {mark[0]} and len(lines[-1]) >= len(mark)
    return "" if closed or not "".join(lines[1:]) else mark


def _ends_inside(body: str) -> bool:
    """Whether code, a link or a formula ends the text, or a quotation that has its full stop."""
    verbatim = verbatim_ranges(body, ("code", "link", "formula"))
    stop = len(body) - len(body.rstrip("\"”'’*_)"))
    quoted = stop > 0 and body[len(body) - stop - 1 :][:1] in ".!?…"
    return quoted or verbatim.touches(len(body) - 1, len(body))


_KNOWN_WORD = regex.compile(r"(?<![\w'’\-.@/\\&])\p{L}{3,}(?![\w'’\-@/\\]|\.\w)")


def correct_spelling(request: EditRequest) -> Edited:
    """Corrects common misspellings that are no words of their own.

    Raises:
        NotApplicable: none of the known misspellings is there.
    """
    text = request.text
    verbatim = verbatim_ranges(text)
    changes = [
        (*match.span(), in_the_style_of(match.group(), MISSPELLINGS[match.group().lower()]))
        for match in _KNOWN_WORD.finditer(text)
        if match.group().lower() in MISSPELLINGS and not verbatim.touches(*match.span())
    ]
    if not changes:
        raise NotApplicable("None of the common misspellings is in the text.")
    start, end, new = changes[0]
    note = f"{text[start:end]} became {new}"
    if len(changes) > 1:
        note += f", and {len(changes) - 1} more"
    return Edited(replace_ranges(text, changes), note)


# No more than two, and between words: wider gaps line something up.
_SPACES = regex.compile(
    r"(?<=[\p{L}\p{N},;:.!?])(?P<wide>[ ]{2})(?=[\p{L}\p{N}])"
    r"|(?<=[\p{L}\p{N})])(?P<before>[ ]{1,2})(?=,(?:\s|$)|\.(?:\s+\p{Lu}|\s*$))"
    r"|(?<=\p{Ll}[,;])(?P<none>)(?=\p{L})"
)


def tidy_spaces(request: EditRequest) -> Edited:
    """Removes doubled spaces and spaces before punctuation, and sets those missing after commas.

    Raises:
        NotApplicable: the spaces of the prose are in order, or it is no English, where other rules
            may hold.
    """
    text = request.text
    if not looks_english(text):
        raise NotApplicable("The text is not in English, whose rules of spacing these are.")
    verbatim, markers = verbatim_ranges(text), list_markers(text)
    tables = [(u.start, u.end) for u in sentences(text) if u.kind == "table"]
    changes: list[Replacement] = []
    for match in _SPACES.finditer(text):
        start, end = match.span()
        inside = verbatim.touches(start - 1, end + 1) or markers.touches(start, end)
        if inside or any(begin <= start < stop for begin, stop in tables):
            continue
        if match["none"] is not None and not _has_spaced_comma(text, start):
            continue
        changes.append((start, end, "" if match["before"] else " "))
    if not changes:
        raise NotApplicable("The spaces between words and marks are in order.")
    noun = "space" if len(changes) == 1 else "spaces"
    return Edited(replace_ranges(text, changes), f"{len(changes)} {noun} put right")


def _has_spaced_comma(text: str, at: int) -> bool:
    """Whether a comma or semicolon on this line has its space: otherwise it may hold a table."""
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    return ", " in line or "; " in line


PERTURBATIONS = (
    Perturbation(
        name="remove-repetition",
        title="Remove doubled words",
        group="raise",
        description="Removes words and sentences that stand twice in a row.",
        target="response",
        edit=remove_repetition,
    ),
    Perturbation(
        name="restore-capitals",
        title="Restore capitals",
        group="raise",
        description="Opens each sentence with a capital and writes I large.",
        target="response",
        edit=restore_capitals,
    ),
    Perturbation(
        name="finish",
        title="Set the last full stop",
        group="raise",
        description="Sets the full stop that the last sentence lacks, or closes the code block.",
        target="response",
        edit=finish,
    ),
    Perturbation(
        name="correct-spelling",
        title="Correct misspellings",
        group="raise",
        description="Corrects common misspellings.",
        target="response",
        edit=correct_spelling,
    ),
    Perturbation(
        name="tidy-spaces",
        title="Tidy the spaces",
        group="raise",
        description="Removes doubled spaces and spaces before punctuation.",
        target="response",
        edit=tidy_spaces,
    ),
)
