"""What each proxy picks out of all responses to a prompt, beside the best there is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from core.labs.best_of_n.lab import BestOfNOptions
from core.labs.plan import CONVERSATION, REWARD

PICK_COLUMNS = (
    "proxy",
    "prompt_id",
    "picked_gold",
    "best_gold",
    "lost",
    "picked",
    "best",
    "picked_row",
    "best_row",
)
"""`lost` is best_gold minus picked_gold; the rows are places in the scored tables."""


def picks(
    scored: Mapping[str, pd.DataFrame], options: BestOfNOptions | None = None
) -> pd.DataFrame:
    """One row a proxy and prompt: its favourite response and the best one, the largest loss first.

    Of equal rewards the first in the table counts. Prompts without a response that has both rewards
    are not there.

    Args:
        scored: by model, the plan with that model's rewards; all of them the same rows.
        options: which column or model is the gold reward.
    """
    chosen = options or BestOfNOptions()
    proxies = [name for name in scored if name != chosen.gold_model]
    if not proxies:
        return pd.DataFrame(columns=list(PICK_COLUMNS))
    first = scored[proxies[0]]
    source = first[chosen.gold] if chosen.gold_model is None else scored[chosen.gold_model][REWARD]
    gold = pd.to_numeric(source, errors="coerce").to_numpy(dtype=np.float64)
    texts = [conversation[-1]["content"] for conversation in first[CONVERSATION]]
    rows: list[dict[str, Any]] = []
    for name in proxies:
        reward = scored[name][REWARD].to_numpy(dtype=np.float64)
        usable = np.isfinite(gold) & np.isfinite(reward)
        for prompt, places in first[usable].groupby("prompt_id", sort=False).indices.items():
            own = np.flatnonzero(usable)[places]
            picked, best = int(own[reward[own].argmax()]), int(own[gold[own].argmax()])
            values = (
                name,
                str(prompt),
                float(gold[picked]),
                float(gold[best]),
                float(gold[best] - gold[picked]),
                texts[picked],
                texts[best],
                picked,
                best,
            )
            rows.append(dict(zip(PICK_COLUMNS, values, strict=True)))
    table = pd.DataFrame(rows, columns=list(PICK_COLUMNS))
    return table.sort_values("lost", ascending=False, kind="stable").reset_index(drop=True)
