"""A prompt x response matrix of rewards split into prompt, response and what they make together.

Only the interaction is prompt-related: a prompt's own effect cancels in every comparison of
responses, a response's own effect is there whatever was asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as scipy_stats
from scipy.special import expit, logit

from core.labs.prompt_awareness.measures import Measured
from core.stats import Estimate, FloatArray, smallest_detectable_effect

PARTS = ("prompt", "response", "interaction")
FEWEST_PROMPTS = 3

_METHOD = "jackknife over prompts with their responses, t interval on the log-odds of the share"


@dataclass(frozen=True)
class TwoWaySplit:
    """Sums of squares of a matrix around its mean, as shares of their total.

    Attributes:
        prompt: share of the differences between rows.
        response: share of the differences between columns.
        interaction: the rest. With one reward a cell it holds the scoring noise as well.
        total: the total sum of squares, in squared reward; the shares are NaN where it is zero.
        interaction_sd: root mean square of the interaction over the cells, in reward.
    """

    prompt: float
    response: float
    interaction: float
    total: float
    interaction_sd: float


@dataclass(frozen=True)
class VarianceShares:
    """The split of one model's matrix with intervals over prompts.

    Attributes:
        prompt: share of the prompt main effect, 0 to 1.
        response: share of the response main effect.
        interaction: share of the interaction: the prompt-related part.
        split: the point values with total and spread.
        n_responses: columns of the matrix.
        left_out: prompts that were taken out for missing cells.
    """

    prompt: Measured
    response: Measured
    interaction: Measured
    split: TwoWaySplit
    n_responses: int
    left_out: Mapping[str, int]


def two_way_split(rewards: npt.ArrayLike) -> TwoWaySplit:
    """Splits a complete (P, Q) matrix, rows prompts, columns responses.

    Each main effect is the mean of its row or column minus the grand mean; the three sums of
    squares add up to the total.

    Raises:
        ValueError: when the matrix is not two-dimensional, is empty or has a cell without a number.

    Source: two-way analysis of variance without replication (Fisher 1925, Statistical Methods for
    Research Workers, chapter VII).
    """
    matrix = np.asarray(rewards, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
        raise ValueError("The matrix must have two dimensions and a finite number in each cell.")
    # Differences from the first cell: a matrix of equal numbers then has exactly no spread.
    matrix = matrix - matrix[0, 0]
    mean = matrix.mean()
    rows, columns = matrix.mean(axis=1) - mean, matrix.mean(axis=0) - mean
    rest = interaction(matrix)
    n_rows, n_columns = matrix.shape
    total = float(((matrix - mean) ** 2).sum())
    parts = (n_columns * (rows**2).sum(), n_rows * (columns**2).sum(), (rest**2).sum())
    prompt, response, both = (float(part) / total if total else float("nan") for part in parts)
    return TwoWaySplit(prompt, response, both, total, float(np.sqrt((rest**2).mean())))


def interaction(matrix: FloatArray) -> FloatArray:
    """(P, Q) what is left of each cell without its row's and its column's mean effect."""
    rows, columns = matrix.mean(axis=1, keepdims=True), matrix.mean(axis=0, keepdims=True)
    return np.asarray(matrix - rows - columns + matrix.mean())


def complete_prompts(
    matrix: FloatArray, prompts: Sequence[str], sources: Sequence[str]
) -> list[str]:
    """The prompts that stay when those with the most missing cells go, one after the other.

    A prompt goes with its row and its responses' columns, so that every response that is left
    keeps its own prompt.

    Args:
        matrix: (P, Q) rewards, NaN where missing.
        prompts: (P,) prompt of each row.
        sources: (Q,) prompt that each column's response was written for.
    """
    gone = np.zeros(len(prompts), dtype=bool)
    row_of = {prompt: at for at, prompt in enumerate(prompts)}
    owner = np.array([row_of.get(source, -1) for source in sources], dtype=np.intp)
    while True:
        columns = (owner < 0) | ~gone[owner]
        missing = np.isnan(matrix) & ~gone[:, None] & columns
        if not missing.any():
            return [prompt for prompt, out in zip(prompts, gone, strict=True) if not out]
        count = missing.sum(axis=1)
        np.add.at(count, owner[owner >= 0], missing.sum(axis=0)[owner >= 0])
        gone[int(count.argmax())] = True


def variance_shares(matrix: pd.DataFrame, *, confidence: float = 0.95) -> VarianceShares:
    """The split of a model's matrix with an interval for each share.

    The interval comes from leaving out each prompt in turn, with its row and its responses'
    columns, on the log-odds of the share so that it stays within 0 and 1. Drawing prompts with
    replacement would be wrong here: a prompt drawn twice meets its own response again in another
    row, so a bootstrap sees about twice as many own cells as there are. In simulations with a
    planted preference for the own response a joint bootstrap's 95 % interval held the truth 42 to
    87 times in 100, this one 94 to 97 times.

    A share depends on the number of prompts (own cells are one in P), so compare models on the same
    matrix only.

    Args:
        matrix: rewards, index the prompt ids, columns a MultiIndex of (source prompt, response id).
        confidence: coverage of the intervals.
    """
    reduced, left_out = _complete(matrix)
    prompts, n_responses = len(reduced.index), len(reduced.columns)
    if prompts < 2 or n_responses < 2:
        nan = float("nan")
        nothing = TwoWaySplit(nan, nan, nan, nan, nan)
        undefined = {name: _undefined(confidence, left_out) for name in PARTS}
        return VarianceShares(
            **undefined, split=nothing, n_responses=n_responses, left_out=left_out
        )
    split = two_way_split(reduced.to_numpy())
    without = jackknife(reduced, lambda part: [getattr(two_way_split(part), p) for p in PARTS])
    measured = {
        name: _with_interval(getattr(split, name), without[:, at], confidence, left_out)
        for at, name in enumerate(PARTS)
    }
    return VarianceShares(**measured, split=split, n_responses=n_responses, left_out=left_out)


def share_difference(
    baseline: pd.DataFrame, candidate: pd.DataFrame, *, confidence: float = 0.95
) -> Measured:
    """Interaction share of the candidate minus that of the baseline, on the cells both have.

    Args:
        baseline: matrix of the one model, as in `variance_shares`.
        candidate: matrix of the other over the same prompts and responses.
        confidence: coverage of the interval.
    """
    prompts = baseline.index.intersection(candidate.index)
    columns = baseline.columns.intersection(candidate.columns)
    pair = [m.loc[prompts, columns].to_numpy(dtype=np.float64) for m in (baseline, candidate)]
    together = pd.DataFrame(pair[0] + pair[1], index=prompts, columns=columns)
    reduced, left_out = _complete(together)
    if len(reduced.index) < 2 or len(reduced.columns) < 2:
        return _undefined(confidence, left_out)
    first, second = (m.loc[reduced.index, reduced.columns] for m in (baseline, candidate))

    def interaction_share(part: FloatArray) -> list[float]:
        return [two_way_split(part).interaction]

    value = interaction_share(second.to_numpy())[0] - interaction_share(first.to_numpy())[0]
    without = jackknife(second, interaction_share) - jackknife(first, interaction_share)
    return _plain_interval(value, without[:, 0], confidence, left_out)


def _complete(matrix: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    sources = _sources(matrix)
    prompts = [str(prompt) for prompt in matrix.index]
    kept = set(complete_prompts(matrix.to_numpy(dtype=np.float64), prompts, sources))
    rows = [prompt in kept for prompt in prompts]
    columns = [source in kept or source not in prompts for source in sources]
    n_gone = len(prompts) - len(kept)
    return matrix.loc[rows, columns], {"prompts with missing cells": n_gone} if n_gone else {}


def _sources(matrix: pd.DataFrame) -> list[str]:
    """The prompt that each column's response was written for."""
    return [str(source) for source in matrix.columns.get_level_values(0)]


