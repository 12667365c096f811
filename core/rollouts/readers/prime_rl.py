"""Rollouts that prime-rl saves: `rollouts/step_<n>/train_rollouts.jsonl`, a line a rollout.

Two forms are in use. The older holds example_id, prompt and completion (messages), reward, answer,
task, metrics and is_truncated. The newer holds a trace of the verifiers library: task, nodes (the
messages, those of the model marked as sampled), named rewards with weights, metrics, info; its
files are also called `step_<n>/train/{all,effective}/traces.jsonl`, where effective are those that
the update used.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.rollouts.files import LoadedFile
from core.rollouts.messages import problem_of
from core.rollouts.readers.base import (
    REFERENCE,
    Converted,
    Reader,
    conversation_columns,
    placed,
    split_in_name,
    step_column,
)

TRACE_ID = "trace id"


def recognises(columns: Sequence[str], _name: str) -> bool:
    """Whether a file has the columns of either form."""
    held = set(columns)
    return {"nodes", "task"} <= held or {"example_id", "completion", "reward"} <= held


def convert(loaded: LoadedFile) -> Converted:
    """The rows of one file."""
    made = _traces(loaded) if "nodes" in loaded.frame.columns else _outputs(loaded)
    made |= step_column(loaded)
    notes: tuple[str, ...] = ()
    if "step" not in made:
        made["step"] = 0
        notes = ("Neither rows nor file names tell the step; all rows stand at step 0.",)
    made["split"] = split_in_name(loaded.file.name)
    return Converted(placed(made, loaded), notes)


def with_kept(parts: Sequence[Converted]) -> list[Converted]:
    """The rollouts once each, with whether the update used them where the files tell."""
    used: set[object] = set()
    has_all = False
    for part in parts:
        name = str(part.frame["_file"].iloc[0])
        has_all |= "/all/" in f"/{name}"
        if "/effective/" in f"/{name}":
            used |= set(part.frame.get(TRACE_ID, ()))
    if not used or not has_all:
        return list(parts)
    made = []
    for part in parts:
        name = f"/{part.frame['_file'].iloc[0]}"
        if "/all/" in name:
            kept = part.frame[TRACE_ID].isin(used)
            made.append(Converted(part.frame.assign(kept=kept), part.notes))
        elif "/effective/" not in name:
            made.append(part)
    return made


def _outputs(loaded: LoadedFile) -> dict[str, Any]:
    """The older form."""
    frame = loaded.frame
    prompt = "prompt" if "prompt" in frame.columns else None
    made = conversation_columns(frame, prompt, "completion")
    tasks = frame.get("task", pd.Series([None] * len(frame), index=frame.index))
    made["problem_id"] = [
        f"{task}:{example}" if isinstance(task, str) else _id(example)
        for task, example in zip(tasks, frame["example_id"], strict=True)
    ]
    made["reward"] = frame["reward"]
    for theirs, ours in (("answer", REFERENCE), ("is_truncated", "truncated"), ("task", "task")):
        if theirs in frame.columns:
            made[ours] = frame[theirs]
    return made


def _traces(loaded: LoadedFile) -> dict[str, Any]:
    """The newer form."""
    frame = loaded.frame
    turns = [_split_nodes(nodes) for nodes in frame["nodes"]]
    spoken = pd.DataFrame(turns, columns=["prompt", "completion"], index=frame.index, dtype=object)
    made = conversation_columns(spoken, "prompt", "completion")
    tasks = [_mapping(task) for task in frame["task"]]
    made["problem_id"] = [
        _task_id(task) or problem_of(prompt)
        for task, prompt in zip(tasks, spoken["prompt"], strict=True)
    ]
    blank = [None] * len(frame)
    made["reward"] = [_reward(cell) for cell in frame.get("rewards", blank)]
    made[REFERENCE] = [_mapping(task.get("data", task)).get("answer") for task in tasks]
    made["task"] = [_env(cell) for cell in frame.get("info", blank)]
    made["turns"] = [
        sum(m["role"] == "assistant" for m in (completion or ())) for _, completion in turns
    ]
    if "id" in frame.columns:
        made[TRACE_ID] = frame["id"]
    return {name: cells for name, cells in made.items() if not _all_missing(cells)}


def _split_nodes(nodes: Any) -> tuple[list[Any] | None, list[Any] | None]:
    """Prompt and completion: what stands before the first sampled message, and the rest."""
    if not isinstance(nodes, Sequence) or isinstance(nodes, str):
        return None, None
    messages = [
        (dict(_mapping(node).get("message") or {}), bool(_mapping(node).get("sampled")))
        for node in nodes
    ]
    messages = [(message, sampled) for message, sampled in messages if message.get("role")]
    marked = [place for place, (_, sampled) in enumerate(messages) if sampled]
    spoken = [place for place, (m, _) in enumerate(messages) if m["role"] == "assistant"]
    first = (marked or spoken or [len(messages)])[0]
    plain = [message for message, _ in messages]
    return plain[:first] or None, plain[first:] or None


def _reward(cell: Any) -> float | None:
    """Named rewards, numbers or score and weight, added up."""
    if isinstance(cell, int | float):
        return float(cell)
    values = []
    for each in _mapping(cell).values():
        if isinstance(each, Mapping) and isinstance(each.get("score"), int | float):
            values.append(float(each["score"]) * float(each.get("weight") or 0.0))
        elif isinstance(each, int | float):
            values.append(float(each))
    return sum(values) if values else None


def _task_id(task: Mapping[str, Any]) -> str | None:
    data = _mapping(task.get("data", task))
    for value in (task.get("key"), data.get("name"), data.get("idx"), task.get("hash")):
        if value is not None:
            return _id(value)
    return None


def _env(info: Any) -> str | None:
    name = _mapping(info).get("env_name")
    return name if isinstance(name, str) else None


def _id(value: Any) -> str | None:
    return None if value is None else str(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _all_missing(cells: Any) -> bool:
    return bool(pd.Series(cells, dtype=object).isna().all())


READER = Reader("prime-rl", "prime-rl rollouts", recognises, convert, with_kept)
