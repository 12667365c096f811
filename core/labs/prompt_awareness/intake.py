"""What this lab accepts: pairs that can be planned, scored tables it can read, and texts to show.

A damaged row is left out and counted; a table that is damaged as a whole is an error.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.errors import ConversationError, TableError
from core.labs.pairs import PAIR_TEXT_COLUMNS
from core.labs.plan import CONVERSATION, ERROR, REWARD
from core.schema import Message, content_id, parse_conversation, split_conversation, with_response

NOT_FINITE = "the reward is not a finite number"
NO_REWARD = "no reward"


def usable_pairs(pairs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The pairs that can be planned, their prompts checked, and why the others cannot, counted.

    Raises:
        TableError: a column that every pair needs is missing.
    """
    require_columns(pairs, PAIR_TEXT_COLUMNS, "table of pairs")
    reasons, seen = Counter[str](), set[str]()
    kept: list[int] = []
    prompts: list[list[Message]] = []
    for position, row in enumerate(pairs[list(PAIR_TEXT_COLUMNS)].itertuples(index=False)):
        reason, prompt = _checked(row.prompt, row.chosen, row.rejected)
        if not reason and (_is_missing(row.pair_id) or _is_missing(row.prompt_id)):
            reason = "its pair_id or prompt_id is missing"
        if not reason and str(row.pair_id) in seen:
            reason = "its pair_id is an earlier pair's"
        if reason:
            reasons[reason] += 1
            continue
        seen.add(str(row.pair_id))
        kept.append(position)
        prompts.append(prompt)
    usable = pairs.iloc[kept].reset_index(drop=True)
    usable["prompt"] = pd.Series(prompts, dtype=object)
    usable["pair_id"] = usable["pair_id"].map(str)
    usable["prompt_id"] = usable["prompt_id"].map(str)
    return usable, dict(reasons)


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # NaN is all that differs from itself


def _checked(prompt: Any, chosen: object, rejected: object) -> tuple[str, list[Message]]:
    """Why a pair cannot be used ("" if it can) and its prompt as a plain list of messages."""
    for name, response in (("chosen", chosen), ("rejected", rejected)):
        if not isinstance(response, str):
            return f"its {name} response is not text", []
    if isinstance(prompt, str | Mapping) or not isinstance(prompt, Iterable):
        return "its prompt is not a list of messages", []
    try:
        return "", parse_conversation(with_response(prompt, ""))[:-1]
    except ConversationError:
        return "its prompt is not a list of messages", []


def require_columns(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Checks that a table has its columns.

    Raises:
        TableError: names those that are missing.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise TableError(
            f"The {what} has no column {', '.join(map(repr, missing))}.",
            fix=f"It needs {', '.join(columns)}.",
        )


def read_scored(scored: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """A scored plan with every row's reward finite or NaN, and then with a reason in `error`.

    Args:
        scored: one model's rewards; `reward`, and `error` where it is known.
        keys: columns that together tell its rows apart.

    Raises:
        TableError: a column is missing, a row stands twice, or there are rewards of several models.
    """
    require_columns(scored, (*keys, REWARD), "scored table")
    if "model" in scored.columns and scored["model"].nunique() > 1:
        raise TableError(
            "The scored table has rewards of several models.",
            fix="Give one model's rows at a time.",
        )
    if scored.duplicated(list(keys)).any():
        twice = scored.loc[scored.duplicated(list(keys)), list(keys)].iloc[0]
        where = ", ".join(f"{name} {value}" for name, value in twice.items())
        raise TableError(
            f"The scored table has more than one row for {where}.", fix="Keep one of them."
        )
    rewards = pd.to_numeric(scored[REWARD], errors="coerce").to_numpy(dtype=np.float64)
    given = scored[ERROR] if ERROR in scored.columns else pd.Series("", index=scored.index)
    errors = [
        _reason(reward, error) for reward, error in zip(rewards, given.fillna(""), strict=True)
    ]
    finite = np.where([not error for error in errors], rewards, np.nan)
    read = scored.reset_index(drop=True)
    read[REWARD], read[ERROR] = finite, pd.Series(errors, index=read.index, dtype=object)
    return read


def _reason(reward: float, error: object) -> str:
    if error:
        return str(error)
    if np.isnan(reward):
        return NO_REWARD
    return NOT_FINITE if np.isinf(reward) else ""


def prompt_text(prompt: Sequence[Message]) -> str:
    """What the user says in a prompt, turn after turn; what a search for its topic reads."""
    return "\n".join(message["content"] for message in prompt if message["role"] == "user")


def prompt_key(prompt: Sequence[Message]) -> str:
    """The same for prompts of the same content, whatever their id."""
    return content_id([dict(message) for message in prompt])


def last_user_turn(prompt: Sequence[Message]) -> int | None:
    """Position of the last turn of the user, None where there is none."""
    positions = [at for at, message in enumerate(prompt) if message["role"] == "user"]
    return positions[-1] if positions else None


def with_last_user_turn(prompt: Sequence[Message], text: str) -> list[Message] | None:
    """The prompt with other words in the user's last turn; None where there is no such turn."""
    at = last_user_turn(prompt)
    if at is None:
        return None
    return [
        {"role": message["role"], "content": text if position == at else message["content"]}
        for position, message in enumerate(prompt)
    ]


def shown_texts(table: pd.DataFrame) -> pd.DataFrame:
    """`prompt_text` and `response_text` of the conversations, "" where a table has no texts."""
    if CONVERSATION not in table.columns:
        return pd.DataFrame({"prompt_text": "", "response_text": ""}, index=table.index)
    split = [split_conversation(conversation) for conversation in table[CONVERSATION]]
    return pd.DataFrame(
        {
            "prompt_text": [prompt_text(prompt) for prompt, _ in split],
            "response_text": [response for _, response in split],
        },
        index=table.index,
    )
