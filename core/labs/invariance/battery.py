"""The perturbation battery: edits of which it is known what they should do to the reward.

`plan` applies the edits, the caller scores, `run` says for each edit how the reward and the pair's
preference moved, how sure that is, and whether a good reward model would have done the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from core.labs.invariance.battery_plan import COMPARABLE, KEY_COLUMNS, BatteryOptions, plan
from core.labs.invariance.battery_rewards import BatteryRewards
from core.labs.invariance.battery_tables import dose_table, effect_table, flip_table, side_table
from core.labs.invariance.rows import require_columns
from core.labs.plan import REWARD

__all__ = ["KEY_COLUMNS", "BatteryOptions", "BatteryResult", "plan", "run"]


@dataclass(frozen=True)
class BatteryResult:
    """How a model's rewards answer to the edits.

    Attributes:
        options: as given.
        effects: one row a perturbation and dose, in the order of the plan: `perturbation, title,
            group, target, dose, primary, n_planned, n_applied, n_pairs, change, low, high, n,
            n_prompts, in_spreads, absolute_change, p_value, p_adjusted, detectable, relevant,
            verdict, as_it_should, flip_edited, flip_share, flip_low, flip_high, n_flip,
            n_prompts_differ`. A change is reward(edited) minus reward(unedited). `primary` marks
            the dose that stands for its perturbation: the one most responses took, the largest
            where these tie. `detectable` is that of a single test at the intervals' confidence,
            before correction.
        by_side: the change on each side: `perturbation, dose, side, n, n_prompts, change, low,
            high`.
        flips: one row a perturbation, dose and edited side (`chosen`, `rejected`, `both`): the
            share of pairs whose preference turns (half where it becomes a tie), and the accuracy
            before and after, with the interval of their difference; `n_prompts_differ` pairs are
            left out because their sides answer different prompts after the edit.
        doses: one row a perturbation with several doses: slope of the reward per unit of dose.
        applied: how many edits were made and why others were not: `perturbation, dose, side,
            reason` ("" for made), `n`.
        reward_spread: the unit of `in_spreads`.
        relevant_change: the smallest change that matters, in units of reward.
        n_pairs: pairs in the table.
        n_prompts: prompts in the table.
        left_out: pairs without a margin, by reason.
    """

    options: BatteryOptions
    effects: pd.DataFrame
    by_side: pd.DataFrame
    flips: pd.DataFrame
    doses: pd.DataFrame
    applied: pd.DataFrame
    reward_spread: float
    relevant_change: float
    n_pairs: int
    n_prompts: int
    left_out: Mapping[str, int]


def run(scored: pd.DataFrame, options: BatteryOptions | None = None) -> BatteryResult:
    """Effects of the edits, their uncertainty, and the verdicts.

    Changes are paired: each edited response against itself unedited. Intervals resample prompts;
    p-values are sign flips of whole prompts, corrected after Benjamini and Hochberg over all rows
    of `effects`.

    Args:
        scored: the plan with one model's rewards. Without the column `comparable` every pair counts
            as comparable after every edit.
        options: how effects are judged; the edits are those of the table.

    Raises:
        TableError: a column is missing, or there are no unedited pairs.
    """
    options = options or BatteryOptions()
    needed = [name for name in KEY_COLUMNS if name != COMPARABLE]
    require_columns(scored, (*needed, REWARD), "scored table")
    rewards = BatteryRewards.of(scored)
    spread = rewards.spread() if options.reward_spread is None else options.reward_spread
    relevant = max(options.relevance * spread, options.noise_floor)
    flips = flip_table(rewards, options)
    return BatteryResult(
        options,
        effect_table(rewards, flips, options, spread=spread, relevant=relevant),
        side_table(rewards, options),
        flips,
        dose_table(rewards, options),
        rewards.applied,
        spread,
        relevant,
        n_pairs=len(rewards.pairs),
        n_prompts=rewards.pairs["prompt_id"].nunique(),
        left_out=rewards.left_out,
    )
