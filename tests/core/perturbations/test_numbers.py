"""A wrong number is wrong, plausible, and written like the right one."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.perturbations import apply
from core.perturbations.numbers import wrong_value
from core.schema import make_conversation


def changed(text: str, prompt: str = "Well?", seed: int = 0) -> str:
    outcome = apply("wrong-number", make_conversation(prompt, text), seed)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


@pytest.mark.parametrize(
    ("number", "pattern"),
    [
        ("7", r"[1-9]"),
        ("0", r"[1-4]"),
        ("42", r"\d\d"),
        ("350", r"\d\d0"),
        ("1,200", r"\d,\d00"),
        ("1,234,567", r"\d,\d{3},\d{3}"),
        ("3.5", r"\d\.\d"),
        ("0.75", r"0\.\d\d"),
        ("3,5", r"\d,\d"),
        ("10", r"1[2-5]"),
        ("100", r"[6-9]0"),
        ("1,000", r"1,[2-5]00"),
        ("10.0", r"1[2-5]\.0"),
        ("1.00", r"1\.[2-5]0"),
        ("1989", r"(19|20)\d\d"),
        ("8:30", r"\d\d?:30"),
        ("23:15", r"2[0-2]:15"),
        ("three", r"two|four|five|six"),
        ("Seven", r"[A-Z][a-z]+"),
        ("TWENTY", r"THIRTY|FORTY|FIFTY"),
    ],
)
def test_the_form_is_kept(number: str, pattern: str) -> None:
    for seed in range(30):
        other = wrong_value(number, random.Random(seed))
        assert re.fullmatch(pattern, other), other
        assert other != number


@given(st.integers(0, 10**12), st.integers(0, 5), st.booleans())
def test_any_number_becomes_another_of_about_its_size(value: int, seed: int, grouped: bool) -> None:
    number = f"{value:,}" if grouped else str(value)
    other = wrong_value(number, random.Random(seed))
    assert other != number
    assert [c for c in other if not c.isdigit()][: other.count(",")] == [","] * number.count(",")
    ratio = int(other.replace(",", "")) / max(value, 1)
    assert value < 100 or 0.5 <= ratio <= 2


@pytest.mark.parametrize("year", [1066, 1492, 1789, 1900, 2000, 2024, 2099])
def test_years_stay_years(year: int) -> None:
    others = {int(wrong_value(str(year), random.Random(seed))) for seed in range(30)}
    assert all(1000 <= other <= 2099 and 0 < abs(other - year) <= 27 for other in others)


def test_every_place_of_the_number_changes_alike() -> None:
    after = changed("It is 4.8 m, and 4.8 m is enough.")
    found = re.fullmatch(r"It is (\S+) m, and (\S+) m is enough\.", after)
    assert found
    assert found[1] == found[2] != "4.8"


def test_the_answers_own_number_is_changed_before_a_given_one() -> None:
    for seed in range(10):
        after = changed("4 × 84 makes 336.", "What is 4 × 84?", seed)
        assert after.startswith("4 × 84 makes ")
        assert after != "4 × 84 makes 336."


def test_a_day_of_a_month_stays_one() -> None:
    for seed in range(20):
        day = re.fullmatch(
            r"It opens on (\d+) March\.", changed("It opens on 30 March.", seed=seed)
        )
        assert day
        assert 1 <= int(day[1]) <= 28


def test_percentages_stay_under_a_hundred() -> None:
    for seed in range(20):
        share = re.fullmatch(r"(\d+)%", changed("100%", seed=seed))
        assert share
        assert int(share[1]) < 100


@pytest.mark.parametrize(
    "text",
    [
        "1. Wash\n2. Boil\n3) Serve",
        "Step 3 is easy.",
        "See `x = 5` and https://a.org/2024/5.",
        "```\nport = 8080\n```",
        "Version 3.11.2 came on 2024-03-01.",
        "Call 555-0199 for room B52, 007 or H2O.",
        "Open 24/7, in the 21st century, for 3-5 people.",
        "None here, not even one.",
    ],
)
def test_numbers_that_are_names_are_left_alone(text: str) -> None:
    outcome = apply("wrong-number", make_conversation("Well?", text))
    assert (outcome.applied, outcome.note) == (False, "")
    assert "no number" in outcome.reason


def test_digits_of_another_script_stay_in_it() -> None:
    for seed in range(10):
        other = wrong_value("٣٥٠", random.Random(seed))
        assert re.fullmatch("[٠-٩]{2}٠", other)
        assert int(other) != 350


def test_words_are_changed_where_there_are_no_digits() -> None:
    assert changed("It has two parts.") in {f"It has {n} parts." for n in ("three", "four", "five")}
