"""RM-R1 (arXiv 2505.02387): a label for the request, a solution or a rubric, then the verdict.

The tags and the reading are the paper's code's; the wording is ours, so a card of a checkpoint says
so. The verdict is read as the code's reward reads it: the last 80 characters must hold one of the
two answer tags and not the other.
"""

from core.models.judges.formats.base import Asking, JudgingFormat, Reading, shown
from core.schema import Message

TAIL = 80
"""Characters at the end in which the verdict is looked for, as in the reward of the code."""

TAGS = {"A": "<answer>[[A]]</answer>", "B": "<answer>[[B]]</answer>"}

INSTRUCTION = """\
Two chatbots have answered a client. Judge impartially which answer serves the client better.

Begin by saying what kind of request it is, inside <type></type>: Reasoning where the answer \
takes mathematics, code, special knowledge or several steps of thought; Chat for everything \
else, such as talk, style, safety and general help.

For Reasoning: first work out your own answer inside <solution></solution>. Then compare both \
chatbots with it inside <eval></eval>: are they right, complete and soundly argued?

For Chat: first write the criteria that matter for this request inside <rubric></rubric>, each \
with a weight in percent, and inside it say in <justify></justify> why these criteria and \
weights. Then hold both chatbots against the criteria inside <eval></eval>.

Inside <eval></eval> point to what the chatbots wrote: word for word in <quote_A></quote_A> and \
<quote_B></quote_B>, in your words in <summary_A></summary_A> and <summary_B></summary_B>. \
Neither the order of the answers, nor their length, nor the chatbots' names may count.

End with your verdict and nothing after it: <answer>[[A]]</answer> or <answer>[[B]]</answer>."""


class RmR1(JudgingFormat):
    """A pair verdict after a solution or a rubric."""

    name = "rm-r1"
    candidates = "two"
    opening = "<answer>[["

    def messages(self, asking: Asking) -> list[Message]:
        first, second = asking.responses
        parts = [
            f"[Client Question]\n{asking.prompt}",
            shown("Chatbot A's answer", first),
            shown("Chatbot B's answer", second),
        ]
        return [
            {"role": "system", "content": asking.instruction or INSTRUCTION},
            {"role": "user", "content": "\n\n".join(parts)},
        ]

    def read(self, text: str, n: int) -> Reading:  # noqa: ARG002
        start = max(0, len(text) - TAIL)
        found = {letter: text.rfind(tag, start) for letter, tag in TAGS.items()}
        there = [letter for letter, position in found.items() if position >= 0]
        if len(there) == 2:
            return Reading(problem=f"Both answer tags stand in the last {TAIL} characters.")
        if not there:
            earlier = any(tag in text for tag in TAGS.values())
            why = (
                f"An answer tag stands in the text, but not in its last {TAIL} characters."
                if earlier
                else "No <answer>[[A]]</answer> or <answer>[[B]]</answer> in the text."
            )
            return Reading(problem=why)
        at = found[there[0]]
        return Reading(verdict=there[0], span=(at, at + len(TAGS[there[0]])))

    def words(self, n: int) -> tuple[str, ...]:  # noqa: ARG002
        return ("A", "B")
