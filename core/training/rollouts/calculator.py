"""The tool task: work out an expression by writing small programs that are really executed.

The demonstrations are written by a rule with faults: a program that Python refuses, put right in
the next call, or an answer without any call. The policy learns all of these habits before it is
trained against a reward that sees nothing but the answer.
"""

from random import Random

from core.training.rollouts import tokens
from core.training.rollouts.problems import Problem, Task, is_right

MAX_CALLS = 3
FAULTS = ("bracket", "name", "operator", "equals", "zero")


def draw(rng: Random) -> Problem:
    """An expression of three numbers with brackets."""
    a, b, c = rng.randint(11, 99), rng.randint(11, 99), rng.randint(3, 29)
    inner, outer = rng.choice("+-*"), rng.choice("+-*")
    text = f"({a}{inner}{b}){outer}{c}" if rng.random() < 0.5 else f"{c}{outer}({a}{inner}{b})"
    return Problem("calculator", f"{text}=", str(eval(text)))  # noqa: S307 - made of our own numbers


def demonstrate(problem: Problem, rng: Random) -> str:
    """A trajectory with its tool responses, right or wrong, clean or messy."""
    expression = problem.prompt.removesuffix("=")
    if rng.random() < 0.08:
        return _answer(_guess(problem, rng))
    text, calls = "", 0
    while calls < MAX_CALLS - 1 and rng.random() < 0.45:
        program, error = _faulty(expression, rng.choice(FAULTS))
        text += _call(program, error)
        calls += 1
    if calls and rng.random() < 0.15:
        return text + _answer(_guess(problem, rng))
    if rng.random() < 0.15:
        slip = _slip(expression, rng)
        return text + _call(slip, str(eval(slip))) + _answer(str(eval(slip)))  # noqa: S307
    return text + _call(expression, problem.answer) + _answer(problem.answer)


CALCULATOR = Task(
    "calculator",
    "work out an expression with a Python tool",
    "structured",
    draw,
    demonstrate,
    is_right,
)


def _call(program: str, response: str) -> str:
    called = f"{tokens.CALL}{program}{tokens.END_CALL}"
    return f"{called}{tokens.RESPONSE}{response}{tokens.END_RESPONSE}"


def _answer(answer: str) -> str:
    return f"{tokens.ANSWER}{answer}{tokens.END_ANSWER}"


def _guess(problem: Problem, rng: Random) -> str:
    return str(int(problem.answer) + rng.randint(-30, 30))


def _slip(expression: str, rng: Random) -> str:
    """The expression with one digit changed."""
    places = [at for at, each in enumerate(expression) if each.isdigit()]
    at = rng.choice(places)
    return expression[:at] + rng.choice("123456789") + expression[at + 1 :]


def _faulty(expression: str, fault: str) -> tuple[str, str]:
    """A program that Python refuses, and what it says."""
    if fault == "bracket":
        return expression.replace(")", "", 1), "SyntaxError: error"
    if fault == "name":
        return f"calc({expression})", "NameError: error"
    if fault == "operator":
        return expression.replace(")", ")()", 1), "TypeError: error"
    if fault == "equals":
        return f"{expression}=", "SyntaxError: error"
    return f"({expression})/0", "ZeroDivisionError: error"
