"""Small rollouts of self-rewarding runs whose numbers can be worked out by hand."""

import numpy as np
import pandas as pd

from core.labs.self_rewarding.generations import Generations, read_generations

METHODS = ("classic", "temporal")


def rollouts(
    *,
    n_problems: int = 12,
    n_iterations: int = 4,
    n_samples: int = 4,
    shrink: float = 0.5,
    seed: int = 0,
) -> pd.DataFrame:
    """Two methods of two seeds; the judge's scores of the current model rise by 1 an iteration and
    spread by `shrink ** iteration`. The outside model scores half of the judge's score plus noise.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for method in METHODS:
        for run_seed in range(2):
            for step in range(n_iterations):
                for problem in range(n_problems):
                    for source in ("M0", "Mi", "Mf"):
                        level = {"M0": 0, "Mi": step, "Mf": step + 1}[source]
                        spread = 1.0 if source == "M0" else shrink**step
                        for sample in range(n_samples):
                            reward = level + spread * rng.standard_normal()
                            rows.append(
                                {
                                    "run": f"{method}/seed-{run_seed}",
                                    "step": step,
                                    "problem_id": f"p{problem}",
                                    "prompt": f"Question {problem}?",
                                    "sample": sample,
                                    "response": f"{source} says {reward:.3f} to {problem}",
                                    "answer": None,
                                    "correct": pd.NA,
                                    "reward": reward,
                                    "source": source,
                                    "outside": 0.5 * reward + 0.1 * rng.standard_normal(),
                                }
                            )
    return pd.DataFrame(rows).astype({"correct": "boolean"})


def generations(**options: float) -> Generations:
    return read_generations(rollouts(**options))  # type: ignore[arg-type]


def recorded_pairs(table: pd.DataFrame, *, beta: float = 0.1) -> pd.DataFrame:
    """Pairs as a training run records them: best and worst sample of the current model."""
    current = table.loc[table["source"] == "Mi"]
    keys = ["run", "step", "problem_id"]
    best = current.loc[current.groupby(keys)["reward"].idxmax()].set_index(keys)
    worst = current.loc[current.groupby(keys)["reward"].idxmin()].set_index(keys)
    pairs = pd.DataFrame(index=best.index)
    for side, rows in (("chosen", best), ("rejected", worst)):
        pairs[f"{side}_sample"] = rows["sample"]
        pairs[f"{side}_source"] = "Mi"
        pairs[side] = rows["response"]
        pairs[f"judge_{side}"] = rows["reward"]
        pairs[f"outside_{side}"] = rows["outside"]
        pairs[f"reference_{side}"] = -20.0
        pairs[f"policy_{side}_before"] = -20.0
    pairs["gap"] = pairs["judge_chosen"] - pairs["judge_rejected"]
    pairs = pairs.reset_index().rename(columns={"step": "iteration"})
    # Updates move the log-odds of a pair by twice its gap; the states draw together.
    pairs["policy_chosen_after"] = -20.0 + pairs["gap"]
    pairs["policy_rejected_after"] = -20.0 - pairs["gap"]
    pairs["cosine"] = 0.8 + 0.05 * pairs["iteration"]
    return pairs
