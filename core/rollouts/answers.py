"""The final answer of a response: found by a rule, brought to its normal form, or left unread.

A rule looks at the end of a response, where answers stand. A pattern of a visitor's own runs with a
time limit, so that one that backtracks for ever only costs its own answers.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pandas as pd
import regex

from core.errors import TableError
from core.rollouts.normal_form import normal_form
from core.tables.files import plain_value

Rule = Literal[
    "automatic", "boxed", "phrase", "tag", "hashes", "last number", "choice", "whole", "pattern"
]
RULES: tuple[str, ...] = get_args(Rule)

RULE_TITLES: Mapping[str, str] = {
    "automatic": "Boxed, <answer> tag, ####, or “the answer is”",
    "boxed": "In \\boxed{…}",
    "phrase": "After “the answer is”",
    "tag": "In <answer>…</answer>",
    "hashes": "After ####",
    "last number": "The last number",
    "choice": "A letter of multiple choice",
    "whole": "The whole response",
    "pattern": "My own pattern",
}

READ_END = 20_000
"""Characters at the end of a response in which its answer is looked for."""

SHORT = 48
"""A response of one line up to this length is all answer, under the rule "automatic"."""

PATTERN_TIMEOUT_S = 0.1
PATTERN_BUDGET_S = 5.0
"""Time a visitor's own pattern may take for one response, and may waste in all on running out."""

_BOX_ATTEMPTS = 20
"""Boxes that are never closed, as loops of a model leave them, after which none is looked for."""

_OPENINGS = ("\\boxed", "\\fbox")
_PHRASE = re.compile(
    r"(?:final\s+answer|answer|result|solution)(?:\s+(?:is|equals|to\s+the\s+\w+\s+is)|\s*[:=])+"
    r"\s*[:=]?\s*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[^\d\s])[.!?](?=\s)|(?<=\d)[.!?](?=\s+\D|\s*$)")
_LEADING_NUMBER = re.compile(
    r"\W{0,3}(?:[A-Za-z]\s*=\s*)?(?P<found>[-+\u2212]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?)\W{0,3}\s[A-Za-z]{2}"
)
"""A number with words after it: "12 apples", "x = 5 because"."""

_TAG = re.compile(r"<answer>(?P<found>.*?)</answer>", re.IGNORECASE | re.DOTALL)
_HASHES = re.compile(r"####\s*(?P<found>[^\n]{1,200})")
_LAST_NUMBER = re.compile(
    r"(?<![\w.])[-+\u2212]?\s?(?:\\[dt]?frac\s*\{-?\d+\}\s*\{\d+\}|"
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:\s*/\s*\d+(?!\.?\d))?)%?"
)
_MARKED_LETTER = re.compile(r"\(([A-J])\)|\b([A-J])(?=[).:](?:\s|$))|^\s*\**([A-J])\**\s*$", re.M)
_NAMED_LETTER = re.compile(r"(?:answer|option|choice)\W+(?:is\W+)?([A-J])\b", re.IGNORECASE)


@dataclass(frozen=True)
class AnswerRule:
    """How the answer of a response is found.

    Attributes:
        kind: one of `RULES`.
        pattern: a regular expression, for "pattern": its first group, or all it matches, at its
            last match.
    """

    kind: Rule = "automatic"
    pattern: str = ""

    def compiled(self) -> "regex.Pattern[str] | None":
        """The pattern, ready for use; None where the rule has none.

        Raises:
            TableError: when it is no regular expression.
        """
        if self.kind != "pattern":
            return None
        try:
            return regex.compile(self.pattern)
        except (regex.error, OverflowError, RecursionError) as error:
            raise TableError(
                f"{self.pattern!r} is no regular expression: {error}.",
                fix=r"An example: Result:\s*(\S+)",
            ) from error


@dataclass(frozen=True)
class AnswersRead:
    """The answers of many responses.

    Attributes:
        answers: (n,) in normal form, missing where none could be read; the index of the responses.
        n_read: how many could be read.
        left_out: how many could not, by reason.
    """

    answers: "pd.Series[Any]"
    n_read: int
    left_out: Mapping[str, int] = field(default_factory=dict)


def read_answers(responses: "pd.Series[Any]", rule: AnswerRule | None = None) -> AnswersRead:
    """Reads the answer of each response.

    Args:
        responses: (n,) texts; what is no text has no answer.
        rule: how they are found; "automatic" where it is None.

    Raises:
        TableError: when a pattern is no regular expression.
    """
    reader = _reader(rule or AnswerRule())
    known: dict[str, tuple[str | None, str]] = {}
    answers: list[str | None] = []
    reasons: Counter[str] = Counter()
    for response in responses:
        if not isinstance(response, str):
            answers.append(None)
            reasons["no response"] += 1
            continue
        if response not in known:
            known[response] = reader(response)
        answer, reason = known[response]
        answers.append(answer)
        if answer is None:
            reasons[reason] += 1
    made = pd.Series(answers, index=responses.index, dtype="str")
    return AnswersRead(made, int(made.notna().sum()), dict(reasons))


def find_answer(response: str, rule: AnswerRule | None = None) -> str | None:
    """The answer of one response in normal form, or None.

    Raises:
        TableError: when a pattern is no regular expression.
    """
    return _reader(rule or AnswerRule())(response)[0]


