"""Trains a reward model from groups of responses: batches, optimiser, early stop, resumption.

What is minimised is an argument (`core.training.objectives`); what is trained is
`core.training.classifier`. A run that is killed and started again gives the same weights as one
that was not: all randomness of a step follows from the seed and the step's number.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from core.errors import SettingsError
from core.schema import content_id
from core.training.classifier import Tensors, TrainableClassifier
from core.training.frozen import States
from core.training.groups import TrainingGroup, epoch_batches, with_fewer_swapped
from core.training.objectives import Objective, RewardBatch, batch_texts, reward_batch
from core.training.recipe import Recipe

SCORING_TEXTS = 16
VALIDATION_GROUPS = 512
"""An objective sees so many validation groups at once: its kernels grow with their square."""


@dataclass(frozen=True)
class Validation:
    """How the model did on the validation prompts after `step` steps.

    Attributes:
        step: steps done.
        loss: the objective on the validation prompts; NaN where there are none.
        accuracy: share of their pairs with a positive margin.
        training_loss: mean over the steps since the last validation.
        penalty: the part of `loss` that is the objective's own term.
    """

    step: int
    loss: float
    accuracy: float
    training_loss: float
    penalty: float = 0.0


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
        left_out: pairs that could not be used and texts that have no say in the objective's own
            term, counted by reason.
    """

    best_step: int
    snapshots: dict[int, Tensors]
    validations: tuple[Validation, ...]
    seconds: float
    left_out: Mapping[str, int] = field(default_factory=dict)


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
        states: gives the lower states of all texts.
        fit: groups to train on.
        validation: groups that decide when to stop; when empty, the run takes all its steps.
        objective: what is minimised.
        work: folder for the run's state; the run resumes from it. None keeps nothing.
        report: told the progress after every step.
    """

    def __init__(
        self,
        classifier: TrainableClassifier,
        states: States,
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
            tokens += sum(map(len, batch_texts(batch)))
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

    def score(self, groups: Sequence[TrainingGroup]) -> RewardBatch:
        """Rewards of the groups' texts, float64 and without gradient, by the weights as they are.

        A text's reward does not depend on what else is asked for.
        """
        self.classifier.model.eval()
        asked = batch_texts(groups)
        texts = sorted(set(asked), key=len)
        found: dict[tuple[int, ...], list[float]] = {}
        with torch.no_grad():
            for start in range(0, len(texts), SCORING_TEXTS):
                part = texts[start : start + SCORING_TEXTS]
                outputs = self.classifier.outputs(part, self.states).tolist()
                found.update(zip(part, outputs, strict=True))
            weights = self.classifier.head_weights()
        heads = None if weights is None else weights.detach().double().cpu()
        ordered = torch.tensor([found[ids] for ids in asked], dtype=torch.float64)
        return reward_batch(ordered, groups, heads=heads)

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
        outputs = self.classifier.outputs(batch_texts(batch), self.states)
        heads = self.classifier.head_weights()
        loss = self.objective(reward_batch(outputs, batch, heads=heads)).total
        if not torch.isfinite(loss):
            raise SettingsError(
                f"Recipe {self.recipe.name}: the loss of step {self.state.step + 1} is not finite.",
                fix="Lower the learning rates or the objective's coefficient.",
            )
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
        loss, accuracy, penalty = self._validation_scores()
        validation = Validation(self.state.step, loss, accuracy, training_loss, penalty)
        self.state.validations.append(validation)
        self.snapshots[self.state.step] = self.classifier.trained_state()
        return validation

    def _validation_scores(self) -> tuple[float, float, float]:
        """Loss, accuracy and penalty on the validation groups; a mean over parts of them."""
        if not self.validation:
            return math.nan, math.nan, 0.0
        scores, sizes = [], []
        for start in range(0, len(self.validation), VALIDATION_GROUPS):
            part = self.validation[start : start + VALIDATION_GROUPS]
            batch = self.score(part)
            loss = self.objective(batch)
            right = (batch.margins > 0).double().mean()
            scores.append([float(loss.total), float(right), float(loss.penalty)])
            sizes.append(len(batch.margins))
        loss_mean, accuracy, penalty = np.average(scores, axis=0, weights=sizes).tolist()
        return loss_mean, accuracy, penalty

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
        return content_id([self.recipe.identity, groups])

    def _save(self) -> None:
        if self.work is None:
            return
        self.work.mkdir(parents=True, exist_ok=True)
        second = self.classifier.second_head
        content = {
            "fingerprint": self._fingerprint(),
            "run": asdict(self.state),
            "weights": self.classifier.trained_state(),
            "optimizer": self.optimizer.state_dict(),
            "snapshots": self.snapshots,
            "second_head": second.state_dict() if second is not None else None,
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
        if self.classifier.second_head is not None:
            self.classifier.second_head.load_state_dict(content["second_head"])
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
