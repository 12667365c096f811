"""Instructions that ask for the opposite of what a prompt asks, by rule.

The rules look at the form a prompt asks for (short, long, a list, running text, code) and never at
its subject. A prompt that asks for no form gets instructions that a usual answer goes against.
"""

from dataclasses import dataclass
from typing import Final

import regex

_ONE_WORD: Final = "Answer in one single word."
_AT_LENGTH: Final = "Answer at length, in at least five detailed paragraphs."
_AS_LIST: Final = "Answer only with a list of ten bullet points."
_AS_PROSE: Final = "Do not use any list: answer in one paragraph of running text."
_NO_CODE: Final = "Do not write any code: answer in plain words only."
_NO_ANSWER: Final = "On second thoughts, do not answer this. Only wish me a nice day."


@dataclass(frozen=True)
class _Rule:
    """If the prompt asks for this form, `opposite` contradicts it and `same` would repeat it."""

    asked: "regex.Pattern[str]"
    opposite: str
    same: tuple[str, ...] = ()


def _words(pattern: str) -> "regex.Pattern[str]":
    return regex.compile(rf"(?i)\b(?:{pattern})\b")


_COUNT: Final = r"(?:one|a single|two|three|four|five|a few|a couple of|\d+)"
_RULES: Final = (
    _Rule(
        _words(
            rf"in {_COUNT} (?:words?|sentences?|lines?)|"
            r"(?:at most|under|fewer than|no more than|up to|less than|within|maximum) \d+ "
            r"(?:words?|sentences?|characters?|lines?)|"
            r"brief(?:ly)?|short|concise(?:ly)?|tl;?dr|summari[sz]e|quick(?:ly)?|one-liner"
        ),
        _AT_LENGTH,
        (_ONE_WORD,),
    ),
    _Rule(
        _words(
            r"in detail|detailed|at length|thorough(?:ly)?|comprehensive(?:ly)?|essay|elaborate|"
            r"in[- ]depth|at least \d+ (?:words|sentences|paragraphs)|long(?:er)? (?:answer|text)"
        ),
        _ONE_WORD,
        (_AT_LENGTH,),
    ),
    _Rule(
        _words(
            r"(?:no|without|avoid|not a|not use) (?:\w+ )?(?:bullets?|lists?)|in prose|paragraph"
        ),
        _AS_LIST,
        (_AS_PROSE,),
    ),
    _Rule(
        regex.compile(
            r"(?i)(?<!\b(?:no|without|avoid|not a|not use) (?:\w+ )?)"
            r"\b(?:list|bullets?|bullet points?|numbered|enumerate|step[- ]by[- ]step|top \d+)\b"
        ),
        _AS_PROSE,
        (_AS_LIST,),
    ),
    _Rule(
        _words(r"code|python|javascript|java|sql|regex|bash|script|function|query|program"),
        _NO_CODE,
    ),
)
_GENERAL: Final = (_ONE_WORD, _NO_ANSWER, _AS_LIST, _AT_LENGTH)


def contradictions(text: str) -> list[str]:
    """Instructions against what a prompt asks for, the most pointed first, no two alike.

    Args:
        text: the user's words. An empty text asks for nothing and gets no instruction.
    """
    if not text.strip():
        return []
    matched = [rule for rule in _RULES if rule.asked.search(text)]
    already_asked = {instruction for rule in matched for instruction in rule.same}
    candidates = [*(rule.opposite for rule in matched), *_GENERAL]
    wanted = [instruction for instruction in candidates if instruction not in already_asked]
    return list(dict.fromkeys(wanted))