def _reader(rule: AnswerRule) -> Callable[[str], tuple[str | None, str]]:
    """What reads one response: the answer, or why there is none."""
    if rule.kind == "pattern":
        return _PatternReader(rule).read
    find = _FINDERS[rule.kind]

    def read(response: str) -> tuple[str | None, str]:
        found = find(response[-READ_END:])
        if found is None:
            return None, _MISSING[rule.kind]
        normal = normal_form(found)
        return (normal, "") if normal else (None, "an empty answer")

    return read


class _PatternReader:
    """Searches with a visitor's own pattern; gives up for good once it has wasted its time."""

    def __init__(self, rule: AnswerRule) -> None:
        self._pattern = rule.compiled()
        self._wasted_s = 0.0

    def read(self, response: str) -> tuple[str | None, str]:
        if self._wasted_s >= PATTERN_BUDGET_S:
            return None, "the pattern takes too long"
        assert self._pattern is not None  # noqa: S101 - a rule of kind "pattern" has one
        last = None
        start = time.monotonic()
        try:
            matches = self._pattern.finditer(
                response[-READ_END:], timeout=PATTERN_TIMEOUT_S, concurrent=True
            )
            for match in matches:
                last = match
        except TimeoutError:
            # The library looks at the clock now and then only: what it really took counts.
            self._wasted_s += time.monotonic() - start
            return None, "the pattern takes too long"
        if last is None:
            return None, "nothing fits the pattern"
        found = last[1] if last.re.groups else last[0]
        normal = normal_form(found or "")
        return (normal, "") if normal else (None, "an empty answer")


def boxed(text: str) -> str | None:
    """What the last \\boxed{…} of a text holds, braces within it included; None without one."""
    start = max(text.rfind(opening) for opening in _OPENINGS)
    for _ in range(_BOX_ATTEMPTS):
        found = _braced(text, start) if start >= 0 else None
        if found is not None or start < 0:
            return found
        start = max(text.rfind(opening, 0, start) for opening in _OPENINGS)
    return None


def _braced(text: str, start: int) -> str | None:
    brace = re.compile(r"\\(?:boxed|fbox)\s*").match(text, start)
    if brace is None or brace.end() >= len(text):
        return None
    if text[brace.end()] != "{":
        # \boxed 5 is TeX for one character.
        word = re.compile(r"[^\s${}\\]+").match(text, brace.end())
        return word[0] if word else None
    depth = 0
    for place in range(brace.end(), len(text)):
        before = text[place - 1]
        if text[place] == "{" and before != "\\":
            depth += 1
        elif text[place] == "}" and before != "\\":
            depth -= 1
            if depth == 0:
                return text[brace.end() + 1 : place]
    return None


def _phrase(text: str) -> str | None:
    last = None
    for match in _PHRASE.finditer(text):
        last = match
    if last is None:
        return None
    line = text[last.end() : last.end() + 200].split("\n", maxsplit=1)[0]
    sentence = _SENTENCE_END.split(line, maxsplit=1)[0].strip()
    if not sentence:
        return None
    number = _LEADING_NUMBER.match(sentence)
    return number["found"] if number else sentence


def _last_of(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    def find(text: str) -> str | None:
        found: list[str] = [match["found"] for match in pattern.finditer(text)]
        return found[-1] if found else None

    return find


def _last_number(text: str) -> str | None:
    found = _LAST_NUMBER.findall(text)
    return found[-1] if found else None


def _choice(text: str) -> str | None:
    held = boxed(text) or _last_of(_TAG)(text)
    if held is not None and re.fullmatch(r"\W*(?:\\text\{)?\W*[A-Ja-j]\W*", held.strip()):
        return re.sub(r"\\text|\W", "", held)[-1]
    named = _NAMED_LETTER.findall(text)
    if named:
        return str(named[-1])
    marked = [next(filter(None, groups)) for groups in _MARKED_LETTER.findall(text)]
    return marked[-1] if marked else None


def _automatic(text: str) -> str | None:
    for find in (boxed, _last_of(_TAG), _last_of(_HASHES), _phrase):
        found = find(text)
        if found is not None:
            return found
    plain = text.strip()
    return plain if plain and len(plain) <= SHORT and "\n" not in plain else None


_FINDERS: Mapping[str, Callable[[str], str | None]] = {
    "automatic": _automatic,
    "boxed": boxed,
    "phrase": _phrase,
    "tag": _last_of(_TAG),
    "hashes": _last_of(_HASHES),
    "last number": _last_number,
    "choice": _choice,
    "whole": lambda text: text,
}

_MISSING: Mapping[str, str] = {
    "automatic": "no marked answer",
    "boxed": "nothing boxed",
    "phrase": "no “the answer is”",
    "tag": "no <answer> tag",
    "hashes": "no ####",
    "last number": "no number",
    "choice": "no letter",
    "whole": "an empty answer",
}


def reference_answers(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    """Reference answers in normal form, missing where there is none.

    A worked solution gives what stands in its box, after #### or in its answer tag; a short text,
    a number or a list of one is the answer itself.

    Args:
        cells: (n,) as a training set holds them.
    """
    known: dict[str, str | None] = {}
    made: list[str | None] = []
    for cell in cells:
        value = plain_value(cell)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None or isinstance(value, list | dict):
            made.append(None)
            continue
        text = str(value)
        if text not in known:
            known[text] = _reference(text)
        made.append(known[text])
    return pd.Series(made, index=cells.index, dtype="str")


def _reference(text: str) -> str | None:
    for find in (boxed, _last_of(_HASHES), _last_of(_TAG)):
        found = find(text[-READ_END:])
        if found is not None:
            return normal_form(found) or None
    return normal_form(text) or None
