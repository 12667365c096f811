"""GRPO on the small policy, carried by TRL, with every rollout written down.

TRL does the loss, the optimiser and the loop. What is drawn, what it is paid and which rollouts are
kept is decided here, handed over through TRL's `rollout_func`. Exploration bonuses are added to the
advantages after TRL has normalised the rewards (the paper's objective is E[A + c b]); added to the
rewards, a constant such as UCB-Con's b0 would vanish with the group's mean.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from transformers import LlamaForCausalLM, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from core.training.rollouts import tokens
from core.training.rollouts.episodes import Draw, Episode
from core.training.rollouts.groups import History, PaidGroup, pay
from core.training.rollouts.problems import Problem
from core.training.rollouts.recipes import RolloutRecipe

# TRL warns on every start that rollout_func may still change; the pinned version is tested.
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

TRAIN, CHECKPOINT, HELD_OUT = "train", "checkpoint", "held_out"


class RolloutLog:
    """Rollouts of one run, row by row, as a rollout table."""

    def __init__(self, run: str, with_tools: bool) -> None:
        """Empty; without tools a response is its answer, and there is nothing to count in it."""
        self._run = run
        self._with_tools = with_tools
        self._rows: list[dict[str, Any]] = []
        self._n_samples: Counter[tuple[str, int, str]] = Counter()

    def add(
        self,
        split: str,
        step: int,
        episodes: Sequence[Episode],
        rewards: Sequence[float] | None = None,
        kept: Sequence[int] | None = None,
    ) -> None:
        """The samples of one problem; of one drawn twice in a step the numbers go on."""
        drawn = (split, step, problem_id(episodes[0].problem)) if episodes else None
        first = self._n_samples[drawn] if drawn else 0
        if drawn:
            self._n_samples[drawn] += len(episodes)
        for sample, episode in enumerate(episodes):
            row = {
                "run": self._run,
                "split": split,
                "step": step,
                "problem_id": problem_id(episode.problem),
                "sample": first + sample,
                "answer": episode.answer,
                "correct": episode.correct,
                "reward": episode.score if rewards is None else float(rewards[sample]),
                "entropy": episode.entropy,
                "log_probability": episode.log_probability,
                "tokens": sum(episode.own),
            }
            if self._with_tools:
                row |= {
                    "response": episode.text,
                    "tool_calls": episode.tool_calls,
                    "tool_errors": episode.tool_errors,
                    "answer_tags": episode.answer_tags,
                    "turns": episode.tool_calls + 1,
                    "truncated": episode.truncated,
                    "kept": kept is None or sample in kept,
                }
            self._rows.append(row)

    def table(self) -> pd.DataFrame:
        """All rows so far."""
        return pd.DataFrame(self._rows)


class RolloutSource:
    """TRL's `rollout_func`: draws every group of a step, pays it, writes it down."""

    def __init__(
        self, recipe: RolloutRecipe, problems: Sequence[Problem], draw: Draw, log: RolloutLog
    ) -> None:
        self._recipe = recipe
        self._problems = {problem.prompt: problem for problem in problems}
        self._draw = draw
        self._log = log
        self._history: History = {problem.prompt: Counter() for problem in problems}
        self.generator = torch.Generator()
        self.rng = np.random.default_rng()
        self.first_step = 0
        self.bonus = torch.zeros(0)

    def seed(self, seed: int) -> None:
        """Sets the randomness of all that follows."""
        self.generator.manual_seed(seed)
        self.rng = np.random.default_rng(seed)

    def __call__(self, prompts: list[str], trainer: GRPOTrainer) -> dict[str, Any]:
        """Prompts come G times each, in a row; the rollouts kept go back in that order."""
        recipe = self._recipe
        chosen = [self._problems[prompt] for prompt in prompts[:: recipe.group_size]]
        groups = self.step(trainer.model, chosen, self.first_step + trainer.state.global_step)
        kept = [(group, number) for group in groups for number in group.kept]
        self.bonus = torch.tensor([group.bonus[number] for group, number in kept])
        episodes = [group.episodes[number] for group, number in kept]
        return {
            "prompt_ids": [prompt_ids(episode.problem) for episode in episodes],
            "completion_ids": [episode.ids for episode in episodes],
            "logprobs": None,
            "env_mask": [episode.own for episode in episodes],
            "paid": [float(group.rewards[number]) if group.used else 0.0 for group, number in kept],
        }

    def step(
        self, policy: LlamaForCausalLM, problems: Sequence[Problem], step: int
    ) -> list[PaidGroup]:
        """Draws, pays and writes down one group for each problem."""
        n = self._recipe.group_size * self._recipe.oversampling
        was_training = policy.training
        policy.eval()
        repeated = [problem for problem in problems for _ in range(n)]
        episodes = self._draw(policy, repeated, self.generator, 1.0)
        policy.train(was_training)
        groups = []
        for number, problem in enumerate(problems):
            own = episodes[number * n : (number + 1) * n]
            group = pay(own, self._recipe, self._history[problem.prompt], self.rng)
            self._log.add(TRAIN, step, own, list(group.rewards), group.kept)
            groups.append(group)
        return groups


