r"""DeepSeek-GRM (arXiv 2504.02495): criteria, an analysis, and a score for each response.

One reply judges one response or several; the scores stand in one \boxed{...}, whole numbers from 1
to 10. The wording is ours. The last box after any thinking counts; equal highest scores are a tie
(both our reading).
"""

import re

from core.models.judges.formats.base import (
    ENDLESS_THINKING,
    Asking,
    JudgingFormat,
    Reading,
    after_thinking,
    highest,
    numbers_in,
    off_scale,
    shown,
)
from core.schema import Message

_BOX = re.compile(r"\\boxed\{([^{}]*)\}")

INSTRUCTION = """\
Score the {what} to the query below. Write three parts.

Specific Criteria: the criteria that matter for this query beside correctness, helpfulness, \
clarity and harmlessness, each with its weight, the weightiest first.

Analysis: hold the {what} against the criteria. The order in which responses stand must not \
count.

Scores: {box}, {each} whole number from 1 (very poor) to 10 (excellent)."""


class DeepSeekGrm(JudgingFormat):
    """Scores of all candidates in one reply."""

    name = "deepseek-grm"
    candidates = "many"
    ties = True
    scale = (1.0, 10.0)

    def messages(self, asking: Asking) -> list[Message]:
        n = len(asking.responses)
        box = "\\boxed{" + ", ".join(f"s{place + 1}" for place in range(n)) + "}"
        instruction = asking.instruction or INSTRUCTION.format(
            what="response" if n == 1 else f"{n} responses",
            box=box,
            each="a" if n == 1 else "in the order of the responses, each a",
        )
        parts = [instruction, shown("the query", asking.prompt)]
        parts += [
            shown(f"response {place + 1}", text) for place, text in enumerate(asking.responses)
        ]
        return [{"role": "user", "content": "\n\n".join(parts)}]

    def read(self, text: str, n: int) -> Reading:
        start = after_thinking(text)
        if start is None:
            return Reading(problem=ENDLESS_THINKING)
        boxes = list(_BOX.finditer(text, start))
        if not boxes:
            if start and _BOX.search(text):
                return Reading(problem="A box with scores stands only inside the thinking.")
            cut = "\\boxed{" in text[start:]
            return Reading(problem="The box is not closed." if cut else "No box with scores.")
        inside = boxes[-1].group(1).strip().strip("[]")
        scores = numbers_in(inside)
        if scores is None:
            return Reading(problem=f"The box holds {inside[:40]!r}, not a list of numbers.")
        if len(scores) != n:
            return Reading(problem=f"The box holds {len(scores)} scores for {n} responses.")
        wrong = off_scale(scores, (1.0, 10.0))
        if not wrong and any(score != int(score) for score in scores):
            wrong = "Scores must be whole numbers."
        if wrong:
            return Reading(problem=wrong)
        verdict = highest(scores) if n > 1 else None
        return Reading(verdict=verdict, scores=scores, span=boxes[-1].span())
