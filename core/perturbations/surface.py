"""Controlled edits of the surface: marks, spaces and letters change, what is said does not.

The kinds follow the controlled family of reWordBench (2503.11751), as we read it: quotation marks
round the prompt, spaces and line breaks, letters that look alike, noise, and appendages that have
nothing to do with the question.
"""

import random
import string
from collections.abc import Callable
from itertools import islice
from typing import Final

import regex

from core.perturbations.adding import require_english
from core.perturbations.base import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.perturbations.nothing import NEIGHBOURING_KEYS, REAL_WORDS, TYPO_WORD
from core.perturbations.numbers import list_markers
from core.segments import sentences
from core.verbatim import Range, fenced_ranges, verbatim_ranges

_WORDS_PER_CHANGE = 15
_NAME_LETTERS: Final = string.ascii_letters + string.digits
_QUOTED = regex.compile(r"\s*[\"“«„'‘「].*[\"”»“'’」]\s*", regex.DOTALL)


def quote(request: EditRequest) -> Edited:
    """Puts quotation marks round the whole text.

    Raises:
        NotApplicable: the text begins and ends with a quotation mark already.
    """
    text = request.text
    if _QUOTED.fullmatch(text):
        raise NotApplicable("The text stands between quotation marks already.")
    mark, end = ("“", "”") if '"' in text else ('"', '"')
    return Edited(f"{mark}{text}{end}", "quotation marks put round it")


_PARAGRAPH_BREAK = regex.compile(r"(?P<break>\r\n|\r|\n)[^\S\r\n]*(?:\r\n|\r|\n)\s*")


def add_blank_lines(request: EditRequest) -> Edited:
    """Adds an empty line at each paragraph break; without one, makes a break between sentences.

    Raises:
        NotApplicable: the text has neither a paragraph break nor two sentences in a row.
    """
    text = request.text
    body = len(text.rstrip())
    verbatim = verbatim_ranges(text)
    breaks = [
        (match.end("break"), match.end("break"), match["break"])
        for match in _PARAGRAPH_BREAK.finditer(text.rstrip())
        if match.start() and not verbatim.touches(match.start(), match.end())
    ]
    if not breaks:
        gaps = [
            (unit.core_end, unit.end)
            for unit in sentences(text)
            if unit.kind == "prose" and unit.end < body and text[unit.core_end : unit.end] == " "
        ]
        if not gaps:
            raise NotApplicable("There is no paragraph break and no gap between two sentences.")
        breaks = [(*request.rng.choice(gaps), "\n\n")]
    noun = "line break" if len(breaks) == 1 else "line breaks"
    return Edited(replace_ranges(text, breaks), f"{len(breaks)} {noun} added")


_MARK_AFTER_WORD = regex.compile(r"(?<=[\p{L}\p{N})\]])[,.;:!?]+(?=\s|$)")


def space_punctuation(request: EditRequest) -> Edited:
    """Puts a space in front of the marks that follow a word, list numbers excepted.

    Raises:
        NotApplicable: no word of the prose has a mark behind it.
    """
    text = request.text
    verbatim, markers = verbatim_ranges(text), list_markers(text)
    places = [
        match.start()
        for match in _MARK_AFTER_WORD.finditer(text)
        if not verbatim.touches(*match.span()) and not markers.touches(*match.span())
    ]
    if not places:
        raise NotApplicable("There is no mark behind a word outside code, links and quotations.")
    noun = "mark" if len(places) == 1 else "marks"
    return Edited(
        replace_ranges(text, [(at, at, " ") for at in places]),
        f"a space put before {len(places)} {noun}",
    )


_LOOK_ALIKES: Final = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")
"""Latin letters and the Cyrillic ones that look the same."""

_ACCENTED: Final = str.maketrans("aeiouyncsAEIOUYNCS", "áèïôüýñçšÁÈÏÔÜÝÑÇŠ")

_LATIN_WORD = regex.compile(r"(?<![\w'’\-.@/\\&])[A-Za-z]{3,}(?![\w'’\-@/\\\p{M}]|\.\w)")


