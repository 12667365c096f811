"""What became of each problem: classes at a window of steps, and who moves where.

The definitions are the workbench's own; every threshold is an option.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from core.labs.collapse.at_k import Correction, concentration
from core.labs.collapse.counts import methods_of, per_group
from core.labs.collapse.windows import numbered_windows, window_names

ProblemClass = Literal["solved", "collapsed right", "collapsed wrong", "lost", "still diverse"]
CLASSES: tuple[ProblemClass, ...] = get_args(ProblemClass)
NOT_SAMPLED = "not sampled"


@dataclass(frozen=True)
class ClassOptions:
    """Where classes begin.

    Attributes:
        n_windows: windows that the steps are cut into.
        collapsed_from: majority share, in a window, from which a problem is collapsed.
        solved_from: share of right samples from which a problem counts as solved in a window; with
            0 a single right sample is enough.
        lost_first: whether a problem that was solved before and has no right sample now is "lost"
            even where one wrong answer rules it; otherwise that is "collapsed wrong".
        correction: of the entropy that is shown beside.
    """

    n_windows: int = 4
    collapsed_from: float = 0.9
    solved_from: float = 0.0
    lost_first: bool = True
    correction: Correction = "plug-in"

    def definitions(self) -> dict[ProblemClass, str]:
        """What each class means with these options, in the order in which they are tried."""
        share = f"at least {self.collapsed_from:.0%} of the window's answers are one"
        solved = (
            "a right sample" if self.solved_from <= 0 else f"at least {self.solved_from:.0%} right"
        )
        lost = "solved in an earlier window, and no right sample in this one"
        wrong = f"{share} wrong answer"
        meanings: dict[ProblemClass, str] = {"collapsed right": f"{share} right answer"}
        if self.lost_first:
            meanings |= {"lost": lost, "collapsed wrong": wrong}
        else:
            meanings |= {"collapsed wrong": wrong, "lost": lost}
        meanings["solved"] = f"{solved}, and no answer rules"
        meanings["still diverse"] = "none of the above: not solved, and no answer rules"
        return meanings


@dataclass(frozen=True)
class ClassResult:
    """Classes of every problem.

    Attributes:
        table: run, window (from 0), problem_id, n, n_correct, distinct, entropy (nats), majority,
            majority_share, problem_class ("not sampled" where the window has no sample of it).
        windows: names of the windows.
        options: with which they were made.
    """

    table: pd.DataFrame
    windows: tuple[str, ...]
    options: ClassOptions

    def shares(self) -> pd.DataFrame:
        """method, window, problem_class, n (run × problem), share of those sampled."""
        rows = self.table.loc[self.table["problem_class"] != NOT_SAMPLED]
        method = methods_of(rows["run"])
        keys = ["method", "window", "problem_class"]
        found = rows.assign(method=method).groupby(keys).size().rename("n").reset_index()
        total = found.groupby(["method", "window"])["n"].transform("sum")
        return found.assign(share=found["n"] / total)


def classify(counts: pd.DataFrame, options: ClassOptions | None = None) -> ClassResult:
    """The class of each run's problems in each window: exactly one each.

    Args:
        counts: `COUNT_COLUMNS` of one split.
        options: where classes begin.
    """
    chosen = options or ClassOptions()
    windows = numbered_windows(counts["step"], chosen.n_windows) if len(counts) else {}
    names = window_names(counts["step"], chosen.n_windows) if len(counts) else []
    placed = counts.assign(window=counts["step"].map(windows))
    keys = ["run", "problem_id", "window"]
    rows = per_group(placed, keys)[[*keys, "n", "n_correct"]]
    rows = rows.merge(concentration(placed, keys, correction=chosen.correction), on=keys)
    rows = _with_gaps(rows, len(names)).sort_values(keys, kind="stable").reset_index(drop=True)
    rows["problem_class"] = _classes(rows, chosen)
    columns = ["n", "n_correct", "distinct", "entropy", "majority", "majority_share"]
    return ClassResult(
        rows[["run", "window", "problem_id", *columns, "problem_class"]], tuple(names), chosen
    )


def transitions(
    result: ClassResult, start: int, end: int, *, runs: Sequence[str] | None = None
) -> pd.DataFrame:
    """How many problems went from one class to another between two windows.

    Args:
        result: of `classify`.
        start: window from 0.
        end: window from 0.
        runs: only these; all by default.

    Returns:
        Classes at `start` (rows) by classes at `end` (columns), run × problem counted; those not
        sampled in a window have a row or column of their own.
    """
    rows = result.table
    if runs is not None:
        rows = rows.loc[rows["run"].isin(list(runs))]
    wide = rows.pivot(index=["run", "problem_id"], columns="window", values="problem_class")
    order = [*CLASSES, NOT_SAMPLED]
    if start not in wide.columns or end not in wide.columns:
        return pd.DataFrame(0, index=order, columns=order)
    found = pd.crosstab(wide[start], wide[end])
    return found.reindex(index=order, columns=order, fill_value=0)


def _with_gaps(rows: pd.DataFrame, n_windows: int) -> pd.DataFrame:
    """A row for every window of every run's problem, empty where it was not sampled."""
    pairs = rows[["run", "problem_id"]].drop_duplicates()
    grid = pairs.merge(pd.DataFrame({"window": range(n_windows)}), how="cross")
    whole = grid.merge(rows, on=["run", "problem_id", "window"], how="left")
    numbers = ["n", "n_correct", "distinct"]
    whole[numbers] = whole[numbers].fillna(0).astype("int64")
    return whole


def _classes(rows: pd.DataFrame, options: ClassOptions) -> list[str]:
    """Exactly one class a row; rows are in order of window within run and problem."""
    share = rows["n_correct"] / rows["n"].where(rows["n"] > 0)
    solved = (rows["n_correct"] > 0) & (share >= options.solved_from)
    so_far = solved.astype("int64").groupby([rows["run"], rows["problem_id"]]).cumsum()
    before = so_far - solved.astype("int64") > 0
    rules = rows["majority_share"] >= options.collapsed_from
    right = rows["majority_correct"].astype("boolean").fillna(False).astype(bool)
    wrong = (rules & ~right, "collapsed wrong")
    lost = (before & (rows["n_correct"] == 0), "lost")
    tried = [
        (rows["n"] == 0, NOT_SAMPLED),
        (rules & right, "collapsed right"),
        *((lost, wrong) if options.lost_first else (wrong, lost)),
        (solved, "solved"),
    ]
    found = np.select([holds for holds, _ in tried], [name for _, name in tried], "still diverse")
    return [str(name) for name in found]
