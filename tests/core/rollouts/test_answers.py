"""Answers found, brought to their normal form and compared: against values worked out by hand."""

import time
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TableError
from core.rollouts.answers import (
    AnswerRule,
    Rule,
    boxed,
    find_answer,
    read_answers,
    reference_answers,
)
from core.rollouts.equivalence import AlgebraProcess, needs_algebra, verdicts
from core.rollouts.normal_form import exact_number, format_number, normal_form


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("1,250.0", "1250"),
        ("$1{,}250$", "1250"),
        ("10 000", "10000"),
        (r"\frac{1}{2}", "0.5"),
        (r"\dfrac12", "0.5"),
        ("1/2", "0.5"),
        ("0.50", "0.5"),
        (r"50\%", "0.5"),
        ("½", "0.5"),
        ("3½", "3.5"),
        ("1/3", "1/3"),
        ("2/6", "1/3"),
        (r"1\frac{1}{2}", "1.5"),
        ("-0.0", "0"),
        ("\u22127", "-7"),
        (r"\$5.00", "5"),
        ("x = 3", "3"),
        ("**42**", "42"),
        ("1.5e3", "1500"),
        ("(B)", "b"),
        ("B.", "b"),
        (r"\text{Paris}", "paris"),
        ("  New   York. ", "new york"),
        ("(1, 2)", "(1,2)"),
        ("1,2", "1,2"),
        ("2/0", "2/0"),
        ("12 apples", "12 apples"),
        (r"\left(x + 1\right)", "(x+1)"),
        ("", ""),
        ("$", ""),
    ],
)
def test_normal_form(answer: str, normal: str) -> None:
    assert normal_form(answer) == normal


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_every_way_to_write_a_fraction_is_one_answer(top: int, bottom: int) -> None:
    number = Fraction(top, bottom)
    written = format_number(number)
    assert exact_number(written) == number
    sign = "-" if top < 0 else ""
    assert normal_form(f"{top}/{bottom}") == written
    assert normal_form(f"{sign}\\frac{{{abs(top)}}}{{{bottom}}}") == written


@given(st.text(max_size=60))
def test_a_normal_form_is_its_own_normal_form(text: str) -> None:
    once = normal_form(text)
    assert normal_form(once) == once


def test_a_huge_number_is_never_computed() -> None:
    start = time.monotonic()
    assert normal_form("1e999999999") == "1e999999999"
    assert normal_form("1e9999") == "1e9999"
    assert normal_form("9" * 10_000) == "9" * 400
    assert normal_form("1/" + "7" * 300).startswith("1/777")
    assert time.monotonic() - start < 1.0


@pytest.mark.parametrize(
    ("response", "rule", "answer"),
    [
        (r"So \boxed{\frac{1}{2}}.", "boxed", "0.5"),
        (r"\boxed{1} no, \boxed{\text{a}_{1}} yes", "boxed", "a_{1}"),
        (r"\fbox{7}", "boxed", "7"),
        (r"\boxed 5 done", "boxed", "5"),
        (r"\boxed{3} and then \boxed{unfinished", "boxed", "3"),
        (r"\boxed{unfinished", "boxed", None),
        ("The answer is 3.5. I am sure.", "phrase", "3.5"),
        ("The answer is 12 apples.", "phrase", "12"),
        ("First the answer is 4. No: the answer is 5!", "phrase", "5"),
        ("Final answer: $1,000$", "phrase", "1000"),
        ("The answer is Paris.", "phrase", "paris"),
        ("I do not know.", "phrase", None),
        ("<answer> 4 </answer>", "tag", "4"),
        ("<answer>\n4\n", "tag", None),
        ("3 + 4 = 7\n#### 1,007", "hashes", "1007"),
        ("We get 3, then 1,234.50 dollars.", "last number", "1234.5"),
        ("between 2-5", "last number", "5"),
        ("It equals -3", "last number", "-3"),
        ("Half, 1/2 of it", "last number", "0.5"),
        ("none", "last number", None),
        ("I pick (C) because A and B fail.", "choice", "c"),
        ("A cat is here. The answer is B", "choice", "b"),
        (r"so \boxed{\text{(D)}}", "choice", "d"),
        ("I think a lot.", "choice", None),
        ("So B) it is", "choice", "b"),
        ("7", "automatic", "7"),
        ("A long text of words\nwithout any mark", "automatic", None),
        (r"The answer is 3, that is \boxed{4}", "automatic", "4"),
        (" 0.50 ", "whole", "0.5"),
    ],
)
def test_rules(response: str, rule: Rule, answer: str | None) -> None:
    assert find_answer(response, AnswerRule(rule)) == answer


