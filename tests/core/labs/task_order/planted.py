"""Tables of scores in which the two assumptions hold by construction, up to noise that is asked."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pandas as pd

from core.labs.task_order.transfer import Transfer

TASKS = ("a", "b", "c")
BEFORE = np.array([0.50, 0.40, 0.60])
SATURATED = np.array([0.70, 0.55, 0.75])
EFFECTS = np.array([[0.0, 0.02, -0.03], [0.04, 0.0, -0.01], [-0.06, -0.02, 0.0]])


def example() -> Transfer:
    """Three tasks whose results are worked out by hand in the tests."""
    return Transfer(TASKS, BEFORE, SATURATED, EFFECTS)


def by_hand(transfer: Transfer, order: Sequence[int], saturation: float = 1.0) -> list[list[float]]:
    """Scores along an order, one plain loop, nothing clipped."""
    level = [float(value) for value in transfer.before]
    path = [list(level)]
    for j in order:
        for i in range(len(level)):
            if i != j:
                level[i] += float(transfer.effects[j, i])
        level[j] += saturation * (float(transfer.saturated[j]) - level[j])
        path.append(list(level))
    return path


def planted_table(
    transfer: Transfer,
    *,
    orders: Sequence[Sequence[int]] | None = None,
    seeds: Sequence[int] = (0, 1),
    n_problems: int = 20,
    spread: float = 0.0,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """One row a policy and problem.

    Args:
        transfer: what holds in truth.
        orders: all of them by default.
        seeds: recorded seeds.
        n_problems: a task.
        spread: standard deviation of the problems' own levels, the same for every policy; they sum
            to zero over a task's problems.
        noise: standard deviation of each score besides.
        rng: of both.
    """
    rng = rng or np.random.default_rng(0)
    k = transfer.n_tasks
    level = spread * rng.standard_normal((k, n_problems))
    level -= level.mean(axis=1, keepdims=True)
    rows = []
    for order in orders if orders is not None else list(permutations(range(k))):
        path = by_hand(transfer, order)
        for seed in seeds:
            for stage, scores in enumerate(path):
                for task in range(k):
                    for problem in range(n_problems):
                        score = scores[task] + level[task, problem] + noise * rng.standard_normal()
                        rows.append(
                            {
                                "run": f"{'-'.join(transfer.tasks[at] for at in order)}/{seed}",
                                "seed": seed,
                                "order": ">".join(transfer.tasks[at] for at in order),
                                "stage": stage,
                                "trained": transfer.tasks[order[stage - 1]] if stage else "",
                                "task": transfer.tasks[task],
                                "problem_id": f"{transfer.tasks[task]}-{problem}",
                                "score": score,
                                "entropy": 1.0 - 0.1 * stage,
                            }
                        )
    return pd.DataFrame(rows)
