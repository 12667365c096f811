"""Rollout tables whose answers are known, for tests only."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd


def rollouts(
    groups: dict[tuple[str, int, str], Sequence[str | None]], right: str = "r"
) -> pd.DataFrame:
    """A row for each answer of each (run, step, problem); the answer `right` is right.

    Rewards are 1 for a right answer and 0 for a wrong one.
    """
    rows = [
        {
            "run": run,
            "step": step,
            "problem_id": problem,
            "prompt": f"What is {problem}?",
            "sample": sample,
            "response": f"It is {answer}.",
            "answer": answer,
            "correct": answer == right,
            "reward": float(answer == right),
        }
        for (run, step, problem), answers in groups.items()
        for sample, answer in enumerate(answers)
    ]
    return pd.DataFrame(rows).astype({"correct": "boolean"})


Policy = Callable[[str, int, int], np.ndarray]
"""Probabilities of answers "r", "w1", "w2", ... by run, step and problem number."""


def sampled(
    runs: Sequence[str],
    policy: Policy,
    *,
    n_steps: int,
    n_problems: int,
    n: int = 8,
    seed: int = 0,
) -> pd.DataFrame:
    """Rollouts drawn from a policy whose probabilities are given."""
    rng = np.random.default_rng(seed)
    groups = {}
    for run in runs:
        for step in range(n_steps):
            for problem in range(n_problems):
                p = policy(run, step, problem)
                names = ["r", *(f"w{i}" for i in range(1, len(p)))]
                drawn = rng.choice(len(p), size=n, p=p)
                groups[run, step, f"p{problem}"] = [names[i] for i in drawn]
    return rollouts(groups)


def spreading(fall: float = 0.0) -> Policy:
    """Even problems are solvable, odd ones never; runs that are not the base sharpen on all.

    Over training, the first wrong answer of each odd problem takes `fall` of the others' mass.
    """

    def policy(run: str, step: int, problem: int) -> np.ndarray:
        p = np.full(9, 1 / 8)
        p[0] = 0.0
        if problem % 2 == 0:
            p = np.full(9, 0.5 / 8)
            p[0] = 0.5
        if not run.startswith("base"):
            sharp = fall * step / 20
            target = np.zeros(9)
            target[0 if problem % 2 == 0 else 1] = 1.0
            p = (1 - sharp) * p + sharp * target
        return p / p.sum()

    return policy
