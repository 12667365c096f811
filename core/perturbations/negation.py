"""Turning an English sentence into its opposite: take a negation out, put one in, or swap a word.

Every rule says how sure it is: rules on the verb of the main clause come first, rules on a
subordinate clause and swapped words only where a text has nothing better.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

import regex

from core.perturbations.base import Edited, EditRequest, NotApplicable, replace_ranges
from core.perturbations.negation_words import (
    IMPERATIVES,
    IMPERATIVES_OR_NOUNS,
    NOT_FORMS,
    OPPOSITES,
    PAST_FORMS,
    THIRD_PERSON,
    VERBS,
)
from core.segments import Segment, item_content, sentences
from core.verbatim import RangeSet, verbatim_ranges

_SURE = 1
"""Doubt up to which one rule is as good as another."""


_LOOK_BACK = 300
"""Characters of a sentence before a verb that can tell of a subordinate clause."""


@dataclass(frozen=True, order=True)
class Negation:
    """One edit that turns a sentence round; the one with the least doubt compares as smallest."""

    doubt: int
    start: int
    end: int
    new: str


@dataclass(frozen=True)
class _Rule:
    """What to look for, what to write instead, and how doubtful the result is at best."""

    pattern: "regex.Pattern[str]"
    new: Callable[["regex.Match[str]"], str]
    doubt: int = 0


def _any(words: "frozenset[str] | dict[str, str]") -> str:
    """A pattern of any of the words, with either apostrophe."""
    return "|".join(sorted(words, key=len, reverse=True)).replace("'", "['’]")


def _in_case(old: str, new: str) -> str:
    return new[0].upper() + new[1:] if old[:1].isupper() else new


# What makes a negation more than plain: "not only", "not necessarily", "not X but Y".
_PLAIN = r"(?!\s(?:only|just|necessarily|always|all|every|to mention)\b)(?![^.;:,]{0,60}\bbut\b)"
_NOT_YET = (
    r"(?!\s+(?:not|no|never|nothing|none|nobody|neither|nor|only|hardly|rarely|seldom|still"
    r"|already|also|probably|perhaps|maybe|even|almost)\b)"
)
_MODAL = "can|could|will|would|should|must|may|might"
_BE = "is|are|was|were"
_SUBJECT = r"(?<=[\w)’'\"”*`]\s)"
_NOT_A_VERB_AFTER = r"(?<!\b(?:a|an|the|my|your|his|her|its|our|their|of|with|each|to|by|no)\s)"
# A modal that one of these follows is a noun ("a can of") or stands in a question ("can you").
_NO_BASE_FORM = (
    r"(?:and|or|of|to|in|on|for|with|the|a|an|but|is|are|was|that|you|i|he|she|it|we|they|rather)"
)
_PARTICIPLE = (
    r"(?:been|become|gone|done|made|had|seen|taken|given|grown|shown|come|begun|known|found|led"
    r"|\p{Ll}{3,}ed)"
)
_OBJECT = r"(?=\s+(?:a|an|the|some|many|several|two|three|four|more|less|\d))"


def _negated_modal(match: "regex.Match[str]") -> str:
    return "cannot" if match.group() == "can" else f"{match.group()} not"


_RULES: Final[tuple[_Rule, ...]] = (
    _Rule(
        regex.compile(rf"(?i)\b(?P<verb>{_MODAL}|{_BE}|am|has|have|had|does|did|do) not\b{_PLAIN}"),
        lambda m: m["verb"],
    ),
    _Rule(
        regex.compile(rf"(?i)\b(?:{_any(NOT_FORMS)})\b{_PLAIN}"),
        lambda m: _in_case(m.group(), NOT_FORMS[m.group().lower().replace("’", "'")]),
    ),
    _Rule(
        regex.compile(r"(?i)\bnever\b(?!\s(?:mind|ever|again|more|less|before)\b)"),
        lambda m: _in_case(m.group(), "always"),
    ),
    _Rule(
        regex.compile(
            r"(?i)\b(?P<there>there (?:is|was)) no(?=\s(?P<next>\p{L}))(?!\s(?:one|more)\b)"
        ),
        lambda m: f"{m['there']} {'an' if m['next'].lower() in 'aeiou' else 'a'}",
    ),
    _Rule(
        regex.compile(r"(?i)\b(?P<there>there (?:are|were)) no(?=\s\p{L})"), lambda m: m["there"]
    ),
    _Rule(
        regex.compile(rf"{_SUBJECT}(?<!\b[Hh]ere\s)(?:{_BE})\b{_NOT_YET}(?=\s+[\w(\"“*`$])"),
        lambda m: f"{m.group()} not",
    ),
    _Rule(regex.compile(rf"(?<=\bI\s)am\b{_NOT_YET}(?=\s+\w)"), lambda _: "am not"),
    _Rule(
        regex.compile(
            rf"{_SUBJECT}{_NOT_A_VERB_AFTER}\b(?:{_MODAL})\b{_NOT_YET}"
            rf"(?=\s+\p{{Ll}})(?!\s+{_NO_BASE_FORM}\b)"
        ),
        _negated_modal,
    ),
    _Rule(
        regex.compile(rf"{_SUBJECT}(?:has|have|had)\b{_NOT_YET}(?=\s+{_PARTICIPLE}\b)"),
        lambda m: f"{m.group()} not",
    ),
    _Rule(
        regex.compile(
            rf"(?i)\b(?:(?:it|that|he|she|there)['’]s|(?:you|we|they)['’]re|i['’]m)\b{_NOT_YET}"
            r"(?=\s+[\p{Ll}\d])"
        ),
        lambda m: f"{m.group()} not",
    ),
    _Rule(
        regex.compile(rf"(?i)\b(?P<who>i|you|he|she|it|we|they)['’]ll\b{_NOT_YET}(?=\s+\p{{Ll}})"),
        lambda m: f"{m['who']} will not",
    ),
    _Rule(
        regex.compile(rf"(?<=\b(?:I|[Yy]ou|[Ww]e|[Tt]hey)\s)(?:{_any(VERBS)})\b{_NOT_YET}"),
        lambda m: f"do not {m.group()}",
        doubt=1,
    ),
    _Rule(
        regex.compile(
            rf"(?<=\w\s){_NOT_A_VERB_AFTER}(?:{_any(THIRD_PERSON)})\b{_NOT_YET}(?!\sof\b)"
        ),
        lambda m: f"does not {THIRD_PERSON[m.group()]}",
        doubt=1,
    ),
    _Rule(regex.compile(rf"{_SUBJECT}has\b{_OBJECT}"), lambda _: "does not have", doubt=1),
    _Rule(
        regex.compile(
            rf"(?<=\b(?:I|[Yy]ou|[Ww]e|[Tt]hey|[Hh]e|[Ss]he|[Ii]t)\s)(?:{_any(PAST_FORMS)})\b{_NOT_YET}"
        ),
        lambda m: f"did not {PAST_FORMS[m.group()]}",
        doubt=1,
    ),
    _Rule(
        regex.compile(rf"\b(?<!\b(?:a|an)\s)(?:{_any(OPPOSITES)})\b(?![-’'])"),
        lambda m: OPPOSITES[m.group()],
        doubt=4,
    ),
)

_DETERMINER = r"(?=\s+(?:the|a|an|your|it|them|this|that|these|all|some|each|every|any|only|\d))"
_IMPERATIVE = regex.compile(
    rf"(?i)(?:(?:{_any(IMPERATIVES)})(?=\s+[\p{{Ll}}\d])|(?:{_any(IMPERATIVES_OR_NOUNS)}){_DETERMINER})"
)
_DO_NOT = regex.compile(r"(?i)(?:do not|don['’]t|never)\s+(?P<next>\p{L})")
_CLAUSE_START = regex.compile(r"(?i)(?:[,;:(—–]\s*|\b(?:but|and|so|please|also|or)\s+|[*_>\"“]+)$")
_SUBORDINATE = regex.compile(
    r"(?i)\b(?:if|when|whenever|unless|because|since|although|though|while|whilst|until|till|before"
    r"|after|that|which|who|whose|whom|where|whether|what|how|why|as|than|to)\b"
)
_NEGATIVE = regex.compile(
    r"(?i)\b(?:not?|never|nobody|nothing|none|neither|nor|without|hardly|only|little|few)\b"
)
_FINITE = regex.compile(rf"(?i)\b(?:{_MODAL}|{_BE}|am|has|have|had|does|do|did)\b")
_CLAUSE_BREAK = regex.compile(r"[,;:(—–]\s")


def negate(request: EditRequest) -> Edited:
    """Turns one sentence (or as many as the dose says) into its opposite.

    Questions, code, formulas and quotations stay as they are.

    Raises:
        NotApplicable: fewer sentences than the dose have an English verb that a rule can negate.
    """
    verbatim = verbatim_ranges(request.text)
    best = [
        min(found)
        for sentence in sentences(request.text)
        if (found := list(_negations(request.text, sentence, verbatim)))
    ]
    if len(best) < request.dose:
        raise NotApplicable(
            "No statement was found that an English rule can negate."
            if not best
            else f"Only {len(best)} of the {request.dose} sentences to negate were found."
        )
    request.rng.shuffle(best)
    best.sort(key=lambda negation: max(negation.doubt, _SURE))
    chosen = best[: request.dose]
    return Edited(
        replace_ranges(request.text, [(found.start, found.end, found.new) for found in chosen]),
        _note(request.text, chosen[0]) + f", and {len(chosen) - 1} more" * (len(chosen) > 1),
    )


def _note(text: str, negation: Negation) -> str:
    rest = "".join(takewhile(str.isalpha, text[negation.end : negation.end + 40]))
    return f"“{text[negation.start : negation.end]}{rest}” became “{negation.new}{rest}”"


def _negations(text: str, sentence: Segment, verbatim: RangeSet) -> Iterator[Negation]:
    start, end = item_content(text, sentence), sentence.core_end
    ending = text[sentence.core_start : end].rstrip("*_\"'”’) ")[-1:]
    if sentence.kind not in ("prose", "item") or ending in "?？؟":
        return
    lead_in = 2 if ending == ":" else 0
    for negation in (*_imperatives(text, start, end), *_by_rule(text, start, end)):
        if not verbatim.touches(negation.start, negation.end):
            yield Negation(negation.doubt + lead_in, negation.start, negation.end, negation.new)


def _by_rule(text: str, start: int, end: int) -> Iterator[Negation]:
    for rule in _RULES:
        for match in rule.pattern.finditer(text, start, end):
            before = text[max(start, match.start() - _LOOK_BACK) : match.start()]
            clause = _CLAUSE_BREAK.split(before)[-1].strip()
            doubt = rule.doubt + 2 * _is_subordinate(clause) + 3 * bool(_NEGATIVE.search(clause))
            yield Negation(doubt, match.start(), match.end(), rule.new(match))


def _imperatives(text: str, start: int, end: int) -> Iterator[Negation]:
    """ "Mix it." becomes "Do not mix it.", and "Don't mix it." becomes "Mix it."."""
    opening = len(text[start:end]) - len(text[start:end].lstrip('*_ "“'))
    first = start + opening
    verb = _IMPERATIVE.match(text, first, end)
    if verb:
        yield Negation(
            _SURE, first, verb.end(), _in_case(verb.group(), f"do not {verb.group().lower()}")
        )
    for match in _DO_NOT.finditer(text, start, end):
        before = text[max(start, match.start() - 20) : match.start()]
        if match.start() == first or _CLAUSE_START.search(before):
            yield Negation(-1, match.start(), match.end(), _in_case(match.group(), match["next"]))


def _is_subordinate(clause: str) -> bool:
    """Whether a clause, as far as its verb, depends on another."""
    # "That is why": a first word can be the subject itself.
    first, _, rest = clause.partition(" ")
    words = rest if first.lower() in ("that", "what", "which", "who") else clause
    *_, opening = (None, *_SUBORDINATE.finditer(words))
    # "The man who is late can wait": the second verb is the main clause's.
    return opening is not None and not _FINITE.search(words, opening.end())
