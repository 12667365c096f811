"""Does the loss of diversity reach problems that never gave a reward? Difference in differences.

For each run and each problem that never had a right sample in it: change in distinct answers from
an early to a late window of steps, at equal numbers of samples, minus the same change in runs of
the untrained policy at the same steps. An untrained policy does not change, so its change is noise
around 0 and a check on the method. After the question of Song et al. 2025 (arXiv 2509.06941); the
estimator is our reading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from core.labs.collapse.counts import method_of, pooled_answers
from core.labs.collapse.windows import EARLY, LATE, describe_windows, in_windows
from core.labs.groups import pass_at_k
from core.stats import Estimate, FloatArray

Scale = Literal["difference", "log ratio"]
SCALES: tuple[Scale, ...] = get_args(Scale)

Unsolved = Literal["by the run", "by the run and the base"]
UNSOLVED: tuple[Unsolved, ...] = get_args(Unsolved)

BIASES = (
    "The problems are picked by the outcome: a run that explores more solves more, and what it "
    "leaves unsolved is harder. Compare methods on the problems that none of them solved.",
    "Few answers are possible on some problems: where the count is near 1 it cannot fall much. The "
    "log ratio weighs a fall from 4 to 2 like one from 2 to 1.",
    "Answers that mean the same but are written differently count as distinct, early and late; if "
    "training only unifies how answers are written, that looks like lost diversity.",
    "Problems without the samples in both windows are left out; if those are sampled less as they "
    "collapse, the estimate is too small.",
    "A handful of seeds says little about seeds: the interval draws them too, but from few.",
)
"""What could make the estimate wrong."""


@dataclass(frozen=True)
class SpreadOptions:
    """How the change is taken.

    Attributes:
        share: of the steps in the early and in the late window, at most 0.5.
        scale: difference of distinct answers, or log of their ratio.
        unsolved: who must never have had a right sample of a problem.
        most_right: largest share of right samples in a run with which a problem still counts as
            unsolved; 0 asks that it was never rewarded.
        k: distinct answers are read among k samples, or among the fewest that a problem has in
            any run and window where those are fewer. A large k asks about rare answers, a small one
            about the common ones, and a k near the whole sample hardly moves.
        least: fewest answers each window must have.
        resample_seeds: draw runs as well as problems.
        confidence: of the intervals.
        n_resamples: bootstrap draws.
        seed: of the resampling.
    """

    share: float = 0.25
    scale: Scale = "difference"
    unsolved: Unsolved = "by the run"
    most_right: float = 0.0
    k: int = 8
    least: int = 2
    resample_seeds: bool = True
    confidence: float = 0.95
    n_resamples: int = 2_000
    seed: int = 0


@dataclass(frozen=True)
class Spread:
    """The estimates of each method.

    Attributes:
        effects: by method: the difference in differences.
        own: by method: the change of its runs alone.
        base: by method: the change of the base runs on the same problems; 0 is expected.
        problems: method, run, problem_id, k, early, late, change, base_change, effect.
        windows: the windows in words.
        left_out: run × problem pairs that could not be used, by reason.
    """

    effects: Mapping[str, Estimate]
    own: Mapping[str, Estimate]
    base: Mapping[str, Estimate]
    problems: pd.DataFrame
    windows: str
    left_out: Mapping[str, int]


def spread(
    counts: pd.DataFrame, base_runs: Sequence[str], options: SpreadOptions | None = None
) -> Spread:
    """Estimates the spread for every method that is not the base.

    Args:
        counts: `COUNT_COLUMNS` of one split, all steps.
        base_runs: runs of the untrained policy; without them there is a change, and no effect.
        options: how the change is taken.
    """
    chosen = options or SpreadOptions()
    changes = window_changes(
        counts, share=chosen.share, scale=chosen.scale, k=chosen.k, least=chosen.least
    )
    also = base_runs if chosen.unsolved != UNSOLVED[0] else ()
    unsolved = never_solved(counts, also, most_right=chosen.most_right)
    words = describe_windows(list(counts["step"].unique()), chosen.share)
    return _of_methods(changes, unsolved, base_runs, chosen, words)


def spread_to_held_out(
    counts: pd.DataFrame, base_runs: Sequence[str], options: SpreadOptions | None = None
) -> Spread:
    """The same on problems that were never trained on: nobody picked them by what came out.

    Each run's first checkpoint is held against its last. Runs that begin from the untrained policy
    carry their own baseline in the first; base runs with a single checkpoint have no change, and
    the effect is then the run's own change.

    Args:
        counts: `COUNT_COLUMNS` of the split "held_out", all steps.
        base_runs: runs of the untrained policy.
        options: scale, k and interval; windows and `unsolved` do not apply.
    """
    chosen = options or SpreadOptions()
    steps = counts.groupby("run", observed=True)["step"]
    first, last = steps.transform("min"), steps.transform("max")
    ends = counts.loc[(first < last) & ((counts["step"] == first) | (counts["step"] == last))]
    window = np.where(ends["step"] == first.loc[ends.index], EARLY, LATE)
    placed = ends.assign(window=[str(name) for name in window])
    changes = changes_of(placed, scale=chosen.scale, k=chosen.k, least=chosen.least)
    if not changes["run"].isin(list(base_runs)).any():
        # The untrained policy is the same at every step.
        still = changes[["problem_id"]].drop_duplicates()
        still = still.assign(run=_NO_CHANGE, k=chosen.k, early=np.nan, late=np.nan, change=0.0)
        changes = pd.concat([changes, still], ignore_index=True) if len(still) else changes
        base_runs = (*base_runs, _NO_CHANGE)
    every = changes.loc[~changes["run"].isin(list(base_runs)), ["run", "problem_id"]]
    return _of_methods(changes, every, base_runs, chosen, "first against last checkpoint")


_NO_CHANGE = "base (one checkpoint)"


def _of_methods(
    changes: pd.DataFrame,
    unsolved: pd.DataFrame,
    base_runs: Sequence[str],
    chosen: SpreadOptions,
    words: str,
) -> Spread:
    """The estimates of each method, of the changes on these problems of its runs."""
    rng = np.random.default_rng(chosen.seed)
    base = _matrix(changes.loc[changes["run"].isin(list(base_runs))])
    effects: dict[str, Estimate] = {}
    own: dict[str, Estimate] = {}
    of_base: dict[str, Estimate] = {}
    frames, left_out = [], {"never solved, but too few answers in a window": 0}
    known = [*unsolved["run"].unique(), *changes["run"].unique()]
    runs = [run for run in dict.fromkeys(known) if run not in set(base_runs)]
    for method in dict.fromkeys(method_of(run) for run in runs):
        wanted = unsolved.loc[[method_of(run) == method for run in unsolved["run"]]]
        wanted = wanted.loc[wanted["run"].isin(runs)]
        rows = wanted.merge(changes, on=["run", "problem_id"], how="left")
        usable = rows.loc[rows["change"].notna()]
        missing = {"never solved, but too few answers in a window": len(rows) - len(usable)}
        left_out = {reason: left_out[reason] + n for reason, n in missing.items()}
        mine = _matrix(usable)
        effects[method], own[method], of_base[method] = _estimates(mine, base, chosen, rng, missing)
        frames.append(_with_base(usable, base).assign(method=method))
    columns = ["method", "run", "problem_id", "k", EARLY, LATE, "change", "base_change", "effect"]
    problems = pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)
    return Spread(
        effects,
        own,
        of_base,
        problems.reset_index(drop=True),
        words,
        {reason: n for reason, n in left_out.items() if n},
    )


def never_solved(
    counts: pd.DataFrame, also: Sequence[str] = (), *, most_right: float = 0.0
) -> pd.DataFrame:
    """run, problem_id of the problems without a right sample in the run, nor in the runs `also`.

    Args:
        counts: `COUNT_COLUMNS`.
        also: runs that must not have solved the problem either.
        most_right: share of right samples up to which a problem counts as unsolved.
    """
    keys = ["run", "problem_id"]
    solved = counts.groupby(keys, observed=True)[["n", "n_correct"]].sum().reset_index()
    right = solved["n_correct"] > most_right * solved["n"]
    unsolved = solved.loc[~right, keys]
    elsewhere = solved.loc[solved["run"].isin(list(also)) & right, "problem_id"]
    return unsolved.loc[~unsolved["problem_id"].isin(elsewhere)].reset_index(drop=True)


def window_changes(
    counts: pd.DataFrame,
    *,
    share: float,
    scale: Scale = "difference",
    k: int = 8,
    least: int = 2,
) -> pd.DataFrame:
    """Change in distinct answers of each run and problem, early to late, at equal samples.

    Every problem is read at k answers, or at the fewest that it has in any run and window that
    has any.

    Args:
        counts: `COUNT_COLUMNS`.
        share: of the steps in each window.
        scale: of the change.
        k: answers among which distinct ones are counted.
        least: smallest k that is used, at least 2: one sample has one answer whatever the policy.

    Returns:
        run, problem_id, k, early, late (rarefied distinct answers), change (NaN where a window has
        too few answers).
    """
    placed = in_windows(counts, share)
    return changes_of(placed, scale=scale, k=k, least=least)


def changes_of(
    placed: pd.DataFrame, *, scale: Scale = "difference", k: int = 8, least: int = 2
) -> pd.DataFrame:
    """As `window_changes`, of counts that carry their `window`: "early" or "late"."""
    keys = ["run", "problem_id", "window"]
    placed = placed.loc[placed["answer"].notna()]
    columns = ["run", "problem_id", "k", EARLY, LATE, "change"]
    if placed.empty:
        return pd.DataFrame(columns=columns)
    given = pooled_answers(placed, keys)
    given["total"] = given.groupby(keys, observed=True)["n"].transform("sum")
    given["k"] = given.groupby("problem_id", observed=True)["total"].transform("min").clip(upper=k)
    given["chance"] = np.nan
    for of_k, rows in given.loc[given["k"] >= max(2, least)].groupby("k"):
        given.loc[rows.index, "chance"] = pass_at_k(rows["total"], rows["n"], int(str(of_k)))
    distinct = given.groupby(keys, observed=True)["chance"].sum(min_count=1).unstack("window")
    distinct = distinct.reindex(columns=[EARLY, LATE]).reset_index()
    distinct["k"] = distinct["problem_id"].map(
        given.groupby("problem_id", observed=True)["k"].min()
    )
    before, after = distinct[EARLY], distinct[LATE]
    ratio = scale == "log ratio"
    distinct["change"] = np.log(after) - np.log(before) if ratio else after - before
    return distinct[columns]


def _matrix(changes: pd.DataFrame) -> pd.DataFrame:
    """Runs by problems, NaN where there is no change."""
    return changes.pivot(index="run", columns="problem_id", values="change").astype("float64")


def _with_base(usable: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    mean = base.mean(axis=0).reindex(usable["problem_id"]).to_numpy(dtype=float)
    found = usable.assign(base_change=mean, change=usable["change"].astype("float64"))
    return found.assign(effect=found["change"] - found["base_change"])


def _estimates(
    own: pd.DataFrame,
    base: pd.DataFrame,
    options: SpreadOptions,
    rng: np.random.Generator,
    missing: Mapping[str, int],
) -> tuple[Estimate, Estimate, Estimate]:
    """Effect, own change and base change, from the same draws of problems and runs."""
    problems = list(own.columns)
    mine = own.to_numpy(dtype=float).reshape(len(own), len(problems))
    theirs = base.reindex(columns=problems).to_numpy(dtype=float).reshape(len(base), len(problems))
    reasons = {reason: n for reason, n in missing.items() if n}
    if len(base):
        no_base = int((~np.isnan(mine))[:, np.isnan(theirs).all(axis=0)].sum())
        reasons |= {"never solved, but too few answers of the base": no_base} if no_base else {}
    ones = [np.ones((1, n)) for n in (len(problems), len(mine), len(theirs))]
    values = _statistics(mine, theirs, *ones)
    drawn = _statistics(mine, theirs, *_weights(mine, theirs, options, rng))
    n_rows, n_problems = int((~np.isnan(mine)).sum()), len(problems)
    found = [
        _estimate(float(value[0]), draws, options, n_rows, n_problems, len(mine), reasons)
        for value, draws in zip(values, drawn, strict=True)
    ]
    return found[0], found[1], found[2]


def _weights(
    own: FloatArray, base: FloatArray, options: SpreadOptions, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """How often each problem, run and base run counts in each draw."""
    drawn = []
    for place, n in enumerate((own.shape[1], own.shape[0], base.shape[0])):
        fixed = n < 2 or (place > 0 and not options.resample_seeds)
        shape = (options.n_resamples, n)
        shares = np.full(n, 1 / n) if n else np.zeros(0)
        drawn.append(
            np.ones(shape) if fixed else rng.multinomial(n, shares, shape[0]).astype(float)
        )
    return drawn[0], drawn[1], drawn[2]


def _statistics(
    own: FloatArray, base: FloatArray, problems: FloatArray, runs: FloatArray, bases: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(draws,) effect, own change and base change, each over runs × problems with equal weight."""
    there, base_there = ~np.isnan(own), ~np.isnan(base)
    sums = runs @ np.where(there, own, 0.0)
    n = runs @ there.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (bases @ np.where(base_there, base, 0.0)) / (bases @ base_there.astype(float))
        known = np.isfinite(mean)
        weights = problems * known
        mean = np.where(known, mean, 0.0)
        paired = (weights * n).sum(axis=1)
        effect = (weights * (sums - n * mean)).sum(axis=1) / paired
        alone = (problems * sums).sum(axis=1) / (problems * n).sum(axis=1)
        of_base = (weights * n * mean).sum(axis=1) / paired
    return effect, alone, of_base


def _estimate(
    value: float,
    draws: FloatArray,
    options: SpreadOptions,
    n: int,
    n_problems: int,
    n_runs: int,
    left_out: Mapping[str, int],
) -> Estimate:
    finite = draws[np.isfinite(draws)]
    with_seeds = options.resample_seeds and n_runs > 1
    what = f"problems and {n_runs} runs" if with_seeds else "problems"
    method = f"percentile bootstrap over {what}, {options.n_resamples:,} draws"
    low = high = float("nan")
    if n_problems < 2:
        method = "no interval: fewer than two problems"
    elif len(finite) * 2 < len(draws):
        method = f"no interval: {method}, most of them without a value"
    else:
        ends = [(1 - options.confidence) / 2, (1 + options.confidence) / 2]
        low, high = (float(end) for end in np.quantile(finite, ends))
    return Estimate(value, low, high, options.confidence, n, n_problems, method, dict(left_out))
