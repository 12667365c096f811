"""Swapping who a conversation is about: given names, and gender with its pronouns.

A swap goes through all turns alike or is not made: a name inside a quotation or code, a known
person, or words that hold for one sex only are reasons to leave the conversation as it is. Names
map one to one whatever else is said, so that both responses of a pair get the same person.
"""

import random
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import regex

from core.perturbations.base import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.perturbations.demographic_terms import GENDER_PAIRS, NAME_SETS, ONLY_ONE_WAY, Gender
from core.perturbations.lexicon import FUNCTION_WORDS, looks_english, word_set
from core.perturbations.negation_words import IMPERATIVES, IMPERATIVES_OR_NOUNS
from core.perturbations.rewording import Replacement
from core.verbatim import verbatim_ranges

_GENDERS: Final[tuple[Gender, Gender]] = ("female", "male")
_ALL_NAMES: Final = sorted(
    (name for rows in NAME_SETS.values() for row in rows.values() for name in row), key=len
)[::-1]
_NAME: Final = regex.compile(rf"(?<![\w\-.@/])(?:{'|'.join(_ALL_NAMES)})(?![\w\-@]|\.\w)")
_SURNAME_AFTER: Final = regex.compile(r"[ \t]+(?:(?:van|von|de|bin|al)[ \t]+)?\p{Lu}\p{Ll}")
_WORD_BEFORE: Final = regex.compile(r"(?P<word>\p{Lu}\p{Ll}+)\.?[ \t]$")
_MAY_STAND_BEFORE: Final = (
    FUNCTION_WORDS
    | IMPERATIVES
    | IMPERATIVES_OR_NOUNS
    | word_set("hi hello hey dear thanks sorry yesterday today tomorrow help invite meet")
)
"""Words with a capital that can open a sentence before a name; others belong to it ("Bloody")."""

_ABOUT_THE_WORD: Final = regex.compile(
    r"(?i)\b(?:letters?|rhym\p{L}+|alphabetical|anagram|acrostic|pronounce\p{L}*|spell(?:ed|ing)?"
    r"|meaning of the name|name mean|palindrome|initials?)\b"
)


def swap_names(request: EditRequest) -> Edited:
    """Gives the people of a conversation names that are common elsewhere, of the same gender.

    Raises:
        NotApplicable: nobody of the known given names is mentioned, or the swap could not be
            consistent: a name with a surname, inside code or a quotation, or itself the topic.
    """
    if not any(_NAME.search(turn) for turn in request.conversation):
        raise NotApplicable("None of the given names of the swap sets is mentioned.")
    _require_free_names(request)
    step = request.rng.randrange(1, len(NAME_SETS))
    return _swapped(request, dict(_names_elsewhere(step)))


def _names_elsewhere(step: int) -> Iterator[tuple[str, str]]:
    """Each name with the one that stands at its place `step` sets further on."""
    sets = list(NAME_SETS.values())
    for at, rows in enumerate(sets):
        for gender in _GENDERS:
            yield from zip(rows[gender], sets[(at + step) % len(sets)][gender], strict=True)


def _require_free_names(request: EditRequest) -> None:
    for turn in request.conversation:
        verbatim = verbatim_ranges(turn)
        mentions = list(_NAME.finditer(turn))
        if mentions and _ABOUT_THE_WORD.search(turn):
            raise NotApplicable("The conversation is about words or letters, maybe of the name.")
        for mention in mentions:
            if _is_part_of_a_name(turn, mention):
                raise NotApplicable(f"{mention.group()} may be a known person.")
            if verbatim.touches(*mention.span()):
                raise NotApplicable(f"{mention.group()} stands in code, a link or a quotation.")


def _is_part_of_a_name(turn: str, mention: "regex.Match[str]") -> bool:
    """Whether a surname follows, or a title or another name stands before."""
    if _SURNAME_AFTER.match(turn, mention.end()):
        return True
    before = _WORD_BEFORE.search(turn[max(0, mention.start() - 20) : mention.start()])
    word = before["word"].lower() if before else "the"
    return word not in _MAY_STAND_BEFORE and word not in _SWAPS


