"""Several reward models as one: mean, worst case, mean minus variance; disagreement as doubt.

Rewards of different models have different units, so each model is standardised first: its mean over
all responses of the table is taken away and it is divided by their standard deviation. That the
ruler comes from this table is our reading; the paper's models were trained alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.labs.compare.options import CompareOptions
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.scores import BoolArray, FloatArray, PairScores
from core.labs.compare.tidy import estimate_columns
from core.stats import Estimate

Rule = Literal["mean", "worst case", "mean - penalty * variance"]
RULES: tuple[Rule, ...] = ("mean", "worst case", "mean - penalty * variance")

INFINITE = "infinite reward"
ENSEMBLE_TIE = "tie of the ensemble's mean"


@dataclass(frozen=True)
class Ensembles:
    """The models as one.

    Attributes:
        accuracy: one row for each model and each rule (`name`, `kind` "model" or "ensemble"):
            accuracy with the estimate's columns, and `difference` to the baseline with
            `difference_low`, `difference_high` (NaN for the baseline itself); all on the pairs
            that every model has finite rewards for.
        pairs: one row for each such pair: `pair_id`, `prompt_id`, `row`, the standardised margin of
            each rule, `disagreement` (population standard deviation over the models of their
            standardised margins), `mean_right` (1, 0, a tie 0.5).
        disagreement_auc: how well disagreement picks out the pairs that the mean gets wrong: the
            chance that a wrong pair has more of it than a right one; 0.5 is no use.
        doubt_auc: the same for the plain doubt of the mean, a small absolute margin: what
            disagreement has to beat.
        penalty: lambda of mean - lambda * variance.
        left_out: pairs that some model has no finite reward for, by reason.
    """

    accuracy: pd.DataFrame
    pairs: pd.DataFrame
    disagreement_auc: Estimate
    doubt_auc: Estimate
    penalty: float
    left_out: Mapping[str, int]


def combine(rewards: npt.ArrayLike, rule: Rule, *, penalty: float = 0.5) -> FloatArray:
    """One reward from several.

    Args:
        rewards: (n_models, ...) in one common unit.
        rule: the mean; the worst case (smallest); or the mean minus `penalty` times the population
            variance over the models.
        penalty: at least 0.

    Source: Coste et al. 2024 (arXiv 2310.02743), section 3.
    """
    given = np.asarray(rewards, dtype=np.float64)
    if rule == "worst case":
        return np.asarray(given.min(axis=0))
    mean = np.asarray(given.mean(axis=0))
    return mean if rule == "mean" else mean - penalty * given.var(axis=0)


def compare_ensembles(scores: PairScores, options: CompareOptions | None = None) -> Ensembles:
    """All models of the table as ensembles."""
    chosen = options or CompareOptions()
    rows, left_out = _usable(scores)
    prompts = scores.prompts(rows)
    over = OverPrompts(prompts, chosen, ("ensembles",), left_out)
    sides = _standardised(scores, rows)
    members = sides[0] - sides[1]
    margins = {
        rule: combine(sides[0], rule, penalty=chosen.penalty)
        - combine(sides[1], rule, penalty=chosen.penalty)
        for rule in RULES
    }
    mean = margins["mean"]
    disagreement = members.std(axis=0)
    pairs = pd.DataFrame(
        {
            "pair_id": scores.pairs.loc[rows, "pair_id"].to_numpy(),
            "prompt_id": prompts,
            "row": np.flatnonzero(rows),
            **{str(rule): values for rule, values in margins.items()},
            "disagreement": disagreement,
            "mean_right": (np.sign(mean) + 1) / 2,
        }
    )
    return Ensembles(
        _accuracies(scores, rows, margins, over),
        pairs,
        _error_auc(disagreement, mean, over, "disagreement"),
        _error_auc(-np.abs(mean), mean, over, "doubt"),
        chosen.penalty,
        left_out,
    )


def _usable(scores: PairScores) -> tuple[BoolArray, dict[str, int]]:
    """Pairs with a finite reward on both sides under every model, and why the others have none."""
    models = list(scores.models)
    rows, left_out = scores.usable(models), scores.left_out(models)
    finite = np.isfinite(scores.chosen.to_numpy()) & np.isfinite(scores.rejected.to_numpy())
    n_infinite = int((rows & ~finite.all(axis=1)).sum())
    if n_infinite:
        left_out = {**left_out, INFINITE: n_infinite}
    return rows & finite.all(axis=1), left_out


def _standardised(scores: PairScores, rows: BoolArray) -> FloatArray:
    """(2, n_models, n) rewards of chosen and rejected, each model with mean 0 and deviation 1.

    A model whose rewards do not differ says nothing and gets 0 for all.
    """
    sides = np.stack([scores.chosen.to_numpy()[rows].T, scores.rejected.to_numpy()[rows].T])
    if not rows.any():
        return np.asarray(sides, dtype=np.float64)
    centred = sides - sides.mean(axis=(0, 2), keepdims=True)
    spread = centred.std(axis=(0, 2), keepdims=True)
    return np.asarray(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0))


def _accuracies(
    scores: PairScores, rows: BoolArray, margins: Mapping[Rule, FloatArray], over: OverPrompts
) -> pd.DataFrame:
    baseline_name = scores.baseline(over.options.baseline)
    baseline = scores.credits(baseline_name)[rows]
    named = [("model", model, scores.credits(model)[rows]) for model in scores.models]
    named += [("ensemble", rule, (np.sign(values) + 1) / 2) for rule, values in margins.items()]
    table = []
    for kind, name, credit in named:
        difference = over.share_difference(credit - baseline, f"{kind} {name} to baseline")
        columns: dict[str, Any] = {
            "difference": difference.value,
            "difference_low": difference.low,
            "difference_high": difference.high,
        }
        if name == baseline_name and kind == "model":
            columns = dict.fromkeys(columns, float("nan"))
        found = estimate_columns(over.share(credit, f"{kind} {name}"))
        table.append({"kind": kind, "name": name} | found | columns)
    return pd.DataFrame(table)


def _error_auc(doubt: FloatArray, mean: FloatArray, over: OverPrompts, part: str) -> Estimate:
    decided = mean != 0
    prompts = [prompt for prompt, kept in zip(over.prompts, decided, strict=True) if kept]
    n_ties = int((~decided).sum())
    left_out = {**over.left_out, ENSEMBLE_TIE: n_ties} if n_ties else over.left_out
    within = OverPrompts(prompts, over.options, over.purpose, left_out)
    return within.statistic(partial(aucs, doubt[decided], mean[decided] < 0), f"auc of {part}")


def auc(
    score: FloatArray, positive: BoolArray, weights: Sequence[float] | FloatArray | None = None
) -> float:
    """The chance that a positive row has a higher score than a negative one; a tie counts half.

    Args:
        score: (n,) numbers.
        positive: (n,) which rows are positive.
        weights: (n,) how often each row counts; by default once.

    Returns:
        From 0 to 1; NaN without positive or without negative rows.
    """
    counted = np.ones(len(score)) if weights is None else np.asarray(weights, dtype=np.float64)
    return float(aucs(score, positive, counted[None])[0])


def aucs(score: FloatArray, positive: BoolArray, weights: FloatArray) -> FloatArray:
    """(m,) `auc` under each of (m, n) weights."""
    if not len(score):
        return np.full(len(weights), np.nan)
    order = np.argsort(score, kind="stable")
    in_order = score[order]
    levels = np.flatnonzero(np.append(True, in_order[1:] != in_order[:-1]))
    counted, above = weights[:, order], positive[order]
    first = np.add.reduceat(counted * above, levels, axis=1)
    second = np.add.reduceat(counted * ~above, levels, axis=1)
    with np.errstate(invalid="ignore"):
        chance = (first * (np.cumsum(second, axis=1) - second / 2)).sum(axis=1)
        return np.asarray(chance / (first.sum(axis=1) * second.sum(axis=1)))
