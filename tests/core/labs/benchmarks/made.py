"""Scored candidates tables made of a few numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.labs.benchmarks.candidates import candidate, candidates_table, plan_candidates

PROMPT = [{"role": "user", "content": "Why?"}]


def item(
    item_id: str,
    subset: str,
    chosen: Sequence[float],
    rejected: Sequence[float],
    *,
    prompt_id: str | None = None,
    **own: Any,
) -> list[dict[str, Any]]:
    """The rows of one item, each with the reward it is to get."""
    sides = (("chosen", chosen), ("rejected", rejected))
    return [
        candidate(
            item_id,
            prompt_id or item_id,
            PROMPT,
            f"{item_id} {side} {place}",
            side=side,
            place=place,
            subset=subset,
            **own,
        )
        | {"made_reward": reward}
        for side, rewards in sides
        for place, reward in enumerate(rewards)
    ]


def samples(
    item_id: str, subset: str, rewards: Sequence[float], gold: Sequence[float], **own: Any
) -> list[dict[str, Any]]:
    """The rows of one prompt with many samples."""
    return [
        candidate(
            item_id,
            item_id,
            PROMPT,
            f"{item_id} {place}",
            place=place,
            subset=subset,
            gold=worth,
            **own,
        )
        | {"made_reward": reward}
        for place, (reward, worth) in enumerate(zip(rewards, gold, strict=True))
    ]


def scored(
    *items: Sequence[Mapping[str, Any]], errors: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The plan of these items with their rewards; `errors` by the response's text."""
    table = candidates_table([row for rows in items for row in rows])
    rewards = table["made_reward"].to_numpy(dtype=np.float64)
    texts = [(errors or {}).get(text, "") for text in table["response"]]
    rewards = np.where([bool(text) for text in texts], np.nan, rewards)
    return plan_candidates(table.drop(columns=["made_reward"])).scored(rewards, texts)


def value(scores: pd.DataFrame, name: str, metric: str, level: str | None = None) -> float:
    """The one score with this name and metric."""
    rows = scores[(scores["name"] == name) & (scores["metric"] == metric)]
    if level is not None:
        rows = rows[rows["level"] == level]
    assert len(rows) == 1, rows
    return float(rows["value"].iloc[0])
