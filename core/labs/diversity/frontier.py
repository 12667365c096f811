"""Quality against diversity, a point a temperature, method or step.

After Li et al. 2025 (arXiv 2509.02534), figure 3, which varies the temperature.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.errors import TableError
from core.labs.diversity.classes import Linking, has_texts, partition
from core.labs.diversity.groups import groups_of
from core.labs.diversity.measures import distinct_at_k, distinct_n, mean_distance, vendi_score
from core.labs.diversity.similarity import Similarity
from core.stats import Estimate, clustered_mean

MEASURES: Mapping[str, str] = {
    "distinct_at_k": "different responses among k",
    "vendi": "Vendi score",
    "mean_distance": "mean pairwise distance",
    "distinct_2": "distinct-2 (different word pairs)",
}
"""Diversity of a group, by column; all but the first depend on how many responses a group has."""

TIE = 1e-9
"""Means nearer than this are equal: a diversity at its limit is often reached exactly."""

TOO_FEW = "group smaller than k"


@dataclass(frozen=True)
class Frontier:
    """Quality and diversity by level.

    Attributes:
        by: the column whose values are the levels.
        k: how many responses `distinct_at_k` asks about: the smallest group's size unless chosen.
        groups: one row a group: `level`, `problem_id`, `n`, `quality` (mean reward), the columns of
            `MEASURES`.
        points: one row a level and measure ("quality" and `MEASURES`): `level`, `measure`, `value`,
            `low`, `high`, `n`, `n_prompts`, `method`, `left_out`.
        differences: the same columns for each level minus the first, paired by problem.
        dominated: levels than which another has more quality or more diversity (of the first
            measure), and no less of the other, by the point estimates.
        left_out: responses and groups that could not be used, by reason.
    """

    by: str
    k: int
    groups: pd.DataFrame
    points: pd.DataFrame
    differences: pd.DataFrame
    dominated: tuple[Any, ...]
    left_out: Mapping[str, int]

    def value(self, level: Any, measure: str) -> Estimate:
        """One point."""
        rows = self.points.loc[
            (self.points["level"] == level) & (self.points["measure"] == measure)
        ]
        return _estimate(rows.iloc[0])


def run(
    similarity: Similarity,
    by: str,
    *,
    threshold: float,
    linking: Linking = "transitive",
    short_rule: bool = True,
    k: int | None = None,
    seed: int = 0,
) -> Frontier:
    """Mean reward and diversity of each level, with intervals over problems.

    Args:
        similarity: of a table that has the column `by`.
        by: such as "temperature".
        threshold: at or above it two responses say the same.
        linking: how pairs become classes.
        short_rule: whether texts of at most five words are compared by their words.
        k: responses that `distinct_at_k` asks about; by default the smallest group's size.
        seed: of the intervals.

    Raises:
        TableError: when the column is not there, or nothing can be compared.
    """
    if by not in similarity.table.columns:
        raise TableError(f"These rollouts have no column {by!r}.")
    left_out: Counter[str] = Counter(similarity.left_out)
    found = _groups(similarity, by, threshold, linking, short_rule, left_out)
    if not found:
        raise TableError("No group has two responses with a reward.")
    smallest = min(len(each["labels"]) for each in found)
    asked = smallest if k is None else k
    for each in found:
        each["distinct_at_k"] = distinct_at_k(each.pop("labels"), asked)
    groups = pd.DataFrame(found)
    left_out[TOO_FEW] += int(groups["distinct_at_k"].isna().sum())
    rng = np.random.default_rng(seed)
    points = _points(groups, rng)
    return Frontier(
        by,
        asked,
        groups,
        points,
        _differences(groups, rng),
        _dominated(points),
        {reason: count for reason, count in left_out.items() if count},
    )


def _groups(
    similarity: Similarity,
    by: str,
    threshold: float,
    linking: Linking,
    short_rule: bool,
    left_out: Counter[str],
) -> list[dict[str, Any]]:
    found = []
    rewards = similarity.table["reward"].to_numpy(dtype=np.float64, na_value=np.nan)
    levels = similarity.table[by].to_numpy()
    has_text = has_texts(similarity.method)
    for keys, positions in groups_of(similarity.table, left_out):
        if len(positions) < 2:
            left_out["group of one: no others to differ from"] += len(positions)
            continue
        alike = similarity.of(positions)
        texts = similarity.texts(positions) if has_text else None
        classes = partition(alike, threshold, linking, short_texts=texts if short_rule else None)
        found.append(
            {
                "level": levels[positions[0]],
                "problem_id": keys["problem_id"],
                "n": len(positions),
                "quality": float(rewards[positions].mean()),
                "vendi": vendi_score(alike),
                "mean_distance": mean_distance(alike),
                "distinct_2": distinct_n(texts, 2) if texts else float("nan"),
                "labels": classes.labels.tolist(),
            }
        )
    return found


def _points(groups: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for level, part in groups.groupby("level", sort=True, observed=True):
        problems = part["problem_id"].tolist()
        for measure in ("quality", *MEASURES):
            estimate = clustered_mean(part[measure], problems, rng=rng)
            rows.append({"level": level, "measure": measure, **_told(estimate)})
    return pd.DataFrame(rows)


def _differences(groups: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Each level minus the first, on the problems that both have."""
    rows = []
    measures = ["quality", *MEASURES]
    means = groups.groupby(["level", "problem_id"], observed=True)[measures].mean()
    levels = list(dict.fromkeys(means.index.get_level_values("level")))
    first = means.loc[levels[0]]
    for level in levels[1:]:
        other = means.loc[level]
        shared = first.index.intersection(other.index)
        unpaired = len(first.index.union(other.index)) - len(shared)
        left_out = {"problem of one level only": unpaired} if unpaired else {}
        change = other.loc[shared] - first.loc[shared]
        for measure in measures:
            estimate = clustered_mean(change[measure], shared.tolist(), rng=rng, left_out=left_out)
            rows.append({"level": level, "measure": measure, **_told(estimate)})
    return pd.DataFrame(rows, columns=["level", "measure", *_NAMES])


