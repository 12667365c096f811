"""One recorded run from recipe to table, and the recorded runs of a collection put together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from random import Random

import pandas as pd
import torch
from transformers import LlamaForCausalLM

from core.rollouts.recorded import PROBLEMS
from core.sandbox import Sandbox
from core.training.rollouts.episodes import Draw, ToolUser, answer_directly, uses_tools
from core.training.rollouts.grpo import (
    CHECKPOINT,
    HELD_OUT,
    RolloutLog,
    RolloutSource,
    problem_id,
    train,
)
from core.training.rollouts.policy import Tick, pretrained_policy
from core.training.rollouts.problems import Problem
from core.training.rollouts.recipes import BASE, RolloutRecipe
from core.training.rollouts.stages import record_stages
from core.training.rollouts.tasks import distinct_problems

SAMPLES_AT_ONCE = 512


def record(
    recipe: RolloutRecipe, seed: int, folder: Path, tick: Tick | None = None
) -> dict[str, pd.DataFrame]:
    """Trains one run, or reads it where it has been finished before; writes it into `folder`.

    Args:
        recipe: what is trained.
        seed: of the run.
        folder: gets a Parquet file for every table of the run.
        tick: told what is done, of how much.

    Returns:
        The run's tables by name: "rollouts", "problems", and "evaluations" for task order.
    """
    place = folder / recipe.name / f"seed-{seed}"
    if (place / f"{PROBLEMS}.parquet").is_file():
        return {path.stem: pd.read_parquet(path) for path in sorted(place.glob("*.parquet"))}
    tables = _recorded(recipe, seed, tick or (lambda _done, _total, _what: None))
    place.mkdir(parents=True, exist_ok=True)
    # The problems come last: they say that the run is whole.
    for name in sorted(tables, key=lambda name: name == PROBLEMS):
        partial = place / f"{name}.partial"
        tables[name].to_parquet(partial, compression="zstd", index=False)
        partial.replace(place / f"{name}.parquet")
    return tables


def problem_table(problems: Sequence[Problem]) -> pd.DataFrame:
    """problem_id, prompt, task and reference of each problem."""
    return pd.DataFrame(
        {
            "problem_id": [problem_id(each) for each in problems],
            "prompt": [each.prompt for each in problems],
            "task": [each.task for each in problems],
            "reference": [each.answer for each in problems],
        }
    )


def problems_of(recipe: RolloutRecipe) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems, the same for every run of the collection."""
    rng = Random(recipe.problem_seed)  # noqa: S311 - no secret
    training = distinct_problems(dict(recipe.problems), rng)
    seen = frozenset(problem.prompt for problem in training)
    return training, distinct_problems(dict(recipe.held_out), rng, without=seen)


def _recorded(recipe: RolloutRecipe, seed: int, tick: Tick) -> dict[str, pd.DataFrame]:
    policy = pretrained_policy(recipe.policy, tick)
    training, held_out = problems_of(recipe)
    torch.manual_seed(seed)
    with _drawing(training) as draw:
        if recipe.orders:
            rollouts, evaluations = record_stages(
                policy, training, held_out, recipe, draw, seed, tick
            )
            tables = {"rollouts": rollouts, "evaluations": evaluations}
        else:
            tables = {"rollouts": _record_run(policy, training, held_out, recipe, draw, seed, tick)}
    return {**tables, PROBLEMS: problem_table([*training, *held_out])}


def _record_run(
    policy: LlamaForCausalLM,
    training: Sequence[Problem],
    held_out: Sequence[Problem],
    recipe: RolloutRecipe,
    draw: Draw,
    seed: int,
    tick: Tick,
) -> pd.DataFrame:
    log = RolloutLog(recipe.run_name(seed), uses_tools(training))
    source = RolloutSource(recipe, training, draw, log)
    source.seed(seed)
    looks = {0, recipe.steps // 2, recipe.steps}
    looking = torch.Generator()
    looking.manual_seed(1000 + seed)

    def look(step: int) -> None:
        tick(step, recipe.steps, recipe.run_name(seed))
        if step in looks:
            _look(policy, training, held_out, recipe, draw, looking, step, log)

    look(0)
    if recipe.method == BASE:
        for step in range(recipe.steps):
            source.step(policy, training, step)
            tick(step + 1, recipe.steps, recipe.run_name(seed))
    else:
        train(policy, training, recipe, source, steps=recipe.steps, seed=seed, after_step=look)
    return small(log.table())


def _look(
    policy: LlamaForCausalLM,
    training: Sequence[Problem],
    held_out: Sequence[Problem],
    recipe: RolloutRecipe,
    draw: Draw,
    generator: torch.Generator,
    step: int,
    log: RolloutLog,
) -> None:
    """Samples of every problem from the policy as it is, which train nothing."""
    was_training = policy.training
    policy.eval()
    n = recipe.checkpoint_samples
    for split, problems in ((CHECKPOINT, training), (HELD_OUT, held_out)):
        at_once = max(1, SAMPLES_AT_ONCE // n)
        for start in range(0, len(problems), at_once):
            part = problems[start : start + at_once]
            episodes = draw(policy, [each for each in part for _ in range(n)], generator, 1.0)
            for number in range(len(part)):
                log.add(split, step, episodes[number * n : (number + 1) * n])
    policy.train(was_training)


def small(table: pd.DataFrame) -> pd.DataFrame:
    """The table with narrow columns."""
    narrow = {
        "step": "int16",
        "sample": "int16",
        "tokens": "int16",
        "entropy": "float16",
        "log_probability": "float16",
        "reward": "float32",
        "tool_calls": "int8",
        "tool_errors": "int8",
        "answer_tags": "int8",
        "turns": "int8",
    }
    coded = dict.fromkeys(("run", "split", "problem_id"), "category")
    kinds = {name: kind for name, kind in {**narrow, **coded}.items() if name in table.columns}
    return table.astype(kinds)


@contextmanager
def _drawing(problems: Sequence[Problem]) -> Iterator[Draw]:
    """How responses to these problems are drawn; the tool's sandbox lives as long."""
    if not uses_tools(problems):
        with nullcontext():
            yield answer_directly
        return
    with Sandbox(seconds=0.5, memory_mb=32, output_chars=64) as sandbox:
        yield ToolUser(sandbox)
