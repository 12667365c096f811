"""Putting English sentences in front of a text or behind it, as a writer would have."""

from core.perturbations.base import EditRequest, NotApplicable
from core.perturbations.lexicon import looks_english
from core.segments import sentences


def require_english(request: EditRequest) -> None:
    """Refuses texts in which an English sentence would stand out by its language.

    Raises:
        NotApplicable: the text to edit is not in English.
    """
    if not looks_english(request.text):
        raise NotApplicable("The text is not in English, the sentences to add are.")


def continued(text: str, addition: str) -> str:
    """The text and, as its continuation or as a paragraph of its own, the addition."""
    body = text.rstrip()
    last = sentences(body)[-1]
    flows = last.kind == "prose" and body[-1] in '.!?…”")'
    return f"{body}{' ' if flows else chr(10) * 2}{addition}"


def opened(opening: str, text: str) -> str:
    """The opening and, in the same paragraph if the text starts with prose, the text."""
    flows = sentences(text)[0].kind == "prose"
    return f"{opening}{' ' if flows else chr(10) * 2}{text}"
