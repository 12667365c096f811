"""How much of a pair's reward gap is left under other prompts, with intervals over prompts.

The measures of the workbench, its own reading of the question (not a paper's): retention, flip
rate, swapped accuracy and correlation of own and swapped gaps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as scipy_stats

from core.stats import (
    Estimate,
    FloatArray,
    clustered_mean,
    clustered_share,
    clustered_standard_error,
    clustered_statistic,
    smallest_detectable_effect,
)


@dataclass(frozen=True)
class Measured:
    """An aggregate and what it could have shown.

    Attributes:
        estimate: the value with its interval over prompts.
        smallest_detectable: the smallest true distance from any fixed value that the same pairs
            would have shown with 80 % power, in the estimate's unit; NaN where it is unknown.
    """

    estimate: Estimate
    smallest_detectable: float


@dataclass(frozen=True)
class SwapMeasures:
    """What is left of the own gaps under one kind of other prompts.

    Attributes:
        own_gap: mean gap under the own prompt; retention says little where it may be zero.
        retention: sum of swapped gaps over sum of own gaps: 1 for a model that ignores the prompt,
            0 for one whose preference vanishes under another prompt.
        slope: the same by least squares through zero, which large gaps rule more.
        flip_rate: share of swapped gaps of the opposite sign. A swapped gap of zero counts half; a
            pair whose own gap is zero has no preference to flip and is left out.
        own_accuracy: share of pairs with a positive own gap, ties half.
        swapped_accuracy: the same of swapped gaps. Near chance is good where the other prompt makes
            both responses equally wrong.
        accuracy_drop: own minus swapped accuracy, paired.
        correlation: Pearson correlation of own gaps with mean swapped gaps, over pairs.
    """

    own_gap: Measured
    retention: Measured
    slope: Measured
    flip_rate: Measured
    own_accuracy: Measured
    swapped_accuracy: Measured
    accuracy_drop: Measured
    correlation: Measured

    def items(self) -> list[tuple[str, Measured]]:
        """Name and value of each measure, in the order of the fields."""
        return [(name, getattr(self, name)) for name in self.__dataclass_fields__]


@dataclass(frozen=True)
class GapTable:
    """Own and swapped gaps of the pairs that have both, one row a pair.

    Attributes:
        own: (n,) gap under the own prompt.
        swapped: (n,) mean gap under the other prompts.
        flips: (n,) share of the other prompts under which the gap has the opposite sign, ties half;
            NaN where the own gap is zero.
        credit: (n,) share of the other prompts under which the gap is positive, ties half.
        prompts: (n,) the prompt of each pair: what is resampled.
    """

    own: FloatArray
    swapped: FloatArray
    flips: FloatArray
    credit: FloatArray
    prompts: list[str]

    @classmethod
    def of(cls, pairs: pd.DataFrame) -> "GapTable":
        """From the rows of `SwapResult.pairs` that have both gaps."""
        usable = pairs.loc[pairs["own_gap"].notna() & pairs["swapped_mean"].notna()]
        columns = ("own_gap", "swapped_mean", "flip_share", "swapped_credit")
        own, swapped, flips, credit = (usable[c].to_numpy(dtype=np.float64) for c in columns)
        return cls(own, swapped, flips, credit, [str(prompt) for prompt in usable["prompt_id"]])


def flip_shares(own: float, swapped: FloatArray) -> float:
    """Share of swapped gaps whose sign is opposite to the own gap's; a zero counts as half."""
    if own == 0 or not len(swapped):
        return float("nan")
    return float(((1 - np.sign(own) * np.sign(swapped)) / 2).mean())


def win_credit(gaps: npt.ArrayLike) -> FloatArray:
    """1 for a positive gap, half for zero, 0 for a negative one."""
    return np.asarray((np.sign(np.asarray(gaps, dtype=np.float64)) + 1) / 2)


def measure(
    table: GapTable,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    left_out: Mapping[str, int] | None = None,
) -> SwapMeasures:
    """All measures of one kind of other prompts.

    Args:
        table: own and swapped gaps.
        rng: the source of the resampling.
        confidence: coverage of the intervals.
        left_out: pairs that are not in the table, by reason.
    """
    own, swapped, prompts = table.own, table.swapped, table.prompts
    reasons = dict(left_out or {})

    def statistic(values: "_Weighted", influence: FloatArray) -> Measured:
        estimate = clustered_statistic(
            values, prompts, rng=rng, confidence=confidence, left_out=reasons
        )
        return Measured(estimate, _detectable(influence, prompts, confidence))

    def share(values: FloatArray) -> Measured:
        return share_of(values, prompts, rng, confidence, reasons)

    own_credit = win_credit(own)
    return SwapMeasures(
        own_gap=mean_of(own, prompts, rng, confidence, reasons),
        retention=ratio_of(own, swapped, prompts, rng, confidence, reasons),
        slope=statistic(_slope(own, swapped), _slope_influence(own, swapped)),
        flip_rate=share(table.flips),
        own_accuracy=share(own_credit),
        swapped_accuracy=share(table.credit),
        accuracy_drop=mean_of(own_credit - table.credit, prompts, rng, confidence, reasons),
        correlation=statistic(_correlation(own, swapped), _correlation_influence(own, swapped)),
    )


