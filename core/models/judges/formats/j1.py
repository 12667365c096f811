"""J1 (arXiv 2505.10320): thinking between tags, then a verdict for a pair or a score for one.

The tags are the paper's, the wording is ours. The verdict is read after the thinking only; two
different verdicts there are none (our reading).
"""

import re

from core.models.judges.formats.base import (
    ENDLESS_THINKING,
    Asking,
    JudgingFormat,
    Reading,
    after_thinking,
    off_scale,
    one_of,
    shown,
)
from core.schema import Message

_VERDICT = re.compile(r"\[\[([AB])\]\]")
_SCORE = re.compile(r"<score>\s*([^<]*?)\s*</score>")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:\s*/\s*10)?")

PAIR = """\
A user's question was answered by assistant A and by assistant B. Judge impartially which answer \
follows the user's instructions and settles the question better.

Think first, between <think> and </think>: set out the criteria for this question, write down \
what a good answer would contain, then compare each assistant's answer with it. The order of the \
answers, their length and the assistants' names must not count.

After </think> give the verdict and nothing else: [[A]] if assistant A is better, [[B]] if \
assistant B is."""

SCORE = """\
Judge impartially how well an assistant's answer follows the user's instructions and settles the \
question.

Think first, between <think> and </think>: set out the criteria for this question, write down \
what a good answer would contain, then say where the assistant's answer agrees with it and where \
not.

After </think> give a score from 0 (useless) to 10 (could not be better), whole or with one \
decimal, between <score> and </score>."""


class J1Pair(JudgingFormat):
    """A pair verdict after thinking (PaV)."""

    name = "j1-pair"
    candidates = "two"
    opening = "[["

    def messages(self, asking: Asking) -> list[Message]:
        first, second = asking.responses
        parts = [
            asking.instruction or PAIR,
            f"[User Question]\n{asking.prompt}",
            shown("assistant A's answer", first),
            shown("assistant B's answer", second),
        ]
        return [{"role": "user", "content": "\n\n".join(parts)}]

    def read(self, text: str, n: int) -> Reading:  # noqa: ARG002
        start = after_thinking(text)
        if start is None:
            return Reading(problem=ENDLESS_THINKING)
        found = one_of(text, _VERDICT, start=start, what="verdict [[A]] or [[B]]")
        if isinstance(found, str):
            return Reading(problem=found)
        return Reading(verdict=found[0], span=found[1])

    def words(self, n: int) -> tuple[str, ...]:  # noqa: ARG002
        return ("A", "B")


class J1Score(JudgingFormat):
    """A score of one response after thinking (PoS)."""

    name = "j1-score"
    candidates = "one"
    scale = (0.0, 10.0)

    def messages(self, asking: Asking) -> list[Message]:
        parts = [
            asking.instruction or SCORE,
            f"[User Question]\n{asking.prompt}",
            shown("the assistant's answer", asking.responses[0]),
        ]
        return [{"role": "user", "content": "\n\n".join(parts)}]

    def read(self, text: str, n: int) -> Reading:  # noqa: ARG002
        start = after_thinking(text)
        if start is None:
            return Reading(problem=ENDLESS_THINKING)
        found = one_of(text, _SCORE, start=start, what="<score>")
        if isinstance(found, str):
            return Reading(problem=found)
        said, span = found
        if not _NUMBER.fullmatch(said):
            return Reading(problem=f"The score is {said[:40]!r}, not a number from 0 to 10.")
        score = float(said.partition("/")[0])
        wrong = off_scale((score,), (0.0, 10.0))
        return Reading(problem=wrong) if wrong else Reading(scores=(score,), span=span)
