"""Making a number wrong: another value of the same size, written in the same way.

Digits that serve as names are left alone: list numbers, "Step 2", version numbers, dates and
telephone numbers in digits, codes with leading zeros.
"""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Final
from unicodedata import decimal

import regex

from core.perturbations.base import Edited, EditRequest, NotApplicable, replace_ranges
from core.segments import LIST_MARKER
from core.verbatim import Range, RangeSet, line_ranges, verbatim_ranges

_UNIT: Final = r"(?i:kg|g|mg|km|m|cm|mm|ml|cl|l|s|ms|h|min|k|am|pm|mph|x|[kmgt]b|hz|v|w|kw)\b"
_NUMBER: Final = regex.compile(
    r"(?<![\w.,:/\\#]|[\d\p{L}][-–])"
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d{1,6})?|\d{1,15}(?:[.,]\d{1,6})?)"
    rf"(?!\d|[.,:/\-–]\d|_|(?!{_UNIT})\p{{L}})"
)
_CLOCK: Final = regex.compile(r"(?<![\w.,:/\-])(?:1?\d|2[0-3]):[0-5]\d(?![\d:])")
_NAME_BEFORE: Final = regex.compile(
    r"(?i)\b(?:step|option|part|question|figure|fig\.|table|section|chapter|item|no\.|page|version"
    r"|v|python|phase|level|line|exercise|example|rule|tip|point|isbn|code)\s?$"
)
_NUMBER_WORDS: Final = (
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORD: Final = regex.compile(
    rf"(?i)(?<![\w\-])(?<!\bor\s)(?:{'|'.join(_NUMBER_WORDS + _TENS)})(?![\w\-])(?!\s+(?:of|or)\b)"
)
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sep|Oct|Nov|Dec)[a-z]*\b"
_MONTH_BEFORE: Final = regex.compile(rf"\b{_MONTH}\.?\s$")
_MONTH_AFTER: Final = regex.compile(rf"\s(?:of\s)?{_MONTH}")
_FIRST_YEAR, _LAST_YEAR = 1000, 2099
_FIRST_COMMON_YEAR = 1500
_YEAR_STEPS: Final = (-27, -14, -8, -5, -3, 3, 4, 6, 11, 19)
_FACTORS: Final = tuple(map(Decimal, ("0.6", "0.7", "0.75", "0.8", "1.2", "1.3", "1.4", "1.5")))


def change_number(request: EditRequest) -> Edited:
    """Replaces one number, wherever it stands in the text, by a wrong one of the same form.

    A number that the prompt does not give is changed rather than one that it gives, and digits
    rather than words.

    Raises:
        NotApplicable: there is no number in digits or English words outside code and links.
    """
    text = request.text
    found = list(_numbers(text))
    if not found:
        raise NotApplicable("There is no number outside code, links and list numbering.")
    values = sorted({text[start:end] for start, end in found})
    given = {request.prompt[start:end] for start, end in _numbers(request.prompt)}
    old = request.rng.choice([value for value in values if value not in given] or values)
    spans = [(start, end) for start, end in found if text[start:end] == old]
    of_month = any(_is_day_of_month(text, start, end) for start, end in spans)
    new = _other_day(old, request.rng) if of_month else wrong_value(old, request.rng)
    places = [(start, end, new) for start, end in spans]
    return Edited(replace_ranges(text, places), f"{old} became {new}")


def _numbers(text: str) -> Iterator[Range]:
    """Where the numbers are that state something: those in digits, or else those in words."""
    verbatim = verbatim_ranges(text, ("code", "link"))
    markers = list_markers(text)
    in_digits = [
        match.span()
        for pattern in (_NUMBER, _CLOCK)
        for match in pattern.finditer(text)
        if not verbatim.touches(*match.span())
        and not markers.touches(*match.span())
        and not _NAME_BEFORE.search(text[max(0, match.start() - 12) : match.start()])
        and not _has_leading_zero(match.group())
    ]
    in_words = (
        match.span() for match in _WORD.finditer(text) if not verbatim.touches(*match.span())
    )
    yield from in_digits or in_words


