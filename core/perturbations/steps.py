"""Steps of a piece of reasoning or of a procedure: leaving one out, telling two in the wrong order.

"Reward models identify consistency, not causality" (2502.14619) reports that breaks in the flow of
a solution move rewards more than a missing question does; these two make such breaks by rule.
"""

import itertools
from collections.abc import Sequence

import regex

from core.perturbations.base import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.perturbations.lower import shortened, without_unit
from core.perturbations.negation_words import IMPERATIVES, IMPERATIVES_OR_NOUNS
from core.segments import LIST_MARKER, Segment, item_content, sentences, words
from core.verbatim import Range, RangeSet, verbatim_ranges

_FEWEST_STEPS = 2
_FEWEST_WORDS = 3
_SHORTEST_SOLUTION = 3

# A sentence that calculates, or that says how it hangs together with the one before.
_CALCULATES = regex.compile(
    r"[\w)}\]%€£$.]\s*(?:[=≈]|\\approx|\bequals\b|\bmakes\b)\s*[\w({\[\\€£$-]"
)
_OPENS_A_STEP = regex.compile(
    r"(?i)\W*(?:first|firstly|second|secondly|third|thirdly|then|next|after(?:wards?|\s+that)|finally"
    r"|lastly|step\s+\d+|so|thus|therefore|hence|now|start|begin|from\s+(?:this|that|here)|since"
    r"|because|substitut\p{L}+|multipl\p{L}+|divid\p{L}+|subtract\p{L}*|add(?:ing)?|simplif\p{L}+"
    r"|solv\p{L}+|let)\b"
)
_SPEAKS_OF_STEPS = regex.compile(
    r"(?i)\b(?:steps?|how\s+(?:do|does|can|could|should|to|would)|instructions?|procedure|recipe"
    r"|solve|solution|calculate|compute|prove|proof|in\s+order\s+to|process)\b"
)
_FIRST_WORD = regex.compile(r"\p{L}+")


def drop_step(request: EditRequest) -> Edited:
    """Leaves one step out, never the last one, which may be the answer; later ones are renumbered.

    Raises:
        NotApplicable: there are no two steps, of which one could go.
    """
    text = request.text
    units = [unit for unit in sentences(text) if unit.core_end > unit.core_start]
    steps = _step_positions(request, units)[:-1]
    if not steps:
        raise NotApplicable("There are no two steps (numbered, calculated or in an order of time).")
    at = request.rng.choice(steps)
    edited = without_unit(text, units, at, _last_of_step(text, units, at))
    return Edited(edited, f"step left out: {shortened(units[at].core(text))}")


def swap_steps(request: EditRequest) -> Edited:
    """Exchanges two steps that follow each other; the numbers of list items keep their places.

    Raises:
        NotApplicable: there are no two steps of different wording.
    """
    text = request.text
    units = [unit for unit in sentences(text) if unit.core_end > unit.core_start]
    bodies = [_body(text, units, at) for at in _step_positions(request, units)]
    neighbours = [
        (one, other)
        for one, other in itertools.pairwise(bodies)
        if text[slice(*one)] != text[slice(*other)]
    ]
    if not neighbours:
        raise NotApplicable("There are no two steps (numbered, calculated or in an order of time).")
    one, other = request.rng.choice(neighbours)
    swapped = replace_ranges(text, [(*one, text[slice(*other)]), (*other, text[slice(*one)])])
    return Edited(swapped, f"told later: {shortened(text[slice(*one)])}")


def _step_positions(request: EditRequest, units: Sequence[Segment]) -> list[int]:
    """Positions of the units that open a step: numbered items, or else sentences of reasoning."""
    text = request.text
    numbered = [at for at, unit in enumerate(units) if _is_numbered(text, unit)]
    if len(numbered) >= _FEWEST_STEPS:
        openings = [text[item_content(text, units[at]) : units[at].core_end] for at in numbered]
        return numbered if _tells_steps(request, openings) else []
    code = verbatim_ranges(text, ("code",))
    reasoned = [at for at, unit in enumerate(units) if _reasons(text, unit, code)]
    # Two sentences that happen to open with "so" are no solution; two calculations are.
    calculated = sum(_CALCULATES.search(units[at].core(text)) is not None for at in reasoned)
    enough = len(reasoned) >= _SHORTEST_SOLUTION or calculated >= _FEWEST_STEPS
    return reasoned if enough else []


def _tells_steps(request: EditRequest, items: Sequence[str]) -> bool:
    """Whether the order of numbered items means something: five reasons have none."""
    if _SPEAKS_OF_STEPS.search(request.prompt) or _SPEAKS_OF_STEPS.search(request.text):
        return True
    first_words = (_FIRST_WORD.search(item) for item in items)
    does = sum(
        word is not None and word.group().lower() in IMPERATIVES | IMPERATIVES_OR_NOUNS
        for word in first_words
    )
    calculates = sum(_CALCULATES.search(item) is not None for item in items)
    return 2 * max(does, calculates) > len(items)


def _is_numbered(text: str, unit: Segment) -> bool:
    marker = LIST_MARKER.match(text, unit.start) if unit.kind == "item" else None
    return marker is not None and marker["number"] is not None and not marker["indent"]


def _reasons(text: str, unit: Segment, code: RangeSet) -> bool:
    core = unit.core(text)
    if unit.kind != "prose" or code.covers(unit.core_start, unit.core_end) or core[-1] in ":：":
        return False
    if sum(word.kind == "word" for word in words(core)) < _FEWEST_WORDS:
        return False
    return bool(_OPENS_A_STEP.match(core) or _CALCULATES.search(core))


def _body(text: str, units: Sequence[Segment], at: int) -> Range:
    """The step without its list marker, but with all the sentences and lines that belong to it."""
    return item_content(text, units[at]), units[_last_of_step(text, units, at)].core_end


def _last_of_step(text: str, units: Sequence[Segment], at: int) -> int:
    last = at
    if units[at].kind == "item":
        while last + 1 < len(units) and _belongs_to_item(text, units[last + 1]):
            last += 1
    return last


def _belongs_to_item(text: str, unit: Segment) -> bool:
    if unit.kind == "item" and LIST_MARKER.match(text, unit.start) is None:
        return True  # a further sentence of the same item
    line = text.rfind("\n", 0, unit.core_start) + 1
    return text.startswith((" ", "\t"), line) and not text[line : unit.core_start].strip()


PERTURBATIONS = (
    Perturbation(
        name="drop-step",
        title="Leave a step out",
        group="lower",
        description="Leaves one step of a solution or procedure out, but not the last.",
        target="response",
        edit=drop_step,
    ),
    Perturbation(
        name="swap-steps",
        title="Swap two steps",
        group="lower",
        description="Tells two steps that follow each other in the wrong order.",
        target="response",
        edit=swap_steps,
    ),
)
