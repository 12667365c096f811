"""What an update would weigh: one group under each way of choosing, before and after."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from core.labs.groups import Scale, group_advantages
from core.labs.trajectories.penalties import GROUP, Penalised
from core.labs.trajectories.resample import Mode, Resampled, resample_on_correct
from core.stats import Estimate, FloatArray, clustered_mean, clustered_statistic

Strategy = Literal["none", "roc-paper", "roc-code", "penalty in the reward", "positives uniform"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

STRATEGY_MEANING: dict[Strategy, str] = {
    "none": "every rollout that was drawn enters the update, with reward 0 or 1",
    "roc-paper": "resample on correct by the paper: wrong ones thinned evenly, right ones by "
    "chance inversely proportional to their penalty",
    "roc-code": "resample on correct as released: right ones with the lowest penalty, the first "
    "wrong ones, groups of equal reward dropped",
    "penalty in the reward": "every rollout enters, its reward lowered by weight times penalty",
    "positives uniform": "the paper's counts with right ones thinned evenly: oversampling alone",
}

CHOOSING: tuple[Strategy, ...] = ("roc-paper", "roc-code", "positives uniform")
"""Strategies under which some rollouts are kept and others are not."""

_MODES: dict[Strategy, Mode] = {
    "roc-paper": "paper",
    "roc-code": "code",
    "positives uniform": "uniform",
}

NO_SIGNAL = "groups without any positive weight"


@dataclass(frozen=True)
class UpdateOptions:
    """How rollouts are chosen and weighed.

    Attributes:
        strategy: which rollouts enter the update, and with which reward.
        keep: share of a group that is kept, above 0 and at most 1; the paper keeps half.
        epsilon: added to the penalty before it is inverted, at least 0 ("roc-paper").
        min_right: minimum of right rollouts ("roc-code").
        min_wrong: minimum of wrong rollouts ("roc-code").
        reject_equal: whether "roc-code" drops groups of equal reward.
        reward_penalty: weight of the penalty in the reward ("penalty in the reward").
        scale: what advantages are divided by.
        repeats: draws of each group where the choice is by chance.
        most_groups: groups that are weighed at most, drawn evenly.
        seed: of every random choice.
        confidence: coverage of the intervals.
    """

    strategy: Strategy = "roc-paper"
    keep: float = 0.5
    epsilon: float = 0.1
    min_right: int = 2
    min_wrong: int = 2
    reject_equal: bool = True
    reward_penalty: float = 0.5
    scale: Scale = "population"
    repeats: int = 20
    most_groups: int = 600
    seed: int = 0
    confidence: float = 0.95

    def n_keep(self, size: int) -> int:
        """How many of a group of `size` are kept, at least one."""
        return max(1, int(size * self.keep + 0.5))


@dataclass(frozen=True)
class GroupUpdate:
    """One group before and after the choice.

    Attributes:
        rows: the group with `reward_before` (0 or 1), `advantage_before` (over the whole group),
            `kept`, `why`, `reward_after`, `advantage_after` (over the kept; 0 for dropped ones),
            `weight_before` and `weight_after`: advantage over the number of rollouts in the update.
        status: what happened to the group.
        message: why nothing of it was kept, empty otherwise.
        counts: (right, wrong) that the count rule asks for.
    """

    rows: pd.DataFrame
    status: str
    message: str
    counts: tuple[int, int]

    def messy_share(self, when: Literal["before", "after"]) -> float:
        """Share of all positive weight that lies on right but messy rollouts; NaN without any."""
        weight = self.rows[f"weight_{when}"].clip(lower=0)
        on_messy = weight[self.rows["correct"] & self.rows["messy"]].sum()
        return float(on_messy / weight.sum()) if weight.sum() > 0 else float("nan")


def weigh_group(
    rows: pd.DataFrame, options: UpdateOptions, *, rng: np.random.Generator | int = 0
) -> GroupUpdate:
    """One group as it was drawn and as the strategy leaves it.

    Args:
        rows: one group of `Penalised.table`.
        options: the strategy and its settings.
        rng: of this choice.
    """
    right = rows["correct"].to_numpy(bool)
    penalty = rows["penalty"].to_numpy(np.float64)
    before = group_advantages(right.astype(np.float64), scale=options.scale)
    chosen = _choose(right, penalty, options, rng)
    kept = chosen.is_kept
    rewards = right.astype(np.float64)
    if options.strategy == "penalty in the reward":
        rewards = rewards - options.reward_penalty * penalty
    after = np.zeros(len(rows))
    if kept.any():
        after[kept] = group_advantages(rewards[kept], scale=options.scale)
    found = rows.assign(
        reward_before=right.astype(np.float64),
        advantage_before=before,
        kept=kept,
        why=list(chosen.why),
        reward_after=np.where(kept, rewards, np.nan),
        advantage_after=after,
        weight_before=before / len(rows),
        weight_after=after / max(1, int(kept.sum())),
    )
    return GroupUpdate(found, chosen.status, chosen.message, chosen.counts)


def _choose(
    right: np.ndarray[Any, np.dtype[np.bool_]],
    penalty: FloatArray,
    options: UpdateOptions,
    rng: np.random.Generator | int,
) -> Resampled:
    mode = _MODES.get(options.strategy)
    if mode is None:
        everything = (int(right.sum()), int((~right).sum()))
        why = ("kept: nothing is dropped",) * right.size
        return Resampled(np.arange(right.size), why, "kept whole", everything)
    return resample_on_correct(
        right, penalty, options.n_keep(right.size), mode=mode, rng=rng, epsilon=options.epsilon,
        min_right=options.min_right, min_wrong=options.min_wrong,
        reject_equal=options.reject_equal,
    )  # fmt: skip


def acceptance_chances(
    rows: pd.DataFrame, options: UpdateOptions, *, repeats: int = 400
) -> FloatArray:
    """(n,) share of `repeats` draws that keep each rollout; one draw where nothing is by chance."""
    n = 1 if options.strategy not in ("roc-paper", "positives uniform") else repeats
    rng = np.random.default_rng(options.seed)
    right, penalty = rows["correct"].to_numpy(bool), rows["penalty"].to_numpy(np.float64)
    draws = [_choose(right, penalty, options, rng).is_kept for _ in range(n)]
    return np.asarray(np.mean(draws, axis=0), dtype=np.float64)


@dataclass(frozen=True)
class Weighing:
    """What updates weigh over many groups, for one strategy.

    Attributes:
        before: share of all positive weight that lies on right but messy rollouts when every
            rollout enters the update.
        after: the same share under the strategy.
        change: after minus before, on the same groups.
        acceptance: chance of a right rollout to be kept by its number of failed calls: `errors`
            (the last one stands for that many or more), `tools` ("used a tool" or "no tool"),
            value, low, high, n, n_problems, method.
        statuses: groups by what happened to them.
        n_groups: groups weighed.
        left_out: what could not be used, by reason.
    """

    before: Estimate
    after: Estimate
    change: Estimate
    acceptance: pd.DataFrame
    statuses: Mapping[str, int]
    n_groups: int
    left_out: Mapping[str, int] = field(default_factory=dict)


MOST_ERRORS = 4
"""Error counts from here on are shown together."""


def weigh(penalised: Penalised, options: UpdateOptions | None = None) -> Weighing:
    """What updates over these groups weigh, and which right rollouts are kept.

    Random choices are repeated `options.repeats` times a group; intervals resample problems.
    """
    options = options or UpdateOptions()
    rng = np.random.default_rng(options.seed)
    table, n_skipped = _some_groups(penalised.table, options, rng)
    left_out = Counter(penalised.left_out)
    left_out.update({"groups beyond the limit": n_skipped} if n_skipped else {})
    repeats = options.repeats if options.strategy in ("roc-paper", "positives uniform") else 1
    statuses = Counter[str]()
    weights, chances = [], []
    for _, rows in table.groupby(GROUP, sort=False):
        update, kept, sums = _repeated(rows, options, rng, repeats)
        statuses[update.status] += 1
        weights.append((rows["problem_id"].iloc[0], *sums))
        chances.append(kept)
    columns = ["problem_id", "messy_before", "all_before", "messy_after", "all_after"]
    sums_table = pd.DataFrame(weights, columns=columns)
    chance = np.concatenate(chances) if chances else np.zeros(0)
    acceptance = _acceptance(table.assign(chance=chance), options, rng)
    before, after, change = _shares(sums_table, options)
    return Weighing(
        before, after, change, acceptance, dict(statuses), len(sums_table), dict(left_out)
    )


def _some_groups(
    table: pd.DataFrame, options: UpdateOptions, rng: np.random.Generator
) -> tuple[pd.DataFrame, int]:
    """The rows of at most so many groups, sorted so that a group's rows stand together."""
    groups = table[GROUP].unique()
    n_skipped = max(0, len(groups) - options.most_groups)
    if n_skipped:
        groups = np.sort(rng.choice(groups, options.most_groups, replace=False))
        table = table.loc[table[GROUP].isin(groups)]
    return table.sort_values(GROUP, kind="stable"), n_skipped


