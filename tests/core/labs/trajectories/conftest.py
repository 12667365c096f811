"""Rollouts whose rates are known by construction."""

import numpy as np
import pandas as pd


def rollouts(
    n_problems: int = 12,
    n_samples: int = 8,
    steps: tuple[int, ...] = (0, 1),
    *,
    run: str = "plain/seed-0",
    seed: int = 0,
) -> pd.DataFrame:
    """Random rollouts: some right, some with failed calls, some without any call."""
    rng = np.random.default_rng(seed)
    rows = []
    for step in steps:
        for problem in range(n_problems):
            for sample in range(n_samples):
                calls = int(rng.integers(0, 4))
                rows.append(
                    {
                        "run": run,
                        "step": step,
                        "problem_id": f"p{problem}",
                        "sample": sample,
                        "correct": bool(rng.random() < 0.5),
                        "tool_calls": calls,
                        "tool_errors": int(rng.integers(0, calls + 1)),
                        "answer_tags": int(rng.integers(0, 3)),
                        "turns": calls + 1,
                        "tokens": int(rng.integers(5, 50)),
                    }
                )
    return pd.DataFrame(rows).astype({"correct": "boolean"})
