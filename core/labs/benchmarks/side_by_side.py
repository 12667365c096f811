"""One benchmark, several models: their tables in one, and the items on which they go wrong."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from core.labs.benchmarks.candidates import GOLD, ITEM, PLACE, PROMPT_ID, SIDE, SUBSET
from core.labs.benchmarks.results import BenchmarkResult
from core.labs.plan import REWARD

REWARD_COLUMNS = (ITEM, SIDE, PLACE, REWARD)


def models_tables(results: Mapping[str, BenchmarkResult]) -> dict[str, pd.DataFrame]:
    """The results' tables by name, those of all models in one, with a column `model` first.

    Args:
        results: by model; all of one benchmark.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    for model, result in results.items():
        for name, frame in {
            "scores": result.scores,
            "items": result.items,
            **result.tables,
        }.items():
            labelled = frame.copy()
            labelled.insert(0, "model", model)
            parts.setdefault(name, []).append(labelled)
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


def item_margins(scored: pd.DataFrame) -> pd.DataFrame:
    """How clearly each item is decided, the clearest mistakes first.

    The margin is the lowest reward of a right response minus the highest of a wrong one: below 0 at
    least one comparison goes wrong. Right and wrong are chosen and rejected, or a gold value of at
    least a half and below.

    Args:
        scored: a candidates plan with one model's rewards.

    Returns:
        item_id, prompt_id, subset, margin; items without a right and a wrong reward are not there.
    """
    right = scored[SIDE] == "chosen"
    wrong = scored[SIDE] == "rejected"
    if GOLD in scored.columns:
        gold = pd.to_numeric(scored[GOLD], errors="coerce")
        right, wrong = right | (gold >= 0.5), wrong | (gold < 0.5)
    usable = np.isfinite(scored[REWARD].to_numpy(dtype=np.float64))
    lowest = scored[right & usable].groupby(ITEM, sort=False)[REWARD].min()
    highest = scored[wrong & usable].groupby(ITEM, sort=False)[REWARD].max()
    margins = (lowest - highest).dropna().rename("margin").sort_values(kind="stable")
    about = scored.drop_duplicates(ITEM).set_index(ITEM)[[PROMPT_ID, SUBSET]]
    table: pd.DataFrame = about.loc[margins.index].assign(margin=margins).reset_index()
    return table
