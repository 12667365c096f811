"""Does a task sharpen or flatten the policy? Entropies by stage, and the temperature they equal.

A lower entropy can come from learning or from nothing but a lower temperature. The temperature
equivalent asks the second: at which T would the policy's old distribution have the new entropy?
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from scipy.special import softmax

from core.errors import WorkbenchError
from core.labs.task_order.evaluations import Evaluations
from core.labs.task_order.measured import drawn_stage_means, read_stages, stage_means
from core.stats import FloatArray

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 1e-3, 1e3


class EntropyError(WorkbenchError):
    """An entropy that no temperature gives, or a distribution that is none."""


def entropy(probabilities: npt.ArrayLike) -> float:
    """Shannon entropy -sum p log p in nats; 0 log 0 counts as 0.

    Args:
        probabilities: (m,) not negative; scaled to sum to 1.

    Raises:
        EntropyError: for anything that is not a distribution.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 1 or not np.isfinite(p).all() or (p < 0).any() or p.sum() <= 0:
        raise EntropyError(
            "A distribution needs finite shares, none negative and not all zero.",
            fix="Give such numbers as 0.7, 0.2, 0.1.",
        )
    p = p[p > 0] / p.sum()
    return float(-(p * np.log(p)).sum()) + 0.0


def softmax_entropy(logits: npt.ArrayLike, temperature: float) -> float:
    """Entropy in nats of softmax(logits / temperature), temperature above 0.

    Raises:
        EntropyError: a logit is NaN or +infinity, all are -infinity, or the temperature is not
            above 0.
    """
    z = np.asarray(logits, dtype=np.float64)
    if z.ndim != 1 or np.isnan(z).any() or (z == np.inf).any() or not np.isfinite(z).any():
        raise EntropyError("Logits must be numbers, at least one of them finite.")
    if not temperature > 0:
        raise EntropyError(f"A temperature lies above 0, not at {temperature}.")
    # From the largest, so that dividing by a small temperature cannot overflow.
    return entropy(softmax((z - z[np.isfinite(z)].max()) / temperature))


def logits_of(probabilities: npt.ArrayLike) -> FloatArray:
    """Logits of a distribution: log p, -infinity where p is zero."""
    p = np.asarray(probabilities, dtype=np.float64)
    entropy(p)  # raises where it is none
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p / p.sum()))


def temperature_equivalent(distributions: Sequence[npt.ArrayLike], target: float) -> float:
    """The temperature at which old distributions have, on average, a given entropy.

    Finds T with mean over distributions of H(softmax(z / T)) = target, which grows with T. One
    distribution is the definition of arXiv 2507.14783 (second-hand); several share one T, which is
    our reading for a policy that is known by many distributions.

    Args:
        distributions: logits of each, such as one a token, or `logits_of` shares of answers.
        target: the mean entropy to reach, in nats.

    Returns:
        T: 1 where nothing changed, below 1 where the policy sharpened, above where it flattened.

    Raises:
        EntropyError: no temperature from 0.001 to 1000 gives that entropy.
    """
    if not len(distributions):
        raise EntropyError("There is no distribution to compare with.")

    def mean_entropy(temperature: float) -> float:
        return float(np.mean([softmax_entropy(z, temperature) for z in distributions]))

    low, high = mean_entropy(LOWEST_TEMPERATURE), mean_entropy(HIGHEST_TEMPERATURE)
    if not (np.isfinite(target) and low <= target <= high):
        raise EntropyError(
            f"No temperature gives these distributions a mean entropy of {target:.4g} nats: they "
            f"reach {low:.4g} to {high:.4g}.",
            fix="With k outcomes the highest entropy is log k.",
        )
    if high - low < 1e-12:
        raise EntropyError("These distributions have the same entropy at every temperature.")
    found = brentq(
        lambda log_t: mean_entropy(float(np.exp(log_t))) - target,
        np.log(LOWEST_TEMPERATURE),
        np.log(HIGHEST_TEMPERATURE),
        xtol=1e-12,
    )
    return float(np.exp(found))


@dataclass(frozen=True)
class EntropyTraces:
    """Recorded entropies along the stages.

    Attributes:
        table: one row an order, stage and task: `order`, `stage`, `trained` ("" before any),
            `task`, `entropy` (nats per token, mean over problems and then over seeds), `low`,
            `high`, `n_problems`, `n_seeds`.
        changes: one row a trained and a tested task, over all stages: `trained`, `task`, `change`
            (mean change of entropy by that stage), `low`, `high`, `n_stages` (seeds and orders in
            which it was seen), `n_problems`.
        overall: one row a trained task: `trained`, `change` (mean of its `changes` over the tested
            tasks), `low`, `high`, `n_tasks`, `n_stages`, `n_problems` (of all these tasks).
        left_out: cells without an entropy.
        method: how the intervals were made.
    """

    table: pd.DataFrame
    changes: pd.DataFrame
    overall: pd.DataFrame
    left_out: dict[str, int]
    method: str