_Weighted = Callable[[FloatArray], float]


def ratio_of_sums(own: FloatArray, swapped: FloatArray) -> _Weighted:
    """Retention as a function of row weights; NaN where the own gaps sum to zero."""
    return lambda weights: _ratio(float(weights @ swapped), float(weights @ own))


def _slope(own: FloatArray, swapped: FloatArray) -> _Weighted:
    return lambda weights: _ratio(float(weights @ (own * swapped)), float(weights @ own**2))


def _ratio(above: float, below: float) -> float:
    return above / below if below else float("nan")


def _correlation(own: FloatArray, swapped: FloatArray) -> _Weighted:
    def correlation(weights: FloatArray) -> float:
        n = float(weights.sum())
        x = own - (weights @ own) / n
        y = swapped - (weights @ swapped) / n
        spread = float(np.sqrt((weights @ x**2) * (weights @ y**2)))
        # What rounding leaves of a constant column is not a spread.
        size = float(np.abs(own).max() * np.abs(swapped).max()) * n
        return float(weights @ (x * y)) / spread if spread > 1e-12 * size else float("nan")

    return correlation


def _ratio_influence(own: FloatArray, swapped: FloatArray) -> FloatArray:
    """What each row adds to a ratio of means (the delta method), for its standard error."""
    if not len(own) or not own.sum():
        return np.full(len(own), np.nan)
    return np.asarray((swapped - own * (swapped.sum() / own.sum())) / own.mean())


def _slope_influence(own: FloatArray, swapped: FloatArray) -> FloatArray:
    return _ratio_influence(own**2, own * swapped)


def _correlation_influence(own: FloatArray, swapped: FloatArray) -> FloatArray:
    """What each row adds to a correlation: uv - r (u² + v²) / 2 for standardised u and v."""
    if len(own) < 2 or not own.std() or not swapped.std():
        return np.full(len(own), np.nan)
    u, v = (own - own.mean()) / own.std(), (swapped - swapped.mean()) / swapped.std()
    correlation = float((u * v).mean())
    return np.asarray(u * v - correlation * (u**2 + v**2) / 2)


def mean_of(
    values: FloatArray,
    prompts: Sequence[str],
    rng: np.random.Generator,
    confidence: float,
    left_out: Mapping[str, int],
) -> Measured:
    """The mean of values with its interval over prompts."""
    estimate = clustered_mean(values, prompts, rng=rng, confidence=confidence, left_out=left_out)
    return Measured(estimate, _detectable(values, prompts, confidence))


def ratio_of(
    own: FloatArray,
    swapped: FloatArray,
    prompts: Sequence[str],
    rng: np.random.Generator,
    confidence: float,
    left_out: Mapping[str, int],
) -> Measured:
    """The sum of `swapped` over the sum of `own` with its interval over prompts."""
    estimate = clustered_statistic(
        ratio_of_sums(own, swapped), prompts, rng=rng, confidence=confidence, left_out=left_out
    )
    return Measured(estimate, _detectable(_ratio_influence(own, swapped), prompts, confidence))


def ratio_difference(
    baseline: GapTable,
    candidate: GapTable,
    rng: np.random.Generator,
    confidence: float,
    left_out: Mapping[str, int],
) -> Measured:
    """Retention of the candidate minus that of the baseline, over the same pairs in one order."""
    before = ratio_of_sums(baseline.own, baseline.swapped)
    after = ratio_of_sums(candidate.own, candidate.swapped)
    estimate = clustered_statistic(
        lambda weights: after(weights) - before(weights),
        baseline.prompts,
        rng=rng,
        confidence=confidence,
        left_out=left_out,
    )
    influence = _ratio_influence(candidate.own, candidate.swapped) - _ratio_influence(
        baseline.own, baseline.swapped
    )
    return Measured(estimate, _detectable(influence, baseline.prompts, confidence))


def share_of(
    values: FloatArray,
    prompts: Sequence[str],
    rng: np.random.Generator,
    confidence: float,
    left_out: Mapping[str, int],
) -> Measured:
    """The mean of values from 0 to 1 (NaN: an own gap of zero) with its interval over prompts."""
    usable = ~np.isnan(values)
    reasons = dict(left_out)
    if not usable.all():
        reasons["own gap is zero"] = int((~usable).sum())
    kept = [prompt for prompt, use in zip(prompts, usable, strict=True) if use]
    estimate = clustered_share(
        values[usable], kept, rng=rng, confidence=confidence, left_out=reasons
    )
    detectable = _detectable(values, prompts, confidence)
    if not detectable > 0 and np.isfinite(estimate.low):
        # Shares of 0 or 1 do not vary in the sample, yet a rare case may have been missed: the
        # error that the (Wilson) interval implies.
        z = float(scipy_stats.norm.ppf((1 + confidence) / 2))
        error = (estimate.high - estimate.low) / (2 * z)
        detectable = smallest_detectable_effect(error, confidence=confidence)
    return Measured(estimate, detectable)


def _detectable(values: FloatArray, prompts: Sequence[str], confidence: float) -> float:
    error = clustered_standard_error(values, prompts)
    return smallest_detectable_effect(error, confidence=confidence)