def test_a_pattern_gives_its_first_group_at_its_last_match() -> None:
    rule = AnswerRule("pattern", r"Result:\s*(\S+)")
    assert find_answer("Result: 3\nResult: 1,000 m", rule) == "1000"
    assert find_answer("Result none", rule) is None
    assert find_answer("x42y", AnswerRule("pattern", r"\d+")) == "42"


def test_a_pattern_that_does_not_compile_says_so() -> None:
    with pytest.raises(TableError, match="no regular expression"):
        read_answers(pd.Series(["a"]), AnswerRule("pattern", "("))


def test_a_pattern_that_backtracks_for_ever_costs_its_answers_and_little_time() -> None:
    # One or two letters at a time over a text it fails on at the end: more than 2^100 ways to try.
    rule = AnswerRule("pattern", r"^(?:a|aa)+$")
    responses = pd.Series([f"{'a' * 200}{place}" for place in range(100)])
    start = time.monotonic()
    read = read_answers(responses, rule)
    assert time.monotonic() - start < 60.0
    assert read.left_out == {"the pattern takes too long": 100}
    assert read.n_read == 0


def test_what_could_not_be_read_is_counted_by_reason() -> None:
    responses = pd.Series([r"\boxed{1}", r"\boxed{}", "nothing", None, 3.0, r"\boxed{1.0}"])
    read = read_answers(responses, AnswerRule("boxed"))
    assert read.answers.tolist()[0] == read.answers.tolist()[5] == "1"
    assert read.n_read == 2
    assert read.left_out == {"an empty answer": 1, "nothing boxed": 1, "no response": 2}


def test_only_the_end_of_a_long_response_is_searched() -> None:
    start = time.monotonic()
    assert boxed(r"\boxed{" * 3000) is None
    assert find_answer(r"\boxed{1}" + "x " * 2_000_000, AnswerRule("boxed")) is None
    assert time.monotonic() - start < 10.0


def test_reference_answers_of_worked_solutions() -> None:
    cells = pd.Series(
        ["She has 3+4=7.\n#### 7", r"thus $\boxed{\frac{1}{2}}$", "12", 5, ["3"], None, {"a": 1}]
    )
    made = reference_answers(cells)
    assert made.iloc[:5].tolist() == ["7", "0.5", "12", "5", "3"]
    assert made.iloc[5:].isna().all()


def test_verdicts_count_what_was_unread_and_what_algebra_found() -> None:
    answers = pd.Series(["0.5", "x+1", r"\sqrt{8}", "3", None, "paris", "2"], dtype="str")
    references = pd.Series(["0.5", "1+x", r"2\sqrt{2}", "4", "4", "rome", None], dtype="str")
    judged = verdicts(answers, references)
    assert judged.correct.iloc[:6].tolist() == [True, True, True, False, False, False]
    assert judged.correct.isna().tolist() == [False] * 6 + [True]
    assert (judged.n_unread, judged.n_by_algebra) == (1, 2)
    plain = verdicts(answers, references, algebra=False)
    assert plain.correct.iloc[:3].tolist() == [True, False, False]
    assert plain.n_by_algebra == 0


def test_numbers_and_long_texts_never_reach_algebra() -> None:
    assert not needs_algebra("3", "4")
    assert not needs_algebra("x^2" * 100, "1")
    assert needs_algebra(r"\sqrt{4}", "2")


@pytest.mark.slow
def test_an_expression_that_would_take_for_ever_is_given_up_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with AlgebraProcess() as algebra:
        assert algebra.same(r"\sqrt{4}", "2") is True
        monkeypatch.setattr("core.rollouts.equivalence.PAIR_TIMEOUT_S", 25.0)
        start = time.monotonic()
        assert not algebra.same("9^{9^{9^{9^{9}}}}", "8^{8^{8^{8^{8}}}}")
        assert not algebra.same("((((" * 12 + "x" + "))))" * 12, "factorial(10^9)!!!")
        assert time.monotonic() - start < 120.0
        monkeypatch.setattr("core.rollouts.equivalence.PAIR_TIMEOUT_S", 60.0)
        assert algebra.same("x+1", "1+x") is True
