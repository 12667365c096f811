"""Plain tables: which column stands for what, guessed by name and editable."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from core.errors import TableError
from core.rollouts.files import LoadedFile
from core.rollouts.readers.base import (
    REFERENCE,
    Converted,
    Reader,
    conversation_columns,
    placed,
    step_in_name,
)
from core.rollouts.table import FILE, ROW

ALIASES: Mapping[str, tuple[str, ...]] = {
    "run": ("run", "run_name", "run_id", "experiment", "exp_name"),
    "step": ("step", "global_step", "global_steps", "train_step", "training_step", "iteration",
             "iter", "checkpoint"),
    "problem_id": ("problem_id", "prompt_id", "question_id", "example_id", "task_id", "uid",
                   "group_id", "group", "index", "problem_index", "id"),
    "prompt": ("prompt", "question", "problem", "input", "query", "instruction", "inputs",
               "prompts"),
    "sample": ("sample", "sample_id", "sample_idx", "rollout", "rollout_id", "completion_index",
               "generation", "attempt", "epoch"),
    "response": ("response", "completion", "output", "generation", "generated", "answer_text",
                 "text", "responses", "completions", "outputs", "solution_text", "rollout_text"),
    "answer": ("answer", "pred", "prediction", "extracted_answer", "final_answer", "parsed_answer",
               "extracted"),
    "reference": ("reference", "ground_truth", "gts", "gold", "target", "label", "solution",
                  "expected", "reference_answer", "gold_answer"),
    "correct": ("correct", "is_correct", "acc", "accuracy", "passed", "solved", "success"),
    "reward": ("reward", "score", "rewards", "total_reward", "scalar_reward", "return"),
    "split": ("split", "phase", "mode"),
    "task": ("task", "task_name", "data_source", "dataset", "subset", "domain", "env", "env_name"),
    "tokens": ("tokens", "n_tokens", "num_tokens", "response_length", "completion_length",
               "completion_tokens", "length"),
    "log_probability": ("log_probability", "logprob", "log_prob", "logp", "sum_logprob"),
    "reference_log_probability": ("reference_log_probability", "ref_logprob", "ref_log_prob",
                                  "ref_logp"),
    "entropy": ("entropy", "mean_entropy", "token_entropy"),
    "tool_calls": ("tool_calls", "n_tool_calls", "num_tool_calls"),
    "tool_errors": ("tool_errors", "n_tool_errors", "num_tool_errors"),
    "answer_tags": ("answer_tags", "n_answer_tags"),
    "turns": ("turns", "n_turns", "num_turns"),
    "truncated": ("truncated", "is_truncated", "overlong"),
    "kept": ("kept", "used", "is_used"),
    "class_id": ("class_id", "cluster", "partition"),
    "source": ("source", "model", "policy"),
    "messages": ("messages", "conversation", "trajectory", "transcript"),
}  # fmt: skip
"""What each column of a rollout table is called in files, most telling name first."""

FIELDS: tuple[str, ...] = tuple(ALIASES)
"""What a column of a file can stand for."""

CONTENT = ("response", "answer", "correct", "reward")
"""A table must have a column for one of these."""


@dataclass(frozen=True)
class ColumnMapping:
    """Which column of a file stands for what.

    Attributes:
        columns: names of the file's columns by what they stand for (`FIELDS`).
        fixed_step: the training step of all rows, where no column holds it.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    fixed_step: int | None = None

    def check(self, held: Sequence[str], name: str) -> None:
        """Raises what is missing for a rollout table.

        Raises:
            TableError: when a named column is not there, or nothing names what is needed.
        """
        unknown = [known for known in self.columns if known not in FIELDS]
        if unknown:
            raise TableError(f"{unknown[0]!r} is nothing a rollout has.", fix=f"Known: {FIELDS}.")
        absent = [column for column in self.columns.values() if column not in held]
        if absent:
            listed = ", ".join(held)
            raise TableError(f"{name}: there is no column {absent[0]!r}.", fix=f"It has {listed}.")
        if not {"prompt", "problem_id"} & set(self.columns):
            raise TableError(
                f"{name}: no column tells which problem a row belongs to.",
                fix="Name the column of the prompt or of the problem's id.",
            )
        if not set(CONTENT) & set(self.columns):
            raise TableError(
                f"{name}: no column holds a response, an answer, a verdict or a reward.",
                fix="Name at least one of them.",
            )


def guess_mapping(columns: Sequence[str]) -> ColumnMapping:
    """The mapping that the names of the columns suggest; no column stands for two things."""
    simple = {_simple(column): column for column in reversed(columns) if column not in (FILE, ROW)}
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    # Names that are exactly ours first: "answer" is an answer, whatever else could be one.
    for own in (True, False):
        for wanted, names in ALIASES.items():
            if wanted in chosen:
                continue
            for name in (wanted,) if own else names:
                column = simple.get(_simple(name))
                if column is not None and column not in taken:
                    chosen[wanted] = column
                    taken.add(column)
                    break
    return ColumnMapping({known: chosen[known] for known in FIELDS if known in chosen})


def convert_with(loaded: LoadedFile, mapping: ColumnMapping) -> Converted:
    """The rows of a file under a mapping; columns that stand for nothing are kept by their names.

    Raises:
        TableError: when the mapping names what the file does not have, or lacks what is needed.
    """
    frame = loaded.frame
    held = [name for name in frame.columns if name not in (FILE, ROW)]
    mapping.check(held, loaded.file.name)
    named = mapping.columns
    made: dict[str, Any] = conversation_columns(frame, named.get("prompt"), named.get("response"))
    for known, column in named.items():
        if known not in ("prompt", "response", "reference"):
            made[known] = frame[column]
    if "reference" in named:
        made[REFERENCE] = frame[named["reference"]]
    if "step" not in named:
        step = mapping.fixed_step
        if step is None:
            step = step_in_name(loaded.file.name)
        if step is not None:
            made["step"] = step
    others = [name for name in held if name not in named.values() and name not in made]
    made |= {name: frame[name] for name in others}
    return Converted(placed(made, loaded))


def convert(loaded: LoadedFile) -> Converted:
    """The rows of a file under the mapping its columns suggest."""
    held = [str(name) for name in loaded.frame.columns]
    return convert_with(loaded, guess_mapping(held))


def _simple(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def mapped_columns(mapping: ColumnMapping) -> pd.DataFrame:
    """The mapping as a table of what and which, for a page or a report."""
    rows = [(known, mapping.columns.get(known, "")) for known in FIELDS]
    return pd.DataFrame(rows, columns=["stands for", "column"])


READER = Reader("columns", "Table with named columns", lambda _columns, _name: True, convert)
