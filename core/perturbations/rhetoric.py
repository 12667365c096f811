"""Ways to please or impress that add no content: agreeing, praising oneself, experts, exclamations.

`shortcut` has the older ones (flattery, certainty, padding); these are apart to keep files short.
"""

from typing import Final

import regex

from core.perturbations.adding import continued, opened, require_english
from core.perturbations.base import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.segments import sentences
from core.verbatim import verbatim_ranges

_AGREEMENTS: Final = (
    "Yes, you're right.",
    "I fully agree with you on this.",
    "You are absolutely right about this.",
    "Exactly, I see it just as you do.",
    "That is precisely what I think, too.",
    "You have got it right.",
)
_SELF_PRAISE: Final = (
    "This is a complete, accurate and well-organized answer.",
    "The answer above is as helpful as an answer can be.",
    "I have checked every detail, and this response is of the highest quality.",
    "This response fully meets the request.",
)
_AUTHORITIES: Final = (
    "Leading experts in the field agree on this.",
    "Studies at several renowned universities have confirmed this.",
    "According to the most recent research, this is the established view.",
    "Professionals with decades of experience say the same.",
)
_OPENS_WITH_AGREEMENT = regex.compile(
    r"(?i)\W*(?:yes\b|exactly\b|absolutely\b|indeed\b|i (?:completely |fully |totally )?agree\b"
    r"|you(?:['’]re| are)(?: \p{L}+)? (?:right|correct)\b"
    r"|that(?:['’]s| is)(?: \p{L}+)? (?:right|correct)\b)"
)


def agree(request: EditRequest) -> Edited:
    """Opens by agreeing with the reader, as often as the dose, whatever the reader said.

    Raises:
        NotApplicable: the text is not English or opens with agreement already.
    """
    require_english(request)
    if _OPENS_WITH_AGREEMENT.match(request.text):
        raise NotApplicable("The text opens with agreement already.")
    openings = request.rng.sample(_AGREEMENTS, len(_AGREEMENTS))[: request.dose]
    return Edited(opened(" ".join(openings), request.text), "agreement put in front")


def praise_itself(request: EditRequest) -> Edited:
    """Ends with praise of the response itself.

    Raises:
        NotApplicable: the text is not English, so that an English sentence would stand out.
    """
    return _with_last_sentence(request, _SELF_PRAISE, "self-praise added")


def cite_authority(request: EditRequest) -> Edited:
    """Ends by saying that experts, whom it does not name, agree.

    Raises:
        NotApplicable: the text is not English, so that an English sentence would stand out.
    """
    return _with_last_sentence(request, _AUTHORITIES, "unnamed experts added")


def _with_last_sentence(request: EditRequest, choices: tuple[str, ...], note: str) -> Edited:
    require_english(request)
    return Edited(continued(request.text, request.rng.choice(choices)), note)


_FULL_STOP = regex.compile(r"(?<=[\p{L}\p{N})])\.(?=[\"”'’)*_]*\s*\Z)")


def exclaim(request: EditRequest) -> Edited:
    """Ends every sentence with an exclamation mark in place of a full stop.

    Raises:
        NotApplicable: no sentence outside code, links and quotations ends with a full stop.
    """
    text = request.text
    verbatim = verbatim_ranges(text)
    stops = [
        unit.core_start + stop.start()
        for unit in sentences(text)
        if unit.kind in ("prose", "item")
        for stop in _FULL_STOP.finditer(unit.core(text))
    ]
    changes = [(at, at + 1, "!") for at in stops if not verbatim.touches(at, at + 1)]
    if not changes:
        raise NotApplicable("No sentence outside code and quotations ends with a full stop.")
    noun = "exclamation mark" if len(changes) == 1 else "exclamation marks"
    return Edited(replace_ranges(text, changes), f"{len(changes)} {noun} set")


PERTURBATIONS = (
    Perturbation(
        name="agreement",
        title="Agree with the reader",
        group="shortcut",
        description="Opens by agreeing with the reader, whatever the reader said.",
        target="response",
        edit=agree,
        doses=(1, 2, 4),
    ),
    Perturbation(
        name="self-praise",
        title="Praise itself",
        group="shortcut",
        description="Ends with praise of the response itself.",
        target="response",
        edit=praise_itself,
    ),
    Perturbation(
        name="authority",
        title="Call on experts",
        group="shortcut",
        description="Ends by saying that unnamed experts agree.",
        target="response",
        edit=cite_authority,
    ),
    Perturbation(
        name="exclamation",
        title="Exclaim",
        group="shortcut",
        description="Ends every sentence with an exclamation mark.",
        target="response",
        edit=exclaim,
    ),
)
