"""An answer in its normal form: answers that mean the same are the same text.

Numbers are exact: "1,250.0", "1250" and "$1{,}250$" are "1250"; "\\frac{1}{2}", "0.5" and "50%"
are "0.5"; "1/3" stays "1/3". What is no number keeps its words, in lower case, without LaTeX's
decoration. Expressions that need algebra ("\\sqrt{8}" and "2\\sqrt{2}") are compared in
`core.rollouts.equivalence`.
"""

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

MAX_ANSWER_LENGTH = 400
"""A longer answer is no final answer; it keeps its first characters only."""

MAX_DIGITS = 60
"""A number with more digits, or a larger power of ten, is kept as text: it is never computed."""

MAX_LAYERS = 10
"""Layers of decoration that are taken off an answer."""

_WRAPPERS = re.compile(
    r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|operatorname|mbox)\s*\{([^{}]*)\}"
)
_DECORATION = re.compile(
    r"\\(?:left|right|displaystyle|,|;|!|:|quad|qquad)(?![A-Za-z])|\\[ ]|\\\$|\\%"
)
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|(\d)\s*(\d))")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[,\u00a0\u202f' ]\d{3})+(?:\.\d+)?")
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_EDGE = " \t\r\n.。,;:!?\"'`“”‘’*_"


@lru_cache(maxsize=200_000)
def normal_form(answer: str) -> str:
    """The normal form of an answer; an empty text for one that holds nothing.

    Args:
        answer: as it was extracted, LaTeX or plain.
    """
    text = answer[:MAX_ANSWER_LENGTH]
    for _ in range(MAX_LAYERS):
        made = _once(text)
        if made == text:
            break
        text = made
    return text


def _once(answer: str) -> str:
    """One layer of decoration less; what is under it may be decorated too."""
    text = _VULGAR.sub(r" \g<0>", answer)
    text = unicodedata.normalize("NFKC", text).strip()
    text = text.replace("\u2212", "-").replace("\u2013", "-").replace("\u2044", "/")
    percent = text.rstrip(_EDGE + "$)").endswith("%")
    text = _without_latex(text)
    number = exact_number(text.rstrip("% ") if percent else text)
    if number is not None:
        return format_number(number / 100 if percent else number)
    return _words(text)


def exact_number(text: str) -> Fraction | None:
    """The number that a text is, exactly, or None where it is none or too large to be an answer.

    Understands signs, decimals, powers of ten, thousands separators, fractions ("3/4"), mixed
    numbers ("1 1/2"), currency signs before the number and "x = 3".
    """
    plain = text.strip(_EDGE)
    plain = re.sub(r"^[A-Za-z]\s*=\s*", "", plain)
    plain = re.sub(r"^([+-]?)\s*[$€£¥]\s*", r"\1", plain).rstrip("$ ")
    if _GROUPED.fullmatch(plain):
        plain = re.sub(r"(?<=\d)[,\u00a0\u202f' ](?=\d{3})", "", plain)
    if _NUMBER.fullmatch(plain):
        return _decimal(plain)
    mixed = re.fullmatch(r"([+-]?)(\d{1,18})\s+(\d{1,18})\s*/\s*(\d{1,18})", plain)
    if mixed and int(mixed[4]):
        value = int(mixed[2]) + Fraction(int(mixed[3]), int(mixed[4]))
        return -value if mixed[1] == "-" else value
    top, bar, bottom = plain.strip("()").partition("/")
    if bar and _NUMBER.fullmatch(top.strip("() ")) and _NUMBER.fullmatch(bottom.strip("() ")):
        above, below = _decimal(top.strip("() ")), _decimal(bottom.strip("() "))
        return None if above is None or not below else above / below
    return None


def format_number(number: Fraction) -> str:
    """A number as text: whole, a decimal where that is exact and short, else a fraction."""
    if number.denominator == 1:
        return str(number.numerator)
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    scaled = number * 10**12
    if rest == 1 and scaled.denominator == 1:
        sign = "-" if number < 0 else ""
        whole, part = divmod(abs(scaled.numerator), 10**12)
        return f"{sign}{whole}.{part:012d}".rstrip("0")
    return f"{number.numerator}/{number.denominator}"


def _decimal(text: str) -> Fraction | None:
    mantissa, _, power = text.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or (power and abs(int(power)) > MAX_DIGITS):
        return None
    return Fraction(text)


def _without_latex(text: str) -> str:
    """The text without delimiters, spacing and wrappers of LaTeX; fractions with a bar."""
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        if len(text) > len(opening) and text.startswith(opening) and text.endswith(closing):
            text = text[len(opening) : -len(closing)].strip()
    text = text.replace("{,}", ",").replace("\\%", "%").replace("\\$", "$").replace("\\!", "")
    for _ in range(4):
        made = _FRACTION.sub(_with_bar, _WRAPPERS.sub(r"\1", text))
        if made == text:
            break
        text = made
    text = _DECORATION.sub(" ", text).replace("^\\circ", "").replace("^{\\circ}", "")
    text = text.strip()
    while len(text) > 1 and text[0] == "{" and text[-1] == "}" and "{" not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def _with_bar(match: re.Match[str]) -> str:
    top, bottom = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    parts = [
        part if re.fullmatch(r"\s*[\w.+-]*\s*", part) else f"({part})" for part in (top, bottom)
    ]
    # A number before it is a mixed number's whole part.
    before = " " if match.start() and match.string[match.start() - 1].isdigit() else ""
    return f"{before}{parts[0].strip()}/{parts[1].strip()}"


def _words(text: str) -> str:
    plain = re.sub(r"\s+", " ", text.strip(_EDGE + "$")).lower()
    choice = re.fullmatch(r"[(\[]?([a-z])[)\].:]?", plain)
    if choice:
        return choice[1]
    # In mathematics spaces mean nothing; between words they do.
    return re.sub(r"\s*([-+*/=^(){}\[\],<>|\\])\s*", r"\1", plain) if _is_formula(plain) else plain


def _is_formula(text: str) -> bool:
    return (
        any(mark in text for mark in "\\^=+*/<>{")
        or re.fullmatch(r"[(\[].*[)\]]", text) is not None
    )
