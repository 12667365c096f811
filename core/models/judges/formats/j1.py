"""J1 (arXiv 2505.10320): thinking between tags, then a verdict, scores, or both.

The paper's four forms: a verdict for a pair (PaV), a score for each of a pair (PaS), both (PaVS),
and a score for one response (PoS). What we know of them is that, and the tags of the thinking; the
wording, and the tags of a pair's scores, are ours. Everything is read after the thinking only, and
two statements there that differ are none (our reading).
"""

import re
from abc import abstractmethod

from core.models.judges.formats.base import (
    ENDLESS_THINKING,
    LETTERS,
    TIE,
    Asking,
    JudgingFormat,
    Reading,
    after_thinking,
    highest,
    off_scale,
    one_of,
    shown,
)
from core.schema import Message

_VERDICT = re.compile(r"\[\[([AB])\]\]")
_SCORE = re.compile(r"<score>\s*([^<]*?)\s*</score>")
_PAIR_SCORES = tuple(
    re.compile(rf"<score_{letter}>\s*([^<]*?)\s*</score_{letter}>") for letter in "AB"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:\s*/\s*10)?")
_SCALE = (0.0, 10.0)

_COMPARE = """\
A user's question was answered by assistant A and by assistant B. Judge impartially which answer \
follows the user's instructions and settles the question better.

Think first, between <think> and </think>: set out the criteria for this question, write down \
what a good answer would contain, then compare each assistant's answer with it. The order of the \
answers, their length and the assistants' names must not count.

"""
_SCORES = """\
a score for each answer from 0 (useless) to 10 (could not be better), whole or with one decimal: \
assistant A's between <score_A> and </score_A>, assistant B's between <score_B> and </score_B>"""

PAIR = (
    _COMPARE
    + """\
After </think> give the verdict and nothing else: [[A]] if assistant A is better, [[B]] if \
assistant B is."""
)
PAIR_SCORES = f"{_COMPARE}After </think> give {_SCORES}. The better answer has the higher score."
PAIR_BOTH = (
    f"{_COMPARE}After </think> give {_SCORES}; then the verdict: [[A]] if assistant A is better, "
    "[[B]] if assistant B is. The better answer has the higher score."
)

SCORE = """\
Judge impartially how well an assistant's answer follows the user's instructions and settles the \
question.

Think first, between <think> and </think>: set out the criteria for this question, write down \
what a good answer would contain, then say where the assistant's answer agrees with it and where \
not.

After </think> give a score from 0 (useless) to 10 (could not be better), whole or with one \
decimal, between <score> and </score>."""


class _Pair(JudgingFormat):
    """What the three forms for a pair share: how it is shown, and that thinking comes first."""

    candidates = "two"
    wording: str

    def messages(self, asking: Asking) -> list[Message]:
        first, second = asking.responses
        parts = [
            asking.instruction or self.wording,
            f"[User Question]\n{asking.prompt}",
            shown("assistant A's answer", first),
            shown("assistant B's answer", second),
        ]
        return [{"role": "user", "content": "\n\n".join(parts)}]

    def read(self, text: str, n: int) -> Reading:  # noqa: ARG002
        start = after_thinking(text)
        if start is None:
            return Reading(problem=ENDLESS_THINKING)
        return self._said(text, start)

    @abstractmethod
    def _said(self, text: str, start: int) -> Reading:
        """What stands after the thinking, which ends at `start`."""


class J1Pair(_Pair):
    """A pair verdict after thinking (PaV)."""

    name = "j1-pair"
    opening = "[["
    wording = PAIR

    def _said(self, text: str, start: int) -> Reading:
        return _verdict(text, start)

    def words(self, n: int) -> tuple[str, ...]:  # noqa: ARG002
        return ("A", "B")


class J1PairScores(_Pair):
    """A score for each of a pair after thinking (PaS); equal scores are a tie."""

    name = "j1-pair-scores"
    ties = True
    scale = _SCALE
    wording = PAIR_SCORES

    def _said(self, text: str, start: int) -> Reading:
        return _pair_scores(text, start)


class J1PairBoth(_Pair):
    """A verdict and a score for each of a pair after thinking (PaVS).

    Both are needed. A verdict for the response with the lower score contradicts itself and is none:
    otherwise a majority and a sum of the same judgements would count opposite things. Equal scores
    contradict no verdict, which then stands (both our reading).
    """

    name = "j1-pair-both"
    scale = _SCALE
    wording = PAIR_BOTH

    def _said(self, text: str, start: int) -> Reading:
        verdict, scored = _verdict(text, start), _pair_scores(text, start)
        if verdict.span is None:
            return verdict
        if scored.scores is None or scored.span is None:
            return scored
        if scored.verdict not in (TIE, verdict.verdict):
            told = " and ".join(f"{score:g}" for score in scored.scores)
            return Reading(problem=f"The verdict {verdict.verdict} contradicts the scores {told}.")
        span = (min(verdict.span[0], scored.span[0]), max(verdict.span[1], scored.span[1]))
        return Reading(verdict=verdict.verdict, scores=scored.scores, span=span)


class J1Score(JudgingFormat):
    """A score of one response after thinking (PoS)."""

    name = "j1-score"
    candidates = "one"
    scale = _SCALE

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
        found = _one_score(text, start, _SCORE, "<score>")
        if isinstance(found, str):
            return Reading(problem=found)
        return Reading(scores=(found[0],), span=found[1])


def _verdict(text: str, start: int) -> Reading:
    found = one_of(text, _VERDICT, start=start, what="verdict [[A]] or [[B]]")
    if isinstance(found, str):
        return Reading(problem=found)
    return Reading(verdict=found[0], span=found[1])


def _pair_scores(text: str, start: int) -> Reading:
    scores: list[float] = []
    spans: list[tuple[int, int]] = []
    for letter, pattern in zip(LETTERS, _PAIR_SCORES, strict=False):
        found = _one_score(text, start, pattern, f"<score_{letter}>")
        if isinstance(found, str):
            return Reading(problem=found)
        scores.append(found[0])
        spans.append(found[1])
    span = (min(first for first, _ in spans), max(last for _, last in spans))
    return Reading(verdict=highest(scores), scores=tuple(scores), span=span)


def _one_score(
    text: str, start: int, pattern: re.Pattern[str], what: str
) -> tuple[float, tuple[int, int]] | str:
    """The one score from 0 to 10 between tags, with its place; else what is wrong."""
    found = one_of(text, pattern, start=start, what=what)
    if isinstance(found, str):
        return found
    said, span = found
    if not _NUMBER.fullmatch(said):
        return f"The score is {said[:40]!r}, not a number from 0 to 10."
    score = float(said.partition("/")[0])
    return off_scale((score,), _SCALE) or (score, span)
