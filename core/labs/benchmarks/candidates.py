"""The table a benchmark is made of: one row a response, grouped into items; and its plan.

An item is one row of the benchmark's file: a pair, a prompt with three chosen and three rejected
responses, a prompt with 32 samples. All benchmarks share this table, so they share planning, and a
benchmark's module holds only its arithmetic.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from core.errors import TableError
from core.labs.plan import CONVERSATION, ERROR, REWARD, Plan
from core.schema import with_response
from core.stats import FloatArray

ITEM = "item_id"
PROMPT_ID = "prompt_id"
PROMPT = "prompt"
RESPONSE = "response"
SIDE = "side"
PLACE = "place"
SUBSET = "subset"
GOLD = "gold"
"""What a response is really worth, where the benchmark says so for each (1 correct, 0 wrong)."""

CANDIDATE_COLUMNS = (ITEM, PROMPT_ID, PROMPT, RESPONSE, SIDE, PLACE, SUBSET)
"""Columns of every candidates table; a benchmark's own columns follow."""

SCORED_COLUMNS = (ITEM, PROMPT_ID, SIDE, PLACE, SUBSET, REWARD, ERROR)

NO_REWARD = "no reward"
INFINITE = "a reward is infinite"


@dataclass(frozen=True)
class Item:
    """One item of a benchmark with its rewards.

    Attributes:
        item_id: which item.
        prompt_id: equal for items of one prompt: what intervals resample.
        subset: the part of the benchmark it belongs to.
        chosen: (c,) rewards of the chosen responses, by place; NaN where there is none.
        rejected: (r,) rewards of the rejected responses, by place.
        reason: why the item cannot be used, "" if it can.
        row: the item's own columns (those of its first response).
    """

    item_id: str
    prompt_id: str
    subset: str
    chosen: FloatArray
    rejected: FloatArray
    reason: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)


def candidate(
    item_id: str,
    prompt_id: str,
    prompt: Any,
    response: str,
    *,
    side: str = "response",
    place: int = 0,
    subset: str = "",
    **own: Any,
) -> dict[str, Any]:
    """One row of a candidates table."""
    values = (item_id, prompt_id, prompt, response, side, place, subset)
    return {**dict(zip(CANDIDATE_COLUMNS, values, strict=True)), **own}


def candidates_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows made by `candidate` as a table, with all its columns even where there are no rows."""
    records = list(rows)
    return pd.DataFrame(records) if records else pd.DataFrame(columns=list(CANDIDATE_COLUMNS))


def pair_candidates(pairs: pd.DataFrame, subset: str | None = None) -> pd.DataFrame:
    """A pairs table as candidates: two rows a pair, the pair's own columns kept.

    Args:
        pairs: pair_id, prompt_id, prompt (messages), chosen, rejected (texts), and own columns.
        subset: the column that names each pair's part, or None for one part.
    """
    rows: list[dict[str, Any]] = []
    taken = {"pair_id", "prompt_id", "prompt", "chosen", "rejected", *CANDIDATE_COLUMNS}
    own = [str(name) for name in pairs.columns if name not in taken]
    for record in pairs.to_dict(orient="records"):
        part = "" if subset is None else str(record[subset])
        for side in ("chosen", "rejected"):
            row = candidate(
                str(record["pair_id"]),
                str(record["prompt_id"]),
                record["prompt"],
                record[side],
                side=side,
                subset=part,
            )
            rows.append(row | {name: record[name] for name in own})
    return candidates_table(rows)


def plan_candidates(table: pd.DataFrame) -> Plan:
    """Every response of the table as a conversation to score.

    Args:
        table: a candidates table.

    Raises:
        TableError: when a column is missing.
    """
    missing = [name for name in CANDIDATE_COLUMNS if name not in table.columns]
    if missing:
        raise TableError(f"The benchmark's table lacks the columns {', '.join(missing)}.")
    pairs = zip(table[PROMPT], table[RESPONSE], strict=True)
    conversations = [with_response(prompt, response) for prompt, response in pairs]
    keys = table.drop(columns=[PROMPT, RESPONSE]).reset_index(drop=True)
    return Plan(keys.assign(**{CONVERSATION: pd.Series(conversations, dtype=object)}))


def collect_items(scored: pd.DataFrame) -> list[Item]:
    """The items of a scored candidates table, in the table's order.

    Responses are put in order of their place. An item with a response that has no finite reward
    keeps the reason, so that it is left out as a whole and counted.

    Raises:
        TableError: when a column is missing.
    """
    missing = [name for name in SCORED_COLUMNS if name not in scored.columns]
    if missing:
        raise TableError(f"The scored table lacks the columns {', '.join(missing)}.")
    own = [str(name) for name in scored.columns if name not in (*SCORED_COLUMNS, CONVERSATION)]
    places: dict[str, list[int]] = {}
    for position, item_id in enumerate(scored[ITEM]):
        places.setdefault(str(item_id), []).append(position)
    columns = {name: scored[name].tolist() for name in (*SCORED_COLUMNS, *own)}
    return [_item(item_id, columns, rows, own) for item_id, rows in places.items()]


def _item(item_id: str, columns: Mapping[str, list[Any]], rows: list[int], own: list[str]) -> Item:
    ordered = sorted(rows, key=lambda row: columns[PLACE][row])
    sides = {
        side: np.array(
            [columns[REWARD][row] for row in ordered if columns[SIDE][row] == side],
            dtype=np.float64,
        )
        for side in ("chosen", "rejected")
    }
    rewards = np.array([columns[REWARD][row] for row in rows], dtype=np.float64)
    first = rows[0]
    return Item(
        item_id,
        str(columns[PROMPT_ID][first]),
        str(columns[SUBSET][first]),
        sides["chosen"],
        sides["rejected"],
        reward_problem(rewards, [columns[ERROR][row] for row in rows]),
        {name: columns[name][first] for name in own},
    )


def reward_problem(rewards: FloatArray, errors: Iterable[str]) -> str:
    """Why an item with these rewards cannot be used, "" if it can."""
    error = next((text for text in errors if text), "")
    if error:
        return error.partition("\n")[0]
    if np.isnan(rewards).any():
        return NO_REWARD
    return INFINITE if np.isinf(rewards).any() else ""
