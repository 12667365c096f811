"""What OpenRLHF writes of its samples.

Its batch inference (`openrlhf.cli.batch_inference`) writes JSON lines with input, output and, after
the reward model has read them, reward. Its PPO trainer writes no file of all rollouts; it logs one
sample a step to Weights & Biases as a table with global_step, text and reward, whose JSON
(`*.table.json`) is read too: prompt and response are one text there.
"""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from core.rollouts.files import LoadedFile, RolloutFile
from core.rollouts.readers.base import (
    Converted,
    Reader,
    conversation_columns,
    placed,
    step_column,
)
from core.schema import content_id

WANDB_COLUMNS = ("global_step", "text", "reward")


def recognises(columns: Sequence[str], _name: str) -> bool:
    """Whether a file has the columns of OpenRLHF's batch inference or of its sample table."""
    held = set(columns)
    return ({"input", "output"} <= held and "score" not in held) or set(WANDB_COLUMNS) <= held


def convert(loaded: LoadedFile) -> Converted:
    """The rows of one file."""
    frame = loaded.frame
    if set(WANDB_COLUMNS) <= set(frame.columns):
        return _samples(loaded)
    steps = step_column(loaded, "iteration") or step_column(loaded)
    made = (steps or {"step": 0}) | conversation_columns(frame, "input", "output")
    if "reward" in frame.columns:
        made["reward"] = frame["reward"]
    notes: tuple[str, ...] = ()
    if not steps:
        notes = ("OpenRLHF's files name no step; all rows stand at step 0.",)
    return Converted(placed(made, loaded), notes)


def wandb_rows(content: Any) -> list[dict[str, Any]] | None:
    """The rows of a Weights & Biases table (columns and data), or None of anything else."""
    if not isinstance(content, dict) or not {"columns", "data"} <= set(content):
        return None
    columns, data = content["columns"], content["data"]
    if not isinstance(columns, list) or not isinstance(data, list):
        return None
    return [
        dict(zip(map(str, columns), row, strict=False)) for row in data if isinstance(row, list)
    ]


def read_wandb(file: RolloutFile) -> pd.DataFrame | None:
    """A Weights & Biases table's rows, or None where the file is none."""
    try:
        rows = wandb_rows(json.loads(file.read()))
    except (ValueError, RecursionError):
        return None
    return pd.DataFrame(rows) if rows else None


def _samples(loaded: LoadedFile) -> Converted:
    frame = loaded.frame
    made = {
        "step": frame["global_step"],
        "problem_id": [content_id([str(text)[:60]]) for text in frame["text"]],
        "response": frame["text"],
        "reward": frame["reward"],
    }
    note = (
        "These samples hold prompt and response as one text: rows are taken for one problem where "
        "the first 60 characters agree."
    )
    return Converted(placed(made, loaded), (note,))


READER = Reader("openrlhf", "OpenRLHF samples", recognises, convert)
