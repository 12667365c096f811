"""Rollouts as counts: how often each answer was given in each group, and how often it was right.

All of the lab works from this table, which is far smaller than the rollouts; whoever has a million
rollouts can make it in a database and hand it over.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from core.errors import TableError
from core.labs.collapse.bonus import Unreadable

UNREADABLE = "(could not be read)"
"""The one answer that all unreadable ones are, when they are an answer at all."""

GROUP = ("run", "split", "step", "problem_id")
COUNT_COLUMNS = (*GROUP, "answer", "n", "n_correct", "n_judged", "reward", "n_rewarded")
"""One row an answer of a group: how often it was given, how often it was right and among how many
whose correctness is known, the sum of the finite rewards and how many those are."""

NEEDED = ("run", "step", "problem_id", "answer")

NO_PLACE = "no run, step or problem"
TWICE = "the same sample twice"
NO_VERDICT = "correct or not is unknown (counted as a sample, not in pass@k)"
NO_REWARD = "no finite reward (counted as a sample, not in mean rewards)"


@dataclass(frozen=True)
class AnswerCounts:
    """The counts and what was counted apart.

    Attributes:
        table: `COUNT_COLUMNS`. Where unreadable answers are excluded their rows stay, with a
            missing answer: they use up budget and can be wrong, but are no distinct answer.
        n_rollouts: rows of the rollout table.
        n_unreadable: samples whose answer could not be read.
        unreadable: what those count as.
        left_out: what could not be counted, by reason.
    """

    table: pd.DataFrame
    n_rollouts: int
    n_unreadable: int
    unreadable: Unreadable
    left_out: Mapping[str, int] = field(default_factory=dict)

    def of(self, *, split: str | None = None, runs: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows of one split or of some runs."""
        rows = self.table
        if split is not None:
            rows = rows.loc[rows["split"] == split]
        return rows if runs is None else rows.loc[rows["run"].isin(list(runs))]

    def splits(self) -> tuple[str, ...]:
        """The splits that are there, "train" first."""
        found = [str(name) for name in self.table["split"].unique()]
        return tuple(sorted(found, key=lambda name: (name != "train", name)))


def answer_counts(rollouts: pd.DataFrame, *, unreadable: Unreadable = "bucket") -> AnswerCounts:
    """Counts the answers of each group.

    A sample that is there twice counts once. Without a column `split` all rollouts are "train".

    Args:
        rollouts: a rollout table; `run`, `step`, `problem_id` and `answer` are needed, and
            `correct`, `reward`, `split` and `sample` are read where they are.
        unreadable: whether answers that could not be read are one answer or none.

    Raises:
        TableError: when a needed column is missing.
    """
    missing = [name for name in NEEDED if name not in rollouts.columns]
    if missing:
        raise TableError(
            f"The rollouts have no column {', '.join(missing)}.",
            fix=f"This lab needs {', '.join(NEEDED)}; rename the columns when you load the file.",
        )
    rows, reasons = _placed(rollouts)
    answers = rows["answer"].astype("object").where(rows["answer"].notna(), None)
    read = answers.notna()
    rows["answer"] = answers.where(read, UNREADABLE if unreadable == "bucket" else None)
    reasons[NO_VERDICT] += int((rows["n_judged"] == 0).sum()) if len(rows) else 0
    reasons[NO_REWARD] += int((rows["n_rewarded"] == 0).sum()) if "reward" in rollouts else 0
    numbers = ["n", "n_correct", "n_judged", "reward", "n_rewarded"]
    table = rows.groupby([*GROUP, "answer"], sort=True, dropna=False, observed=True)[numbers].sum()
    counted = table.reset_index().astype({name: "int64" for name in numbers if name != "reward"})
    return AnswerCounts(
        table=counted.astype({"answer": "object"})[list(COUNT_COLUMNS)],
        n_rollouts=len(rollouts),
        n_unreadable=int((~read).sum()),
        unreadable=unreadable,
        left_out={reason: count for reason, count in reasons.items() if count},
    )


