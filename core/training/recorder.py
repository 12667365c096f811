"""Records the rollouts of a training run as it goes, so that a page can watch it.

    recorder = RolloutRecorder("runs/my-run", run="my-run")
    trainer = GRPOTrainer(..., reward_funcs=[recorder.wrap(my_reward)],
                          callbacks=[recorder.callback()])

A Parquet file for each step appears in the folder in one piece, never half written. The columns are
those of a rollout table (`core.schema.ROLLOUT_COLUMNS`), with a column for each reward function.
"""

import functools
import inspect
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.errors import TableError
from core.rollouts.answers import AnswerRule, read_answers, reference_answers
from core.rollouts.equivalence import verdicts
from core.rollouts.messages import last_words, problem_of, prompt_text, response_text, trajectory
from core.tables.writing import write_atomically

RewardFunction = Callable[..., Any]

REFERENCES = ("solution", "answer", "ground_truth", "reference", "target", "gold")
"""Columns of a training set that hold the reference answer, the first that is there."""


class RolloutRecorder:
    """Appends the rollouts of each training step to a folder.

    Args:
        folder: where the files go; made when it is missing.
        run: the run's name in the table; the folder's name where it is empty.
        rule: how answers are found in responses.
        weights: of the reward functions by name, as the trainer uses them; 1 where one is missing.
        reference: the column of the training set that holds the reference answer; found by its
            name where it is empty.

    Attributes:
        split: of what is drawn next; the callback sets it ("held_out" during an evaluation).

    Raises:
        TableError: when the folder cannot be made.
    """

    def __init__(
        self,
        folder: str | Path,
        run: str = "",
        *,
        rule: AnswerRule | None = None,
        weights: Mapping[str, float] | None = None,
        reference: str = "",
    ) -> None:
        self.folder = Path(folder)
        self.run = run or self.folder.resolve().name
        self._rule = rule
        self._weights = dict(weights or {})
        self._reference = reference
        self._lock = threading.Lock()
        self._open: dict[int, list[_Batch]] = {}
        self.split = "train"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TableError(f"{self.folder}: cannot be made: {error.strerror}.") from error

    def wrap(self, reward_function: RewardFunction) -> RewardFunction:
        """The reward function, with every call recorded; its name stays.

        Works with the arguments that TRL gives: prompts, completions, completion_ids,
        trainer_state and the columns of the training set. An async function stays one.
        """
        name = getattr(reward_function, "__name__", type(reward_function).__name__)
        if inspect.iscoroutinefunction(reward_function):

            @functools.wraps(reward_function)
            async def recorded_async(*args: Any, **given: Any) -> Any:
                rewards = await reward_function(*args, **given)
                self._take(name, rewards, given)
                return rewards

            return recorded_async

        @functools.wraps(reward_function)
        def recorded(*args: Any, **given: Any) -> Any:
            rewards = reward_function(*args, **given)
            self._take(name, rewards, given)
            return rewards

        recorded.__name__ = name
        return recorded

    def callback(self) -> Any:
        """A `transformers.TrainerCallback` that writes each step's file when the step is over."""
        from transformers import TrainerCallback

        recorder = self

        class WriteRollouts(TrainerCallback):  # type: ignore[misc]
            """Writes what was recorded at the end of every step, evaluation and training."""

            def on_step_begin(self, *_: Any, **__: Any) -> None:
                recorder.split = "train"

            def on_step_end(self, *_: Any, **__: Any) -> None:
                recorder.flush()
                # What is drawn between two training steps is drawn by an evaluation.
                recorder.split = "held_out"

            def on_evaluate(self, *_: Any, **__: Any) -> None:
                recorder.flush()

            def on_train_end(self, *_: Any, **__: Any) -> None:
                recorder.flush()

        return WriteRollouts()

    def record(
        self,
        step: int,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        rewards: Mapping[str, Sequence[float | None]],
        **columns: Sequence[Any],
    ) -> None:
        """Records rollouts by hand, for a trainer that calls no reward function.

        Args:
            step: the training step.
            prompts: (n,) texts or messages.
            completions: (n,) texts or messages.
            rewards: (n,) rewards of each reward function by its name.
            columns: (n,) further columns.
        """
        batch = _Batch(list(prompts), list(completions), dict(columns), self.split)
        batch.rewards = {name: _floats(values) for name, values in rewards.items()}
        with self._lock:
            self._open.setdefault(step, []).append(batch)

    def flush(self, before: int | None = None) -> list[Path]:
        """Writes what was recorded since the last time, a file a step; the files.

        Without the callback, call it once after training: the last step waits for it.

        Args:
            before: only what was recorded before this step.

        Raises:
            TableError: when a file cannot be written.
        """
        with self._lock:
            ready = [step for step in self._open if before is None or step < before]
            taken = {step: self._open.pop(step) for step in ready}
        written = []
        for step, batches in sorted(taken.items()):
            frame = pd.concat([self._frame(step, batch) for batch in batches], ignore_index=True)
            frame["sample"] = frame.groupby(["split", "problem_id"], sort=False).cumcount()
            written.append(self._write(step, frame))
        return written

    def _take(self, name: str, rewards: Sequence[float | None], given: Mapping[str, Any]) -> None:
        """Files one call of a reward function with the others of the same generation."""
        prompts, completions = given.get("prompts"), given.get("completions")
        if prompts is None or completions is None:
            return
        state = given.get("trainer_state")
        step = int(getattr(state, "global_step", 0) or 0)
        values = _floats(rewards)
        with self._lock:
            batches = self._open.setdefault(step, [])
            for batch in reversed(batches):
                # TRL hands the same lists to all reward functions of a generation.
                if batch.is_of(completions) and name not in batch.rewards:
                    batch.rewards[name] = values
                    return
            columns = _columns(given, len(values))
            batch = _Batch(list(prompts), list(completions), columns, self.split)
            batch.origin = completions
            batch.rewards[name] = values
            batches.append(batch)
            is_over = any(earlier < step for earlier in self._open)
        if is_over:  # without the callback, a new step is the sign that the last one is over
            self.flush(before=step)

    def _frame(self, step: int, batch: "_Batch") -> pd.DataFrame:
        """The rollouts of one generation as rows of a rollout table."""
        n = len(batch.completions)
        made: dict[str, Any] = {"run": [self.run] * n, "step": [step] * n}
        made["problem_id"] = [problem_of(prompt) for prompt in batch.prompts]
        made["prompt"] = [prompt_text(prompt) for prompt in batch.prompts]
        made["sample"] = [0] * n
        made["response"] = [response_text(each) for each in batch.completions]
        spoken = pd.Series([last_words(each) for each in batch.completions], dtype=object)
        answers = read_answers(spoken, self._rule).answers
        made["answer"] = answers
        made["correct"] = self._correct(answers, batch.columns)
        names = list(batch.rewards)
        weighted = [batch.rewards[name] * self._weights.get(name, 1.0) for name in names]
        made["reward"] = _sum_of(weighted, n)
        made["split"] = [batch.split] * n
        tokens = batch.columns.get("completion_ids")
        if tokens is not None:
            made["tokens"] = [len(each) if each is not None else None for each in tokens]
        if len(names) > 1:
            made |= {f"reward {name}": batch.rewards[name] for name in names}
        messages = [trajectory(each) for each in batch.completions]
        if any(each is not None for each in messages):
            made["messages"] = [None if each is None else json.dumps(each) for each in messages]
        taken = set(made) | {"completion_ids", self._reference, *REFERENCES}
        made |= {k: v for k, v in batch.columns.items() if k not in taken and _is_plain(v)}
        return pd.DataFrame(made)

    def _correct(self, answers: "pd.Series[Any]", columns: Mapping[str, Sequence[Any]]) -> Any:
        names = (self._reference,) if self._reference else REFERENCES
        found = next((name for name in names if name in columns), None)
        if found is None:
            return pd.Series([None] * len(answers), dtype="boolean")
        references = reference_answers(pd.Series(list(columns[found]), dtype=object))
        # Algebra starts a process and takes seconds: not while a GPU waits.
        return verdicts(answers, references, algebra=False).correct

    def _write(self, step: int, frame: pd.DataFrame) -> Path:
        part = 0
        rank = int(os.environ.get("RANK", "0"))
        name = f"rollouts_step_{step:06d}" + (f"_rank_{rank}" if rank else "")
        while (path := self.folder / f"{name}{f'_{part}' if part else ''}.parquet").exists():
            part += 1
        write_atomically(path, lambda file: frame.to_parquet(file, index=False))
        return path