def jackknife(
    matrix: pd.DataFrame, statistic: Callable[[FloatArray], Sequence[float]]
) -> FloatArray:
    """(P, k) the k statistics of the matrix without each prompt and its responses, in turn."""
    values = matrix.to_numpy(dtype=np.float64)
    sources = np.array(_sources(matrix))
    found = []
    for row, prompt in enumerate(matrix.index):
        part = np.delete(values, row, axis=0)[:, sources != str(prompt)]
        found.append(list(statistic(part)) if part.size else None)
    width = max((len(values) for values in found if values), default=1)
    return np.array([values or [np.nan] * width for values in found], dtype=np.float64)


def _standard_error(without: FloatArray) -> float:
    n = len(without)
    return float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))


def _with_interval(
    share: float, without: FloatArray, confidence: float, left_out: Mapping[str, int]
) -> Measured:
    plain = _plain_interval(share, without, confidence, left_out)
    error = plain.smallest_detectable / smallest_detectable_effect(1.0, confidence=confidence)
    inside = 1e-12 < share < 1 - 1e-12
    if not (inside and np.isfinite(error)):
        low, high = (float(np.clip(end, 0, 1)) for end in (plain.estimate.low, plain.estimate.high))
        return replace(plain, estimate=replace(plain.estimate, low=low, high=high))
    n = len(without)
    half = float(scipy_stats.t.ppf((1 + confidence) / 2, n - 1)) * error / (share * (1 - share))
    low, high = (float(expit(logit(share) + side * half)) for side in (-1, 1))
    estimate = Estimate(share, low, high, confidence, n, n, _METHOD, dict(left_out))
    return Measured(estimate, plain.smallest_detectable)


def _plain_interval(
    value: float, without: FloatArray, confidence: float, left_out: Mapping[str, int]
) -> Measured:
    """A t interval from the values without each prompt."""
    n = len(without)
    nan = float("nan")
    if n < FEWEST_PROMPTS or not np.isfinite(without).all() or not np.isfinite(value):
        method = f"no interval: fewer than {FEWEST_PROMPTS} prompts, or rewards without spread"
        return Measured(Estimate(value, nan, nan, confidence, n, n, method, dict(left_out)), nan)
    error = _standard_error(without)
    half = float(scipy_stats.t.ppf((1 + confidence) / 2, n - 1)) * error
    method = "jackknife over prompts with their responses, t interval"
    estimate = Estimate(value, value - half, value + half, confidence, n, n, method, dict(left_out))
    return Measured(estimate, smallest_detectable_effect(error, confidence=confidence))


def _undefined(confidence: float, left_out: Mapping[str, int]) -> Measured:
    nan = float("nan")
    estimate = Estimate(nan, nan, nan, confidence, 0, 0, "nothing to estimate", dict(left_out))
    return Measured(estimate, nan)
