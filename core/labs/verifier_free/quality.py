"""How well likelihood rewards tell right from wrong, and what else they go with.

RLPR's figure 4: ROC curves of the reward against correctness, and rank correlations of the reward
with length and entropy.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from core.labs.verifier_free.aggregates import AGGREGATES, WHOLE, Span, aggregate_all
from core.stats import Estimate, clustered_statistic

FloatArray = npt.NDArray[np.float64]

Comparison = Literal["all traces", "within problems"]

NO_LABEL = "correctness unknown"
NO_SCORE = "no score"
N_RESAMPLES = 2_000

BASELINE = "{} - baseline"
LENGTH = "length of the trace"


def weighted_auc(
    scores: FloatArray, right: npt.NDArray[np.bool_], weights: FloatArray
) -> FloatArray:
    """(k,) area under the ROC curve for each row of weights; ties count half.

    Args:
        scores: (n,) finite.
        right: (n,) which rows are positive.
        weights: (k, n) how often each row counts.

    Returns:
        NaN where all positives or all negatives have no weight.
    """
    order = np.argsort(scores, kind="stable")
    sorted_scores = scores[order]
    starts = np.flatnonzero(np.r_[True, sorted_scores[1:] != sorted_scores[:-1]])
    w = weights[:, order]
    positive = np.add.reduceat(w * right[order], starts, axis=1)
    negative = np.add.reduceat(w * ~right[order], starts, axis=1)
    below = negative.cumsum(axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((positive * below).sum(axis=1) / pairs, dtype=np.float64)


def auc(scores: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Chance that a right row scores above a wrong one, ties half; NaN without both."""
    values, positive = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=bool)
    if not values.size or positive.all() or not positive.any():
        return float("nan")
    return float(weighted_auc(values, positive, np.ones((1, values.size)))[0])


def auc_estimate(
    scores: npt.ArrayLike,
    correct: Sequence[bool | None],
    problems: Sequence[object],
    *,
    rng: np.random.Generator,
    comparison: Comparison = "all traces",
    groups: Sequence[object] | None = None,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """The area with its interval from resampling problems.

    Args:
        scores: (n,) rewards; -inf is a score like any other, NaN is left out.
        correct: (n,) labels; None is left out.
        problems: (n,) what each row belongs to, and what is resampled.
        rng: of the resampling.
        comparison: over all pairs of a right and a wrong trace, or only pairs within one problem,
            which is what the advantages of a group see; there each problem counts by its pairs.
        groups: (n,) within problems only rows of the same group are compared, such as those of one
            wording; all rows of a problem where it is not given.
        n_resamples: bootstrap draws.
    """
    values = np.asarray(scores, dtype=np.float64)
    known = np.array([label is not None for label in correct], dtype=bool)
    usable = known & ~np.isnan(values)
    left_out = _counted({NO_LABEL: int((~known).sum()), NO_SCORE: int((known & ~usable).sum())})
    right = np.array([bool(label) for label in correct], dtype=bool)[usable]
    kept = [problem for problem, use in zip(problems, usable, strict=True) if use]
    if comparison == "all traces":
        given = values[usable]
        return clustered_statistic(
            lambda weights: weighted_auc(given, right, np.atleast_2d(weights)),
            kept,
            rng=rng,
            n_resamples=n_resamples,
            left_out=left_out,
            vectorized=True,
        )
    given_groups = problems if groups is None else groups
    within = [group for group, use in zip(given_groups, usable, strict=True) if use]
    return _within(values[usable], right, kept, within, rng, n_resamples, left_out)


def _within(
    values: FloatArray,
    right: npt.NDArray[np.bool_],
    problems: Sequence[object],
    within: Sequence[object],
    rng: np.random.Generator,
    n_resamples: int,
    left_out: dict[str, int],
) -> Estimate:
    """Pairs of a right and a wrong trace of one problem: share in which the right one is above."""
    rows = pd.DataFrame(
        {"value": values, "right": right, "problem": list(problems), "within": list(within)}
    )
    wins, pairs, names, n_rows, alone = [], [], [], 0, 0
    for (name, _), group in rows.groupby(["problem", "within"], sort=False):
        above, below = group["value"][group["right"]], group["value"][~group["right"]]
        if not len(above) or not len(below):
            alone += len(group)
            continue
        with np.errstate(invalid="ignore"):
            higher = above.to_numpy()[:, None] > below.to_numpy()[None, :]
            equal = above.to_numpy()[:, None] == below.to_numpy()[None, :]
        wins.append(float(higher.sum() + equal.sum() / 2))
        pairs.append(float(higher.size))
        names.append(name)
        n_rows += len(group)
    reasons = _counted({**left_out, "problem with only right or only wrong traces": alone})
    won, of = np.array(wins), np.array(pairs)
    found = clustered_statistic(
        lambda weights: np.atleast_2d(weights) @ won / (np.atleast_2d(weights) @ of),
        names,
        rng=rng,
        n_resamples=n_resamples,
        left_out=reasons,
        vectorized=True,
    )
    return Estimate(
        found.value, found.low, found.high, found.confidence, n_rows, found.n_prompts,
        found.method, found.left_out,
    )  # fmt: skip


def roc_curve(scores: npt.ArrayLike, right: npt.ArrayLike) -> pd.DataFrame:
    """The curve from (0, 0) to (1, 1): `threshold`, `false_positive`, `true_positive`.

    Args:
        scores: (n,) without NaN.
        right: (n,) labels.
    """
    values, positive = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=bool)
    thresholds = np.unique(values)[::-1]
    rows = [(np.inf, 0.0, 0.0)]
    n_right, n_wrong = max(1, int(positive.sum())), max(1, int((~positive).sum()))
    for threshold in thresholds:
        above = values >= threshold
        rows.append(
            (threshold, (above & ~positive).sum() / n_wrong, (above & positive).sum() / n_right)
        )
    return pd.DataFrame(rows, columns=["threshold", "false_positive", "true_positive"])


