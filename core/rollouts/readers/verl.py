"""Rollouts that verl dumps (`trainer.rollout_data_dir`, `trainer.validation_data_dir`).

A file `<global step>.jsonl` a step, a line a rollout: input (the prompt as it was given to the
model, chat template included), output, score, step, gts (the reference answer) and whatever the
reward function returns besides, often acc and pred.
"""

from collections.abc import Sequence

from core.rollouts.files import LoadedFile
from core.rollouts.readers.base import (
    REFERENCE,
    Converted,
    Reader,
    conversation_columns,
    placed,
    split_in_name,
    step_column,
)


def recognises(columns: Sequence[str], _name: str) -> bool:
    """Whether a file has the columns of verl's dumps."""
    return {"input", "output", "score"} <= set(columns)


def convert(loaded: LoadedFile) -> Converted:
    """The rows of one dump."""
    frame = loaded.frame
    made = step_column(loaded) | conversation_columns(frame, "input", "output")
    made["reward"] = frame["score"]
    made["split"] = split_in_name(loaded.file.name)
    for theirs, ours in (("acc", "correct"), ("pred", "answer"), ("gts", REFERENCE)):
        if theirs in frame.columns and frame[theirs].notna().any():
            made[ours] = frame[theirs]
    return Converted(placed(made, loaded))


READER = Reader("verl", "verl rollout dump", recognises, convert)
