"""Rewards joined to the table they were computed for: one row per conversation, or one per pair."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.schema import PAIR_COLUMNS, SCORE_COLUMNS
from core.tables.conversations import ConversationTable, PairEntry

INPUT_SUFFIX = "_input"
"""What an input column's name gets where ours is the same."""


def scores_table(table: ConversationTable, rewards: pd.DataFrame) -> pd.DataFrame:
    """One row per model and conversation, input columns kept.

    Args:
        table: the conversations.
        rewards: what the engine returned for `table.conversations()`: columns model, index,
            reward, n_tokens, truncated, error, and objective_<name> where the model has several.
            A conversation it does not hold (a run that was stopped) has no row in the result.

    Returns:
        model, `SCORE_COLUMNS`, input_row, style_index (for lists of responses), the objectives and
        the input's own columns; reward is NaN where error says why.
    """
    objectives = _objectives(rewards)
    by_model = {
        str(model): _rows_of_model(table, str(model), part, objectives)
        for model, part in rewards.groupby("model", sort=False)
    }
    rows = [row for rows in by_model.values() for row in rows.values()]
    places = [place for rows in by_model.values() for place in rows]
    own: dict[str, Any] = {"model": _column(row["model"] for row in rows)}
    for name in SCORE_COLUMNS:
        own[name] = _column(row[name] for row in rows)
    own |= _typed(own)
    sources = [table.entries[place].row for place in places]
    own["input_row"] = [table.source.rows[source].number for source in sources]
    if any(entry.style_index is not None for entry in table.entries):
        styles = [table.entries[place].style_index for place in places]
        own["style_index"] = pd.array(styles, dtype="Int64")
    for name in objectives:
        own[name] = np.array([row[name] for row in rows], dtype=np.float64)
    return _with_input(own, table, sources)


def pairs_table(table: ConversationTable, rewards: pd.DataFrame) -> pd.DataFrame:
    """One row per model and preference pair, input columns kept.

    Args:
        table: conversations of a paired shape.
        rewards: as for `scores_table`. A pair of which one side is not scored yet has no row.

    Returns:
        model, `PAIR_COLUMNS`, truncated_chosen and truncated_rejected (tokens cut off: texts that
        differ only in what was cut are a tie), input_row, chosen_style_index and
        rejected_style_index (for lists of responses) and the input's own columns; margin is NaN
        where error says why.
    """
    rows: list[dict[str, Any]] = []
    kept: list[PairEntry] = []
    for model, part in rewards.groupby("model", sort=False):
        scored = _rows_of_model(table, str(model), part, [])
        for pair in table.pairs:
            if pair.chosen in scored and pair.rejected in scored:
                rows.append(_pair_row(pair, str(model), scored))
                kept.append(pair)
    own: dict[str, Any] = {
        name: _column(row[name] for row in rows) for name in ("model", *PAIR_COLUMNS, *_CUTS)
    }
    own |= _typed(own)
    own["input_row"] = [table.source.rows[pair.row].number for pair in kept]
    if any(entry.style_index is not None for entry in table.entries):
        for side in ("chosen", "rejected"):
            styles = [table.entries[getattr(pair, side)].style_index for pair in kept]
            own[f"{side}_style_index"] = pd.array(styles, dtype="Int64")
    return _with_input(own, table, [pair.row for pair in kept])


def _pair_row(
    pair: PairEntry, model: str, scored: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    chosen, rejected = scored[pair.chosen], scored[pair.rejected]
    errors = dict.fromkeys(side["error"] for side in (chosen, rejected) if side["error"])
    return {
        "model": model,
        "prompt_id": pair.prompt_id,
        "pair_id": pair.pair_id,
        "reward_chosen": chosen["reward"],
        "reward_rejected": rejected["reward"],
        "margin": chosen["reward"] - rejected["reward"],
        "error": "; ".join(errors),
        "truncated_chosen": chosen["truncated"],
        "truncated_rejected": rejected["truncated"],
    }


def _rows_of_model(
    table: ConversationTable, model: str, rewards: pd.DataFrame, objectives: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """The score row of each entry that is scored or cannot be, by the entry's place."""
    scorable = table.scorable()
    given = {scorable[int(record["index"])]: record for record in rewards.to_dict(orient="records")}
    rows: dict[int, dict[str, Any]] = {}
    for place, entry in enumerate(table.entries):
        if entry.problem is None and place not in given:
            continue
        record = given.get(place, {})
        rows[place] = {
            "model": model,
            "prompt_id": entry.prompt_id,
            "response_id": entry.response_id,
            "role": entry.role,
            "reward": record.get("reward", np.nan),
            "n_tokens": record.get("n_tokens"),
            "truncated": record.get("truncated"),
            "error": entry.problem.reason if entry.problem else record.get("error", ""),
            **{name: record.get(name, np.nan) for name in objectives},
        }
    return rows


def _objectives(rewards: pd.DataFrame) -> list[str]:
    return [str(name) for name in rewards.columns if str(name).startswith("objective_")]


_NUMBERS = ("reward", "reward_chosen", "reward_rejected", "margin")
_CUTS = ("truncated_chosen", "truncated_rejected")
_COUNTS = ("n_tokens", "truncated", *_CUTS)


def _typed(columns: Mapping[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for name in _NUMBERS:
        if name in columns:
            typed[name] = pd.to_numeric(columns[name]).astype("float64")
    for name in _COUNTS:
        if name in columns:
            # A failed conversation has no count; plain integers cannot say so.
            counts = [None if pd.isna(value) else int(value) for value in columns[name]]
            typed[name] = pd.array(counts, dtype="Int64")
    return typed


def _column(values: Iterable[Any]) -> "pd.Series[Any]":
    items = list(values)
    column = pd.Series(items, dtype=object)
    # pandas would turn whole numbers beside a missing one into floats.
    if any(item is None for item in items) and any(isinstance(item, int) for item in items):
        return column
    try:
        return column.infer_objects()
    except UnicodeEncodeError:  # half a surrogate pair, which pandas' text columns cannot hold
        return column


def _with_input(
    own: dict[str, Any], table: ConversationTable, sources: Sequence[int]
) -> pd.DataFrame:
    taken = set(own) | set(table.source.columns)
    columns = dict(own)
    for name in table.source.columns:
        values = _column(table.source.rows[source].cells.get(name) for source in sources)
        if name not in own:
            columns[name] = values
            continue
        renamed = name + INPUT_SUFFIX
        while renamed in taken:
            renamed += INPUT_SUFFIX
        taken.add(renamed)
        columns[renamed] = values
    return pd.DataFrame(columns)