def _swapped(request: EditRequest, names: Mapping[str, str]) -> Edited:
    """The turn with its names replaced, and a note on the first of them."""
    changes: list[Replacement] = [
        (*mention.span(), names[mention.group()]) for mention in _NAME.finditer(request.text)
    ]
    if not changes:
        raise NotApplicable("None of the given names of the swap sets is mentioned.")
    start, end, new = changes[0]
    return Edited(replace_ranges(request.text, changes), f"{request.text[start:end]} became {new}")


_SWAPS: Final = {
    **dict(GENDER_PAIRS),
    **{female: male for male, female in GENDER_PAIRS},
    "mrs": "mr",
    **ONLY_ONE_WAY,
}
_DEPENDENT: Final = word_set("him his her hers")
_GENDER_WORD: Final = regex.compile(
    rf"(?i)(?<![\w'’\-@/.])(?:{'|'.join(sorted([*_SWAPS, *_DEPENDENT], key=len, reverse=True))})"
    r"(?![\w\-@]|['’](?!s\b|ll\b|d\b))"
)
_ONE_SEX_ONLY: Final = regex.compile(
    r"(?i)\b(?:pregnan\p{L}+|menstrua\p{L}+|menopaus\p{L}+|prostat\p{L}+|breast\p{L}*|uter\p{L}+"
    r"|ovar\p{L}+|testic\p{L}+|penis|vagin\p{L}+|sperm\p{L}*|beard\p{L}*|gyn(?:a)?ecolog\p{L}+"
    r"|feminis\p{L}+|misogyn\p{L}+|patriarch\p{L}+|gender\p{L}*|sexes|sexual\p{L}*|transgender|masculine|feminine"
    r"|pronouns?|spanish|french|italian|portuguese"
    r"|gay|lesbian|maternity|paternity|queen|king|prince|princess|goddess|god|lord)\b"
)
_NEXT_WORD: Final = regex.compile(r"[ \t]+(?P<word>[\p{L}'’]+)")
_CLOSES_OBJECT: Final = FUNCTION_WORDS - word_set("own least other whole few many more most")
"""After one of these "her" was an object ("told her that"), not a possessive ("her other")."""

_FOLLOWS_OBJECT: Final = word_set(
    "again today tomorrow yesterday tonight home directly immediately later first back alone away"
    " everything anything something nothing everyone be know feel think understand want need cry"
    " laugh smile settle go come see get take try happy sad angry upset comfortable calm realize"
)
_LET_BEFORE: Final = regex.compile(r"(?i)\b(?:let|lets|letting)\s+$")
_NO_PERSON: Final = word_set(
    "the a an in on at if when while after before this that these those it its i you he she we they"
    " my your his her our their and but or so then what why how where who which is are was were do"
    " does did can could will would should yes no please dear new old york north south east west"
    " united states kingdom january february march april may june july august september october"
    " november december monday tuesday wednesday thursday friday saturday sunday mr mrs ms dr"
)
_FULL_NAME: Final = regex.compile(
    r"(?<![.!?:]\s)(?<=\S[ \t])(?P<first>\p{Lu}\p{Ll}+)[ \t]+(?P<last>\p{Lu}\p{Ll}+)"
    r"|(?P<first>\p{Lu}\p{Ll}+)[ \t]+(?P<last>\p{Lu}\p{Ll}+)"
)


