"""Any chat model with a rubric: a pair verdict, or a score of one response.

The formats are ours. Two short worked examples show small models the form; the pair's examples have
one verdict each for A and B, the score's one high and one low, so that neither is favoured.
Scores run from 1 to 9: one digit each, so that one token holds a score.
"""

import re

from core.models.judges.formats.base import (
    ENDLESS_THINKING,
    TIE,
    Asking,
    JudgingFormat,
    Reading,
    after_thinking,
    off_scale,
    one_of,
)
from core.schema import Message

RUBRIC = (
    "A good response answers what was asked, is right, follows every instruction, is polite, and "
    "says neither too much nor too little."
)
PAIR = """\
You compare two responses to a request. {rubric} The order of the responses does not matter.

Reply with one short sentence that begins with "Reason:", then a last line "Verdict: [[A]]" if \
response A is better or "Verdict: [[B]]" if response B is better."""

SCORE = """\
You score a response to a request. {rubric}

Reply with one short sentence that begins with "Reason:", then a last line "Score: " with a whole \
number from 1 (very poor) to 9 (excellent)."""

_VERDICT = re.compile(r"\[\[\s*(A|B|[Tt]ie|TIE)\s*\]\]")
_LOOSE_VERDICT = re.compile(
    r"^\W*verdict(?:[^\w\n]*response[^\S\n]+|\W*)(A|B|tie)(?:[^\w\n]*$|\s+is\s+better\b)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line "Verdict: A" without the brackets, or the letter alone on a line after it.

"Verdict: a good answer" is none, nor is "Response A:" on a later line: it begins a new response.
"""
_SCORE = re.compile(
    r"^\W*score\W*?(-?\d+(?:\.\d+)?)(?=\s*(?:/\s*(?:9|10)\b)?[\s.*\])]*$)",
    re.IGNORECASE | re.MULTILINE,
)

_ASKED = "What is the boiling point of water at sea level?"
_RIGHT = "At sea level water boils at 100 degrees Celsius."
_WRONG = "Water is a liquid, and many people like to drink it."
_THANKS = "Thank a colleague for her help in one sentence."
_KIND = "Thank you so much for stepping in yesterday; you saved my day."
_RUDE = "You took long enough, but I suppose it got done in the end."


class RubricPair(JudgingFormat):
    """A pair verdict by any chat model."""

    name = "rubric-pair"
    candidates = "two"
    ties = True
    opening = "Verdict: [["
    trained = False

    def messages(self, asking: Asking) -> list[Message]:
        system = asking.instruction or PAIR.format(rubric=asking.rubric or RUBRIC)
        first, second = asking.responses
        return [
            {"role": "system", "content": system},
            {"role": "user", "content": _pair(_ASKED, _WRONG, _RIGHT)},
            {
                "role": "assistant",
                "content": "Reason: Response B gives the temperature, response A does not answer."
                "\nVerdict: [[B]]",
            },
            {"role": "user", "content": _pair(_THANKS, _KIND, _RUDE)},
            {
                "role": "assistant",
                "content": "Reason: Response A says thanks warmly, response B is rude."
                "\nVerdict: [[A]]",
            },
            {"role": "user", "content": _pair(asking.prompt, first, second)},
        ]

    def read(self, text: str, n: int) -> Reading:  # noqa: ARG002
        start = after_thinking(text)
        if start is None:
            return Reading(problem=ENDLESS_THINKING)
        found = one_of(text, _VERDICT, start=start, what="verdict")
        if isinstance(found, str) and not _VERDICT.search(text[start:]):
            found = one_of(text, _LOOSE_VERDICT, start=start, what="verdict")
        if isinstance(found, str):
            return Reading(problem=found)
        said = found[0].upper()
        return Reading(verdict=TIE if said == "TIE" else said, span=found[1])

    def words(self, n: int) -> tuple[str, ...]:  # noqa: ARG002
        return ("A", "B")


class RubricScore(JudgingFormat):
    """A score of one response by any chat model."""

    name = "rubric-score"
    candidates = "one"
    scale = (1.0, 9.0)
    opening = "Score: "
    trained = False

    def messages(self, asking: Asking) -> list[Message]:
        system = asking.instruction or SCORE.format(rubric=asking.rubric or RUBRIC)
        return [
            {"role": "system", "content": system},
            {"role": "user", "content": _one(_ASKED, _WRONG)},
            {
                "role": "assistant",
                "content": "Reason: The response does not give the temperature.\nScore: 2",
            },
            {"role": "user", "content": _one(_THANKS, _KIND)},
            {
                "role": "assistant",
                "content": "Reason: The response is one warm sentence of thanks.\nScore: 8",
            },
            {"role": "user", "content": _one(asking.prompt, asking.responses[0])},
        ]

    def read(self, text: str, n: int) -> Reading:  # noqa: ARG002
        start = after_thinking(text)
        if start is None:
            return Reading(problem=ENDLESS_THINKING)
        found = one_of(text, _SCORE, start=start, what="line with a score")
        if isinstance(found, str):
            return Reading(problem=found)
        score = float(found[0])
        wrong = off_scale((score,), (1.0, 9.0))
        return Reading(problem=wrong) if wrong else Reading(scores=(score,), span=found[1])

    def words(self, n: int) -> tuple[str, ...]:  # noqa: ARG002
        return tuple(str(score) for score in range(1, 10))

    def read_word(self, word: str) -> Reading:
        return Reading(scores=(float(word),))


def _pair(prompt: str, first: str, second: str) -> str:
    return f"Request:\n{prompt}\n\nResponse A:\n{first}\n\nResponse B:\n{second}"


def _one(prompt: str, response: str) -> str:
    return f"Request:\n{prompt}\n\nResponse:\n{response}"
