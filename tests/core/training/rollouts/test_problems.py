import ast
import json
import operator
from random import Random

import pytest

from core.sandbox import Sandbox
from core.training.rollouts import tokens
from core.training.rollouts.calculator import CALCULATOR
from core.training.rollouts.episodes import tool_response
from core.training.rollouts.problems import TASKS, Problem, name_quality
from core.training.rollouts.tasks import ALL_TASKS, distinct_problems

SIGNS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def value(expression: str) -> int:
    """Works an expression out without Python's own evaluation."""

    def of(node: ast.expr) -> int:
        if isinstance(node, ast.BinOp):
            return SIGNS[type(node.op)](of(node.left), of(node.right))
        assert isinstance(node, ast.Constant)
        return int(node.value)  # type: ignore[arg-type]

    return of(ast.parse(expression, mode="eval").body)


@pytest.mark.parametrize(
    "name", ["sum-2", "sum-3", "difference", "product-1", "product-2", "product-3"]
)
def test_the_answer_of_an_arithmetic_problem_is_right(name: str) -> None:
    rng = Random(0)
    for _ in range(50):
        problem = TASKS[name].draw(rng)
        assert problem.answer == str(value(problem.prompt.removesuffix("=")))


def test_a_sorted_row_has_the_same_digits_in_order() -> None:
    problem = TASKS["sort"].draw(Random(1))
    digits = problem.prompt.removeprefix("sort ").removesuffix("=")
    assert list(problem.answer) == sorted(digits)


@pytest.mark.parametrize(
    ("answer", "quality"),
    [
        ("bamilo", 1.0),
        ("", 0.0),
        ("tamilo", 0.0),  # the wrong letter
        ("bam", 0.5),  # too short
        ("bamilolanebo", 0.5),  # too long
        ("bbmmll", 0.0),  # no consonant and vowel take turns
        ("bammilo", (5 / 6) ** 2),  # one of six places does not alternate
        ("bababa", 0.5),  # the same letters again and again
        ("ba3ilo", 0.0),  # not a name
    ],
)
def test_the_quality_of_a_name_by_rule(answer: str, quality: float) -> None:
    assert name_quality(Problem("name", "name ba=", ""), answer) == pytest.approx(quality)


def test_problems_are_distinct_and_avoid_those_named() -> None:
    training = distinct_problems({"sum-2": 30, "name": 20}, Random(0))
    seen = frozenset(problem.prompt for problem in training)
    held_out = distinct_problems({"sum-2": 30}, Random(0), without=seen)
    assert len(seen) == 50
    assert len({problem.prompt for problem in held_out} - seen) == 30


def test_every_demonstration_can_be_written_in_the_alphabet() -> None:
    rng = Random(2)
    for task in ALL_TASKS.values():
        for _ in range(30):
            text = task.demonstrate(task.draw(rng), rng)
            assert tokens.decode(tokens.encode(text)) == text


def test_what_a_demonstration_says_a_program_gave_is_what_it_really_gives() -> None:
    rng = Random(3)
    told: dict[str, str] = {}
    for _ in range(60):
        text = CALCULATOR.demonstrate(CALCULATOR.draw(rng), rng)
        for part in text.split("<tool_call>")[1:]:
            call, rest = part.split("</tool_call>")
            response = rest.split("<tool_response>")[1].split("</tool_response>")[0]
            told[json.loads(call)["arguments"]["code"]] = response
    with Sandbox(seconds=2.0) as sandbox:
        really = [tool_response(each)[0] for each in sandbox.run_many(list(told))]
    assert really == list(told.values())
    assert {"SyntaxError: error", "TypeError: error", "NameError: error"} <= set(really)