def train(
    policy: LlamaForCausalLM,
    problems: Sequence[Problem],
    recipe: RolloutRecipe,
    source: RolloutSource,
    *,
    steps: int,
    seed: int,
    after_step: Callable[[int], None],
) -> None:
    """Trains the policy in place for so many steps.

    Args:
        policy: changed in place.
        problems: shuffled and drawn in turn; a problem may stand there more than once.
        recipe: group size, learning rate, scale.
        source: draws and pays; its `first_step` numbers the steps.
        steps: optimiser steps.
        seed: of the order of the problems.
        after_step: told the number of steps done, after each.
    """
    with tempfile.TemporaryDirectory() as folder:
        trainer = _Trainer(
            source,
            model=policy,
            reward_funcs=[_paid],
            args=_config(recipe, recipe.problems_per_step or len(problems), steps, seed, folder),
            train_dataset=Dataset.from_list([{"prompt": each.prompt} for each in problems]),
            processing_class=tokens.hub_tokenizer(),
            callbacks=[_AfterStep(after_step)],
            rollout_func=source,
        )
        # Its own lines of metrics would drown the progress bar.
        trainer.remove_callback(_printer())
        trainer.train()


def problem_id(problem: Problem) -> str:
    """The problem's id in tables: its prompt without the equals sign."""
    return problem.prompt.removesuffix("=")


def prompt_ids(problem: Problem) -> list[int]:
    """What the policy reads."""
    return [tokens.BOS_ID, *tokens.encode(problem.prompt)]


class _Trainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer, with the exploration bonus on top of its advantages."""

    def __init__(self, source: RolloutSource, **settings: Any) -> None:
        super().__init__(**settings)
        self._source = source

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        output["advantages"] = output["advantages"] + self._source.bonus.to(
            output["advantages"].dtype
        )
        return output


class _AfterStep(TrainerCallback):  # type: ignore[misc]
    def __init__(self, told: Callable[[int], None]) -> None:
        self._told = told

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self._told(int(state.global_step))


def _paid(completions: list[str], paid: list[float], **_: Any) -> list[float]:  # noqa: ARG001
    return paid


def _printer() -> type[TrainerCallback]:
    from transformers import PrinterCallback

    return PrinterCallback  # type: ignore[no-any-return]


def _config(
    recipe: RolloutRecipe, n_problems: int, steps: int, seed: int, folder: str
) -> GRPOConfig:
    return GRPOConfig(
        output_dir=folder,
        per_device_train_batch_size=n_problems * recipe.group_size,
        num_generations=recipe.group_size,
        max_completion_length=128,
        max_steps=steps,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant",
        scale_rewards="none" if recipe.scale == "none" else "group",
        beta=0.0,
        temperature=1.0,
        steps_per_generation=1,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        seed=seed,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
