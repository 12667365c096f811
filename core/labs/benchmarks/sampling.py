"""A part of a benchmark to begin with: whole prompts, so that intervals stay what they are."""

import pandas as pd

from core.labs.benchmarks.candidates import ITEM, PROMPT_ID


def first_items(candidates: pd.DataFrame, n_items: int) -> pd.DataFrame:
    """At most `n_items` items: prompts in an order drawn once, so that more items add to fewer.

    Args:
        candidates: a candidates table.
        n_items: how many; the last prompt may keep only some of its items.
    """
    items = candidates.drop_duplicates(ITEM)[[ITEM, PROMPT_ID]]
    if n_items >= len(items):
        return candidates
    prompts = items[PROMPT_ID].drop_duplicates().sample(frac=1, random_state=0)
    order = items[PROMPT_ID].map({prompt: place for place, prompt in enumerate(prompts)})
    kept = set(items[ITEM].iloc[order.argsort(kind="stable")[:n_items]])
    return candidates[candidates[ITEM].isin(kept)].reset_index(drop=True)
