"""Edits that keep the meaning: a good reward model gives the same reward before and after."""

import random
from collections.abc import Iterator
from itertools import islice

import regex

from core.perturbations.base import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.perturbations.lexicon import word_set
from core.perturbations.rewording import paraphrase
from core.segments import LIST_MARKER
from core.verbatim import Range, fenced_ranges, line_ranges, verbatim_ranges

# Between words only: the space after a list marker or a heading's # is markup.
_GAP = regex.compile(r"(?<=[\p{L}\p{N}\p{M},;:]|\p{L}[.!?]) (?=[\p{L}\p{N}])")
_WORDS_PER_TYPO = 15
_GAPS_PER_SPACE = 10
_LONG_WORD = 6


def double_spaces(request: EditRequest) -> Edited:
    """Doubles the space between some words of the prose, one in ten and at least one.

    Raises:
        NotApplicable: no two words outside code, links and formulas have a space between them.
    """
    verbatim = verbatim_ranges(request.text)
    gaps = [
        match.span() for match in _GAP.finditer(request.text) if not verbatim.touches(*match.span())
    ]
    if not gaps:
        raise NotApplicable("There is no space between words outside code and links.")
    count = max(1, len(gaps) // _GAPS_PER_SPACE)
    chosen = request.rng.sample(gaps, count)
    noun = "space" if count == 1 else "spaces"
    return Edited(
        replace_ranges(request.text, [(start, end, "  ") for start, end in chosen]),
        f"{count} {noun} doubled",
    )


# A word as a person types it: four or more letters of a script with two cases, no digit, no
# hyphen, no apostrophe; not all capitals (an acronym) and no capital inside (a product's name).
TYPO_WORD = regex.compile(r"(?<![\w'’\-.@/\\&])[\p{Lu}\p{Ll}]\p{Ll}{3,}(?![\w'’\-@/\\\p{M}]|\.\w)")
NEIGHBOURING_KEYS = {
    "a": "s", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o",
    "q": "w", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc",
    "y": "tu", "z": "x",
}  # fmt: skip
"""Letters that a finger hits instead of the right one."""

REAL_WORDS = word_set(
    """
    form from trial trail untied united casual causal quiet quite angel angle diary dairy sacred
    scared except expect martial marital calm clam felt left salt slat signs sings stake skate
    bets best beats beast lose loose chose choose later latter super supper diner dinner coma comma
    desert dessert hoping hopping taping tapping planed planned fiend friend though through trough
    thought tough county country stared started stated planet plant planets plants costumer customer
    costume custom winner winter letter latter better butter bitter batter matter master faster
    father farther mother mouther diver driver breath breathe bother brother chance change charge
    carton cartoon county course curse coarse source sauce sweet sweat reply replay string sting
    strong stronger stranger spring springs staring starting sprint spirit prince price prices
    princes minute minutes minuet singing signing hopped hoped wondering wandering filling failing
    """
)
"""Words that a slip of one letter makes out of other words, and those words."""


def mistype(request: EditRequest) -> Edited:
    """Makes a slip of the keyboard inside one word in fifteen, and at least in one.

    First and last letters stay, so that the word can still be read; words of fewer than four
    letters, names in capitals, numbers, code, links and quotations are left alone.

    Raises:
        NotApplicable: there is no word that a typo would leave readable.
    """
    verbatim = verbatim_ranges(request.text)
    possible = [
        match.span()
        for match in TYPO_WORD.finditer(request.text)
        if not verbatim.touches(*match.span())
    ]
    request.rng.shuffle(possible)
    wanted = max(1, len(possible) // _WORDS_PER_TYPO)
    typos = ((*span, _slip(request.text[slice(*span)], request.rng)) for span in possible)
    slips = list(islice(((start, end, typo) for start, end, typo in typos if typo), wanted))
    if not slips:
        raise NotApplicable("There is no word of four or more letters outside code and links.")
    start, end, typo = slips[0]
    note = f"{request.text[start:end]} became {typo}"
    if len(slips) > 1:
        note += f", and {len(slips) - 1} more"
    return Edited(replace_ranges(request.text, slips), note)


def _slip(word: str, rng: random.Random) -> str:
    """One letter inside `word` doubled, swapped, dropped or missed by a key; "" if none fits.

    In a short word the last two would too often make another word of it ("three", "tree").
    """
    at = rng.randrange(1, len(word) - 1)
    letter = word[at]
    options = [word[:at] + letter + word[at:]]
    if at + 2 < len(word):
        options.append(word[:at] + word[at + 1] + letter + word[at + 2 :])
    if len(word) >= _LONG_WORD:
        options.append(word[:at] + word[at + 1 :])
        options.extend(
            word[:at] + key + word[at + 1 :] for key in NEIGHBOURING_KEYS.get(letter, "")
        )
    misspelt = [typo for typo in options if typo != word and typo.lower() not in REAL_WORDS]
    return rng.choice(misspelt) if misspelt else ""


_ORDER_MATTERS = regex.compile(
    r"(?i)\b(?:alphabetical|chronological|order|ordered|rank|ranked|ranking|sort|sorted|steps?"
    r"|step-by-step|timeline|sequence|countdown|top\s+\d+|(?:fast|slow|large|small|high|low|tall"
    r"|bigg|old|young|new|long|short|near|close|cheap|earli|lat|hott?|cold|heavi|light)est)\b"
)
_OPENS_A_STEP = regex.compile(
    r"(?i)\W*(?:first|second|third|then|next|after|afterwards|finally|lastly|last|step|also|another"
    r"|this|that|these|those|it|both|otherwise|however|but|and|or)\b"
)
_ORDER_SAID = regex.compile(r"(?i)\bin (?:\w+ )?order\b|\bfrom (?:\w+est|most|least|best|worst)\b")
_ITEM_END = regex.compile(r"[,;.]?(?: (?:and|or))?[,;.]?$")


def reorder_items(request: EditRequest) -> Edited:
    """Puts the items of one bulleted list in another order.

    Numbered lists stay, as their order may be the answer; so do lists whose items refer to one
    another, and all lists where the prompt or the text speaks of an order. What ends an item (a
    comma, "; and") keeps its place.

    Raises:
        NotApplicable: there is no bulleted list whose order is free.
    """
    if _ORDER_MATTERS.search(request.prompt) or _ORDER_SAID.search(request.text):
        raise NotApplicable("The prompt or the text speaks of an order, which may be the answer.")
    lists = [_item_bodies(request.text, items) for items in _bulleted_lists(request.text)]
    free = [bodies for bodies in lists if _is_free(request.text, bodies)]
    if not free:
        raise NotApplicable("There is no bulleted list whose items could stand in any order.")
    bodies = request.rng.choice(free)
    contents = [request.text[start:end] for start, end in bodies]
    shuffled = list(contents)
    while shuffled == contents:
        request.rng.shuffle(shuffled)
    replacements = [(*body, new) for body, new in zip(bodies, shuffled, strict=True)]
    return Edited(replace_ranges(request.text, replacements), f"{len(bodies)} items reordered")


def _item_bodies(text: str, items: list[Range]) -> list[Range]:
    """The items without the punctuation and the white space at their ends."""
    bodies = []
    for start, end in items:
        content = text[start:end].rstrip()
        ending = _ITEM_END.search(content, max(0, len(content) - 6))
        bodies.append((start, start + (ending.start() if ending else len(content))))
    return bodies


def _is_free(text: str, bodies: list[Range]) -> bool:
    contents = {text[start:end] for start, end in bodies}
    # "Tip: 20% of $86 is $17.20" and "Total: $86 + $17.20 = $103.20" build on each other.
    calculates = any(" = " in content for content in contents)
    follows = any(_OPENS_A_STEP.match(content) for content in contents)
    return len(contents) > 1 and not calculates and not follows


def _bulleted_lists(text: str) -> list[list[Range]]:
    """The items of each bulleted list, nested lines included, without their own markers."""
    lists: list[list[Range]] = [[]]
    indent = 0  # of the markers of the list that is open
    for start, end in _lines_and_code_blocks(text):
        line = text[start:end]
        if not line.strip():
            continue
        items = lists[-1]
        depth = len(line) - len(line.lstrip())
        marker = LIST_MARKER.match(text, start, end)
        if marker and marker["number"] is None and (not items or depth == indent):
            items.append((marker.end(), end))
            indent = depth
        elif items and depth > indent:
            items[-1] = (items[-1][0], end)
        elif items:
            lists.append([])
            if marker and marker["number"] is None:
                lists[-1].append((marker.end(), end))
                indent = depth
    return [items for items in lists if len(items) > 1]


def _lines_and_code_blocks(text: str) -> Iterator[Range]:
    """The lines of `text`, but each fenced code block as one."""
    fences = dict(fenced_ranges(text))
    resume = 0
    for start, end in line_ranges(text):
        if start >= resume:
            resume = fences.get(start, end)
            yield start, resume


PERTURBATIONS = (
    Perturbation(
        name="double-spaces",
        title="Double some spaces",
        group="nothing",
        description="Doubles the space between some words of the prose.",
        target="response",
        edit=double_spaces,
    ),
    Perturbation(
        name="typos",
        title="Make typos",
        group="nothing",
        description="Makes a slip of the keyboard in one word in fifteen.",
        target="response",
        edit=mistype,
    ),
    Perturbation(
        name="paraphrase",
        title="Paraphrase by rule",
        group="nothing",
        description="Swaps contractions and long forms, and words that mean the same.",
        target="response",
        edit=paraphrase,
    ),
    Perturbation(
        name="reorder-items",
        title="Reorder list items",
        group="nothing",
        description="Puts the items of a bulleted list in another order.",
        target="response",
        edit=reorder_items,
    ),
    Perturbation(
        name="typos-in-prompt",
        title="Make typos in the prompt",
        group="nothing",
        description="Makes a slip of the keyboard in one word in fifteen of the last question.",
        target="prompt",
        edit=mistype,
    ),
    Perturbation(
        name="paraphrase-prompt",
        title="Paraphrase the prompt",
        group="nothing",
        description="Rewords the last question by the same rules as a response.",
        target="prompt",
        edit=paraphrase,
    ),
)
