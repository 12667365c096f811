"""The tables of a battery's result: effects with verdicts, flips, sides and doses."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.invariance.battery_plan import BatteryOptions
from core.labs.invariance.battery_rewards import BatteryRewards
from core.labs.invariance.resampling import (
    clustered_means,
    clustered_standard_errors,
    sign_flip_tests,
)
from core.labs.invariance.verdicts import Change, judge
from core.labs.pairs import SIDE, SIDES
from core.perturbations import GROUPS, Group
from core.stats import Estimate, FloatArray, false_discovery, smallest_detectable_effect

BOTH = "both"
_SHOWN_FLIP: dict[Group, tuple[str, ...]] = {
    "nothing": (BOTH, "chosen", "rejected"),
    "lower": ("chosen", BOTH, "rejected"),
    "raise": ("rejected", BOTH, "chosen"),
    "shortcut": ("rejected", BOTH, "chosen"),
}
"""Whose edit should, or should not, turn the preference; the first that was made is shown."""


def effect_table(
    rewards: BatteryRewards,
    flips: pd.DataFrame,
    options: BatteryOptions,
    *,
    spread: float,
    relevant: float,
) -> pd.DataFrame:
    """One row a perturbation and dose; the columns are those of `BatteryResult.effects`."""
    sides = [SIDES.index(side) for side in options.sides]
    changes = rewards.changes()[:, sides, :]
    values, clusters = _rows_of(changes, rewards)
    estimates = _means(values, clusters, options, stream=0)
    rng = np.random.default_rng([options.seed, 1])
    tests = sign_flip_tests(values, clusters, rng=rng, n_permutations=options.n_permutations)
    errors = clustered_standard_errors(values, clusters)
    table = rewards.items.assign(
        primary=_is_primary(rewards.items, [estimate.n for estimate in estimates]),
        n_planned=rewards.planned[:, sides].sum(axis=(0, 1)),
        n_applied=rewards.made[:, sides].sum(axis=(0, 1)),
        n_pairs=np.isfinite(changes).any(axis=1).sum(axis=0),
        **_columns(estimates, "change"),
        in_spreads=[_over(estimate.value, spread) for estimate in estimates],
        absolute_change=_column_means(np.abs(values)),
        p_value=[test.p_value for test in tests],
        p_adjusted=false_discovery([test.p_value for test in tests]),
    )
    of_one = smallest_detectable_effect(1.0, confidence=options.confidence, power=options.power)
    table["detectable"] = of_one * errors
    table["relevant"] = table["change"].abs() >= relevant
    verdicts = _verdicts(table, estimates, options, relevant)
    return pd.concat([table, verdicts, _shown_flips(rewards.items, flips)], axis=1)


def side_table(rewards: BatteryRewards, options: BatteryOptions) -> pd.DataFrame:
    """The change on each side alone."""
    parts = []
    for side in options.sides:
        at = SIDES.index(side)
        estimates = _means(rewards.changes()[:, at], rewards.prompts, options, stream=2 + at)
        keys = rewards.items[["perturbation", "dose"]].assign(**{SIDE: side})
        parts.append(keys.assign(**_columns(estimates, "change")))
    table = pd.concat(parts, ignore_index=True)
    return table.loc[table["n"] > 0].reset_index(drop=True)


def flip_table(rewards: BatteryRewards, options: BatteryOptions) -> pd.DataFrame:
    """How preferences turn: one row a perturbation, dose and edited side.

    A pair prefers the side with the higher reward by more than the noise floor. It counts 1 where
    it prefers the other side after the edit, half where it prefers none, and not at all where it
    had no preference before. A pair whose sides answer different prompts after the edit has no
    preference to speak of: it is left out and counted in `n_prompts_differ`.
    """
    before = rewards.margins()
    parts = []
    for stream, edited in enumerate((*SIDES, BOTH)):
        after = _margins_after(rewards, edited)
        turned = _turned(before, after, options.noise_floor)
        shares = _means(turned, rewards.prompts, options, stream=10 + stream, shares=True)
        credit_before, credit_after = _credit(before)[:, None], _credit(after)
        gained = credit_after - credit_before
        accuracy = _means(gained, rewards.prompts, options, stream=20 + stream)
        both_known = np.isfinite(gained)
        part = rewards.items[["perturbation", "dose"]].assign(
            edited=edited,
            **_columns(shares, "share"),
            n_without_preference=(np.isfinite(after) & np.isnan(turned)).sum(axis=0),
            n_prompts_differ=_n_prompts_differ(rewards, edited),
            accuracy_before=_column_means(np.where(both_known, credit_before, np.nan)),
            accuracy_after=_column_means(np.where(both_known, credit_after, np.nan)),
            **_columns(accuracy, "accuracy_change", prefix="accuracy_"),
        )
        told = np.isfinite(after).any(axis=0) | (part["n_prompts_differ"].to_numpy() > 0)
        parts.append(part.loc[told])
    return pd.concat(parts, ignore_index=True)


def dose_table(rewards: BatteryRewards, options: BatteryOptions) -> pd.DataFrame:
    """Slope of the reward per unit of dose, for perturbations that were given in two or more doses.

    For each response a least-squares line through its changes at the doses it has, dose 0 (no
    change) among them; the slopes are averaged. Responses with fewer than two doses are counted.
    """
    sides = [SIDES.index(side) for side in options.sides]
    values, clusters = _rows_of(rewards.changes()[:, sides, :], rewards)
    names = rewards.items["perturbation"]
    n_doses = names.value_counts(sort=False)
    several = [str(name) for name in n_doses.index[n_doses > 1]]
    slopes, n_few = [], []
    for name in several:
        columns = np.flatnonzero(names.to_numpy() == name)
        slope, few = _slopes(values[:, columns], rewards.items["dose"].to_numpy()[columns])
        slopes.append(slope)
        n_few.append(few)
    table = rewards.items.drop_duplicates("perturbation").set_index("perturbation").loc[several]
    table = table.drop(columns="dose").reset_index()
    stacked = np.stack(slopes, axis=1) if slopes else np.empty((len(values), 0))
    estimates = _means(stacked, clusters, options, stream=30)
    rng = np.random.default_rng([options.seed, 31])
    tests = sign_flip_tests(stacked, clusters, rng=rng, n_permutations=options.n_permutations)
    p_values = [test.p_value for test in tests]
    return table.assign(
        doses=_doses_of(rewards.items, several),
        **_columns(estimates, "slope"),
        n_too_few_doses=n_few,
        p_value=p_values,
        p_adjusted=false_discovery(p_values),
    )


def _doses_of(items: pd.DataFrame, names: list[str]) -> pd.Series:
    """The doses of each perturbation, as tuples."""
    given = items.groupby("perturbation")["dose"].agg(tuple)
    return given.reindex(names).reset_index(drop=True)


def _rows_of(changes: FloatArray, rewards: BatteryRewards) -> tuple[FloatArray, list[object]]:
    """(pairs, sides, items) as (rows, items), with the prompt of each row."""
    n_sides = changes.shape[1]
    clusters = [prompt for prompt in rewards.prompts for _ in range(n_sides)]
    return changes.reshape(len(clusters), changes.shape[2]), clusters


def _means(
    values: FloatArray,
    clusters: list[object],
    options: BatteryOptions,
    *,
    stream: int,
    shares: bool = False,
) -> list[Estimate]:
    """Column means; each question has its own stream of randomness, so tables do not interact."""
    return clustered_means(
        values,
        clusters,
        rng=np.random.default_rng([options.seed, stream]),
        confidence=options.confidence,
        n_resamples=options.n_resamples,
        shares=shares,
    )


def _columns(
    estimates: list[Estimate], value: str, *, prefix: str = ""
) -> dict[str, npt.NDArray[np.float64] | list[int]]:
    columns: dict[str, npt.NDArray[np.float64] | list[int]] = {
        value: np.array([estimate.value for estimate in estimates], dtype=np.float64),
        f"{prefix}low": np.array([estimate.low for estimate in estimates], dtype=np.float64),
        f"{prefix}high": np.array([estimate.high for estimate in estimates], dtype=np.float64),
    }
    columns[f"{prefix}n"] = [estimate.n for estimate in estimates]
    columns[f"{prefix}n_prompts"] = [estimate.n_prompts for estimate in estimates]
    return columns


def _column_means(values: FloatArray) -> FloatArray:
    present = np.isfinite(values)
    n = present.sum(axis=0)
    total = np.where(present, values, 0.0).sum(axis=0)
    return np.asarray(np.where(n > 0, total / np.maximum(n, 1), np.nan))


def _over(value: float, spread: float) -> float:
    return value / spread if spread > 0 else float("nan")


def _is_primary(items: pd.DataFrame, n_used: list[int]) -> npt.NDArray[np.bool_]:
    """The dose that stands for its perturbation: the most used one, the largest where these tie."""
    ranked = items.assign(n=n_used).sort_values(["n", "dose"], ascending=False, kind="stable")
    primary = ranked.drop_duplicates("perturbation").index
    return np.asarray(items.index.isin(primary))


def _verdicts(
    table: pd.DataFrame, estimates: list[Estimate], options: BatteryOptions, relevant: float
) -> pd.DataFrame:
    """`verdict` and `as_it_should` of each row."""
    verdicts = [
        judge(
            _group(group),
            Change(estimate.value, estimate.low, estimate.high, p_adjusted, detectable),
            level=options.level,
            noise_floor=options.noise_floor,
            relevant=relevant,
        )
        for group, estimate, p_adjusted, detectable in zip(
            table["group"],
            estimates,
            table["p_adjusted"].to_numpy(),
            table["detectable"].to_numpy(),
            strict=True,
        )
    ]
    good = pd.array([verdict.as_it_should for verdict in verdicts], dtype="boolean")
    texts = [verdict.text for verdict in verdicts]
    return pd.DataFrame({"verdict": texts, "as_it_should": good}, index=table.index)


def _group(name: object) -> Group:
    """The group of this name.

    Raises:
        TableError: there is none.
    """
    for group in GROUPS:
        if group == name:
            return group
    raise TableError(f"The group {name!r} is not one of {', '.join(GROUPS)}.")


def _shown_flips(items: pd.DataFrame, flips: pd.DataFrame) -> pd.DataFrame:
    """The flips of each item that its group is about, named for the table of effects."""
    key = ["perturbation", "dose"]
    named = flips.rename(
        columns={"edited": "flip_edited", "share": "flip_share", "n": "n_flip"}
        | {"low": "flip_low", "high": "flip_high"}
    )
    told = (named["n_flip"] > 0) | (named["n_prompts_differ"] > 0)
    candidates = items[[*key, "group"]].merge(named.loc[told], on=key, how="left")
    order = [
        _SHOWN_FLIP[_group(group)].index(edited) if isinstance(edited, str) else 0
        for group, edited in zip(candidates["group"], candidates["flip_edited"], strict=True)
    ]
    first = candidates.assign(order=order).sort_values("order", kind="stable")
    first = first.drop_duplicates(key).sort_index().reset_index(drop=True)
    counts = {"n_flip": 0, "n_prompts_differ": 0}
    shown = first[["flip_edited", "flip_share", "flip_low", "flip_high", *counts]]
    return shown.fillna({"flip_edited": "", **counts}).astype(dict.fromkeys(counts, int))


def _margins_after(rewards: BatteryRewards, edited: str) -> FloatArray:
    """(pairs, items) margin with one side or both edited; NaN where that was not planned.

    With both sides an edit that applied to one of them only leaves the other as it is. An edit of
    the prompt always is an edit of both, and tells nothing where the prompts differ after it.
    """
    original = rewards.original[:, :, None]
    of_response = (rewards.items["target"] == "response").to_numpy()
    if edited != BOTH:
        side = SIDES.index(edited)
        after = np.where(np.arange(2)[None, :, None] == side, rewards.edited, original)
        return np.asarray(np.where(of_response, after[:, 0] - after[:, 1], np.nan))
    after = np.where(rewards.made, rewards.edited, original)
    possible = _edited_together(rewards) & rewards.comparable
    return np.asarray(np.where(possible, after[:, 0] - after[:, 1], np.nan))


def _edited_together(rewards: BatteryRewards) -> npt.NDArray[np.bool_]:
    """(pairs, items) whether both sides were tried and the edit applied to at least one."""
    return np.asarray(rewards.planned.all(axis=1) & rewards.made.any(axis=1))


def _n_prompts_differ(rewards: BatteryRewards, edited: str) -> npt.NDArray[np.int64]:
    """(items,) pairs left out because their sides answer different prompts after the edit."""
    if edited != BOTH:
        return np.zeros(len(rewards.items), dtype=np.int64)
    return np.asarray((_edited_together(rewards) & ~rewards.comparable).sum(axis=0))


def _turned(before: FloatArray, after: FloatArray, noise_floor: float) -> FloatArray:
    first, second = _preference(before, noise_floor)[:, None], _preference(after, noise_floor)
    turned = (1 - first * second) / 2
    return np.where(first == 0, np.nan, turned)


def _preference(margins: FloatArray, noise_floor: float) -> FloatArray:
    return np.where(np.abs(margins) > noise_floor, np.sign(margins), margins * 0.0)


def _credit(margins: FloatArray) -> FloatArray:
    return np.asarray((np.sign(margins) + 1) / 2)


def _slopes(changes: FloatArray, doses: npt.NDArray[np.int64]) -> tuple[FloatArray, int]:
    """Slope of each row's changes over the doses and 0; NaN, and counted, with fewer than two."""
    present = np.isfinite(changes)
    y = np.concatenate([np.zeros((len(changes), 1)), np.where(present, changes, 0.0)], axis=1)
    x = np.concatenate([[0.0], doses.astype(np.float64)])
    weight = np.concatenate([np.ones((len(changes), 1)), present], axis=1)
    n = weight.sum(axis=1, keepdims=True)
    from_mean = weight * (x - (weight * x).sum(axis=1, keepdims=True) / n)
    several = present.sum(axis=1) > 1
    squares = np.where(several, (from_mean**2).sum(axis=1), 1.0)
    slopes = np.where(several, (from_mean * y).sum(axis=1) / squares, np.nan)
    return slopes, int((present.any(axis=1) & ~several).sum())