def list_markers(text: str) -> RangeSet:
    """The markers of all list items: a number or a bullet, with the spaces around it."""
    lines = (LIST_MARKER.match(text, start, end) for start, end in line_ranges(text))
    return RangeSet(marker.span() for marker in lines if marker)


def _has_leading_zero(number: str) -> bool:
    return len(number) > 1 and number[0] == "0" and number[1].isdecimal()


def _is_day_of_month(text: str, start: int, end: int) -> bool:
    """Whether a number stands before or after a month, as in "4 March" and "March 4"."""
    number = text[start:end]
    if not number.isdecimal() or not 1 <= int(number) <= 31:
        return False
    after = _MONTH_AFTER.match(text, end) is not None
    return after or _MONTH_BEFORE.search(text[max(0, start - 12) : start]) is not None


def _other_day(number: str, rng: random.Random) -> str:
    return str(rng.choice([day for day in range(1, 29) if 1 < abs(day - int(number)) <= 9]))


def wrong_value(number: str, rng: random.Random) -> str:
    """Another number of about the same size in the same notation.

    The number of digits, thousands separators, decimals, trailing zeros and capitals are kept; a
    year between 1000 and 2099 stays one, the hour of a clock time stays in its half of the day, and
    100 becomes less, as 100 % has to.

    Args:
        number: digits with separators ("1,200", "3.5", "8:30"), or an English word from two to
            twelve or a multiple of ten.
        rng: decides which of the plausible values it becomes.
    """
    if not number[0].isdecimal():
        return _other_word(number, rng)
    plain = "".join(str(decimal(c)) if c.isdecimal() else c for c in number)
    if _is_year(plain):
        years = [str(int(plain) + step) for step in _YEAR_STEPS]
        other = rng.choice([year for year in years if _is_year(year)])
    elif ":" in plain:
        other = _other_hour(plain, rng)
    else:
        other = _other_amount(plain, rng)
    zero = ord(number[0]) - decimal(number[0])  # of the script's own digits
    return "".join(chr(zero + int(c)) if c.isdecimal() else c for c in other)


def _other_hour(clock: str, rng: random.Random) -> str:
    hour, minutes = clock.split(":")
    half = range(1, 13) if 1 <= int(hour) <= 12 else range(13, 24)
    return f"{rng.choice([h for h in half if 0 < abs(h - int(hour)) <= 3] or [21])}:{minutes}"


def _other_amount(number: str, rng: random.Random) -> str:
    if number == "100":
        return rng.choice(("60", "70", "80", "90"))
    digits = [character for character in number if character.isdecimal()]
    other = str(rng.choice(_plausible(int("".join(digits))))).zfill(len(digits))
    following = iter(other)
    return "".join(next(following) if character.isdecimal() else character for character in number)


def _plausible(value: int) -> list[int]:
    """Other values with as many digits and as many zeros at the end, up to half as much more."""
    if value < 10:
        return [other for other in range(1, 10) if 0 < abs(other - value) <= 4]
    unit: int = 10 ** (len(str(value)) - len(str(value).rstrip("0")))
    if value == unit:  # a power of ten has no other value with as many zeros and digits
        return [unit // 10 * share for share in (12, 13, 14, 15)]
    scaled = {int(value * factor / unit) * unit for factor in _FACTORS}
    near = scaled | {value + unit, value - unit}
    # Rounding to zeros at the end can go far down: 60 % of 300 would be 100.
    return sorted(
        other
        for other in near - {value}
        if len(str(other)) == len(str(value)) and value <= 2 * other <= 4 * value
    )


def _other_word(word: str, rng: random.Random) -> str:
    words = _NUMBER_WORDS if word.lower() in _NUMBER_WORDS else _TENS
    at = words.index(word.lower())
    other = rng.choice([w for i, w in enumerate(words) if 0 < abs(i - at) <= 3])
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other


def _is_year(number: str) -> bool:
    if not (number.isdecimal() and len(number) == 4 and _FIRST_YEAR <= int(number) <= _LAST_YEAR):
        return False
    # 1200 and 1400 count things more often than years.
    return int(number) >= _FIRST_COMMON_YEAR or int(number) % 100 != 0
