"""Historical coverage: what a run has ever solved and ever answered, sample by sample.

Both can only grow, whatever becomes of the policy: they are no pass@k of a checkpoint. After Song
et al. 2025 (arXiv 2509.06941), figure 2: problems solved at least once and distinct answers ever
given, against samples of a problem, for all problems and for unsolved ones, beside the base model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from core.labs.collapse.counts import method_of, per_group
from core.labs.collapse.resampling import ESTIMATE_COLUMNS, mean_bands

Cohort = Literal["all", "solved at end", "unsolved at end", "unsolved so far"]
COHORTS: tuple[Cohort, ...] = get_args(Cohort)
COHORT_MEANING: dict[Cohort, str] = {
    "all": "every problem that has the whole budget",
    "solved at end": "problems that the run solved at least once within the budget",
    "unsolved at end": "problems that the run never solved within the budget: the same problems "
    "from the first step to the last",
    "unsolved so far": "problems that the run had not solved yet: the easy ones leave first, so "
    "the problems behind the curve change along it",
}

KEYS = ("run", "problem_id")


@dataclass(frozen=True)
class Curves:
    """Cumulative curves of methods at one budget.

    Attributes:
        table: a row for each method, cohort, measure and budget: value, low, high, n (run ×
            problem), n_prompts (problems), method_of_interval.
        budget: samples of each problem that every run has.
        n_problems: problems that have the budget in every run.
        notes: what was cut, a sentence each.
    """

    table: pd.DataFrame
    budget: int
    n_problems: int
    notes: tuple[str, ...]


def progress(counts: pd.DataFrame) -> pd.DataFrame:
    """How far each problem has come in each run after each step it was sampled at.

    Args:
        counts: `COUNT_COLUMNS` of one split.

    Returns:
        run, problem_id, step, n, n_correct, distinct (within the group), drawn (samples so far),
        new (answers never given before), distinct_so_far, correct_so_far, solved (ever so far),
        first_solve (whether this is the first step with a right sample).
    """
    steps = per_group(counts, ("run", "problem_id", "step"))
    given = counts.loc[counts["answer"].notna()]
    firsts = given.groupby([*KEYS, "answer"], sort=False, observed=True)["step"].min()
    new = firsts.reset_index().groupby([*KEYS, "step"], sort=False, observed=True).size()
    index = pd.MultiIndex.from_frame(steps[[*KEYS, "step"]])
    steps["new"] = new.reindex(index).fillna(0).astype("int64").to_numpy()
    grouped = steps.groupby(list(KEYS), sort=False, observed=True)
    steps["drawn"] = grouped["n"].cumsum()
    steps["distinct_so_far"] = grouped["new"].cumsum()
    steps["correct_so_far"] = grouped["n_correct"].cumsum()
    steps["solved"] = steps["correct_so_far"] > 0
    steps["first_solve"] = steps["solved"] & (steps["correct_so_far"] == steps["n_correct"])
    columns = ["n", "n_correct", "distinct", "drawn", "new", "distinct_so_far", "correct_so_far"]
    return steps[[*KEYS, "step", *columns, "solved", "first_solve"]]


def common_budget(steps: pd.DataFrame, *, share: float = 0.9) -> int:
    """The most samples of a problem that `share` of its problems have in every run.

    A budget that the last problem has too would throw most of the record away where sampling is
    uneven; problems that lack it are left out of the curves and counted.

    Args:
        steps: from `progress`.
        share: of the problems that are in every run.
    """
    totals = steps.groupby(list(KEYS), observed=True)["drawn"].max().unstack("run")
    least = np.sort(totals.dropna().min(axis=1).to_numpy(dtype=float))
    if not len(least):
        return 0
    place = int(np.floor((1.0 - share) * len(least)))
    return int(least[min(place, len(least) - 1)])


def at_budgets(steps: pd.DataFrame, budgets: Sequence[int]) -> pd.DataFrame:
    """Each run's and problem's state after at most so many samples of the problem.

    Args:
        steps: from `progress`.
        budgets: samples of a problem. Where a group ends beyond a budget, the state before that
            group counts, so groups of another size are read a little early.

    Returns:
        run, problem_id, budget, distinct_so_far, solved, complete (whether the run drew that many).
    """
    ordered = steps.sort_values("drawn", kind="stable")
    wide = pd.DataFrame({"budget": np.asarray(sorted(budgets), dtype="int64")})
    pairs = steps.groupby(list(KEYS), observed=True)["drawn"].max().rename("total").reset_index()
    grid = pairs.merge(wide, how="cross").sort_values("budget", kind="stable")
    found = pd.merge_asof(
        grid,
        ordered[[*KEYS, "drawn", "distinct_so_far", "solved"]],
        left_on="budget",
        right_on="drawn",
        by=list(KEYS),
    )
    found["complete"] = found["total"] >= found["budget"]
    found["distinct_so_far"] = found["distinct_so_far"].fillna(0)
    found["solved"] = found["solved"].astype("boolean").fillna(False).astype(bool)
    return found[[*KEYS, "budget", "distinct_so_far", "solved", "complete"]]


def cumulative_curves(
    steps: pd.DataFrame,
    *,
    base_runs: Sequence[str] = (),
    n_points: int = 24,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 1_000,
) -> Curves:
    """Share solved and distinct answers so far, at equal samples of a problem, for each method.

    For the cohorts of a method, "base" is also read on the very problems of that cohort: rows
    "base on the same problems" pair each run of the method with the mean of the base runs.

    Args:
        steps: from `progress`, of one split.
        base_runs: runs of the untrained policy.
        n_points: budgets along the curve.
        rng: source of the resampling, which is over problems.
        confidence: of the intervals.
        n_resamples: bootstrap draws for each point.
    """
    budget = common_budget(steps)
    if not budget:
        return Curves(pd.DataFrame(columns=_CURVE_COLUMNS), 0, 0, (_NO_COMMON,))
    budgets = _grid(steps, budget, n_points)
    states = at_budgets(steps, budgets)
    last = states.loc[(states["budget"] == budgets[-1]) & states["complete"]]
    n_runs = steps["run"].nunique()
    per_problem = last.groupby("problem_id", observed=True).size()
    usable = per_problem.index[per_problem == n_runs]
    states = states.loc[states["problem_id"].isin(usable)]
    states = _with_cohorts(states, last)
    kinds = [name for name in states["run"].unique() if name not in set(base_runs)]
    frames = [_of_method(states, method, rows, base_runs) for method, rows in _methods(kinds)]
    if base_runs:
        frames.append(_of_method(states, BASE, list(base_runs), ()))
    table = _estimates(pd.concat(frames), rng, confidence, n_resamples)
    notes = _cut_notes(steps, budgets[-1], len(usable))
    return Curves(table, budgets[-1], len(usable), notes)


BASE = "base"
ITSELF = "itself"
BASE_SAME = "base on the same problems"
_NO_COMMON = "No problem was sampled in every run, so there is no equal budget to compare at."
_CURVE_COLUMNS = ("method", "compared", "cohort", "measure", "budget", *ESTIMATE_COLUMNS)


def _grid(steps: pd.DataFrame, budget: int, n_points: int) -> list[int]:
    """Budgets at which the first run's most sampled problem ends a group, thinned."""
    ends = np.unique(steps.loc[steps["drawn"] <= budget, "drawn"].to_numpy())
    if len(ends) <= n_points:
        return [int(end) for end in ends]
    places = np.unique(np.linspace(0, len(ends) - 1, n_points).round().astype(int))
    return [int(ends[place]) for place in places]


