"""Exploration bonuses recomputed on recorded groups: who is paid, and how the ranking moves.

The groups were drawn by the run that is recorded. What a bonus would have made of later groups,
had it been paid, they cannot tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from core.errors import TableError
from core.labs.collapse.bonus import (
    Place,
    Scheme,
    Unreadable,
    advantages_with_bonus,
    exploration_bonus,
    ucb_bonus,
)
from core.labs.collapse.counts import UNREADABLE
from core.labs.groups import GroupStatus, Scale, group_status

NO_REWARD = "no finite reward"


@dataclass(frozen=True)
class BonusOptions:
    """What is paid.

    Attributes:
        scheme: of the bonus.
        c: its weight; the paper takes 0.2.
        b0: constant of UCB-Con; the paper takes 1 (easy set) and 0.5 (medium set).
        n: only the first n samples of the group; all where it is None.
        place: added to the advantage (the paper) or to the reward.
        scale: standard deviation that divides advantages.
        count_group: whether N(x, a) holds the group itself too; the paper's N is of before.
        unreadable: what an answer that could not be read counts as.
    """

    scheme: Scheme = "ucb"
    c: float = 0.2
    b0: float = 0.5
    n: int | None = None
    place: Place = "advantage"
    scale: Scale = "population"
    count_group: bool = False
    unreadable: Unreadable = "bucket"


@dataclass(frozen=True)
class Exploration:
    """A group with and without the bonus.

    Attributes:
        table: a row a sample: sample, answer, correct, reward, seen_before (N), bonus, advantage,
            advantage_with_bonus, rank_before, rank_after (1 is pushed up most; ties share the mean
            rank), moved (ranks gained).
        status: all wrong, mixed or all right.
        agreement: Kendall's tau-b between the two rankings; NaN where one has no order.
        n_moved: samples whose rank changed.
        options: of the bonus.
        left_out: samples that could not be used, by reason.
    """

    table: pd.DataFrame
    status: GroupStatus
    agreement: float
    n_moved: int
    options: BonusOptions
    left_out: Mapping[str, int]


def history_before(
    counts: pd.DataFrame, run: str, problem_id: str, step: int
) -> dict[str | None, int]:
    """N(x, a): how often each answer of a problem was given in a run before a step.

    Args:
        counts: `COUNT_COLUMNS` of the training split.
        run: the run.
        problem_id: the problem x.
        step: the group's; its own samples do not count.
    """
    rows = counts.loc[
        (counts["run"] == run) & (counts["problem_id"] == problem_id) & (counts["step"] < step)
    ]
    totals = rows.groupby("answer", dropna=False)["n"].sum()
    return {None if _missing(answer) else str(answer): int(n) for answer, n in totals.items()}


def explore(
    group: pd.DataFrame, history: Mapping[str | None, int], options: BonusOptions | None = None
) -> Exploration:
    """The bonus and the advantage of each sample of one group.

    Args:
        group: rows of a rollout table: sample, answer, correct, reward.
        history: N(x, a) before the group (`history_before`).
        options: what is paid.

    Raises:
        TableError: when no sample of the group has a finite reward.
    """
    chosen = options or BonusOptions()
    rows, left_out = _usable(group, chosen.n)
    rewards = rows["reward"].astype("float64")
    answers = [None if _missing(answer) else str(answer) for answer in rows["answer"]]
    right = rows["correct"].astype("boolean").fillna(False).to_numpy(dtype=bool)
    seen = _seen(answers, history, chosen)
    table = pd.DataFrame(
        {
            "sample": rows["sample"].to_numpy(),
            "answer": answers,
            "correct": rows["correct"].astype("boolean").to_numpy(),
            "reward": rewards.to_numpy(),
            "seen_before": [seen.get(answer, 0) for answer in answers],
            "bonus": exploration_bonus(
                chosen.scheme,
                answers,
                seen,
                b0=chosen.b0,
                all_correct=bool(right.all()),
                unreadable=chosen.unreadable,
            ),
        }
    )
    return _ranked(table, group_status(right), chosen, left_out)


def _ranked(
    table: pd.DataFrame, status: GroupStatus, options: BonusOptions, left_out: Mapping[str, int]
) -> Exploration:
    """The group with its advantages before and after the bonus, and their order."""
    rewards, bonus = table["reward"].to_numpy(), table["bonus"].to_numpy()
    before = advantages_with_bonus(rewards, np.zeros_like(bonus), c=0.0, scale=options.scale)
    after = advantages_with_bonus(
        rewards, bonus, c=options.c, place=options.place, scale=options.scale
    )
    ranks = _ranks(before), _ranks(after)
    ranked = table.assign(
        advantage=before,
        advantage_with_bonus=after,
        rank_before=ranks[0],
        rank_after=ranks[1],
        moved=ranks[0] - ranks[1],
    )
    n_moved = int((ranked["moved"] != 0).sum())
    return Exploration(ranked, status, _tau(before, after), n_moved, options, left_out)


def bonus_decay(scheme: Scheme, *, b0: float, c: float, most: int = 100) -> pd.DataFrame:
    """How the paid bonus falls with N for one answer: columns seen (N) and paid (c times bonus).

    UCB-Mean depends on the rest of the group and batch on nothing but it, so what is drawn for them
    is UCB and, for batch, a sample nobody repeats.
    """
    seen = np.arange(most + 1)
    paid = np.zeros(len(seen))
    if scheme in ("ucb", "ucb-mean"):
        paid = c * ucb_bonus(seen)
    elif scheme == "ucb-con":
        paid = c * (ucb_bonus(seen) - b0)
    return pd.DataFrame({"seen": seen, "paid": paid})


def group_index(counts: pd.DataFrame) -> pd.DataFrame:
    """The training groups that a bonus can be looked at on, with what is in each.

    Returns:
        run, problem_id, step, n, n_correct, distinct, status.
    """
    keys = ["run", "problem_id", "step"]
    grouped = counts.groupby(keys, sort=True, observed=True)
    table = grouped[["n", "n_correct"]].sum()
    table["distinct"] = grouped["answer"].nunique()
    table = table.reset_index()
    all_right = table["n_correct"] == table["n"]
    words = np.select([all_right, table["n_correct"] > 0], ["all right", "mixed"], "all wrong")
    return table.assign(status=[str(word) for word in words])


def _usable(group: pd.DataFrame, n: int | None) -> tuple[pd.DataFrame, dict[str, int]]:
    """The first n samples in order, each once, with a finite reward."""
    rows = group if "sample" in group else group.assign(sample=range(len(group)))
    rows = rows.sort_values("sample", kind="stable").drop_duplicates("sample")
    rows = rows if n is None else rows.head(n)
    rewards = pd.to_numeric(rows["reward"], errors="coerce").astype("float64")
    usable = np.isfinite(rewards)
    if not usable.any():
        raise TableError(
            "No sample of this group has a finite reward.", fix="Choose another problem or step."
        )
    n_out = int((~usable).sum())
    return rows.assign(reward=rewards).loc[usable], {NO_REWARD: n_out} if n_out else {}


def _seen(
    answers: list[str | None], history: Mapping[str | None, int], options: BonusOptions
) -> dict[str | None, int]:
    """N(x, a) with unreadable answers under None, and with the group itself where that is asked."""
    seen = dict(history)
    seen[None] = seen.get(None, 0) + seen.pop(UNREADABLE, 0)
    if options.count_group:
        for answer in answers:
            seen[answer] = seen.get(answer, 0) + 1
    return seen


def _ranks(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # Float noise must not tell samples of one advantage apart.
    return np.asarray(scipy_stats.rankdata(-np.round(values, 9), method="average"))


def _tau(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> float:
    if len(before) < 2:
        return float("nan")
    return float(scipy_stats.kendalltau(np.round(before, 9), np.round(after, 9)).statistic)


def _missing(answer: object) -> bool:
    return answer is None or answer is pd.NA or (isinstance(answer, float) and np.isnan(answer))
