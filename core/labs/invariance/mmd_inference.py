"""How sure a sum of squared MMDs is: a permutation test and a jackknife over prompts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from core.labs.invariance.discrepancy import Estimator, group_sums, squared_distances
from core.labs.invariance.exchange import Exchange, IntArray, arrangements
from core.stats import FloatArray

_MOST_CELLS = 8_000_000


@dataclass(frozen=True)
class GroupedRewards:
    """Rewards in groups: the bins of an attribute within each condition.

    Attributes:
        features: (n, k) kernel features of each reward.
        labels: (n,) group of each reward, from 0 up.
        prompts: (n,) number of each reward's prompt, from 0 up without gaps.
        n_groups: how many groups there are.
        pairs: (conditions, groups, groups) which unordered pairs of groups are compared.
        estimator: of the squared MMD.
    """

    features: FloatArray
    labels: IntArray
    prompts: IntArray
    n_groups: int
    pairs: npt.NDArray[np.bool_]
    estimator: Estimator

    def squared(self, labels: IntArray) -> FloatArray:
        """Squared MMDs under (labellings, n) labels: (labellings, groups, groups)."""
        sums, counts = group_sums(self.features, labels, self.n_groups)
        return squared_distances(sums, counts, self.estimator)

    def totals(self, squared: FloatArray) -> FloatArray:
        """Sum over each condition's pairs: (..., groups, groups) to (..., conditions)."""
        compared = np.where(self.pairs, squared[..., None, :, :], 0.0)
        return np.asarray(compared.sum(axis=(-1, -2)))


@dataclass(frozen=True)
class Permuted:
    """What the sums of squared MMDs are where nothing depends on the labels.

    Attributes:
        p_cells: (groups, groups) p-value of each pair of groups.
        p_conditions: (conditions,) p-value of each condition's sum.
        p_total: p-value of the sum over all conditions.
        critical: the quantile of that sum at the confidence asked for.
    """

    p_cells: FloatArray
    p_conditions: FloatArray
    p_total: float
    critical: float


def permute(
    grouped: GroupedRewards,
    exchange: Exchange,
    *,
    n_permutations: int,
    confidence: float,
    rng: np.random.Generator,
) -> Permuted:
    """Compares the squared MMDs with those under random arrangements of the labels.

    One-sided: only more distance than seen speaks against independence. Each p-value is
    (1 + arrangements that reach it) / (1 + arrangements).

    Source: Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9,
    eq. 2.
    """
    seen = grouped.squared(grouped.labels[None])[0]
    # Rounding must not make an arrangement that equals the one seen look smaller.
    slack = 1e-10
    cells = np.zeros_like(seen)
    sums = []
    step = max(1, _MOST_CELLS // max(1, grouped.n_groups * len(grouped.labels)))
    for batch in arrangements(exchange, n_permutations, rng):
        for start in range(0, len(batch), step):
            squared = grouped.squared(grouped.labels[batch[start : start + step]])
            cells += (squared >= seen - slack).sum(axis=0)
            sums.append(grouped.totals(squared))
    arranged, own = np.concatenate(sums), grouped.totals(seen)
    total = arranged.sum(axis=1)
    return Permuted(
        p_cells=(1 + cells) / (1 + n_permutations),
        p_conditions=(1 + (arranged >= own - slack).sum(axis=0)) / (1 + n_permutations),
        p_total=float((1 + (total >= own.sum() - slack).sum()) / (1 + n_permutations)),
        critical=float(np.quantile(total, confidence)),
    )


def jackknife(grouped: GroupedRewards, confidence: float) -> tuple[float, float, str]:
    """Normal interval of the sum over all conditions, leaving out one prompt at a time.

    Prompts without which a group is too small to be compared are not left out, and counted.

    Returns:
        Low, high (NaN with fewer than two prompts to leave out), and how it was made.

    Source: Efron and Stein 1981, Annals of Statistics 9 (the jackknife variance).
    """
    n_prompts = int(grouped.prompts.max()) + 1
    sums, counts = group_sums(grouped.features, grouped.labels[None], grouped.n_groups)
    total = float(grouped.totals(squared_distances(sums, counts, grouped.estimator)).sum())
    own_sums = np.zeros((n_prompts, *sums.shape[1:]))
    own_counts = np.zeros((n_prompts, grouped.n_groups))
    np.add.at(own_sums, (grouped.prompts, grouped.labels), grouped.features)
    np.add.at(own_counts, (grouped.prompts, grouped.labels), 1.0)
    left = squared_distances(sums - own_sums, counts - own_counts, grouped.estimator)
    without = grouped.totals(left).sum(axis=1)
    without = without[np.isfinite(without)]
    method = f"jackknife over {len(without):,} prompts, normal approximation"
    if len(without) < n_prompts:
        method += f"; {n_prompts - len(without):,} could not be left out"
    if len(without) < 2:
        return float("nan"), float("nan"), f"no interval: {method}"
    spread = float(((without - without.mean()) ** 2).sum()) * (len(without) - 1) / len(without)
    half = float(scipy_stats.norm.ppf((1 + confidence) / 2)) * spread**0.5
    return total - half, total + half, method
