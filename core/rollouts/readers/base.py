"""What a reader of one trainer's files is, and what all of them share."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from core.rollouts.files import LoadedFile
from core.rollouts.messages import (
    count_tool_calls,
    last_words,
    problem_of,
    prompt_text,
    response_text,
    trajectory,
)
from core.rollouts.table import FILE, ROW

REFERENCE = "_reference"
"""The reference answer, as the file has it."""

ANSWER_TEXT = "_answer_text"
"""The part of a response in which its answer stands, where that is not all of it."""

HELD_OUT = "held_out"
TRAIN = "train"

_STEP_IN_NAME = re.compile(r"(?:global[_-]?step|step|completions|iteration|iter)[_-]?(\d+)", re.I)
_NUMBER_NAME = re.compile(r"(\d+)(?:\.\w+)+$")
_HOUSEKEEPING = re.compile(
    r"(?:rollouts?|completions|run_default|train|all|effective|samples|logs|step[_-]?\d+|"
    r"eval|val|validation|test)$",
    re.I,
)
_NO_RUN = re.compile(
    r"(?:\d+|completions[_-]?\d+|step[_-]?\d+|train_rollouts\w*|eval_rollouts\w*|traces|rollouts)$",
    re.I,
)


@dataclass(frozen=True)
class Converted:
    """A file's rows with the names of a rollout table.

    Attributes:
        frame: columns of `core.schema.ROLLOUT_COLUMNS`, those that are known, and `_reference`.
        notes: what a visitor should know of how it was read, a sentence each.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


def _as_they_are(parts: Sequence[Converted]) -> list[Converted]:
    return list(parts)


@dataclass(frozen=True)
class Reader:
    """A reader of one trainer's files.

    Attributes:
        name: in code and links.
        title: as a visitor knows the trainer.
        recognises: whether a file with these columns and this name is one of its files.
        convert: its rows with the names of a rollout table.
        together: what must be done with all files of one run at once, in the order of their names.
    """

    name: str
    title: str
    recognises: Callable[[Sequence[str], str], bool]
    convert: Callable[[LoadedFile], Converted]
    together: Callable[[Sequence[Converted]], list[Converted]] = _as_they_are


def step_in_name(name: str) -> int | None:
    """The training step that a file's name or its folder tells, or None."""
    found = _STEP_IN_NAME.findall(name)
    if found:
        return int(found[-1])
    number = _NUMBER_NAME.match(PurePosixPath(name).name)
    return int(number[1]) if number else None


def split_in_name(name: str) -> str:
    """Whether a file's name says that its rollouts were drawn for evaluation."""
    words = re.split(r"[^a-z]+", name.lower())
    return HELD_OUT if {"eval", "val", "validation", "test"} & set(words) else TRAIN


def run_in_name(name: str, fallback: str) -> str:
    """The run that a file belongs to: the folders of its name that are not housekeeping.

    Args:
        name: the file's path within what was given.
        fallback: where neither folders nor the file's own name tell a run.
    """
    path = PurePosixPath(name)
    telling = [part for part in path.parts[:-1] if not _HOUSEKEEPING.fullmatch(part)]
    if telling:
        return "/".join(telling)
    stem = path.name.split(".")[0]
    return fallback if _NO_RUN.fullmatch(stem) else stem


def run_of_folder(folder: PurePosixPath) -> str:
    """The run that a folder's own place names: its last part that is not housekeeping."""
    telling = [part for part in folder.parts if not _HOUSEKEEPING.fullmatch(part)]
    return telling[-1].strip("/") if telling else ""


def conversation_columns(
    frame: pd.DataFrame, prompt: str | None, response: str | None
) -> dict[str, Any]:
    """The columns that a prompt and a response make, text or messages.

    Args:
        frame: the file's rows.
        prompt: the column of the prompt, or None.
        response: the column of the response, or None.
    """
    made: dict[str, Any] = {}
    if prompt is not None:
        made["problem_id"] = _mapped(frame[prompt], problem_of)
        made["prompt"] = _mapped(frame[prompt], prompt_text)
    if response is not None:
        cells = frame[response]
        made["response"] = _mapped(cells, response_text)
        messages = [trajectory(cell) for cell in cells] if cells.dtype == object else []
        if any(each is not None for each in messages):
            made["messages"] = pd.Series(messages, index=frame.index, dtype=object)
            made[ANSWER_TEXT] = _mapped(cells, last_words)
            made["tool_calls"] = pd.Series(
                [count_tool_calls(cell) for cell in cells], index=frame.index, dtype="Int64"
            )
    return made


def _mapped(cells: "pd.Series[Any]", function: Callable[[Any], Any]) -> "pd.Series[Any]":
    """The function of each cell; texts that come again are worked on once."""
    known: dict[str, Any] = {}
    made = []
    for cell in cells:
        if not isinstance(cell, str):
            made.append(function(cell))
            continue
        if cell not in known:
            known[cell] = function(cell)
        made.append(known[cell])
    return pd.Series(made, index=cells.index, dtype=object)


def placed(made: dict[str, Any], loaded: LoadedFile) -> pd.DataFrame:
    """A frame of these columns, with where each row stands."""
    frame = pd.DataFrame(made, index=loaded.frame.index)
    frame[FILE], frame[ROW] = loaded.frame[FILE], loaded.frame[ROW]
    return frame


def step_column(loaded: LoadedFile, column: str = "step") -> dict[str, Any]:
    """The step of each row: from its column, else from the file's name; nothing where unknown."""
    if column in loaded.frame.columns:
        return {"step": loaded.frame[column]}
    step = step_in_name(loaded.file.name)
    return {} if step is None else {"step": step}


def is_number_column(cells: "pd.Series[Any]") -> bool:
    """Whether cells are numbers or missing, and not all missing; true and false are none."""
    if pd.api.types.is_bool_dtype(cells.dtype):
        return False
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return bool(cells.notna().any())
    held = cells[cells.notna()]
    return len(held) > 0 and all(
        isinstance(cell, int | float) and not isinstance(cell, bool) for cell in held
    )
