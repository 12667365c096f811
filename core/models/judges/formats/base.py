"""What every judging format is: how it asks, and how it reads what was written.

A format knows candidates only by their place: the first shown is A (or 1), the second B (or 2).
Whose response stood where is known to the judge, which turns every verdict back.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.models.card import JudgeFormat
from core.schema import Conversation, Message

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TIE = "tie"

Candidates = Literal["one", "two", "many"]
"""How many responses a format judges at once: one alone, exactly two, or one and more."""


@dataclass(frozen=True)
class Reading:
    """What a text says, by place.

    Attributes:
        verdict: letter of the place that won, "tie", or None where the text gives no verdict.
        scores: one for each place, or None where the text gives none.
        problem: why neither could be read, "" where one could.
        span: where in the text the verdict or the scores stand, or None.
    """

    verdict: str | None = None
    scores: tuple[float, ...] | None = None
    problem: str = ""
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class Asking:
    """What is asked.

    Attributes:
        prompt: what the responses answer, as text.
        responses: in the order shown, at least one.
        rubric: what is asked of a response; "" for the format's own.
        instruction: wording that replaces the format's own, "" for the format's own.
    """

    prompt: str
    responses: tuple[str, ...]
    rubric: str = ""
    instruction: str = ""


class JudgingFormat(ABC):
    """One way to ask for a judgement.

    Attributes:
        name: as in a card.
        candidates: how many responses it judges at once.
        version: of its prompt; a change makes stored judgements be asked for again.
        ties: whether a tie is a verdict.
        scale: lowest and highest score, or None where it gives no scores.
        opening: what a reply says just before the verdict; "" where a verdict is no single token.
        trained: whether checkpoints were trained to answer in it.
    """

    name: JudgeFormat
    candidates: Candidates
    version: int = 1
    ties: bool = False
    scale: tuple[float, float] | None = None
    opening: str = ""
    trained: bool = True

    @abstractmethod
    def messages(self, asking: Asking) -> list[Message]:
        """The conversation that asks for a judgement; it ends with a user's turn."""

    @abstractmethod
    def read(self, text: str, n: int) -> Reading:
        """What a reply about n responses says."""

    def words(self, n: int) -> tuple[str, ...]:  # noqa: ARG002
        """What may follow `opening`, one word each; empty where a verdict is no single token."""
        return ()

    def read_word(self, word: str) -> Reading:
        """What one of `words` means."""
        return Reading(verdict=word)


def prompt_text(messages: Conversation) -> str:
    """A prompt's turns as one text; a single user turn is its own text."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    names = {"system": "System", "user": "User", "assistant": "Assistant"}
    return "\n\n".join(f"[{names[each['role']]}]\n{each['content']}" for each in messages)


def shown(title: str, text: str) -> str:
    """A part of the question between lines that say where it begins and ends."""
    return f"[Start of {title}]\n{text}\n[End of {title}]"


ENDLESS_THINKING = "The thinking does not end: no </think>."


def after_thinking(text: str) -> int | None:
    """Where the text after the last `</think>` begins; 0 where nothing was thought.

    None where thinking begins and does not end: what stands in it is no verdict. A template may
    open the thinking in the prompt, so an end without a beginning counts.
    """
    begun, ended = text.rfind("<think>"), text.rfind("</think>")
    if begun > ended:
        return None
    return 0 if ended < 0 else ended + len("</think>")


def one_of(
    text: str, pattern: re.Pattern[str], *, start: int = 0, what: str
) -> tuple[str, tuple[int, int]] | str:
    """The one thing that all matches agree on, with the place of the last; else what is wrong.

    Args:
        pattern: its first group is what was said.
        what: what is looked for, in words.
    """
    # Cut off, not searched from `start`: there "^" would not match.
    matches = list(pattern.finditer(text[start:]))
    if not matches:
        return f"No {what} in the text."
    said = {match.group(1) for match in matches}
    if len(said) > 1:
        return f"Several {what}s that differ: {', '.join(sorted(said))}."
    first, last = matches[-1].span()
    return matches[-1].group(1), (start + first, start + last)


def numbers_in(text: str) -> tuple[float, ...] | None:
    """The numbers of a list such as "7, 4.5"; None where anything else stands in it."""
    parts = [part.strip() for part in text.replace("，", ",").split(",")]
    found = []
    for part in parts:
        if not re.fullmatch(r"[+-]?\d+(?:\.\d+)?(?:\s*/\s*10)?", part):
            return None
        found.append(float(part.partition("/")[0]))
    return tuple(found)


def off_scale(scores: Sequence[float], scale: tuple[float, float]) -> str:
    """What is wrong with scores outside their scale, "" where nothing is."""
    lowest, highest = scale
    outside = [score for score in scores if not lowest <= score <= highest]
    if not outside:
        return ""
    return f"The score {outside[0]:g} is outside {lowest:g} to {highest:g}."


def highest(scores: Sequence[float]) -> str:
    """Letter of the place with the highest score, "tie" where several have it."""
    best = max(scores)
    places = [place for place, score in enumerate(scores) if score == best]
    return LETTERS[places[0]] if len(places) == 1 else TIE
