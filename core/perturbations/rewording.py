"""Paraphrase by rule: contractions, and words that can stand for each other in any sentence.

A rule is in the table only if no neighbour can make its two sides differ: "often" and "frequently",
but not "hard" and "difficult" (more difficult, work hard). Articles never have to change.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import regex

from core.perturbations.base import Edited, EditRequest, NotApplicable, replace_ranges
from core.verbatim import verbatim_ranges

_EXPANSIONS: Final[dict[str, str]] = {
    "aren't": "are not",
    "can't": "cannot",
    "couldn't": "could not",
    "didn't": "did not",
    "doesn't": "does not",
    "don't": "do not",
    "hadn't": "had not",
    "hasn't": "has not",
    "haven't": "have not",
    "isn't": "is not",
    "shouldn't": "should not",
    "wasn't": "was not",
    "weren't": "were not",
    "won't": "will not",
    "wouldn't": "would not",
    "let's": "let us",
    "i'm": "I am",
    "i've": "I have",
    "i'll": "I will",
    "you're": "you are",
    "you've": "you have",
    "you'll": "you will",
    "we're": "we are",
    "we've": "we have",
    "we'll": "we will",
    "they're": "they are",
    "they've": "they have",
    "they'll": "they will",
    "it'll": "it will",
}
"""Contractions with one reading only."""

# "Isn't it" and "Don't you" would become "Is not it" and "Do not you".
_NO_QUESTION = r"(?!\s+(?:i|you|he|she|it|we|they|this|that|these|those|there|the|a|an)\b)"
# "That's what they are." cannot be contracted: a word of these kinds has to follow.
_STATE = (
    r"(?=\s+(?:a|an|the|not|in|on|at|very|also|still|now|never|always|usually|often|only|just|best"
    r"|better|worth|easy|hard|likely|important|common|about|because|why|how|what|where|\p{L}+ing)\b)"
)
_COMPLEMENT = rf"{_STATE}(?=\s+\S+\s)"

# "It's" can be "it has" and "I'd" can be "I had": the word that follows tells.
_EXPANSIONS_BY_NEXT_WORD: Final[dict[str, str]] = {
    **{f"{who}'s{_STATE}": f"{who} is" for who in ("it", "that", "there", "what", "here")},
    **{
        rf"{who}'d(?=\s+(?:rather|like|love|say|go|start|take|use|try|keep|suggest|recommend)\s)": (
            f"{who} would"
        )
        for who in ("I", "you", "we", "they")
    },
}

_CONTRACTIONS: Final[dict[str, str]] = {
    **{long: short for short, long in _EXPANSIONS.items() if short.endswith("n't")},
    **{f"{who} are{_COMPLEMENT}": f"{who}'re" for who in ("you", "we", "they")},
    f"i am{_COMPLEMENT}": "I'm",
    **{f"{who} is{_COMPLEMENT}": f"{who}'s" for who in ("it", "that", "there")},
}

_SYNONYMS: Final[dict[str, str]] = {
    r"a bit(?!\s+of\b)": "a little",
    r"(?<!\b(?:quite|such|not)\s)a lot of": "lots of",
    r"(?<!\bsuch\s)a number of": "several",
    r"about(?=\s\d)": "around",
    r"afterwards": "afterward",
    r"all of the": "all the",
    r"almost(?!\s+(?:no|never|nothing|none|any)\b)": "nearly",
    r"also,": "in addition,",
    r"although": "though",
    r"among": "amongst",
    r"anybody": "anyone",
    r"anyone": "anybody",
    r"approximately": "roughly",
    r"(?:are|is) able to": "can",
    r"around(?=\s\d)": "about",
    r"as a result,": "consequently,",
    r"as well(?!\s+as\b)": "too",
    r"at first": "initially",
    r"at the moment(?!\s+(?:of|when|that)\b)": "right now",
    r"(?<=,\s)because(?!\s+of\b)": "since",
    r"begin": "start",
    r"begins": "starts",
    r"besides,": "in addition,",
    r"by mistake": "accidentally",
    r"children": "kids",
    r"despite": "in spite of",
    r"don't forget to": "remember to",
    r"each other": "one another",
    r"each time": "every time",
    r"even though": "although",
    r"every(?=\s(?:day|week|month|year|morning|evening|night|time)\b)": "each",
    r"everybody": "everyone",
    r"everyone": "everybody",
    r"for example": "for instance",
    r"for free": "at no cost",
    r"for instance": "for example",
    r"frequently": "often",
    r"has to(?!\s+do\b)": "needs to",
    r"however,": "even so,",
    r"if you want to": "if you'd like to",
    r"in addition,": "also,",
    r"in general,": "generally,",
    r"in order to": "to",
    r"in spite of": "despite",
    r"in total": "altogether",
    r"instead of": "rather than",
    r"keep in mind": "bear in mind",
    r"kids": "children",
    r"lots of": "a lot of",
    r"(?-i:Make) sure(?=\s(?:to|that|you)\b)": "be sure",
    r"(?<!\b(?:as|how|so|too|that|very|not)\s)many people": "a lot of people",
    r"maybe": "perhaps",
    r"(?<!\b(?:no|not)\s)more than(?=\s\d)": "over",
    r"needs to": "has to",
    r"nobody": "no one",
    r"often(?!\s+than)": "frequently",
    r"on purpose": "deliberately",
    r"one another": "each other",
    r"per cent": "percent",
    r"percent": "per cent",
    r"perhaps": "maybe",
    r"quickly": "rapidly",
    r"rapidly": "quickly",
    r"rarely": "seldom",
    r"right after": "immediately after",
    r"right away(?!\s+from)": "immediately",
    r"right before": "immediately before",
    r"right now": "at the moment",
    r"roughly(?=\s\d)": "about",
    r"seldom": "rarely",
    r"(?<=[\p{L}\d]\s)should(?=\s+\p{Ll})(?!\s+(?:not|never|i|you|he|she|it|we|they|the|a|also|always"
    r"|only|still|just|probably|have|really)\b)": "ought to",
    r"so far": "up to now",
    r"somebody": "someone",
    r"someone": "somebody",
    r"straight away": "immediately",
    r"such as": "like",
    r"thanks for": "thank you for",
    r"the entire": "the whole",
    r"therefore": "thus",
    r"thus(?!\s+\p{L}+ing\b)": "therefore",
    r"towards": "toward",
    r"typically": "usually",
    r"until": "till",
    r"usually": "typically",
    r"whenever(?=\s+(?:i|you|he|she|it|we|they|the|a|an|your)\b)": "every time",
    r"whether or not(?=\s\p{L})": "whether",
    r"you have to(?!\s+do\b)": "you need to",
    r"you need to": "you have to",
}

_SPELLINGS: Final[dict[str, str]] = {
    "behaviour": "behavior",
    "centre": "center",
    "colour": "color",
    "colours": "colors",
    "favourite": "favorite",
    "flavour": "flavor",
    "grey": "gray",
    "honour": "honor",
    "labour": "labor",
    "litre": "liter",
    "litres": "liters",
    "metres": "meters",
    "neighbour": "neighbor",
    "neighbours": "neighbors",
    "organise": "organize",
    "realise": "realize",
    "recognise": "recognize",
    "travelling": "traveling",
}
"""British and American spelling; either becomes the other."""

_SHARE = 0.7
"""Share of the possible changes that is made: seeds then give different paraphrases."""

Rule = tuple["regex.Pattern[str]", str]


def compile_rules(rules: dict[str, str], after: str = "") -> list[Rule]:
    """The rules as patterns of whole words, in any case and with either apostrophe."""
    compiled = []
    for words, new in rules.items():
        either = words.replace("'", "['’]")
        source = rf"(?<![\w'’\-])(?:{either}){after}(?![\w'’\-])"
        compiled.append((regex.compile(source, regex.IGNORECASE), new))
    return compiled


EXPANSION_RULES: Final[list[Rule]] = [
    *compile_rules(_EXPANSIONS, after=_NO_QUESTION),
    *compile_rules(_EXPANSIONS_BY_NEXT_WORD),
]
"""From contractions to their long forms."""

CONTRACTION_RULES: Final[list[Rule]] = compile_rules(_CONTRACTIONS)
"""From long forms to contractions."""

_RULES: Final[list[Rule]] = [
    *EXPANSION_RULES,
    *CONTRACTION_RULES,
    *compile_rules(_SYNONYMS),
    *compile_rules(_SPELLINGS | {american: british for british, american in _SPELLINGS.items()}),
]

Replacement = tuple[int, int, str]


def paraphrase(request: EditRequest) -> Edited:
    """Swaps contractions and their long forms, and words for words of the same meaning.

    Code, links, formulas and quotations stay as they are.

    Raises:
        NotApplicable: the text holds none of the words that the rules know.
    """
    possible = possible_replacements(request.text, _RULES)
    if not possible:
        raise NotApplicable("No contraction and no word with a safe synonym was found.")
    count = max(1, round(_SHARE * len(possible)))
    chosen = sorted(request.rng.sample(possible, count))
    first_start, first_end, first_new = chosen[0]
    note = f"{request.text[first_start:first_end]} became {first_new}"
    if count > 1:
        note += f", and {count - 1} more"
    return Edited(replace_ranges(request.text, chosen), note)


def possible_replacements(text: str, rules: Iterable[Rule]) -> list[Replacement]:
    """Everything that the rules could change, in order and without overlaps.

    Code, links, formulas, quotations, names and words in capitals are left alone.
    """
    return _without_overlaps(_candidates(text, rules))


def _candidates(text: str, rules: Iterable[Rule]) -> Iterator[Replacement]:
    verbatim = verbatim_ranges(text)
    curly = "’" in text and "'" not in text
    for pattern, new in rules:
        for match in pattern.finditer(text):
            old = match.group()
            shouted = old.isupper() and len(old) > 1
            if verbatim.touches(*match.span()) or shouted or _in_a_name(text, match.start()):
                continue
            yield *match.span(), in_the_style_of(old, new.replace("'", "’") if curly else new)


def _without_overlaps(candidates: Iterator[Replacement]) -> list[Replacement]:
    """The candidates in order; of two that overlap the one that starts first or is longer."""
    kept: list[Replacement] = []
    for candidate in sorted(candidates, key=lambda found: (found[0], -found[1])):
        if not kept or candidate[0] >= kept[-1][1]:
            kept.append(candidate)
    return kept


def _in_a_name(text: str, start: int) -> bool:
    """Whether a capital letter marks a name ("Save the Children"), not a sentence's start."""
    before = text[max(0, start - 40) : start].rstrip(" \t")
    opens = not before or before[-1] in "\n\r.!?:…\"“'‘(-*•_>)"
    return text[start].isupper() and text[start : start + 2] not in ("I'", "I’", "I ") and not opens


def in_the_style_of(old: str, new: str) -> str:
    """`new` with a capital where `old` has one."""
    first = new[0].upper() if old[0].isupper() else new[0].lower()
    return first + new[1:]