class _Batch:
    """The rollouts of one generation, with the rewards of each function that has been called."""

    def __init__(
        self,
        prompts: list[Any],
        completions: list[Any],
        columns: dict[str, Sequence[Any]],
        split: str,
    ) -> None:
        self.prompts = prompts
        self.completions = completions
        self.columns = columns
        self.split = split
        self.rewards: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
        self.origin: object = None

    def is_of(self, completions: object) -> bool:
        """Whether this batch was made of that very list."""
        return self.origin is completions


def _columns(given: Mapping[str, Any], n: int) -> dict[str, Sequence[Any]]:
    """The columns of the training set among the arguments: lists with an entry a rollout."""
    own = ("prompts", "completions", "trainer_state", "log_extra", "log_metric", "environments")
    return {
        name: value
        for name, value in given.items()
        if name not in own and isinstance(value, list | tuple) and len(value) == n
    }


def _floats(values: Sequence[float | None]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([np.nan if value is None else float(value) for value in values], dtype=float)


def _sum_of(rewards: Sequence["np.ndarray[Any, np.dtype[np.float64]]"], n: int) -> Any:
    """The sum over functions of those that gave a reward; NaN where none did, as in TRL."""
    if not rewards:
        return np.full(n, np.nan)
    stacked = np.stack(rewards)
    summed = np.nansum(stacked, axis=0)
    summed[np.isnan(stacked).all(axis=0)] = np.nan
    return summed


def _is_plain(values: Sequence[Any]) -> bool:
    """Whether a column holds texts, numbers or truth values only, all of one kind."""
    kinds = {type(value) for value in values if value is not None}
    return len(kinds) <= 1 and all(kind in (str, int, float, bool) for kind in kinds)
