"""Is sigma(margin) a probability? Reliability, Brier score, calibration error, temperature.

A reward model trained on preferences says that the chosen response is better with probability
p = sigma(margin). The label of every pair is the same, "chosen is better", so p alone cannot be
binned against it. What can be right or wrong is the model's verdict: it prefers the chosen response
where p > 0.5, with confidence max(p, 1 - p). A tie (p = 0.5) is half right. Our reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from core.labs.compare.options import CompareOptions
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.probabilities import (
    bin_of,
    brier_scores,
    calibration_errors,
    confidences,
    correctness,
    cross_fitted,
    fit_temperatures,
    rlcr_rewards,
)
from core.labs.compare.scores import FloatArray, PairScores
from core.labs.compare.tidy import estimate_columns
from core.stats import Estimate

AS_GIVEN, CALIBRATED = "as given", "with temperature"
BRIER, ECE, ECE_CHANCE, RLCR = (
    "Brier score",
    "expected calibration error",
    "expected calibration error by chance",
    "RLCR reward",
)
ONE_PROMPT = "no other prompt to fit a temperature on"

_CHANCE_DRAWS = 1_000
_MAX_CELLS_PER_BATCH = 4_000_000


@dataclass(frozen=True)
class Calibration:
    """Calibration of each model's sigma(margin).

    Attributes:
        table: one row a `model`, `variant` (`AS_GIVEN` or `CALIBRATED`) and `measure` (Brier score,
            expected calibration error, what that error would be by chance, mean RLCR reward), with
            the estimate's columns. The calibrated variant applies to each pair a temperature fitted
            on other prompts, so its scores are not flattered by the fit.
        bins: one row a `model`, `variant` and bin: `bin_low`, `bin_high`, `confidence_mean`, and
            the share of right verdicts with the estimate's columns; empty bins have n = 0.
        temperatures: for each model the temperature fitted on all pairs. Above 1 the margins are
            too large for what they know, below 1 too small; 0 where every verdict is right and
            infinite where the mean margin is not positive, so that no finite one fits.
        edges: of the bins; each includes its upper edge, the first also its lower.
        n_ties: for each model, pairs with margin zero.
    """

    table: pd.DataFrame
    bins: pd.DataFrame
    temperatures: Mapping[str, Estimate]
    edges: tuple[float, ...]
    n_ties: Mapping[str, int]


@dataclass(frozen=True)
class _Variant:
    """Margins read as probabilities, beside whether the verdicts of the given margins are right."""

    name: str
    margins: FloatArray
    right: FloatArray
    over: OverPrompts


def measure_calibration(scores: PairScores, options: CompareOptions | None = None) -> Calibration:
    """Calibration of every model, as given and with a temperature."""
    chosen = options or CompareOptions()
    edges = np.linspace(0.5, 1.0, chosen.n_bins + 1)
    rows: list[dict[str, Any]] = []
    bins: list[dict[str, Any]] = []
    temperatures, n_ties = {}, {}
    for model in scores.models:
        usable = scores.usable([model])
        left_out = scores.left_out([model])
        over = OverPrompts(scores.prompts(usable), chosen, ("calibration", model), left_out)
        margins = scores.values(scores.margins, model, usable)
        temperatures[model] = over.statistic(partial(fit_temperatures, margins), "temperature")
        n_ties[model] = int((margins == 0).sum())
        for variant in _variants(margins, over):
            names = {"model": model, "variant": variant.name}
            rows += [names | row for row in _measures(variant, edges)]
            bins += [names | row for row in _bins(variant, edges)]
    tables = pd.DataFrame(rows), pd.DataFrame(bins)
    return Calibration(*tables, temperatures, tuple(edges.tolist()), n_ties)


def _variants(margins: FloatArray, over: OverPrompts) -> list[_Variant]:
    given = _Variant(AS_GIVEN, margins, correctness(margins), over)
    if len(set(over.prompts)) >= 2:
        fitted = cross_fitted(
            margins, over.prompts, n_folds=over.options.n_folds, rng=over.rng("folds")
        )
        return [given, replace(given, name=CALIBRATED, margins=fitted)]
    left_out = {**over.left_out, ONE_PROMPT: len(margins)} if len(margins) else over.left_out
    nothing = replace(over, prompts=(), left_out=left_out)
    return [given, _Variant(CALIBRATED, np.empty(0), np.empty(0), nothing)]


def _measures(variant: _Variant, edges: FloatArray) -> list[dict[str, Any]]:
    sure, right, over = confidences(variant.margins), variant.right, variant.over
    error, chance = calibration_error(sure, right, over, edges)
    estimates = {
        BRIER: over.mean(brier_scores(variant.margins), "brier"),
        ECE: error,
        ECE_CHANCE: chance,
        RLCR: over.mean(rlcr_rewards(sure, right), "rlcr"),
    }
    return [{"measure": name} | estimate_columns(found) for name, found in estimates.items()]


def calibration_error(
    confidence: FloatArray, correct: FloatArray, over: OverPrompts, edges: FloatArray
) -> tuple[Estimate, Estimate]:
    """The expected calibration error, and what it would be by chance for perfect confidences.

    Args:
        confidence: (n,) from the first to the last edge.
        correct: (n,) 1, 0, or 0.5 for a tie.
        over: the prompts of the rows.
        edges: of the bins.
    """
    drawn = over.statistic(
        partial(calibration_errors, confidence, correct, edges), "calibration error"
    )
    chance = _chance_error(confidence, correct, over, edges)
    return _reflected(drawn, chance), chance


def _reflected(drawn: Estimate, chance: Estimate) -> Estimate:
    """The interval of a calibration error from its resampled values.

    Noise adds to this error, in the table and once more in every resample, so the resampled values
    lie above the one seen; reflecting them about it takes the bias away (the basic bootstrap).
    Where chance alone gives as much, no error at all is possible and the interval begins at 0.
    Source: Davison and Hinkley 1997, Bootstrap Methods and their Application, section 5.2.
    """
    low, high = 2 * drawn.value - drawn.high, 2 * drawn.value - drawn.low
    by_chance = drawn.value <= chance.high
    return replace(
        drawn,
        low=0.0 if by_chance else max(0.0, low),
        high=min(1.0, max(high, drawn.value)),
        method=drawn.method.replace("percentile", "basic"),
    )


def _chance_error(
    sure: FloatArray, right: FloatArray, over: OverPrompts, edges: FloatArray
) -> Estimate:
    """The calibration error that perfect confidences would show with as many pairs, by simulation.

    Pairs are right with their confidence, each on its own; where pairs of a prompt go together the
    true spread is larger. Ties stay half right.
    """
    n, confidence = len(sure), over.options.confidence
    if not n:
        nan = float("nan")
        return Estimate(nan, nan, nan, confidence, 0, 0, "nothing to simulate", over.left_out)
    rng, tied = over.rng("chance"), right == 0.5
    place, n_bins = bin_of(sure, edges)
    one_hot = np.zeros((n, n_bins))
    one_hot[np.arange(n), place] = 1.0
    step = max(1, _MAX_CELLS_PER_BATCH // n)
    errors = []
    for start in range(0, _CHANCE_DRAWS, step):
        drawn = rng.random((min(step, _CHANCE_DRAWS - start), n)) < sure
        gaps = np.where(tied, 0.0, sure - drawn) @ one_hot
        errors.append(np.abs(gaps).sum(axis=1) / n)
    found = np.concatenate(errors)
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(
        float(found.mean()),
        float(low),
        float(high),
        confidence,
        n,
        len(set(over.prompts)),
        f"{_CHANCE_DRAWS:,} simulated tables of independent pairs",
        over.left_out,
    )


def _bins(variant: _Variant, edges: FloatArray) -> list[dict[str, Any]]:
    sure = confidences(variant.margins)
    place, n_bins = bin_of(sure, edges)
    rows = []
    for position in range(n_bins):
        inside = place == position
        prompts = [p for p, kept in zip(variant.over.prompts, inside, strict=True) if kept]
        over = replace(variant.over, prompts=prompts, left_out={})
        rows.append(
            {
                "bin_low": float(edges[position]),
                "bin_high": float(edges[position + 1]),
                "confidence_mean": float(sure[inside].mean()) if inside.any() else float("nan"),
            }
            | estimate_columns(over.share(variant.right[inside], f"bin {position}"))
        )
    return rows
