"""The transfer matrix from recorded stages, and how sure it is: resampling of problems and seeds.

Within a draw the same problems stand for a task in every policy, so that differences are paired.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from core.errors import TableError
from core.labs.task_order.evaluations import Evaluations
from core.labs.task_order.transfer import Draws, Transfer
from core.stats import FloatArray

Stages = Literal["first", "not last", "all", "later"]
STAGES: tuple[Stages, ...] = get_args(Stages)

STAGES_MEANING: dict[Stages, str] = {
    "first": "first stages only: a policy trained on one task against the untrained one; no later "
    "score feeds the prediction",
    "not last": "all stages but the last of each order: no final score feeds the prediction",
    "all": "all stages in which a task was trained, the last ones too: final scores feed the "
    "prediction, so it may only be compared with other seeds' results",
    "later": "second and later stages, to hold against the first ones",
}

Resampled = Literal["items", "items and seeds"]


@dataclass(frozen=True)
class StageMeans:
    """Mean scores of D draws: (D, S, O, T, K) by seed, order, stage and task; NaN if unmeasured."""

    values: FloatArray
    joint: FloatArray
    """(D, S, K) means of joint training."""

    seed_weights: FloatArray
    """(D, S) how often each seed counts in each draw."""

    @cached_property
    def n_draws(self) -> int:
        """D."""
        return len(self.values)


def stage_means(
    evaluations: Evaluations, *, value: Literal["score", "entropy"] = "score"
) -> StageMeans:
    """The means themselves, as one draw in which every problem and seed counts once."""
    weights = [np.ones((1, n)) for n in evaluations.n_problems]
    return _means(evaluations, weights, np.ones((1, len(evaluations.seeds))), value)


def drawn_stage_means(
    evaluations: Evaluations,
    *,
    n_draws: int,
    rng: np.random.Generator,
    resampled: Resampled = "items",
    value: Literal["score", "entropy"] = "score",
) -> StageMeans:
    """Means under resampling with replacement of each task's problems, and of seeds if asked.

    Args:
        evaluations: the scores.
        n_draws: how many draws.
        rng: source of the resampling.
        resampled: "items" takes the recorded runs as they are; "items and seeds" also asks what
            other seeds might have given, as far as the few recorded ones tell.
        value: what is averaged.

    Raises:
        TableError: where a task has no several problems to resample.
    """
    if not evaluations.has_items:
        raise TableError(
            "The table has no several problems a task, so nothing can be resampled.",
            fix="Give one row a problem, with its name in problem_id.",
        )
    weights = [_counts(n, n_draws, rng) for n in evaluations.n_problems]
    n_seeds = len(evaluations.seeds)
    seeds = (
        _counts(n_seeds, n_draws, rng)
        if resampled == "items and seeds"
        else np.ones((n_draws, n_seeds))
    )
    return _means(evaluations, weights, seeds, value)


def _counts(n: int, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """(n_draws, n) how often each of n is drawn when n are drawn with replacement."""
    return rng.multinomial(n, np.full(n, 1 / n), size=n_draws).astype(np.float64)


def _means(
    evaluations: Evaluations,
    weights: Sequence[FloatArray],
    seeds: FloatArray,
    value: Literal["score", "entropy"],
) -> StageMeans:
    recorded = evaluations.scores if value == "score" else evaluations.entropies
    if not recorded:
        raise TableError("The table has no entropies.", fix="Give a column `entropy` in nats.")
    values = np.stack([_weighted(w, x) for w, x in zip(weights, recorded, strict=True)], axis=-1)
    joint = np.stack(
        [_weighted(w, x) for w, x in zip(weights, evaluations.joint, strict=True)], axis=-1
    )
    return StageMeans(values, joint, seeds)


def _weighted(weights: FloatArray, values: FloatArray) -> FloatArray:
    """(D, ...) means of (n, ...) values over those that are there, with (D, n) weights."""
    there = np.isfinite(values)
    flat = np.where(there, values, 0.0).reshape(len(values), -1)
    total = weights @ flat
    count = weights @ there.reshape(len(values), -1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(count > 0, total / count, np.nan)
    return np.asarray(means.reshape(len(weights), *values.shape[1:]))


@dataclass(frozen=True)
class SeedEstimates:
    """What each seed's runs say: D draws, S seeds, K tasks.

    Attributes:
        before: (D, S, K).
        saturated: (D, S, K).
        effects: (D, S, K, K) of the row's task on the column's; its diagonal is the gain of a
            task by its own stage.
        n_stages: (S, K) stages in which each task was trained, by seed.
    """

    before: FloatArray
    saturated: FloatArray
    effects: FloatArray
    n_stages: npt.NDArray[np.intp]

    def averaged(self, seed_weights: FloatArray) -> Draws:
        """Means over the seeds that have a number, with (D, S) weights."""
        return Draws(
            _over_seeds(self.before, seed_weights),
            _over_seeds(self.saturated, seed_weights),
            _over_seeds(self.effects, seed_weights),
        )


def _over_seeds(values: FloatArray, weights: FloatArray) -> FloatArray:
    """(D, ...) weighted means over the second axis of (D, S, ...) values that are there."""
    shaped = weights.reshape(*weights.shape, *([1] * (values.ndim - 2)))
    there = np.isfinite(values) * shaped
    total = (np.where(np.isfinite(values), values, 0.0) * shaped).sum(axis=1)
    count = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(count > 0, total / count, np.nan))


def seed_estimates(
    evaluations: Evaluations, means: StageMeans, stages: Stages = "first"
) -> SeedEstimates:
    """Level before, level after a stage of its own, and effects, from each seed's recorded stages.

    For every order and stage t that trains j: the change of each task's mean from stage t - 1 to t
    is one reading of the effect of j, and the mean of j after it one of its saturated level. The
    readings of a seed are averaged.

    Args:
        evaluations: for its orders.
        means: of draws or as they are.
        stages: which stages are read; see `STAGES_MEANING`.

    Raises:
        ValueError: for an unknown choice of stages.
    """
    if stages not in STAGES:
        raise ValueError(f"stages is one of {', '.join(STAGES)}, not {stages!r}.")
    n_draws, n_seeds, _, _, k = means.values.shape
    before = _mean_of([means.values[:, :, at, 0] for at in range(len(evaluations.orders))])
    saturated = np.full((n_draws, n_seeds, k), np.nan)
    effects = np.full((n_draws, n_seeds, k, k), np.nan)
    counts = np.zeros((n_seeds, k), dtype=np.intp)
    for j in range(k):
        read = read_stages(evaluations, j, stages)
        if not read:
            continue
        after = [means.values[:, :, order, stage] for order, stage in read]
        earlier = [means.values[:, :, order, stage - 1] for order, stage in read]
        changes = [late - early for late, early in zip(after, earlier, strict=True)]
        effects[:, :, j] = _mean_of(changes)
        saturated[:, :, j] = _mean_of([late[:, :, j] for late in after])
        counts[:, j] = np.isfinite([late[0, :, j] for late in after]).sum(axis=0)
    return SeedEstimates(before, saturated, effects, counts)


def read_stages(evaluations: Evaluations, task: int, stages: Stages) -> list[tuple[int, int]]:
    """(order, stage) pairs in which a task was trained, among those that are read."""
    found = []
    for place, order in enumerate(evaluations.orders):
        if task not in order:
            continue
        stage = order.index(task) + 1
        final = stage == len(order) and len(order) > 1
        wanted = {
            "first": stage == 1,
            "not last": not final,
            "all": True,
            "later": stage > 1,
        }[stages]
        if wanted:
            found.append((place, stage))
    return found


def _mean_of(arrays: Sequence[FloatArray]) -> FloatArray:
    """Means over several arrays of what is there, NaN where nothing is."""
    stacked = np.stack(arrays)
    there = np.isfinite(stacked)
    count = there.sum(axis=0)
    total = np.where(there, stacked, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def transfer_of(
    evaluations: Evaluations,
    stages: Stages = "first",
    *,
    seeds: Sequence[str] | None = None,
) -> Transfer:
    """The transfer matrix of the recorded runs, as a mean over seeds.

    Args:
        evaluations: the scores.
        stages: which stages feed it.
        seeds: only these; all where it is None.

    Raises:
        TableError: a task was never trained in the stages that are read, or never tested.
    """
    means = stage_means(evaluations)
    weights = seed_weights(evaluations, seeds)
    found = seed_estimates(evaluations, means, stages).averaged(weights)
    untrained = [
        task
        for task, level in zip(evaluations.tasks, found.saturated[0], strict=True)
        if not np.isfinite(level)
    ]
    if untrained:
        raise TableError(
            f"No stage that is read ({stages}) trains {', '.join(untrained)}.",
            fix="Read all stages, or add runs that begin with these tasks.",
        )
    return Transfer(
        evaluations.tasks, found.before[0], found.saturated[0], found.effects[0], evaluations.bounds
    )


def seed_weights(evaluations: Evaluations, seeds: Sequence[str] | None) -> FloatArray:
    """(1, S) 1 for the seeds that count."""
    if seeds is None:
        return np.ones((1, len(evaluations.seeds)))
    return np.array([[float(seed in set(seeds)) for seed in evaluations.seeds]])


def final_means(evaluations: Evaluations, means: StageMeans) -> FloatArray:
    """(D, S, F, K) mean scores after the last stage of each order that holds every task."""
    last = len(evaluations.tasks)
    return np.asarray(means.values[:, :, list(evaluations.full_orders), last])
