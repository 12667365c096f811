"""DARLING's reward over a table of rollouts: classes, rewards, advantages and what they reorder."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.labs.diversity.classes import LINKINGS, IntArray, Linking, has_texts, partition
from core.labs.diversity.darling import (
    FLOOR,
    Normalisation,
    Rule,
    Shift,
    correct_only_scores,
    darling_reward,
    diversity_scores,
    normalised,
)
from core.labs.diversity.measures import mean_distance, vendi_score
from core.labs.diversity.similarity import Similarity
from core.labs.diversity.traps import TRAPS, GroupFacts, Trap, blown_up, group_traps
from core.labs.groups import GROUP_KEYS, FloatArray, Scale, group_advantages
from core.stats import Estimate, clustered_mean

GROUP_OF_ONE = "group of one: no others to differ from"
NO_REWARD = "no reward"
INFINITE = "infinite reward"


@dataclass(frozen=True)
class Options:
    """How the reward is made.

    Attributes:
        threshold: at or above it two responses say the same.
        linking: how pairs become classes.
        short_rule: whether texts of at most five words are compared by their words.
        rule: how quality and diversity are combined.
        floor: the least that diversity counts for.
        weight: of diversity under "add".
        quality_threshold: what is good enough under "threshold".
        normalisation: what is done to Div first.
        shift: what is done to quality first.
        correct_only: compares right responses with right ones only (needs `correct`).
        scale: what advantages are divided by; the paper divides by nothing.
        seed: of the intervals.
    """

    threshold: float = 0.5
    linking: Linking = "transitive"
    short_rule: bool = True
    rule: Rule = "multiply"
    floor: float = FLOOR
    weight: float = 1.0
    quality_threshold: float = 0.5
    normalisation: Normalisation = "none"
    shift: Shift = "none"
    correct_only: bool = False
    scale: Scale = "none"
    seed: int = 0


@dataclass(frozen=True)
class DarlingResult:
    """DARLING's reward on recorded groups.

    Attributes:
        responses: one row a response: the group's keys, `place` (row of the similarity's table),
            `sample`, `quality`, `class_id`, `diversity` (Div), `reward`, `advantage`,
            `quality_advantage` (what quality alone would give, scaled alike), `rank` and
            `quality_rank` (1 is best; ties share their mean), `rank_change` (above 0: DARLING lifts
            it).
        groups: one row a group: the keys, `n`, `n_classes`, `vendi`, `mean_distance`, `spread`
            (standard deviation of the rewards), `reversed` (share of the pairs of different quality
            whose order turns round), `best_changed` (whether no best response by quality is best by
            reward) and a column of truth values for each trap.
        estimates: means over groups by what they are, intervals over problems.
        traps: by trap, how many groups are in it.
        left_out: responses that have no reward here, by reason.
        notes: what else a reader must know.
    """

    responses: pd.DataFrame
    groups: pd.DataFrame
    estimates: Mapping[str, Estimate]
    traps: Mapping[Trap, int]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]


def run(similarity: Similarity, options: Options | None = None) -> DarlingResult:
    """Makes DARLING's reward of every group of the table.

    A group is all samples of one problem at one step of one run and split.

    Args:
        similarity: of the table's rows; the column `reward` is the quality.
        options: how the reward is made.

    Returns:
        Empty tables where no group has two usable responses; `left_out` says why.
    """
    chosen = options or Options()
    left_out: Counter[str] = Counter(similarity.left_out)
    rows: list[pd.DataFrame] = []
    groups: list[dict[str, Any]] = []
    for keys, positions in groups_of(similarity.table, left_out):
        if len(positions) < 2:
            left_out[GROUP_OF_ONE] += len(positions)
            continue
        responses, told = _one_group(similarity, positions, chosen)
        rows.append(responses.assign(**keys))
        groups.append(keys | told)
    table = pd.DataFrame(groups)
    if len(table):
        table["blown up"] = blown_up(table["spread"].to_numpy(dtype=float), chosen.scale)
    traps: dict[Trap, int] = {trap: int(table[trap].sum()) if len(table) else 0 for trap in TRAPS}
    return DarlingResult(
        pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(),
        table,
        _estimates(table, chosen.seed),
        traps,
        {reason: count for reason, count in left_out.items() if count},
        _notes(similarity),
    )


def groups_of(
    table: pd.DataFrame, left_out: Counter[str], *, needs_reward: bool = True
) -> Iterator[tuple[dict[str, Any], IntArray]]:
    """The groups of a table: their keys and the places of their usable rows, in the table's order.

    Args:
        table: rollouts, index from 0 up.
        left_out: is added to for rows without a finite reward.
        needs_reward: whether rows without one are left out.
    """
    usable = np.ones(len(table), dtype=bool)
    if needs_reward:
        rewards = table["reward"].to_numpy(dtype=np.float64, na_value=np.nan)
        usable = np.isfinite(rewards)
        left_out[NO_REWARD] += int(np.isnan(rewards).sum())
        left_out[INFINITE] += int(np.isinf(rewards).sum())
    keys = [name for name in GROUP_KEYS if name in table.columns]
    codes = table.groupby(keys, sort=False, dropna=False, observed=True).ngroup().to_numpy()
    order = np.argsort(codes, kind="stable")
    ends = np.flatnonzero(np.diff(codes[order])) + 1
    for positions in np.split(order, ends) if len(order) else ():
        first = table.iloc[positions[0]]
        yield {name: first[name] for name in keys}, positions[usable[positions]]


def _one_group(
    similarity: Similarity, positions: IntArray, options: Options
) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = similarity.table.iloc[positions]
    quality = rows["reward"].to_numpy(dtype=np.float64)
    alike = similarity.of(positions)
    texts = None
    if options.short_rule and has_texts(similarity.method):
        texts = similarity.texts(positions)
    by_linking = {
        linking: partition(alike, options.threshold, linking, short_texts=texts)
        for linking in LINKINGS
    }
    classes = by_linking[options.linking]
    diversity = _diversity(rows, classes.labels, options)
    reward = darling_reward(
        quality,
        diversity,
        rule=options.rule,
        floor=options.floor,
        weight=options.weight,
        quality_threshold=options.quality_threshold,
        normalisation=options.normalisation,
        shift=options.shift,
    )
    shifted = quality - quality.min() if options.shift == "minimum" else quality
    weight = np.maximum(normalised(diversity, options.normalisation), options.floor)
    facts = GroupFacts(
        shifted, weight, reward, classes,
        by_linking["greedy"].n_classes, by_linking["transitive"].n_classes,
    )  # fmt: skip
    found = group_traps(facts, options.rule)
    told: dict[str, Any] = {
        "n": len(positions),
        "n_classes": classes.n_classes,
        "vendi": vendi_score(alike),
        "mean_distance": mean_distance(alike),
        "spread": float(reward.std()),
        "reversed": reversed_share(quality, reward),
        "best_changed": best_changed(quality, reward),
        **{str(trap): trap in found for trap in TRAPS},
    }
    return _responses(rows, positions, classes.labels, diversity, reward, options), told


def _diversity(rows: pd.DataFrame, labels: IntArray, options: Options) -> FloatArray:
    if options.correct_only and "correct" in rows.columns:
        right = rows["correct"].fillna(False).to_numpy(dtype=bool)
        return correct_only_scores(labels.tolist(), right, floor=options.floor)
    return diversity_scores(labels.tolist())


def _responses(
    rows: pd.DataFrame,
    positions: IntArray,
    labels: IntArray,
    diversity: FloatArray,
    reward: FloatArray,
    options: Options,
) -> pd.DataFrame:
    quality = rows["reward"].to_numpy(dtype=np.float64)
    ranks, by_quality = _ranks(reward), _ranks(quality)
    return pd.DataFrame(
        {
            "place": positions,
            "sample": rows["sample"].to_numpy(),
            "quality": quality,
            "class_id": labels,
            "diversity": diversity,
            "reward": reward,
            "advantage": group_advantages(reward, scale=options.scale),
            "quality_advantage": group_advantages(quality, scale=options.scale),
            "rank": ranks,
            "quality_rank": by_quality,
            "rank_change": by_quality - ranks,
        }
    )


def reversed_share(quality: FloatArray, reward: FloatArray) -> float:
    """Of the pairs of different quality, the share whose order the reward turns round.

    NaN where all qualities are equal. A pair that becomes a tie counts half.
    """
    ahead = np.sign(quality[:, None] - quality[None, :])
    now = np.sign(reward[:, None] - reward[None, :])
    pairs = ahead > 0
    if not pairs.any():
        return float("nan")
    return float(((1.0 - now[pairs]) / 2).mean())


def best_changed(quality: FloatArray, reward: FloatArray) -> bool:
    """Whether no response that is best by quality is among the best by reward."""
    by_quality = quality >= quality.max() - 1e-12
    by_reward = reward >= reward.max() - 1e-12
    return not bool((by_quality & by_reward).any())


def _ranks(values: FloatArray) -> FloatArray:
    # Rounded, so that products that should be equal tie.
    rounded = pd.Series(np.round(values, 12))
    return np.asarray(rounded.rank(ascending=False, method="average"), dtype=np.float64)


def _estimates(groups: pd.DataFrame, seed: int) -> dict[str, Estimate]:
    if not len(groups):
        return {}
    rng = np.random.default_rng(seed)
    problems = groups["problem_id"].tolist()
    named = {
        "classes in a group": "n_classes",
        "Vendi score of a group": "vendi",
        "mean pairwise distance": "mean_distance",
        "pairs whose order turns round": "reversed",
        "groups whose best response changes": "best_changed",
    }
    return {
        what: clustered_mean(groups[column].astype(float), problems, rng=rng)
        for what, column in named.items()
    }


def _notes(similarity: Similarity) -> tuple[str, ...]:
    if not similarity.n_unreadable:
        return ()
    return (
        f"{similarity.n_unreadable:,} responses have no readable "
        f"{'answer' if similarity.method == 'exact' else 'class'}; those of one group count as one "
        "class.",
    )