def per_group(counts: pd.DataFrame, by: Sequence[str] = GROUP) -> pd.DataFrame:
    """Each group in one row: samples, verdicts, rewards, distinct answers and the majority.

    Args:
        counts: `COUNT_COLUMNS`.
        by: what names a group; fewer columns pool their groups.

    Returns:
        `by`, n, n_correct, n_judged, reward (sum), n_rewarded, distinct (answers), n_answered
        (samples with an answer that counts), majority (the most frequent answer; the first in
        alphabetical order among equals), n_majority, n_majority_correct.
    """
    keys = list(by)
    numbers = ["n", "n_correct", "n_judged", "reward", "n_rewarded"]
    pooled = pooled_answers(counts, keys)
    whole = pooled.groupby(keys, sort=True, observed=True)[numbers].sum()
    given = pooled.loc[pooled["answer"].notna()]
    grouped = given.groupby(keys, sort=True, observed=True)
    whole["distinct"] = grouped.size()
    whole["n_answered"] = grouped["n"].sum()
    ordered = given.sort_values("n", ascending=False, kind="stable")
    first = ordered.drop_duplicates(keys).set_index(keys)
    whole["majority"] = first["answer"]
    whole["n_majority"] = first["n"]
    whole["n_majority_correct"] = first["n_correct"]
    filled = ["distinct", "n_answered", "n_majority", "n_majority_correct"]
    whole[filled] = whole[filled].fillna(0).astype("int64")
    return whole.reset_index()


def pooled_answers(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The counts with groups pooled: one row an answer of what `by` names."""
    numbers = ["n", "n_correct", "n_judged", "reward", "n_rewarded"]
    keys = [*by, "answer"]
    return counts.groupby(keys, sort=True, dropna=False, observed=True)[numbers].sum().reset_index()


def method_of(run: str) -> str:
    """The method of a run: its name up to "/seed-", so that seeds of one method can be pooled."""
    return run.partition("/seed-")[0]


def methods_of(runs: "pd.Series[str]") -> "pd.Series[str]":
    """The method of each row's run."""
    return runs.map({run: method_of(str(run)) for run in runs.unique()}).astype("str")


def _placed(rollouts: pd.DataFrame) -> tuple[pd.DataFrame, "Counter[str]"]:
    """The rows that belong somewhere, each sample once, with what is summed over them."""
    reasons = Counter[str]()
    columns = [n for n in (*GROUP, "sample", "answer", "correct", "reward") if n in rollouts]
    rows = rollouts[columns]
    steps = pd.to_numeric(rows["step"], errors="coerce")
    placed = rows["run"].notna() & rows["problem_id"].notna() & np.isfinite(steps.astype("float64"))
    reasons[NO_PLACE] = int((~placed).sum())
    rows = rows.loc[placed].assign(step=steps.loc[placed].astype("int64"))
    rows["split"] = rows["split"].fillna("train") if "split" in rows else "train"
    rows = rows.astype(dict.fromkeys(("run", "split", "problem_id"), "str"))
    if "sample" in rows:
        # Samples without a number cannot be told apart and all count.
        twice = rows.duplicated([*GROUP, "sample"]) & rows["sample"].notna()
        reasons[TWICE] = int(twice.sum())
        rows = rows.loc[~twice]
    return _with_sums(rows.copy()), reasons


def _with_sums(rows: pd.DataFrame) -> pd.DataFrame:
    unknown = pd.Series(pd.NA, index=rows.index, dtype="boolean")
    correct = rows["correct"].astype("boolean") if "correct" in rows else unknown
    nothing = pd.Series(np.nan, index=rows.index)
    reward = pd.to_numeric(rows["reward"], errors="coerce") if "reward" in rows else nothing
    finite = np.isfinite(reward.astype("float64"))
    return rows.assign(
        n=1,
        n_correct=correct.fillna(False).astype("int64"),
        n_judged=correct.notna().astype("int64"),
        reward=reward.astype("float64").where(finite, 0.0),
        n_rewarded=finite.astype("int64"),
    )
