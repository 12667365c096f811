"""The tasks of the recorded runs: problems drawn at random, their checks, and demonstrations.

A structured task has one right answer. An open-ended one has many, and its score is a rule's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Literal

from core.training.rollouts import tokens

Kind = Literal["structured", "open-ended"]

VOWELS = "aeiou"
CONSONANTS = "bcdfghjklmnprstvz"


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        task: the task it is drawn from.
        prompt: what the policy reads.
        answer: the right answer; "" for an open-ended problem.
    """

    task: str
    prompt: str
    answer: str


@dataclass(frozen=True)
class Task:
    """A family of problems.

    Attributes:
        name: its name in tables.
        title: what it asks for.
        kind: whether there is one right answer.
        draw: a problem at random.
        demonstrate: a response to pre-train on, which need not be a good one.
        score: of an answer, 0..1.
    """

    name: str
    title: str
    kind: Kind
    draw: Callable[[Random], Problem]
    demonstrate: Callable[[Problem, Random], str]
    score: Callable[[Problem, str], float]


def is_right(problem: Problem, answer: str) -> float:
    """1 for the right answer, else 0."""
    return float(answer == problem.answer)


def name_quality(problem: Problem, answer: str) -> float:
    """How well an invented name reads, by rule: 0..1, each fault costs.

    It begins with the letter asked for, is five to eight letters long, consonants and vowels take
    turns, and no letter stands more than twice.
    """
    if not answer or not answer.isalpha():
        return 0.0
    letter = problem.prompt[len(tokens.NAME)]
    turns = [(one in VOWELS) != (two in VOWELS) for one, two in pairwise(answer)]
    alternating = sum(turns) / len(turns) if turns else 0.0
    length = 1.0 if 5 <= len(answer) <= 8 else 0.5
    repeated = 1.0 if max(answer.count(each) for each in answer) <= 2 else 0.5
    return float(answer[0] == letter) * alternating**2 * length * repeated


def _arithmetic(
    name: str, title: str, sign: str, first: tuple[int, int], second: tuple[int, int]
) -> Task:
    results = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}

    def draw(rng: Random) -> Problem:
        a, b = rng.randint(*first), rng.randint(*second)
        return Problem(name, f"{a}{sign}{b}=", str(results[sign](a, b)))

    return Task(name, title, "structured", draw, lambda problem, _: problem.answer, is_right)


def _draw_sort(rng: Random) -> Problem:
    digits = [rng.choice("0123456789") for _ in range(6)]
    return Problem("sort", f"{tokens.SORT}{''.join(digits)}=", "".join(sorted(digits)))


def _draw_name(rng: Random) -> Problem:
    return Problem("name", f"{tokens.NAME}{rng.choice(CONSONANTS)}{rng.choice(VOWELS)}=", "")


def _demonstrate_name(problem: Problem, rng: Random) -> str:
    """An invented name, often with a fault: a wrong letter, too short, two consonants in a row."""
    letters = [problem.prompt[len(tokens.NAME)] if rng.random() < 0.8 else rng.choice(CONSONANTS)]
    for _ in range(rng.randint(3, 8)):
        vowel_next = letters[-1] not in VOWELS
        if rng.random() < 0.25:
            vowel_next = not vowel_next
        letters.append(rng.choice(VOWELS if vowel_next else CONSONANTS))
    return "".join(letters)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        _arithmetic("sum-2", "add two numbers of two digits", "+", (10, 99), (10, 99)),
        _arithmetic("sum-3", "add two numbers of three digits", "+", (100, 999), (100, 999)),
        _arithmetic("difference", "subtract numbers of two digits", "-", (10, 99), (10, 99)),
        _arithmetic("product-1", "multiply one digit by two", "*", (2, 9), (12, 99)),
        _arithmetic("product-2", "multiply numbers of two digits", "*", (12, 99), (12, 99)),
        _arithmetic("product-3", "multiply three digits by two", "*", (101, 999), (12, 99)),
        Task(
            "sort",
            "put six digits in order",
            "structured",
            _draw_sort,
            lambda problem, _: problem.answer,
            is_right,
        ),
        Task(
            "name",
            "invent a name that begins with a given letter",
            "open-ended",
            _draw_name,
            _demonstrate_name,
            name_quality,
        ),
    )
}
