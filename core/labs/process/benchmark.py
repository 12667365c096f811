"""First-error detection by step scores, measured as in ProcessBench (arXiv 2412.06559).

A solution is labelled with the position of its first wrong step, or -1. A prediction is right where
it names that position. The F1 is the harmonic mean of two accuracies: on solutions with an error
and on solutions without. A threshold turns scores into a prediction: the first step below it. It is
chosen on a calibration part, never on the part that is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.process.aggregation import AGGREGATES, aggregate_steps, first_error
from core.stats import Estimate, clustered_statistic

FloatArray = npt.NDArray[np.float64]

COLUMNS = ("problem_id", "scores", "label")
"""`problem_id`; `scores`: step scores in [0, 1]; `label`: position of the first wrong step from 0,
-1 for none."""


N_RESAMPLES = 2_000


@dataclass(frozen=True)
class FirstErrors:
    """First-error detection on solutions that did not choose the threshold.

    Attributes:
        threshold: a step scored below it is an error.
        f1: harmonic mean of the two accuracies, with its interval over problems.
        on_erroneous: accuracy on solutions with an error.
        on_correct: accuracy on solutions without.
        predictions: one row a solution: problem_id, label, predicted, right.
        n_calibration: solutions the threshold was chosen on.
        left_out: solutions that could not be used, by reason.
    """

    threshold: float
    f1: Estimate
    on_erroneous: Estimate
    on_correct: Estimate
    predictions: pd.DataFrame
    n_calibration: int
    left_out: dict[str, int]


def f1_of(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[float, float, float]:
    """F1 and its two accuracies, on erroneous and on correct solutions.

    NaN where one kind of solution is missing; 0 where both accuracies are 0.
    """
    return _weighted_f1(np.asarray(labels), np.asarray(predicted), None)


def choose_threshold(scores: Sequence[npt.ArrayLike], labels: npt.ArrayLike) -> float:
    """The threshold with the best F1 on these solutions; of equals the middle one.

    Only values between two neighbouring scores matter, so those are tried, and both ends.
    """
    values = np.unique(np.concatenate([np.asarray(each, dtype=np.float64) for each in scores]))
    tried = np.concatenate([[values[0]], (values[1:] + values[:-1]) / 2, [values[-1] + 1e-9]])
    if len(tried) > 400:
        tried = np.quantile(tried, np.linspace(0, 1, 400))
    wanted = np.asarray(labels)
    found = []
    for threshold in tried:
        predicted = [first_error(each, float(threshold)) for each in scores]
        found.append(np.nan_to_num(_weighted_f1(wanted, np.array(predicted), None)[0], nan=-1.0))
    best = np.flatnonzero(np.array(found) == np.max(found))
    return float(tried[best[len(best) // 2]])


def first_errors(
    table: pd.DataFrame,
    *,
    rng: np.random.Generator,
    calibration_share: float = 0.3,
    threshold: float | None = None,
    n_resamples: int = N_RESAMPLES,
) -> FirstErrors:
    """Detects first errors and measures how well.

    Args:
        table: one row a solution with `COLUMNS`.
        rng: of the split and of the resampling; both go over problems.
        calibration_share: of the problems that choose the threshold; they are not reported.
        threshold: given, nothing is set aside.
        n_resamples: bootstrap draws.

    Raises:
        TableError: a column is missing, or a part is left without a solution.
    """
    usable, left_out = _usable(table)
    calibration, reported = usable.iloc[:0], usable
    if threshold is None:
        calibration, reported = _split(usable, rng, calibration_share)
        kinds = set(calibration["label"] == -1)
        if len(kinds) < 2:
            kind = "right" if True in kinds else "wrong"
            raise TableError(
                f"The {len(calibration)} solutions that would choose the threshold are all {kind}, "
                "so no threshold can be told from another.",
                fix="Give more solutions of both kinds, or a threshold.",
            )
        threshold = choose_threshold(list(calibration["scores"]), calibration["label"].to_numpy())
    labels = reported["label"].to_numpy(dtype=int)
    predicted = np.array([first_error(each, threshold) for each in reported["scores"]], dtype=int)
    clusters = list(reported["problem_id"])

    def estimate(part: int, rows: npt.NDArray[np.bool_]) -> Estimate:
        found = clustered_statistic(
            lambda weights: _weighted_f1(labels, predicted, weights)[part],
            clusters,
            rng=rng,
            n_resamples=n_resamples,
            left_out=left_out,
        )
        problems = {name for name, used in zip(clusters, rows, strict=True) if used}
        return replace(found, n=int(rows.sum()), n_prompts=len(problems))

    predictions = reported[["problem_id", "label"]].assign(
        predicted=predicted, right=predicted == labels
    )
    return FirstErrors(
        threshold,
        estimate(0, np.ones(len(labels), dtype=bool)),
        estimate(1, labels != -1),
        estimate(2, labels == -1),
        predictions.reset_index(drop=True),
        len(calibration),
        left_out,
    )


def ranking_by_aggregate(
    table: pd.DataFrame, *, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> pd.DataFrame:
    """How well each aggregate of step scores tells right solutions from wrong ones.

    Returns:
        One row a rule: `aggregate`, `auc` (area under the ROC curve of solutions without an error
        against those with one), `low`, `high`, `n`, `length` (Spearman correlation of the reward
        with the number of steps: what a rule owes to length).
    """
    from scipy.stats import spearmanr

    usable, _ = _usable(table)
    right = usable["label"].to_numpy() == -1
    sizes = np.array([len(each) for each in usable["scores"]])
    rows = []
    for rule in AGGREGATES:
        rewards = np.array([aggregate_steps(each, rule) for each in usable["scores"]])
        found = clustered_statistic(
            lambda weights, rewards=rewards: _auc(rewards, right, weights),  # type: ignore[misc]
            list(usable["problem_id"]),
            rng=rng,
            n_resamples=n_resamples,
        )
        flat = np.ptp(rewards) == 0 or np.ptp(sizes) == 0
        length = float("nan") if flat else float(spearmanr(rewards, sizes).statistic)
        rows.append(
            {
                "aggregate": rule,
                "auc": found.value,
                "low": found.low,
                "high": found.high,
                "n": found.n,
                "length": length,
            }
        )
    return pd.DataFrame(rows)


def position_share(table: pd.DataFrame) -> float:
    """Share of the variance of step scores that the step's number alone explains (eta squared).

    Near 1 a model scores where a step stands and not what it says; NaN where all scores are equal.

    Raises:
        TableError: a column is missing, or no solution can be used.
    """
    usable, _ = _usable(table)
    scores = np.concatenate([np.asarray(each, dtype=np.float64) for each in usable["scores"]])
    steps = np.concatenate([np.arange(len(each)) for each in usable["scores"]])
    means = pd.Series(scores).groupby(steps).transform("mean").to_numpy()
    spread = float(((scores - scores.mean()) ** 2).sum())
    return float(((means - scores.mean()) ** 2).sum()) / spread if spread > 0 else float("nan")


def _usable(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise TableError(f"The table lacks {', '.join(missing)}.", fix=f"It needs {COLUMNS}.")
    sound = np.array(
        [len(each) > 0 and bool(np.isfinite(each).all()) for each in table["scores"]], dtype=bool
    )
    fits = np.array(
        [
            -1 <= label < len(each)
            for label, each in zip(table["label"], table["scores"], strict=True)
        ],
        dtype=bool,
    )
    reasons = {
        "solutions with a step without score": int((~sound).sum()),
        "labels beyond the steps": int((sound & ~fits).sum()),
    }
    kept = table[sound & fits].reset_index(drop=True)
    if kept.empty:
        raise TableError("No solution has scores for all its steps and a label among them.")
    return kept, {reason: count for reason, count in reasons.items() if count}


def _split(
    table: pd.DataFrame, rng: np.random.Generator, share: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    problems = table["problem_id"].drop_duplicates().to_numpy()
    n = min(max(1, round(share * len(problems))), len(problems) - 1)
    if n < 1:
        raise TableError(
            "One problem cannot both choose a threshold and be reported.",
            fix="Give more problems, or a threshold.",
        )
    chosen = set(rng.permutation(problems)[:n])
    aside = table["problem_id"].isin(chosen)
    return table[aside], table[~aside]


def _weighted_f1(
    labels: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    weights: FloatArray | None,
) -> tuple[float, float, float]:
    weight = np.ones(len(labels)) if weights is None else weights
    right, wrong = predicted == labels, labels != -1
    parts = []
    for kind in (wrong, ~wrong):
        total = weight[kind].sum()
        parts.append(float((weight * right)[kind].sum() / total) if total else float("nan"))
    erroneous, correct = parts
    total = erroneous + correct
    f1 = 0.0 if total == 0 else 2 * erroneous * correct / total
    return f1, erroneous, correct


def _auc(rewards: FloatArray, right: npt.NDArray[np.bool_], weights: FloatArray) -> float:
    """Weighted share of pairs (right, wrong) ranked rightly, ties as half."""
    # By value instead of by pair, so that thousands of solutions can be resampled.
    codes = np.unique(rewards, return_inverse=True)[1]
    high, low = (
        np.bincount(codes[rows], weights[rows], minlength=codes.max() + 1)
        for rows in (right, ~right)
    )
    total = high.sum() * low.sum()
    if not total:
        return float("nan")
    return float((high * (low.cumsum() - 0.5 * low)).sum() / total)
