"""Long tables of pair scores made on the spot."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def long_table(
    margins: Mapping[str, Sequence[float]],
    *,
    prompts: Sequence[str] | None = None,
    rejected: float = 0.0,
    **own: Sequence[object],
) -> pd.DataFrame:
    """One row a model and pair, pairs named x0, x1, ...; every rejected response has one reward."""
    parts = []
    for model, values in margins.items():
        n = len(values)
        chosen = np.asarray(values, dtype=float) + rejected
        columns: dict[str, object] = {
            "model": model,
            "pair_id": [f"x{i}" for i in range(n)],
            "prompt_id": list(prompts) if prompts is not None else [f"p{i}" for i in range(n)],
            "reward_chosen": chosen,
            "reward_rejected": rejected,
            "margin": chosen - rejected,
            "error": "",
        }
        parts.append(pd.DataFrame(columns | {name: list(value) for name, value in own.items()}))
    return pd.concat(parts, ignore_index=True)


def random_table(
    n: int, models: Sequence[str], *, seed: int = 0, pairs_a_prompt: int = 2
) -> pd.DataFrame:
    """Models that share a signal, each with its own unit and noise."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(0.8, 1, n)
    parts = []
    for position, model in enumerate(models):
        rejected = rng.normal(0, 1, n)
        unit = 10.0**position
        chosen = rejected + signal + rng.normal(0, 0.7, n)
        parts.append(
            pd.DataFrame(
                {
                    "model": model,
                    "pair_id": [f"x{i}" for i in range(n)],
                    "prompt_id": [f"p{i // pairs_a_prompt}" for i in range(n)],
                    "reward_chosen": unit * chosen,
                    "reward_rejected": unit * rejected,
                    "error": "",
                    "domain": [("chat", "code", "maths")[i % 3] for i in range(n)],
                    "length": np.arange(n, dtype=float),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
