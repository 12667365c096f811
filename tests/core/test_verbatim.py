"""What must stay as it is inside a text is found, and prose is not mistaken for it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.verbatim import RangeSet, fenced_ranges, inline_ranges, line_ranges, verbatim_ranges


def found(text: str, *kinds: str) -> list[str]:
    return [text[a:b] for a, b in verbatim_ranges(text, kinds or ("code", "link")).ranges]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Use `a b` here.", ["`a b`"]),
        ("Use ``a ` b`` here.", ["``a ` b``"]),
        ("Call my_function or print() now.", ["my_function", "print()"]),
        ("Set maxLength and --verbose.", ["maxLength", "--verbose"]),
        ("See https://example.com/a?b=c. Then go.", ["https://example.com/a?b=c"]),
        ("Write to ann.b@x-y.co.uk, please.", ["ann.b@x-y.co.uk"]),
        ("Open config.yaml or /etc/hosts.", ["config.yaml", "/etc/hosts"]),
        ("A [link](to/it) and <br/>.", ["(to/it)", "<br/>"]),
        ("Well-known words, and/or 24/7 dashes.", []),
        ("Mr. Smith came at 5 p.m. today.", ["p.m"]),
    ],
)
def test_code_and_links_inside_a_line(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "line",
    [
        "def f(x):",
        "for i in range(3):",
        "import os",
        "x = 5",
        "const child = spawn('sleep');",
        "SELECT name FROM users",
        "print(total)",
        "$ make test",
        "git status",
        "}",
    ],
)
def test_a_line_of_code_without_a_fence(line: str) -> None:
    assert found(f"Do this:\n{line}\nThen rest.", "code") == [f"{line}\n"]


@pytest.mark.parametrize(
    "line",
    [
        "I import wine from Spain.",
        "For the first time, I return home.",
        "4 × 84 = 336",
        "While you wait, read on.",
        "cd is a command that changes folders.",
    ],
)
def test_a_line_of_prose_is_not_code(line: str) -> None:
    assert found(f"Listen:\n{line}\nThen rest.", "code") == []


def test_indented_lines_belong_to_the_code_above_them() -> None:
    text = "def f(n):\n    return n > 1\nThat is all."
    assert found(text, "code") == ["def f(n):\n    return n > 1\n"]


def test_fences_close_on_their_own_mark_only() -> None:
    text = "a\n````\n```\nx\n```\n````\nb\n~~~\nopen to the end"
    assert [text[a:b] for a, b in fenced_ranges(text)] == [
        "````\n```\nx\n```\n````\n",
        "~~~\nopen to the end",
    ]


def test_a_price_is_no_formula() -> None:
    assert found("It costs $5 and then $10, with $x^2$ and \\(a+b\\).", "formula") == [
        "$x^2$",
        "\\(a+b\\)",
    ]


def test_quotations_in_several_styles() -> None:
    assert found('"one" “two” «three» „four“ it\'s', "quotation") == [
        '"one"',
        "“two”",
        "«three»",
        "„four“",
    ]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)), max_size=8),
    st.integers(0, 40),
    st.integers(1, 6),
)
def test_a_range_set_answers_like_a_set_of_positions(
    ranges: list[tuple[int, int]], begin: int, length: int
) -> None:
    inside = {at for start, n in ranges for at in range(start, start + n)}
    asked = set(range(begin, begin + length))
    ranges_set = RangeSet((start, start + n) for start, n in ranges)
    assert ranges_set.touches(begin, begin + length) == bool(asked & inside)
    assert ranges_set.covers(begin, begin + length) == (asked <= inside)


@given(st.text(alphabet='`~$\\()[]<>a1.:/@#=;{}"“ \t\r\n\u2028é漢', max_size=60))
def test_ranges_lie_inside_any_text(text: str) -> None:
    ranges = [*verbatim_ranges(text).ranges, *inline_ranges(text), *fenced_ranges(text)]
    assert all(0 <= begin < end <= len(text) for begin, end in ranges)
    assert "".join(text[begin:end] for begin, end in line_ranges(text)) == text


@pytest.mark.parametrize(
    "piece",
    ["`", "`a``", "$a ", "\\(", "+", "-", "a.a.", "<a", " ", "({", "](", "/a", "a=", "```\n"],
)
def test_a_hundred_thousand_characters_take_bounded_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = time.monotonic()
    verbatim_ranges(text)
    assert time.monotonic() - started < 5