def _dominated(points: pd.DataFrame) -> tuple[Any, ...]:
    wide = points.pivot(index="level", columns="measure", values="value")
    quality, diversity = wide["quality"], wide["distinct_at_k"]
    found = []
    for level in wide.index:
        more, apart = quality - quality[level], diversity - diversity[level]
        no_less = (more >= -TIE) & (apart >= -TIE)
        if (no_less & ((more > TIE) | (apart > TIE))).any():
            found.append(level)
    return tuple(found)


_NAMES = ("value", "low", "high", "confidence", "n", "n_prompts", "method", "left_out")


def _told(estimate: Estimate) -> dict[str, Any]:
    told = {name: getattr(estimate, name) for name in _NAMES[:-1]}
    return told | {"left_out": sum(estimate.left_out.values())}


def _estimate(row: "pd.Series[Any]") -> Estimate:
    left_out = {"left out": int(row["left_out"])} if row["left_out"] else {}
    return Estimate(
        float(row["value"]), float(row["low"]), float(row["high"]), float(row["confidence"]),
        int(row["n"]), int(row["n_prompts"]), str(row["method"]), left_out,
    )  # fmt: skip


def levels(table: pd.DataFrame) -> Sequence[str]:
    """Columns of a rollout table that a frontier can go over: those with two values or more."""
    candidates = ("temperature", "method", "step", "task")
    found = [c for c in candidates if c in table.columns and table[c].nunique() > 1]
    if {"temperature", "method"} <= set(found):
        pairs = table[["temperature", "method"]].drop_duplicates()
        if len(pairs) == table["temperature"].nunique():  # runs are named for their temperature
            found.remove("method")
    return found
