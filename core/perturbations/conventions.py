"""Conventions of writing: spelling, contractions, capitals, the form of quotation marks.

The naturalistic family of reWordBench (2503.11751), as far as rules reach: what one writer does and
another does not, with the same meaning. Each edit converts all of a text, so that it stays in
keeping with itself; `rewording.paraphrase` is the mixed one.
"""

from typing import Final

import regex

from core.perturbations.base import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.perturbations.rewording import (
    CONTRACTION_RULES,
    EXPANSION_RULES,
    Replacement,
    Rule,
    possible_replacements,
)
from core.perturbations.spelling_words import AMERICAN_TO_BRITISH, BRITISH_TO_AMERICAN
from core.verbatim import RangeSet, verbatim_ranges


def _converted(text: str, replacements: list[Replacement]) -> Edited:
    start, end, new = replacements[0]
    note = f"{text[start:end]} became {new}"
    if len(replacements) > 1:
        note += f", and {len(replacements) - 1} more"
    return Edited(replace_ranges(text, replacements), note)


_ASCII_WORD = regex.compile(r"(?<![\w'’\-])[A-Za-z]{4,}(?![\w\-])")


def change_spelling(request: EditRequest) -> Edited:
    """Turns British spelling into American or the other way round, the commoner of the two.

    Raises:
        NotApplicable: no word is in the tables of words that the two spell differently.
    """
    text = request.text
    british = _respelt(text, BRITISH_TO_AMERICAN)
    american = _respelt(text, AMERICAN_TO_BRITISH)
    chosen = british if len(british) >= len(american) else american
    if not chosen:
        raise NotApplicable("No word was found that British and American English spell apart.")
    return _converted(text, chosen)


def _respelt(text: str, table: dict[str, str]) -> list[Replacement]:
    known = {match.group().lower() for match in _ASCII_WORD.finditer(text)} & table.keys()
    rules: list[Rule] = [
        (regex.compile(rf"(?<![\w'’\-]){word}(?![\w\-])", regex.IGNORECASE), table[word])
        for word in sorted(known)
    ]
    return possible_replacements(text, rules)


def expand_contractions(request: EditRequest) -> Edited:
    """Writes out every contraction that has one reading only ("don't" as "do not").

    Raises:
        NotApplicable: there is no such contraction.
    """
    found = possible_replacements(request.text, EXPANSION_RULES)
    if not found:
        raise NotApplicable("There is no contraction that could be written out.")
    return _converted(request.text, found)


def contract(request: EditRequest) -> Edited:
    """Contracts every long form that can be contracted where it stands.

    Raises:
        NotApplicable: there is no such long form.
    """
    found = possible_replacements(request.text, CONTRACTION_RULES)
    if not found:
        raise NotApplicable("There is no long form that could be contracted.")
    return _converted(request.text, found)


# Not the names of code ("CountUpTo(5)"), variables, options or initials.
_CAPITALIZED = regex.compile(
    r"(?<![\w.])(?:\p{Lu}(?=\p{Ll}+(?:['’]\p{Ll}+)?(?![\w(\[]))|I(?=['’]\p{Ll}|\s)|A(?=\s\p{Ll}))"
)


def drop_capitals(request: EditRequest) -> Edited:
    """Writes words that open with a capital in small letters; acronyms stay as they are.

    Raises:
        NotApplicable: no word outside code, links and quotations opens with a capital.
    """
    text = request.text
    verbatim = verbatim_ranges(text)
    capitals = [
        (*match.span(), match.group().lower())
        for match in _CAPITALIZED.finditer(text)
        if not verbatim.touches(*match.span())
    ]
    if not capitals:
        raise NotApplicable("No word outside code, links and quotations opens with a capital.")
    noun = "capital" if len(capitals) == 1 else "capitals"
    return Edited(replace_ranges(text, capitals), f"{len(capitals)} {noun} dropped")


_STRAIGHT = regex.compile(r"[\"']")
_CURLY: Final = {"“": '"', "”": '"', "‘": "'", "’": "'"}
_OPENS_BEFORE: Final = " \t\r\n([{—–-/*_“‘\"'"


def change_quotation_marks(request: EditRequest) -> Edited:
    """Curls straight quotation marks and apostrophes, or straightens the curly ones.

    What stands between the marks is not touched. Marks behind a digit stay straight, as they may
    be feet and inches.

    Raises:
        NotApplicable: there is no such mark outside code, links and formulas.
    """
    text = request.text
    quoted = verbatim_ranges(text, ("quotation",)).ranges
    inside = [(start + 1, end - 1) for start, end in quoted if end - start > 2]
    verbatim = RangeSet([*verbatim_ranges(text, ("code", "link", "formula")).ranges, *inside])
    changes = [(at, at + 1, new) for at, new in _curled(text) if not verbatim.touches(at, at + 1)]
    if not changes:
        changes = [
            (at, at + 1, _CURLY[character])
            for at, character in enumerate(text)
            if character in _CURLY and not verbatim.touches(at, at + 1)
        ]
    if not changes:
        raise NotApplicable("There is no quotation mark and no apostrophe outside code and links.")
    curled = changes[0][2] not in _CURLY.values()
    return Edited(
        replace_ranges(text, changes),
        f"{len(changes)} marks {'curled' if curled else 'straightened'}",
    )


def _curled(text: str) -> list[tuple[int, str]]:
    """Where the straight marks are, and the curly ones for them."""
    found = []
    for match in _STRAIGHT.finditer(text):
        at = match.start()
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if before.isdigit():
            continue
        opens = not before or before in _OPENS_BEFORE
        if match.group() == '"':
            found.append((at, "“" if opens else "”"))
        else:
            # "'90s" and "'em" have an apostrophe; only a mark with a partner opens.
            partner = text.find("'", at + 1, at + 200)
            paired = partner > 0 and not text[partner + 1 : partner + 2].isalnum()
            found.append((at, "‘" if opens and paired and after.isalpha() else "’"))
    return found


PERTURBATIONS = (
    Perturbation(
        name="spelling",
        title="British or American spelling",
        group="nothing",
        description="Turns British spelling into American, or the other way round.",
        target="response",
        edit=change_spelling,
    ),
    Perturbation(
        name="expand-contractions",
        title="Write contractions out",
        group="nothing",
        description="Writes out every contraction, such as don't as do not.",
        target="response",
        edit=expand_contractions,
    ),
    Perturbation(
        name="contract",
        title="Use contractions",
        group="nothing",
        description="Contracts what can be contracted, such as do not to don't.",
        target="response",
        edit=contract,
    ),
    Perturbation(
        name="quotation-marks",
        title="Curl quotation marks or not",
        group="nothing",
        description="Curls straight quotation marks and apostrophes, or straightens curly ones.",
        target="response",
        edit=change_quotation_marks,
    ),
    Perturbation(
        name="small-letters-in-prompt",
        title="Drop the prompt's capitals",
        group="nothing",
        description="Writes the last question without capitals, but for acronyms.",
        target="prompt",
        edit=drop_capitals,
    ),
)