def score_columns(table: pd.DataFrame, *, span: Span = WHOLE) -> dict[str, FloatArray]:
    """Every score that is compared: the aggregates, each minus its baseline, and length beside."""
    found: dict[str, FloatArray] = {}
    for how in AGGREGATES:
        found[how] = aggregate_all(list(table["ref_log_probabilities"]), how, span=span)
    bare = list(table["ref_log_probabilities_without"])
    if any(row is not None for row in bare):
        for how in AGGREGATES:
            with np.errstate(invalid="ignore"):
                found[BASELINE.format(how)] = found[how] - aggregate_all(bare, how, span=span)
    lengths = table["n_trace_tokens"].to_numpy(dtype=np.float64)
    if np.isfinite(lengths).any():
        found[LENGTH] = lengths
    return found


def subsets(table: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Rows by what the trace gives away and how the reference is worded, those that are there."""
    first = (table["wording"] == 0).to_numpy(dtype=bool)
    found = {"reference": first}
    named = [flag is not None for flag in table["names_reference"]]
    if any(named):
        says = np.array([flag is True for flag in table["names_reference"]], dtype=bool)
        silent = np.array([flag is False for flag in table["names_reference"]], dtype=bool)
        found["trace names the reference"] = first & says
        found["trace does not name it"] = first & silent
    if (~first).any():
        found["paraphrases"] = ~first
    return {name: rows for name, rows in found.items() if rows.any()}


def quality_table(
    table: pd.DataFrame,
    *,
    seed: int = 0,
    span: Span = WHOLE,
    by_domain: bool = True,
    n_resamples: int = N_RESAMPLES,
) -> pd.DataFrame:
    """Area of every score, for all traces and within problems, by subset and domain.

    Args:
        table: of `tables.Scores`, all wordings.
        seed: of the resampling.
        span: which reference tokens count.
        by_domain: also each domain, with the reference as it is worded.
        n_resamples: bootstrap draws.

    Returns:
        One row a score, comparison, subset and domain ("all" for all) with `auc`, `low`, `high`,
        `confidence`, `n`, `n_problems`, `method`, `left_out`.
    """
    columns = score_columns(table, span=span)
    slices = [(name, "all", rows) for name, rows in subsets(table).items()]
    domains = list(dict.fromkeys(table["domain"]))
    if by_domain and len(domains) > 1:
        first = (table["wording"] == 0).to_numpy(dtype=bool)
        slices += [
            ("reference", domain, first & (table["domain"] == domain).to_numpy(dtype=bool))
            for domain in domains
        ]
    found = []
    for subset, domain, rows in slices:
        for score, values in columns.items():
            for comparison in ("all traces", "within problems"):
                estimate = auc_estimate(
                    values[rows],
                    list(table["correct"][rows]),
                    list(table["problem_id"][rows]),
                    rng=np.random.default_rng(seed),
                    comparison=comparison,
                    groups=list(table["wording"][rows]),
                    n_resamples=n_resamples,
                )
                found.append(
                    {"score": score, "comparison": comparison, "subset": subset, "domain": domain}
                    | _told(estimate, "auc")
                )
    return pd.DataFrame(found)


def _told(estimate: Estimate, name: str) -> dict[str, object]:
    return {
        name: estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "confidence": estimate.confidence,
        "n": estimate.n,
        "n_problems": estimate.n_prompts,
        "method": estimate.method,
        "left_out": "; ".join(f"{reason} ({n})" for reason, n in estimate.left_out.items()),
    }


def _counted(reasons: Mapping[str, int]) -> dict[str, int]:
    return {reason: n for reason, n in reasons.items() if n}


def spearman(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    problems: Sequence[object],
    *,
    rng: np.random.Generator,
    within: bool = False,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """Rank correlation with its interval from resampling problems.

    Args:
        first: (n,) values; rows without a finite number are left out.
        second: (n,) values.
        problems: (n,) what each row belongs to.
        rng: of the resampling.
        within: rank within each problem first, so that differences between problems play no part.
        n_resamples: bootstrap draws.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    usable = np.isfinite(x) & np.isfinite(y)
    kept = [problem for problem, use in zip(problems, usable, strict=True) if use]
    left_out = _counted({"no number": int((~usable).sum())})
    x, y = x[usable], y[usable]
    if within and kept:
        x, y = _centred_ranks(x, kept), _centred_ranks(y, kept)
    statistic: Callable[[FloatArray], FloatArray] = lambda weights: np.array(  # noqa: E731
        [_weighted_spearman(x, y, row, ranked=within) for row in np.atleast_2d(weights)]
    )
    return clustered_statistic(
        statistic, kept, rng=rng, n_resamples=n_resamples, left_out=left_out, vectorized=True
    )


def _centred_ranks(values: FloatArray, problems: Sequence[object]) -> FloatArray:
    series = pd.Series(values)
    groups = series.groupby(pd.Series(list(problems)))
    return np.asarray(groups.rank() - (groups.transform("size") + 1) / 2, dtype=np.float64)


def _weighted_spearman(x: FloatArray, y: FloatArray, weights: FloatArray, *, ranked: bool) -> float:
    """Spearman's coefficient of rows repeated as often as they weigh."""
    times = weights.astype(np.int64)
    x, y = np.repeat(x, times), np.repeat(y, times)
    if not ranked:
        x, y = rankdata(x), rankdata(y)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum() / scale) if scale > 0 else float("nan")


def correlation_table(
    table: pd.DataFrame,
    rewards: npt.ArrayLike,
    *,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> pd.DataFrame:
    """Spearman of a reward with length and with entropy, over all traces and within problems.

    Args:
        table: rows of the reference.
        rewards: (n,) of these rows.
        seed: of the resampling.
        n_resamples: bootstrap draws.
    """
    found = []
    for what in ("n_trace_tokens", "entropy"):
        if not np.isfinite(table[what].to_numpy(dtype=np.float64)).any():
            continue
        for within in (False, True):
            estimate = spearman(
                rewards,
                table[what].to_numpy(dtype=np.float64),
                list(table["problem_id"]),
                rng=np.random.default_rng(seed),
                within=within,
                n_resamples=n_resamples,
            )
            comparison = "within problems" if within else "all traces"
            found.append({"with": what, "comparison": comparison} | _told(estimate, "correlation"))
    return pd.DataFrame(found)
