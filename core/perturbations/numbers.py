"""Making a number wrong: another value of the same size, written in the same way.

Digits in use as names are left alone: list numbers, "Step 2", version numbers, dates written in
digits, telephone numbers, codes with leading zeros.
"""

import random
from decimal import Decimal
from typing import Final

import regex

from core.perturbations.base import Edited, EditRequest, NotApplicable, replace_ranges

_NUMBER: Final = regex.compile(
    r"(?<![\w.,:/\\\-–#])(?P<sign>[-−–]?)"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,15}(?:[.,]\d{1,6})?)"
    r"(?![\d]|[.,:/\-–]\d|\p{L}{3,}|st\b|nd\b|rd\b|th\b)"
)
_CLOCK: Final = regex.compile(r"(?<![\w.,:/\-])(?P<hour>[01]?\d|2[0-3])(?=:[0-5]\d(?![\d:]))")
_NAMED_BEFORE: Final = regex.compile(
    r"(?i)(?:\b(?:step|option|part|question|figure|fig\.|table|section|chapter|item|no\.|page|version"
    r"|python|day|week|phase|level|room|line|exercise|example|rule|tip|point)\s|^[^\S\n]*[*_]{0,2})$"
)
_LIST_NUMBER_AFTER: Final = regex.compile(r"[.)][*_]{0,2}(?:\s|$)|:")
_NUMBER_WORDS: Final = (
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
_WORD_NUMBER: Final = regex.compile(
    rf"(?i)(?<![\w\-])(?:{'|'.join(_NUMBER_WORDS)})(?![\w\-]|\s+or\b)"
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_FIRST_YEAR, _LAST_YEAR = 1000, 2099
_FACTORS: Final = ("0.6", "0.7", "0.75", "0.8", "1.2", "1.25", "1.3", "1.4", "1.5")


def change_number(request: EditRequest) -> Edited:
    """Replaces one number, wherever it stands in the text, by a wrong one of the same form.

    A number that the prompt does not give is changed rather than one that it gives, and digits
    rather than words.

    Raises:
        NotApplicable: there is no number in digits or words outside code and links.
    """
    text = request.text
    found = _digit_numbers(text) or _word_numbers(text)
    if not found:
        raise NotApplicable("There is no number outside code, links and list numbering.")
    values = sorted({text[start:end] for start, end in found})
    own = [
        value for value in values if not regex.search(rf"\b{regex.escape(value)}\b", request.prompt)
    ]
    old = request.rng.choice(own or values)
    new = wrong_value(old, request.rng)
    places = [(start, end, new) for start, end in found if text[start:end] == old]
    return Edited(replace_ranges(text, places), f"{old} became {new}")


def wrong_value(number: str, rng: random.Random) -> str:
    """Another number of about the same size in the same notation.

    Thousands separators, decimals, trailing zeros, the number of digits and capitals are kept; a
    four-digit year stays a year between 1000 and 2099.
    """
    if not number[0].isdigit():
        return _other_word(number, rng)
    if _is_year(number):
        steps = [-27, -14, -8, -5, -3, 3, 4, 6, 11, 19]
        return str(rng.choice([y for step in steps if _is_year(str(y := int(number) + step))]))
    digits = number.replace(",", "").replace(".", "")
    value = int(digits)
    if value < 10:
        near = [other for other in range(1, 10) if 0 < abs(other - value) <= 4]
        return _written_like(number, str(rng.choice(near)).zfill(len(digits)))
    unit = 10 ** (len(digits) - len(digits.rstrip("0")))
    unit = unit // 10 if value == unit else unit  # 100 and 1,000 may become 80 and 700
    others = {int(value * Decimal(factor) / unit) * unit for factor in _FACTORS} | {
        value + unit,
        value - unit,
    }
    fitting = sorted(v for v in others if v != value and len(str(v)) == len(digits) and v > 0)
    if number == "100" or not fitting:
        fitting = sorted(v for v in others if 0 < v < value)
    return _written_like(number, str(rng.choice(fitting)))
