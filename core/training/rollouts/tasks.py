"""All tasks by name, and problems drawn from them."""

from collections.abc import Mapping
from random import Random

from core.training.rollouts.calculator import CALCULATOR
from core.training.rollouts.problems import TASKS, Problem, Task

ALL_TASKS: Mapping[str, Task] = {**TASKS, CALCULATOR.name: CALCULATOR}


def distinct_problems(
    shares: dict[str, int], rng: Random, *, without: frozenset[str] = frozenset()
) -> list[Problem]:
    """Problems with different prompts, so many of each task.

    Args:
        shares: number of problems by task.
        rng: draws them.
        without: prompts that must not be among them.
    """
    chosen: dict[str, Problem] = {}
    for name, count in shares.items():
        wanted = len(chosen) + count
        while len(chosen) < wanted:
            problem = ALL_TASKS[name].draw(rng)
            if problem.prompt not in without:
                chosen.setdefault(problem.prompt, problem)
    return list(chosen.values())
