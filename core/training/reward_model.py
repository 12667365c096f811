"""Trains a reward model from groups of responses: batches, optimiser, early stop, resumption.

What is minimised is an argument (`core.training.objectives`); what is trained is
`core.training.classifier`. A run that is killed and started again gives the same weights as one
that was not: all randomness of a step follows from the seed and the step's number.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from core.schema import content_id
from core.training.classifier import Tensors, TrainableClassifier
from core.training.frozen import FrozenStates
from core.training.groups import TrainingGroup, epoch_batches, with_fewer_swapped
from core.training.objectives import Objective, reward_batch
from core.training.recipe import Recipe

SCORING_TEXTS = 16


@dataclass(frozen=True)
class Validation:
    """How the model did on the validation prompts after `step` steps."""

    step: int
    loss: float
    accuracy: float
    training_loss: float


@dataclass(frozen=True)
class TrainingProgress:
    """Where a run is.

    Attributes:
        step: steps done of `n_steps` (at most; an early stop ends sooner).
        loss: of the last step.
        tokens_per_s: since this process started training.
        remaining_s: at that rate.
        validation: the newest one, if this step had one.
    """

    step: int
    n_steps: int
    loss: float
    tokens_per_s: float
    remaining_s: float
    validation: Validation | None = None


Report = Callable[[TrainingProgress], None]


@dataclass(frozen=True)
class TrainingResult:
    """What a finished run gives.

    Attributes:
        best_step: the step with the lowest validation loss.
        snapshots: trained weights by step: evenly spread kept points, the last being `best_step`.
        validations: every validation, in order.
        seconds: time spent in training steps and validations, over all resumptions.
    """

    best_step: int
    snapshots: dict[int, Tensors]
    validations: tuple[Validation, ...]
    seconds: float


@dataclass
class _RunState:
    """What a resumed run needs beside weights and optimiser."""

    step: int = 0
    seconds: float = 0.0
    validations: list[Validation] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


class RewardTrainer:
    """One training run.

    Args:
        classifier: the network, freshly built from the same recipe.
        states: lower states of all texts.
        fit: groups to train on.
        validation: groups that decide when to stop; when empty, the run takes all its steps.
        objective: what is minimised.
        work: folder for the run's state; the run resumes from it. None keeps nothing.
        report: told the progress after every step.
    """

    def __init__(
        self,
        classifier: TrainableClassifier,
        states: FrozenStates,
        fit: Sequence[TrainingGroup],
        validation: Sequence[TrainingGroup],
        *,
        objective: Objective,
        work: Path | None = None,
        report: Report | None = None,
    ) -> None:
        self.recipe: Recipe = classifier.recipe
        self.classifier = classifier
        self.states = states
        self.fit = list(fit)
        n_swapped = self.recipe.swapped_per_prompt
        self.validation = [with_fewer_swapped(group, n_swapped) for group in validation]
        self.objective = objective
        self.work = work
        self.report = report or (lambda _progress: None)
        self.steps_per_epoch = math.ceil(len(self.fit) / self.recipe.prompts_per_batch)
        self.n_steps = self.recipe.epochs * self.steps_per_epoch
        self.interval = math.ceil(self.steps_per_epoch / self.recipe.validations_per_epoch)
        self.optimizer = self._make_optimizer()
        self.state = _RunState()
        self.snapshots: dict[int, Tensors] = {}

    def run(self) -> TrainingResult:
        """Trains to the end or to the early stop."""
        self._resume()
        started, first_step, tokens = time.perf_counter(), self.state.step, 0
        before = self.state.seconds
        while self.state.step < self.n_steps and not self._has_stopped():
            batch = self._batch(self.state.step)
            loss = self._step(batch)
            tokens += sum(len(text.ids) for group in batch for text in group.texts)
            self.state.step += 1
            self.state.losses.append(loss)
            validation = self._validate_if_due()
            elapsed = time.perf_counter() - started
            self.state.seconds = before + elapsed
            if validation is not None:
                self._save()
            left = self.n_steps - self.state.step
            remaining = elapsed / (self.state.step - first_step) * left
            self.report(
                TrainingProgress(
                    self.state.step, self.n_steps, loss, tokens / elapsed, remaining, validation
                )
            )
        return self._result()

    def score(self, groups: Sequence[TrainingGroup]) -> list[np.ndarray]:
        """Rewards of each group's texts, float64, by the weights as they are now."""
        self.classifier.model.eval()
        texts = sorted({text.ids for group in groups for text in group.texts}, key=len)
        found: dict[tuple[int, ...], float] = {}
        with torch.no_grad():
            for start in range(0, len(texts), SCORING_TEXTS):
                part = texts[start : start + SCORING_TEXTS]
                rewards = self.classifier.rewards(part, self.states).tolist()
                found.update(zip(part, rewards, strict=True))
        return [np.array([found[text.ids] for text in group.texts]) for group in groups]

    def _make_optimizer(self) -> torch.optim.AdamW:
        recipe = self.recipe
        parameters = [
            {"params": self.classifier.adapter_parameters(), "lr": recipe.learning_rate},
            {"params": self.classifier.head_parameters(), "lr": recipe.head_learning_rate},
        ]
        optimizer = torch.optim.AdamW(parameters, weight_decay=recipe.weight_decay)
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
        return optimizer

    def _batch(self, step: int) -> list[TrainingGroup]:
        epoch, position = divmod(step, self.steps_per_epoch)
        rng = np.random.default_rng([self.recipe.seed, 2, epoch])
        batches = epoch_batches(self.fit, prompts_per_batch=self.recipe.prompts_per_batch, rng=rng)
        draw = np.random.default_rng([self.recipe.seed, 3, step])
        n_swapped = self.recipe.swapped_per_prompt
        return [with_fewer_swapped(group, n_swapped, draw) for group in batches[position]]

    def _step(self, batch: list[TrainingGroup]) -> float:
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.state.step)
        self.classifier.model.train()
        rate = rate_share(self.state.step, self.n_steps, warmup_share=self.recipe.warmup_share)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        texts = [text.ids for group in batch for text in group.texts]
        rewards = self.classifier.rewards(texts, self.states)
        loss = self.objective(reward_batch(rewards, batch))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters(), self.recipe.max_grad_norm)
        self.optimizer.step()
        return float(loss.detach())

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.classifier.adapter_parameters(), *self.classifier.head_parameters()]

    def _validate_if_due(self) -> Validation | None:
        if self.state.step % self.interval and self.state.step != self.n_steps:
            return None
        training_loss = float(np.mean(self.state.losses[-self.interval :]))
        loss, accuracy = math.nan, math.nan
        if self.validation:
            rewards = np.concatenate(self.score(self.validation))
            batch = reward_batch(torch.tensor(rewards), self.validation)
            loss = float(self.objective(batch))
            accuracy = float((batch.margins > 0).double().mean())
        validation = Validation(self.state.step, loss, accuracy, training_loss)
        self.state.validations.append(validation)
        self.snapshots[self.state.step] = self.classifier.trained_state()
        return validation

    def _best(self) -> int:
        """Position of the validation with the lowest loss; the newest when there is no loss."""
        if not self.validation:
            return len(self.state.validations) - 1
        return int(np.argmin([validation.loss for validation in self.state.validations]))

    def _has_stopped(self) -> bool:
        done = len(self.state.validations)
        if not self.recipe.patience or not done:
            return False
        return done - 1 - self._best() >= self.recipe.patience

    def _result(self) -> TrainingResult:
        best = self._best()
        kept = checkpoint_positions(best + 1, self.recipe.checkpoints)
        steps = [self.state.validations[position].step for position in kept]
        return TrainingResult(
            best_step=steps[-1],
            snapshots={step: self.snapshots[step] for step in steps},
            validations=tuple(self.state.validations),
            seconds=self.state.seconds,
        )

    def _fingerprint(self) -> str:
        groups = [[list(text.ids) for text in g.texts] for g in [*self.fit, *self.validation]]
        return content_id([asdict(self.recipe), groups])

    def _save(self) -> None:
        if self.work is None:
            return
        self.work.mkdir(parents=True, exist_ok=True)
        content = {
            "fingerprint": self._fingerprint(),
            "run": asdict(self.state),
            "weights": self.classifier.trained_state(),
            "optimizer": self.optimizer.state_dict(),
            "snapshots": self.snapshots,
        }
        scratch = self.work / "state.partial"
        torch.save(content, scratch)
        scratch.replace(self.work / "state.pt")

    def _resume(self) -> None:
        """Takes up the run that `work` holds, when it is one of the same recipe and texts."""
        file = self.work / "state.pt" if self.work else None
        if file is None or not file.is_file():
            return
        content: dict[str, Any] = torch.load(file, weights_only=True)
        if content["fingerprint"] != self._fingerprint():
            return
        run = content["run"]
        validations = [Validation(**values) for values in run.pop("validations")]
        self.state = _RunState(**run, validations=validations)
        self.classifier.load_trained_state(content["weights"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.snapshots = content["snapshots"]


def rate_share(step: int, n_steps: int, *, warmup_share: float) -> float:
    """Share of the peak learning rate at a step: a linear rise, then half a cosine down to 0."""
    warmup = warmup_share * n_steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, n_steps - warmup)))


def checkpoint_positions(n_points: int, n_kept: int) -> list[int]:
    """Which of `n_points` moments to keep: the last always, the earlier ones denser at the start.

    A reward model changes most in its first steps, so positions grow with the power 1.5.
    """
    spread = np.linspace(1, 0, n_kept) ** 1.5 * (n_points - 1)
    return sorted({round(position) for position in spread.tolist()})