def entropy_traces(
    evaluations: Evaluations, *, n_draws: int = 500, seed: int = 0, confidence: float = 0.95
) -> EntropyTraces:
    """Entropies by stage, and what training on each task does to them.

    Args:
        evaluations: with entropies.
        n_draws: of the bootstrap over problems.
        seed: of the bootstrap.
        confidence: coverage of the intervals.

    Raises:
        TableError: the table has no entropies.
    """
    point = stage_means(evaluations, value="entropy")
    values, drawn, method = point.values, np.empty((0, *point.values.shape[1:])), "no interval"
    if evaluations.has_items and n_draws:
        rng = np.random.default_rng(seed)
        drawn = drawn_stage_means(evaluations, n_draws=n_draws, rng=rng, value="entropy").values
        method = f"percentile bootstrap over problems, {n_draws:,} draws"
    rows = [
        _trace_row(evaluations, place, stage, task, (values, drawn), confidence)
        for place, order in enumerate(evaluations.orders)
        for stage in range(len(order) + 1)
        for task in range(len(evaluations.tasks))
    ]
    there = [row for row in rows if row is not None]
    missing = len(rows) - len(there)
    changes, overall = _changes(evaluations, (values, drawn), confidence)
    return EntropyTraces(
        pd.DataFrame(there),
        changes,
        overall,
        {"cells without an entropy": missing} if missing else {},
        method,
    )


def _trace_row(
    evaluations: Evaluations,
    place: int,
    stage: int,
    task: int,
    sides: tuple[FloatArray, FloatArray],
    confidence: float,
) -> dict[str, object] | None:
    """One row of the traces from the means and their draws; None where nothing was recorded."""
    point, drawn = (side[:, :, place, stage, task] for side in sides)
    n_seeds = int(np.isfinite(point).sum())
    if not n_seeds:
        return None
    mean, low, high = _summary(point, drawn, confidence)
    order = evaluations.orders[place]
    return {
        "order": evaluations.named(place),
        "stage": stage,
        "trained": evaluations.tasks[order[stage - 1]] if stage else "",
        "task": evaluations.tasks[task],
        "entropy": mean,
        "low": low,
        "high": high,
        "n_problems": evaluations.n_problems[task],
        "n_seeds": n_seeds,
    }


def _changes(
    evaluations: Evaluations, sides: tuple[FloatArray, FloatArray], confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean change of each task's entropy by the stages that trained a task; and of all together."""
    k = len(evaluations.tasks)
    rows, overall = [], []
    for trained in range(k):
        read = read_stages(evaluations, trained, "all")
        seen = []
        for task in range(k if read else 0):
            point, drawn = (
                np.concatenate(
                    [side[:, :, o, t, task] - side[:, :, o, t - 1, task] for o, t in read], axis=1
                )
                for side in sides
            )
            n_stages = int(np.isfinite(point).sum())
            if not n_stages:
                continue
            mean, means = _means(point, drawn)
            low, high = _ends(means, confidence)
            rows.append(
                {
                    "trained": evaluations.tasks[trained],
                    "task": evaluations.tasks[task],
                    "change": mean,
                    "low": low,
                    "high": high,
                    "n_stages": n_stages,
                    "n_problems": evaluations.n_problems[task],
                }
            )
            seen.append((mean, means, n_stages, evaluations.n_problems[task]))
        if seen:
            low, high = _ends(np.mean([means for _, means, _, _ in seen], axis=0), confidence)
            overall.append(
                {
                    "trained": evaluations.tasks[trained],
                    "change": float(np.mean([mean for mean, _, _, _ in seen])),
                    "low": low,
                    "high": high,
                    "n_tasks": len(seen),
                    "n_stages": max(n for _, _, n, _ in seen),
                    "n_problems": sum(n for _, _, _, n in seen),
                }
            )
    return pd.DataFrame(rows), pd.DataFrame(overall)


def _summary(point: FloatArray, drawn: FloatArray, confidence: float) -> tuple[float, float, float]:
    """Mean over the second axis of what is there, and the ends of its draws."""
    mean, means = _means(point, drawn)
    return (mean, *_ends(means, confidence))


def _means(point: FloatArray, drawn: FloatArray) -> tuple[float, FloatArray]:
    """Mean over the second axis of what is there, and the same of each draw."""
    return float(np.nanmean(point)), np.asarray(drawn[:, np.isfinite(point[0])].mean(axis=1))


def _ends(means: FloatArray, confidence: float) -> tuple[float, float]:
    """Ends of the draws; NaN where there are none, or most of them have no value."""
    finite = means[np.isfinite(means)]
    if len(finite) * 2 <= len(means):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
