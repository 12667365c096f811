"""Completions that TRL's trainers log (`log_completions=True`): a Parquet file a logging step.

Columns: step, prompt and completion (text or messages), one column for each reward function,
columns that reward functions log besides, and advantage. The trainer keeps the completions of one
generation batch, so it writes them again when it logs twice between two generations, and writes
none of the earlier ones when it logs more rarely than it generates.
"""

from collections.abc import Sequence

import pandas as pd

from core.rollouts.files import LoadedFile
from core.rollouts.readers.base import (
    REFERENCE,
    Converted,
    Reader,
    conversation_columns,
    is_number_column,
    placed,
    step_column,
)
from core.rollouts.table import FILE, ROW

OWN = ("step", "prompt", "completion", "advantage", FILE, ROW)
REFERENCES = ("solution", "answer", "ground_truth", "gold", "reference", "target")


def recognises(columns: Sequence[str], _name: str) -> bool:
    """Whether a file has the columns of TRL's completions."""
    return {"prompt", "completion", "advantage"} <= set(columns)


def convert(loaded: LoadedFile) -> Converted:
    """The rows of one completions file."""
    frame = loaded.frame
    made = step_column(loaded) | conversation_columns(frame, "prompt", "completion")
    rewards = reward_columns(frame)
    notes = []
    if rewards:
        made["reward"] = frame[rewards].astype("float64").sum(axis=1, min_count=1)
        for name in rewards if len(rewards) > 1 else ():
            made[f"reward {name}"] = frame[name].astype("float64")
    if len(rewards) > 1:
        listed = ", ".join(rewards)
        notes.append(
            f"The reward is the sum of {listed}, each with weight 1: TRL's files do not hold the "
            "weights."
        )
    for name in REFERENCES:
        if name in frame.columns and name not in rewards:
            made[REFERENCE] = frame[name]
            break
    made["advantage"] = frame["advantage"]
    return Converted(placed(made, loaded), tuple(notes))


def reward_columns(frame: pd.DataFrame) -> list[str]:
    """The columns of reward functions: numbers that are not the trainer's own."""
    others = [name for name in frame.columns if name not in (*OWN, *REFERENCES)]
    return [name for name in others if is_number_column(frame[name])]


def without_repeats(parts: Sequence[Converted]) -> list[Converted]:
    """The files without those that log the generation batch of the file before once more."""
    kept: list[Converted] = []
    n_repeated = 0
    before: pd.DataFrame | None = None
    for part in parts:
        content = part.frame[["problem_id", "response"]].reset_index(drop=True)
        if before is not None and len(content) > 1 and content.equals(before):
            n_repeated += len(content)
        else:
            kept.append(part)
        before = content
    if n_repeated and kept:
        note = (
            f"{n_repeated:,} rows are left out: TRL logged the same generation batch again at a "
            "later step."
        )
        kept[-1] = Converted(kept[-1].frame, (*kept[-1].notes, note))
    return kept


READER = Reader("trl", "TRL completions", recognises, convert, without_repeats)