def _repeated(
    rows: pd.DataFrame, options: UpdateOptions, rng: np.random.Generator, repeats: int
) -> tuple[GroupUpdate, FloatArray, tuple[float, float, float, float]]:
    """The last of several choices, how often each rollout was kept, and mean positive weights."""
    right, penalty = rows["correct"].to_numpy(bool), rows["penalty"].to_numpy(np.float64)
    messy = right & rows["messy"].to_numpy(bool)
    update = weigh_group(rows, options, rng=rng)
    before = update.rows["weight_before"].clip(lower=0).to_numpy(np.float64)
    after = np.array(update.rows["weight_after"].clip(lower=0), dtype=np.float64)
    kept = update.rows["kept"].to_numpy(np.float64)
    for _ in range(repeats - 1):
        chosen = _choose(right, penalty, options, rng).is_kept
        kept = kept + chosen
        if chosen.any():
            weight = group_advantages(right[chosen].astype(np.float64), scale=options.scale)
            after[chosen] += weight.clip(min=0) / int(chosen.sum())
    after, kept = after / repeats, kept / repeats
    sums = (before[messy].sum(), before.sum(), after[messy].sum(), after.sum())
    return update, kept, (float(sums[0]), float(sums[1]), float(sums[2]), float(sums[3]))


def _shares(sums: pd.DataFrame, options: UpdateOptions) -> tuple[Estimate, Estimate, Estimate]:
    """Shares of positive weight on messy rollouts: before, after, and their difference."""
    values = {name: sums[name].to_numpy(np.float64) for name in sums.columns[1:]}
    silent = {when: int((sums[f"all_{when}"] <= 0).sum()) for when in ("before", "after")}

    def share(weights: FloatArray, when: str) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(
                (weights @ values[f"messy_{when}"]) / (weights @ values[f"all_{when}"])
            )

    def estimate(statistic: Any, n_silent: int) -> Estimate:
        return clustered_statistic(
            statistic, sums["problem_id"].tolist(), rng=np.random.default_rng(options.seed),
            confidence=options.confidence, vectorized=True,
            left_out={NO_SIGNAL: n_silent} if n_silent else {},
        )  # fmt: skip

    return (
        estimate(lambda weights: share(weights, "before"), silent["before"]),
        estimate(lambda weights: share(weights, "after"), silent["after"]),
        estimate(
            lambda weights: share(weights, "after") - share(weights, "before"),
            max(silent.values()),
        ),
    )


def _acceptance(
    table: pd.DataFrame, options: UpdateOptions, rng: np.random.Generator
) -> pd.DataFrame:
    """Mean chance to be kept of right rollouts, by failed calls; without a tool call apart."""
    right = table.loc[table["correct"]]
    errors = right["tool_errors"].clip(upper=MOST_ERRORS).astype("int64")
    tools = np.where(right["used_tool"], "used a tool", "no tool")
    rows = []
    for (used, count), chosen in right.assign(errors=errors, tools=tools).groupby(
        ["tools", "errors"], sort=True
    ):
        found = clustered_mean(
            chosen["chance"], chosen["problem_id"].tolist(), rng=rng,
            confidence=options.confidence, n_resamples=1_000,
        )  # fmt: skip
        rows.append((used, count, found.value, found.low, found.high, found.n, found.n_prompts,
                     found.method))  # fmt: skip
    columns = ["tools", "errors", "value", "low", "high", "n", "n_problems", "method"]
    return pd.DataFrame(rows, columns=columns)