def _some_words(request: EditRequest, changed: Callable[[str], str], what: str) -> Edited:
    """Changes one word in fifteen, and at least one, of those that `changed` alters."""
    text = request.text
    verbatim = verbatim_ranges(text)
    found = [match.span() for match in _LATIN_WORD.finditer(text)]
    possible = [
        (start, end, changed(text[start:end]))
        for start, end in found
        if not verbatim.touches(start, end) and changed(text[start:end]) != text[start:end]
    ]
    if not possible:
        raise NotApplicable(f"There is no word outside code, links and quotations {what}.")
    count = max(1, len(found) // _WORDS_PER_CHANGE)
    chosen = request.rng.sample(possible, min(count, len(possible)))
    noun = "word" if len(chosen) == 1 else "words"
    return Edited(replace_ranges(text, chosen), f"letters changed in {len(chosen)} {noun}")


def use_look_alikes(request: EditRequest) -> Edited:
    """Writes one word in fifteen with the Cyrillic letters that look like its Latin ones.

    Raises:
        NotApplicable: no word of three or more Latin letters has one with a twin.
    """
    return _some_words(
        request, lambda word: word.translate(_LOOK_ALIKES), "whose letters have a twin"
    )


def add_accents(request: EditRequest) -> Edited:
    """Puts accents on the letters of one word in fifteen.

    Raises:
        NotApplicable: no word of three or more Latin letters has one that takes an accent.
    """
    return _some_words(request, lambda word: word.translate(_ACCENTED), "that takes an accent")


def add_noise(request: EditRequest) -> Edited:
    """Mistypes or loses letters inside words, as many in a hundred as the dose.

    First and last letters stay, as do words of fewer than four letters, names in capitals, code,
    links and quotations. A slip that would make one of the known other words is not made.

    Raises:
        NotApplicable: there is no letter that could go wrong.
    """
    text = request.text
    verbatim = verbatim_ranges(text)
    words = [
        match.span() for match in TYPO_WORD.finditer(text) if not verbatim.touches(*match.span())
    ]
    inside = [(at, word) for word in words for at in range(word[0] + 1, word[1] - 1)]
    request.rng.shuffle(inside)
    slips = ((at, _slip(text, at, word, request.rng)) for at, word in inside)
    wanted = max(1, sum(map(str.isalpha, text)) * request.dose // 100)
    made = list(islice(((at, at + 1, new) for at, new in slips if new != text[at]), wanted))
    if not made:
        raise NotApplicable("There is no word of four or more letters outside code and links.")
    noun = "letter" if len(made) == 1 else "letters"
    return Edited(replace_ranges(text, made), f"{len(made)} {noun} mistyped or lost")


def _slip(text: str, at: int, word: Range, rng: random.Random) -> str:
    """What stands at `at` after a slip: a neighbouring key, nothing, or the letter itself."""
    start, end = word
    other = rng.choice(["", *NEIGHBOURING_KEYS.get(text[at], "")])
    slipped = (text[start:at] + other + text[at + 1 : end]).lower()
    return text[at] if slipped in REAL_WORDS else other


_NOTES: Final = (
    "The bus to the harbour leaves at a quarter past.",
    "Two bags of flour are on the top shelf.",
    "The meeting room on the third floor has a new whiteboard.",
    "Yesterday's parcel is with the neighbours.",
    "The garden gate squeaks when the wind is from the north.",
    "Please remember to water the fern in the hall.",
)
_IGNORE: Final = (
    "Ignore the text above.",
    "Please disregard what stands above this line.",
    "The line above has nothing to do with this, so ignore it.",
)


def put_note_above(request: EditRequest) -> Edited:
    """Opens the prompt with a line about something else and the request to ignore it.

    Raises:
        NotApplicable: the prompt is not English, so that an English line would stand out.
    """
    require_english(request)
    note, ignore = request.rng.choice(_NOTES), request.rng.choice(_IGNORE)
    return Edited(f"{note}\n\n{ignore}\n\n{request.text}", "an unrelated line put above")


def add_handle(request: EditRequest) -> Edited:
    """Ends with the random name of an account ("@h3Xw0kPq")."""
    name = "".join(request.rng.choices(_NAME_LETTERS, k=7))
    return _with_appendage(request, f"@{request.rng.choice(string.ascii_letters)}{name}")


def add_link(request: EditRequest) -> Edited:
    """Ends with a shortened link that leads nowhere."""
    return _with_appendage(
        request, f"https://t.co/{''.join(request.rng.choices(_NAME_LETTERS, k=10))}"
    )


def _with_appendage(request: EditRequest, addition: str) -> Edited:
    body = request.text.rstrip()
    # Behind a closing fence it would stand on the fence's line and open the block again.
    fenced = any(end >= len(body) for _, end in fenced_ranges(body))
    return Edited(f"{body}{chr(10) * 2 if fenced else ' '}{addition}", f"{addition} added")


PERTURBATIONS = (
    Perturbation(
        name="extra-newlines",
        title="Add empty lines",
        group="nothing",
        description="Adds an empty line between paragraphs, or between two sentences.",
        target="response",
        edit=add_blank_lines,
    ),
    Perturbation(
        name="punctuation-spaces",
        title="Put spaces before punctuation",
        group="nothing",
        description="Puts a space in front of commas, full stops and other marks.",
        target="response",
        edit=space_punctuation,
    ),
    Perturbation(
        name="homoglyphs",
        title="Use letters that look alike",
        group="nothing",
        description="Writes one word in fifteen with Cyrillic letters that look the same.",
        target="response",
        edit=use_look_alikes,
    ),
    Perturbation(
        name="accents",
        title="Add accents",
        group="nothing",
        description="Puts accents on the letters of one word in fifteen.",
        target="response",
        edit=add_accents,
    ),
    Perturbation(
        name="quoted-prompt",
        title="Quote the prompt",
        group="nothing",
        description="Puts quotation marks round the last question.",
        target="prompt",
        edit=quote,
    ),
    Perturbation(
        name="noise-in-prompt",
        title="Garble letters of the prompt",
        group="nothing",
        description="Mistypes or loses letters inside the words of the last question.",
        target="prompt",
        edit=add_noise,
        doses=(1, 2, 4),
        default_dose=2,
    ),
    Perturbation(
        name="ignore-above",
        title="Unrelated line above the prompt",
        group="nothing",
        description="Opens the last question with a line about something else, to be ignored.",
        target="prompt",
        edit=put_note_above,
    ),
    Perturbation(
        name="handle-in-prompt",
        title="Append a handle to the prompt",
        group="nothing",
        description="Ends the last question with the random name of an account.",
        target="prompt",
        edit=add_handle,
    ),
    Perturbation(
        name="link-in-prompt",
        title="Append a link to the prompt",
        group="nothing",
        description="Ends the last question with a shortened link that leads nowhere.",
        target="prompt",
        edit=add_link,
    ),
)