def _with_cohorts(states: pd.DataFrame, last: pd.DataFrame) -> pd.DataFrame:
    ends = last.set_index(list(KEYS))["solved"]
    index = pd.MultiIndex.from_frame(states[list(KEYS)])
    return states.assign(solved_at_end=ends.reindex(index).astype(bool).to_numpy())


def _methods(runs: Sequence[str]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for run in runs:
        found.setdefault(method_of(run), []).append(run)
    return list(found.items())


def _of_method(
    states: pd.DataFrame, method: str, runs: Sequence[str], base_runs: Sequence[str]
) -> pd.DataFrame:
    """A method's rows, and those of the base on the same problems, in the cohorts of its runs."""
    own = states.loc[states["run"].isin(runs)]
    own = own.assign(method=method, compared=ITSELF, share_solved=own["solved"].astype(float))
    if not base_runs:
        return own
    base = states.loc[states["run"].isin(base_runs)]
    mean = base.groupby(["problem_id", "budget"], observed=True)[["distinct_so_far", "solved"]]
    paired = own.drop(columns=["distinct_so_far", "share_solved"]).merge(
        mean.mean().rename(columns={"solved": "share_solved"}).reset_index(),
        on=["problem_id", "budget"],
    )
    return pd.concat([own, paired.assign(compared=BASE_SAME)])


def _estimates(
    states: pd.DataFrame, rng: np.random.Generator, confidence: float, n_resamples: int
) -> pd.DataFrame:
    found: list[pd.DataFrame] = []
    for names, rows in states.groupby(["method", "compared"], sort=False):
        method, compared = (str(name) for name in names)
        for cohort in COHORTS:
            members = rows.loc[_members(rows, cohort)]
            # Whether an unsolved problem is solved is known beforehand.
            measures = ("distinct", "solved") if cohort == "all" else ("distinct",)
            for measure in measures:
                column = "distinct_so_far" if measure == "distinct" else "share_solved"
                bands = mean_bands(
                    members,
                    column,
                    "budget",
                    rng=rng,
                    confidence=confidence,
                    n_resamples=n_resamples,
                )
                key = {"method": method, "compared": compared, "cohort": cohort}
                found.append(bands.assign(**key, measure=measure))
    return pd.concat(found, ignore_index=True)[list(_CURVE_COLUMNS)]


def _members(rows: pd.DataFrame, cohort: Cohort) -> "pd.Series[bool]":
    if cohort == "all":
        return pd.Series(True, index=rows.index)
    if cohort == "unsolved so far":
        return ~rows["solved"].astype(bool)
    solved = rows["solved_at_end"].astype(bool)
    return solved if cohort == "solved at end" else ~solved


def _cut_notes(steps: pd.DataFrame, budget: int, n_usable: int) -> tuple[str, ...]:
    n_problems = steps["problem_id"].nunique()
    beyond = steps.loc[steps["drawn"] > budget]
    notes = []
    if n_usable < n_problems:
        notes.append(
            f"{n_problems - n_usable} of {n_problems} problems have fewer than {budget} samples "
            "in some run and are left out of the curves."
        )
    if len(beyond):
        notes.append(
            f"{int(beyond['n'].sum()):,} samples beyond {budget} of a problem are cut off, so that "
            "all runs are read at the same budget."
        )
    return tuple(notes)
