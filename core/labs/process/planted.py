"""Chains of arithmetic with an error planted at a known step: solutions whose labels are exact."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.errors import SettingsError


@dataclass(frozen=True)
class PlantedSolution:
    """A solution step by step.

    Attributes:
        problem_id: of its problem; a problem has one solution without and one with an error.
        prompt: the question.
        steps: of the solution.
        label: position of the first wrong step from 0, -1 for none. Steps after it carry its wrong
            number on and are right in themselves.
    """

    problem_id: str
    prompt: str
    steps: tuple[str, ...]
    label: int


def planted_solutions(
    n_problems: int, *, rng: np.random.Generator, n_steps: int = 4
) -> list[PlantedSolution]:
    """Problems with two solutions each, one right and one that goes wrong at a random step.

    Args:
        n_problems: at least 1.
        rng: of numbers and errors.
        n_steps: calculations in each, at least 1.
    """
    if n_problems < 1 or n_steps < 1:
        raise SettingsError("At least one problem and one step are needed.")
    found = []
    for number in range(n_problems):
        start = int(rng.integers(5, 40))
        moves = [_move(rng) for _ in range(n_steps)]
        asked = ", then ".join(f"{verb} {amount}" for verb, amount in moves)
        prompt = f"Start with {start}, then {asked}. What do you get?"
        wrong_at = int(rng.integers(n_steps))
        slip = int(rng.choice([-10, -3, -2, -1, 1, 2, 3, 10]))
        for label in (-1, wrong_at):
            steps = tuple(_steps(start, moves, label, slip))
            found.append(PlantedSolution(f"chain-{number:03}", prompt, steps, label))
    return found


def _move(rng: np.random.Generator) -> tuple[str, int]:
    verb = str(rng.choice(["add", "subtract", "multiply by"], p=[0.45, 0.3, 0.25]))
    return verb, int(rng.integers(2, 6) if verb == "multiply by" else rng.integers(2, 30))


def _steps(start: int, moves: list[tuple[str, int]], label: int, slip: int) -> Iterator[str]:
    value = start
    for number, (verb, amount) in enumerate(moves):
        sign, result = {
            "add": ("+", value + amount),
            "subtract": ("-", value - amount),
            "multiply by": ("*", value * amount),
        }[verb]
        result += slip if number == label else 0
        yield f"Step {number + 1}: {value} {sign} {amount} = {result}."
        value = result
