"""The judge against a reward model that took no part in the training.

The judge picks the pairs and would also praise the result. Scores that rise under the judge alone,
or a ranking of samples that the two share less and less, are the judge's taste, not quality.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from core.errors import TableError
from core.labs.self_rewarding.estimates import (
    change_row,
    estimate_row,
    estimates_frame,
    pooled_and_single,
)
from core.labs.self_rewarding.pairs import CURRENT
from core.stats import clustered_mean

JUDGE, OUTSIDE, AHEAD, AGREEMENT = "judge", "outside", "ahead", "agreement"

MEASURES: dict[str, tuple[str, str]] = {
    JUDGE: ("Judge", "Mean judge's score of the current model's samples, standardised."),
    OUTSIDE: ("Outside", "Mean reward of the same samples by the outside model, standardised."),
    AHEAD: ("Judge ahead", "Judge minus outside, sample by sample, both standardised."),
    AGREEMENT: (
        "Agreement",
        "Rank correlation (Spearman) of judge and outside among the samples of one problem, mean "
        "over problems: 1 for the same order, 0 for none in common.",
    ),
}
"""Label and meaning of each measure."""

FEWEST_SAMPLES = 3
"""Fewer samples of a problem have no rank correlation worth a name."""

FEW = "fewer than three samples with both scores"
CONSTANT = "all samples score alike"


@dataclass(frozen=True)
class DriftResult:
    """Judge and outside model over iterations.

    Attributes:
        estimates: `ESTIMATE_COLUMNS`, measures of `MEASURES`. Scores are in standard deviations of
            the same model's scores of the samples of the first iteration, all runs together, above
            their mean.
        changes: last minus first iteration of each method, for each measure.
        unscored: samples without a finite score of both, which were left out.
    """

    estimates: pd.DataFrame
    changes: pd.DataFrame
    unscored: int


def run(
    generations: pd.DataFrame, *, seed: int = 0, confidence: float = 0.95, n_draws: int = 2_000
) -> DriftResult:
    """Holds the judge against the outside model on the samples of the current model.

    Args:
        generations: `Generations.table` with the column `outside`.
        seed: of the resampling, which goes over problems.
        confidence: of the intervals.
        n_draws: of the resampling.

    Raises:
        TableError: when there is no column `outside`, or no sample with both scores.
    """
    if "outside" not in generations.columns:
        raise TableError(
            "These samples have no rewards of an outside model.",
            fix="Give a column 'outside' with rewards of a model that took no part in training.",
        )
    of_current = generations.loc[generations["source"] == CURRENT]
    both = of_current[["judge_score", "outside"]].astype("float64")
    usable = np.isfinite(both.to_numpy()).all(axis=1)
    table = of_current.loc[usable].assign(outside=both.loc[usable, "outside"])
    if table.empty:
        raise TableError(
            "No sample of the current model has a score of the judge and of the outside model."
        )
    table = _standardised(table)
    agreement = _agreement(table)
    rng = np.random.default_rng(seed)
    rows = []
    for measure in MEASURES:
        source = agreement if measure == AGREEMENT else table
        for method, run_name, iteration, group in pooled_and_single(source):
            left_out = dict(group["why_not"].value_counts()) if measure == AGREEMENT else {}
            left_out = {str(why): int(n) for why, n in left_out.items() if why}
            counted = group.loc[group["why_not"] == ""] if measure == AGREEMENT else group
            estimate = clustered_mean(
                counted[measure].to_numpy(np.float64), list(counted["problem_id"]),
                rng=rng, confidence=confidence, n_resamples=n_draws, left_out=left_out,
            )  # fmt: skip
            keys = {"method": method, "run": run_name, "iteration": iteration}
            rows.append(estimate_row(estimate, **keys, measure=measure))
    changes = _changes(table, agreement, rng, confidence, n_draws)
    return DriftResult(estimates_frame(rows), changes, int((~usable).sum()))


def _standardised(table: pd.DataFrame) -> pd.DataFrame:
    """Both scores in standard deviations of the first iteration's, above their mean."""
    first = table.loc[table["iteration"] == table["iteration"].min()]
    columns = {}
    for name, column in ((JUDGE, "judge_score"), (OUTSIDE, "outside")):
        spread = float(first[column].std(ddof=0))
        # A model that gives all samples the same score has no unit of its own.
        unit = spread if spread > 0 else float("nan")
        columns[name] = (table[column] - first[column].mean()) / unit
    return table.assign(**columns, ahead=columns[JUDGE] - columns[OUTSIDE])


def _agreement(table: pd.DataFrame) -> pd.DataFrame:
    """One row a run, iteration and problem: the rank correlation, or why there is none."""
    keys = ["run", "method", "iteration", "problem_id"]
    rows = []
    for key, group in table.groupby(keys, sort=False):
        judge, outside = group["judge_score"].to_numpy(), group["outside"].to_numpy()
        why = ""
        if len(group) < FEWEST_SAMPLES:
            why = FEW
        elif np.ptp(judge) == 0 or np.ptp(outside) == 0:
            why = CONSTANT
        value = float("nan") if why else float(scipy_stats.spearmanr(judge, outside).statistic)
        rows.append((*key, value, why))
    return pd.DataFrame(rows, columns=[*keys, AGREEMENT, "why_not"])


def _changes(
    table: pd.DataFrame,
    agreement: pd.DataFrame,
    rng: np.random.Generator,
    confidence: float,
    n_draws: int,
) -> pd.DataFrame:
    """Last against first iteration, of each method and measure."""
    rows = [
        change_row(group, measure, measure=measure, rng=rng, confidence=confidence, n_draws=n_draws)
        for measure in MEASURES
        for _, group in (agreement if measure == AGREEMENT else table).groupby("method", sort=False)
    ]
    return estimates_frame(row for row in rows if row is not None)
