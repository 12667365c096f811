"""Tables with several responses to a prompt, one response a row, for best-of-n."""

from typing import Any

import pandas as pd

from core.errors import TableError
from core.tables.conversations import ConversationTable, Entry
from core.tables.results import INPUT_SUFFIX

_OURS = ("prompt_id", "prompt", "response", "reward", "error", "conversation")


def responses_table(table: ConversationTable) -> pd.DataFrame:
    """Every response of a table of lone responses.

    A row may hold a list of responses; its other lists of that length belong to them one by one.

    Args:
        table: of a shape without pairs.

    Returns:
        prompt_id, prompt (messages), response (text) and the user's own columns, those that are
        called like one of ours with `INPUT_SUFFIX`. Unreadable responses are not there; they are
        the table's problems.

    Raises:
        TableError: when the table holds pairs.
    """
    if table.shape.is_paired:
        raise TableError(
            f"{table.source.name} was read as {table.shape}: it holds pairs, not responses.",
            fix="Give columns prompt and response, one response a row or a list of them.",
        )
    used = set(table.shape.columns) | {"system", "prompt_id", "id"}
    own = [name for name in table.source.columns if name not in used]
    counts: dict[int, int] = {}
    for entry in table.entries:
        counts[entry.row] = counts.get(entry.row, 0) + 1
    rows = [
        _row(entry, table.source.rows[entry.row].cells, own, counts[entry.row])
        for entry in table.entries
        if entry.conversation is not None
    ]
    return pd.DataFrame(rows)


def number_columns(responses: pd.DataFrame) -> list[str]:
    """The user's columns that hold numbers, or true and false: what may be a gold reward."""
    own = [str(name) for name in responses.columns if name not in ("prompt_id", "prompt")]
    return [
        name
        for name in own
        if name != "response" and pd.to_numeric(responses[name], errors="coerce").notna().any()
    ]


def _row(entry: Entry, cells: Any, own: list[str], count: int) -> dict[str, Any]:
    *prompt, last = entry.conversation or []
    row: dict[str, Any] = {
        "prompt_id": entry.prompt_id,
        "prompt": prompt,
        "response": last["content"],
    }
    for name in own:
        value = cells.get(name)
        if entry.style_index is not None and isinstance(value, list) and len(value) == count:
            value = value[entry.style_index]
        row[name + INPUT_SUFFIX if name in _OURS else name] = value
    return row