def swap_gender(request: EditRequest) -> Edited:
    """Swaps men and women: pronouns, nouns, forms of address and given names, in all turns.

    "Her" becomes "his" before a noun and "him" elsewhere, which a rule gets right only mostly.

    Raises:
        NotApplicable: nobody's gender is told, or it could not be swapped without changing what is
            true: a known person, words that hold for one sex only, quotations.
    """
    conversation = request.conversation
    told = any(_GENDER_WORD.search(turn) or _NAME.search(turn) for turn in conversation)
    if not told or not all(map(looks_english, conversation)):
        raise NotApplicable("No English word or known name tells anybody's gender.")
    for turn in conversation:
        _require_any_gender(turn)
    changes = _gender_changes(request.text)
    if not changes:
        raise NotApplicable("No English word or known name tells anybody's gender.")
    start, end, new = changes[0]
    note = f"{request.text[start:end]} became {new}"
    return Edited(replace_ranges(request.text, changes), note)


def _require_any_gender(turn: str) -> None:
    """Raises where what is said would not hold for the other gender, or could not be changed."""
    only = _ONE_SEX_ONLY.search(turn)
    if only:
        raise NotApplicable(f"What is said may hold for one sex only ({only.group()}).")
    for found in _FULL_NAME.finditer(turn, overlapped=True):
        parts = {found["first"].lower(), found["last"].lower()}
        ordinary = parts & _NO_PERSON or found["first"].lower() in _MAY_STAND_BEFORE
        if not ordinary and not parts <= _SWAPS.keys():
            raise NotApplicable(f"{found['first']} {found['last']} may be a known person.")
    verbatim = verbatim_ranges(turn)
    for pattern in (_GENDER_WORD, _NAME):
        for word in pattern.finditer(turn):
            if verbatim.touches(*word.span()):
                raise NotApplicable(f"{word.group()} stands in code, a link or a quotation.")


@lru_cache(maxsize=1)
def _names_of_other_gender() -> dict[str, str]:
    pairs = [
        pair
        for rows in NAME_SETS.values()
        for pair in zip(rows["female"], rows["male"], strict=True)
    ]
    return {**dict(pairs), **{male: female for female, male in pairs}}


def _gender_changes(turn: str) -> list[Replacement]:
    changes = [
        (*word.span(), _in_case(word.group(), _counterpart(turn, word)))
        for word in _GENDER_WORD.finditer(turn)
    ]
    changes += [
        (*name.span(), _names_of_other_gender()[name.group()]) for name in _NAME.finditer(turn)
    ]
    return sorted(changes)


def _counterpart(turn: str, found: "regex.Match[str]") -> str:
    word = found.group().lower()
    if word not in _DEPENDENT:
        return _SWAPS[word]
    if word in ("him", "hers"):
        return "her" if word == "him" else "his"
    following = _NEXT_WORD.match(turn, found.end())
    after = following["word"].lower() if following else ""
    let = _LET_BEFORE.search(turn[max(0, found.start() - 12) : found.start()]) is not None
    possessive = bool(after) and not let and after not in _CLOSES_OBJECT | _FOLLOWS_OBJECT
    if word == "her":
        return "his" if possessive else "him"
    return "her" if possessive else "hers"


def _in_case(old: str, new: str) -> str:
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new.capitalize() if old[0].isupper() else new


def mentions_of_people(text: str) -> Iterator[tuple[int, int]]:
    """Ranges of the given names and of the words that tell a gender."""
    for pattern in (_GENDER_WORD, _NAME):
        for found in pattern.finditer(text):
            yield found.span()


def random_name(gender: Gender, rng: random.Random) -> str:
    """A given name of any of the sets."""
    return rng.choice([name for rows in NAME_SETS.values() for name in rows[gender]])


PERTURBATIONS = (
    Perturbation(
        name="swap-names",
        title="Swap given names",
        group="nothing",
        description="Gives people names of the same gender that are common elsewhere.",
        target="conversation",
        edit=swap_names,
    ),
    Perturbation(
        name="swap-gender",
        title="Swap men and women",
        group="nothing",
        description="Swaps pronouns, nouns and names of men and women in all turns.",
        target="conversation",
        edit=swap_gender,
    ),
)
