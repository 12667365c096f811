r"""Reward Reasoning Model (arXiv 2505.14674): free thinking, then \boxed{Assistant 1} or 2.

Exactly two responses and no ties. The wording is ours. Of several boxes after the thinking the last
counts (our reading: a chain of thought may weigh both before it settles).
"""

import re

from core.models.judges.formats.base import (
    ENDLESS_THINKING,
    LETTERS,
    Asking,
    JudgingFormat,
    Reading,
    after_thinking,
)
from core.schema import Message

_BOX = re.compile(r"\\boxed\{\s*(?:\\text(?:bf|it|rm)?\{)?\s*([^{}]*?)\s*\}?\s*\}")
_NAME = re.compile(r"assistant\s*([12])", re.IGNORECASE)

INSTRUCTION = """\
Below are a query and the responses of two assistants. Decide which response is better. Think it \
through step by step first.

- Look first at what the query asks for and whether a response does it, exactly and completely; \
then at whether it is right, useful, clear and harmless.
- Where an honest answer is to decline, declining well is better than going along.
- Which assistant comes first must not count. Length is no merit in itself.
- There are no ties: settle on one of the two.

End with \\boxed{Assistant 1} if the first response is better, or \\boxed{Assistant 2} if the \
second is."""


class Rrm(JudgingFormat):
    """A pair verdict after free thinking."""

    name = "rrm"
    candidates = "two"
    opening = "\\boxed{Assistant "

    def messages(self, asking: Asking) -> list[Message]:
        first, second = asking.responses
        question = (
            f"## Query\n\n{asking.prompt}\n\n## Responses\n\n### Assistant 1\n\n{first}\n\n"
            f"### Assistant 2\n\n{second}"
        )
        content = f"{asking.instruction or INSTRUCTION}\n\n{question}"
        return [{"role": "user", "content": content}]

    def read(self, text: str, n: int) -> Reading:  # noqa: ARG002
        start = after_thinking(text)
        if start is None:
            return Reading(problem=ENDLESS_THINKING)
        boxes = list(_BOX.finditer(text, start))
        if not boxes:
            inside = start and _BOX.search(text)
            why = "only inside the thinking" if inside else "nowhere in the text"
            return Reading(problem=f"A box with the verdict stands {why}.")
        name = _NAME.fullmatch(boxes[-1].group(1))
        if name is None:
            said = boxes[-1].group(1)[:40]
            return Reading(problem=f"The box holds {said!r}, neither Assistant 1 nor Assistant 2.")
        return Reading(verdict=LETTERS[int(name.group(1)) - 1], span=boxes[-1].span())

    def words(self, n: int) -> tuple[str, ...]:  # noqa: ARG002
        return ("1", "2")

    def read_word(self, word: str) -> Reading:
        return Reading(verdict=LETTERS[int(word) - 1])
