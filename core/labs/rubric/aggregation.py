"""From criteria met to one reward.

Rubrics as Rewards (arXiv 2507.17746): the explicit reward is sum(w c) / sum(w) over the criteria,
with c how far each is met. What a pitfall does to it is our reading, in two forms; see `Pitfalls`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import SettingsError

FloatArray = npt.NDArray[np.float64]

Pitfalls = Literal["penalty", "credit"]
"""What a pitfall of weight w, there with probability p, does (our reading of the paper).

"penalty": w p is taken off the numerator and the pitfall is not in the denominator, so that 1 is a
response that meets everything, and a rubric's pitfalls can push it below 0. "credit": it counts as
one more criterion that is met by 1 - p, so that the reward stays within [0, 1].
"""


@dataclass(frozen=True)
class Weighing:
    """The weights of a rubric.

    Attributes:
        names: of the criteria.
        weights: (k,) all positive or zero.
        is_pitfall: (k,) whether it is something that must not be there.
        pitfalls: what they do.
    """

    names: tuple[str, ...]
    weights: FloatArray
    is_pitfall: npt.NDArray[np.bool_]
    pitfalls: Pitfalls = "penalty"

    def __post_init__(self) -> None:
        n = len(self.names)
        if self.weights.shape != (n,) or self.is_pitfall.shape != (n,) or not n:
            raise SettingsError("A rubric needs one weight for each of its criteria.")
        if not np.isfinite(self.weights).all() or (self.weights < 0).any():
            raise SettingsError("A rubric's weights must be finite and not negative.")
        if not self.weights.any():
            raise SettingsError(
                "Every weight of the rubric is 0.", fix="Give at least one criterion a weight."
            )
        if self.pitfalls not in get_args(Pitfalls):
            raise SettingsError(f"There is no rule {self.pitfalls!r} for pitfalls.")

    def changed(self, weights: npt.ArrayLike) -> "Weighing":
        """The same criteria with other weights."""
        values = np.asarray(weights, dtype=np.float64)
        return Weighing(self.names, values, self.is_pitfall, self.pitfalls)


def explicit_rewards(yes: npt.ArrayLike, weighing: Weighing) -> FloatArray:
    """The weighted share of criteria met.

    Args:
        yes: (n, k) probability that each criterion's text holds of each response; for a pitfall
            that it is there.
        weighing: k weights.

    Returns:
        (n,) rewards; NaN where a probability is missing whose weight is not 0.
        A rubric of pitfalls alone with "penalty" is divided by their weights, so its best is 0.
    """
    values = np.atleast_2d(np.asarray(yes, dtype=np.float64))
    weights, pit = weighing.weights, weighing.is_pitfall
    used = weights > 0
    values, weights, pit = values[:, used], weights[used], pit[used]
    if weighing.pitfalls == "credit":
        met = np.where(pit, 1 - values, values)
        credit: FloatArray = met @ weights / weights.sum()
        return credit
    total = weights[~pit].sum() or weights.sum()
    found: FloatArray = values @ np.where(pit, -weights, weights) / total
    return found


def share_met(yes: npt.ArrayLike, weighing: Weighing, *, threshold: float = 0.5) -> pd.DataFrame:
    """How often each criterion is met, over responses.

    Returns:
        One row a criterion: `criterion`, `pitfall`, `weight`, `met` (share of responses that meet
        it; for a pitfall that do not have it), `spread` (standard deviation of the probability: a
        criterion that never moves ranks nothing), `n`, `left_out` (probability missing).
    """
    values = np.atleast_2d(np.asarray(yes, dtype=np.float64))
    rows = []
    for column, name in enumerate(weighing.names):
        known = values[np.isfinite(values[:, column]), column]
        pit = bool(weighing.is_pitfall[column])
        met = known < threshold if pit else known >= threshold
        rows.append(
            {
                "criterion": name,
                "pitfall": pit,
                "weight": float(weighing.weights[column]),
                "met": float(met.mean()) if known.size else float("nan"),
                "spread": float(known.std()) if known.size else float("nan"),
                "n": int(known.size),
                "left_out": int(len(values) - known.size),
            }
        )
    return pd.DataFrame(rows)


def weight_effects(
    yes: npt.ArrayLike, weighing: Weighing, groups: Sequence[object]
) -> pd.DataFrame:
    """What each criterion does to the order: the rubric without it against the whole.

    Args:
        yes: (n, k) as in `explicit_rewards`.
        weighing: of the whole rubric.
        groups: (n,) the prompt of each response; order is looked at within prompts.

    Returns:
        One row a criterion: `criterion`, `swapped` (share of same-prompt pairs that change order
        when its weight is 0), `pairs` (pairs with a strict order in the whole rubric).
    """
    whole = explicit_rewards(yes, weighing)
    rows = []
    for column, name in enumerate(weighing.names):
        weights = weighing.weights.copy()
        weights[column] = 0
        if not weights.any():
            rows.append({"criterion": name, "swapped": float("nan"), "pairs": 0})
            continue
        without = explicit_rewards(yes, weighing.changed(weights))
        before, after = _pair_signs(whole, groups), _pair_signs(without, groups)
        usable = np.isfinite(before) & np.isfinite(after) & (before != 0)
        share = float((before[usable] == -after[usable]).mean()) if usable.any() else float("nan")
        rows.append({"criterion": name, "swapped": share, "pairs": int(usable.sum())})
    return pd.DataFrame(rows)


def _pair_signs(rewards: FloatArray, groups: Sequence[object]) -> FloatArray:
    """Sign of the difference of every two responses of one prompt."""
    codes = pd.factorize(np.asarray(groups, dtype=object))[0]
    signs = []
    for code in np.unique(codes):
        own = rewards[codes == code]
        first, second = np.triu_indices(len(own), k=1)
        signs.append(np.sign(own[first] - own[second]))
    return np.concatenate(signs) if signs else np.empty(0)
