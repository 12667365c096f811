"""Words about words: which carry no topic, and which tell the language of a text."""

from typing import Final

import regex


def word_set(text: str) -> frozenset[str]:
    """The words of a string, so that a list of them reads like text."""
    return frozenset(text.split())


FUNCTION_WORDS: Final = word_set(
    """
    a about above after again all almost also although always an and another any are as at be
    because been before being below between both but by can cannot could did do does doing done
    down during each either else enough even ever every few for from get gets give given gives go
    goes had has have having he her here hers him his how however i if in instead into is it its
    itself just know least less let like likely made make makes making many may me mean means might
    more most much must my need needs neither never no none nor not now of off often on once one
    only onto or other others our out over own per perhaps please put quite rather really same say
    says see she should since so some someone something sometimes soon still such take takes than
    that the their them then there therefore these they thing things this those though through thus
    to together too toward towards under until up upon us use used uses using usually very want
    wants was way ways we well were what whatever when where whether which while who whole whom
    whose why will with within without would yes yet you your yours yourself
    """
)
"""Words that carry no topic: left out when the topic of a text is asked for."""

_TELLING_ENGLISH: Final = word_set(
    "the and is are of to with you it that for this your from have not be or as by at can if i"
)
_TELLING_OTHER: Final = word_set(
    """
    le la les des une est et pour dans que qui avec vous der die das und ist nicht mit ein eine
    den el los las una por con para como il che di della sono per het een van niet voor och att
    som inte
    """
)
_LETTER = regex.compile(r"\p{L}")
_LATIN = regex.compile(r"\p{Latin}")
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)?")


def looks_english(text: str) -> bool:
    """Whether English words may be added to `text` without changing its language.

    Text without telling words (a number, a list of names) counts as English.
    """
    letters = len(_LETTER.findall(text))
    if letters and len(_LATIN.findall(text)) < 0.8 * letters:
        return False
    found = [word.lower() for word in _WORD.findall(text)]
    other = sum(word in _TELLING_OTHER for word in found)
    return other <= sum(word in _TELLING_ENGLISH for word in found)


def content_words(text: str, *, shortest: int = 4) -> list[str]:
    """The words that carry the topic, each once, as first written, in their order."""
    found: dict[str, str] = {}
    for word in _WORD.findall(text):
        lowered = word.lower().replace("’", "'")
        bare = lowered.split("'")[0]
        if len(bare) >= shortest and lowered not in FUNCTION_WORDS and bare not in FUNCTION_WORDS:
            found.setdefault(lowered, word)
    return list(found.values())
