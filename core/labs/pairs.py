"""Preference pairs as every lab takes them, and their rewards as every lab reads them."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from core.labs.plan import CONVERSATION, ERROR, REWARD, Plan
from core.schema import with_response

PAIR_TEXT_COLUMNS = ("pair_id", "prompt_id", "prompt", "chosen", "rejected")
"""Columns of a table of pairs: ids, the messages before the response, the two responses. Any other
column is the user's own and can slice the results."""

ROW = "row"
SIDE = "side"
SIDES = ("chosen", "rejected")


def slice_columns(pairs: pd.DataFrame, *, most_values: int = 40) -> list[str]:
    """Columns of the user's that divide the pairs into 2 to `most_values` groups."""
    names = [str(name) for name in pairs.columns if name not in PAIR_TEXT_COLUMNS]
    return [name for name in names if 2 <= _n_values(pairs[name]) <= most_values]


def _n_values(column: "pd.Series[Any]") -> int:
    try:
        return int(column.nunique())
    except TypeError:  # lists and mappings have no order and no hash: they make no groups
        return 0


def plan_pairs(pairs: pd.DataFrame) -> Plan:
    """Both conversations of every pair: keys `row` (its place), `pair_id`, `prompt_id`, `side`.

    Args:
        pairs: a table with `PAIR_TEXT_COLUMNS`.
    """
    rows = [
        (place, row["pair_id"], row["prompt_id"], side, with_response(row["prompt"], row[side]))
        for place, row in enumerate(pairs.to_dict(orient="records"))
        for side in SIDES
    ]
    return Plan(pd.DataFrame(rows, columns=[ROW, "pair_id", "prompt_id", SIDE, CONVERSATION]))


def pair_rewards(pairs: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """One row a pair with `reward_chosen`, `reward_rejected`, `margin`, `error`.

    Args:
        pairs: the table the plan was made from.
        scored: `plan_pairs(pairs)` with one model's rewards.

    Returns:
        `pairs` without its texts, in its order, with the rewards; a pair of which one side has no
        reward has margin NaN and says why in `error`.
    """
    sides = {
        side: scored.loc[scored[SIDE] == side].set_index(ROW)[[REWARD, ERROR]] for side in SIDES
    }
    places = range(len(pairs))
    chosen, rejected = (
        sides[side][REWARD].reindex(places).to_numpy(dtype=np.float64) for side in SIDES
    )
    errors = [sides[side][ERROR].reindex(places).fillna("not scored") for side in SIDES]
    reasons = [
        "; ".join(dict.fromkeys(reason for reason in both if reason))
        for both in zip(*errors, strict=True)
    ]
    texts = [name for name in ("prompt", *SIDES) if name in pairs.columns]
    kept = pairs.drop(columns=texts).reset_index(drop=True)
    return kept.assign(
        reward_chosen=chosen, reward_rejected=rejected, margin=chosen - rejected, error=reasons
    )


def left_out_reasons(rewards: pd.DataFrame) -> dict[str, int]:
    """How many pairs have no margin, by reason."""
    missing = rewards.loc[rewards["margin"].isna(), "error"]
    return dict(Counter(reason or "no margin" for reason in missing))
