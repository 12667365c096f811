"""Do rewards depend on an attribute? Squared maximum mean discrepancies between its bins.

A reward that is counterfactually invariant to an attribute is independent of it; so its
distribution is the same in every bin. That is necessary, not sufficient: independence does not show
that an edit of the attribute alone would leave the reward.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.labs.invariance.discrepancy import Estimator, group_sums, squared_distances
from core.labs.invariance.exchange import Exchange, IntArray, Scheme, choose_exchange
from core.labs.invariance.kernel import (
    Bandwidth,
    given_bandwidth,
    median_bandwidth,
    rbf_features,
)
from core.labs.invariance.mmd_inference import GroupedRewards, Permuted, jackknife, permute
from core.labs.invariance.rows import merged, usable_rows
from core.labs.pairs import SIDE, SIDES
from core.labs.plan import REWARD
from core.stats import Estimate, FloatArray, TestResult, cluster_codes, false_discovery

Labels = Sequence[object] | pd.Series
"""The bin of each row; the order of a pandas categorical is kept."""

ALL = "all"
"""The only condition of an unconditional analysis; a conditional one has `chosen`, `rejected`."""

TOTAL = "total"
"""The row of the sums that adds up all conditions."""

_SUM_COLUMNS = ("biased", "biased_ordered", "unbiased", "unbiased_ordered")


@dataclass(frozen=True)
class MmdOptions:
    """What is computed.

    Attributes:
        conditional: separately within chosen and within rejected responses, which leaves a true
            relation of attribute and preference alone; otherwise over all responses.
        bandwidth: of the kernel, in units of reward; None for the median heuristic.
        estimator: which one the test and the total use. The unbiased one can be negative.
        fewest_members: bins with fewer responses are left out and reported; at least 2 for the
            unbiased estimator.
        exchange: which labels change places in the test; None to let the data decide.
        n_permutations: random arrangements of the labels.
        confidence: coverage of the interval.
        seed: of the permutations.
    """

    conditional: bool = False
    bandwidth: float | None = None
    estimator: Estimator = "unbiased"
    fewest_members: int = 2
    exchange: Scheme | None = None
    n_permutations: int = 2_000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class MmdResult:
    """How far the rewards of an attribute's bins lie apart.

    Attributes:
        options: as given.
        bandwidth: of the kernel, and how it was found.
        bins: one row a condition and bin: `condition, bin, n, n_prompts, mean_reward, used,
            reason`.
        matrix: one row a condition and ordered pair of used bins: `condition, bin_a, bin_b, n_a,
            n_b, biased, unbiased, p_value, p_adjusted` (Benjamini-Hochberg over the pairs).
        sums: one row a condition and one for `total`: `condition, n_bins, biased, unbiased` over
            unordered pairs, `biased_ordered, unbiased_ordered` over ordered pairs (twice as much:
            the sum as Wang et al. print it), `p_value`.
        total: the sum over unordered pairs (and conditions), with an interval.
        test: of the null hypothesis that rewards do not depend on the bin.
        critical: what the total must exceed to be significant: the quantile of the arrangements.
        exchange: which labels changed places, and in how many prompts they could.
        left_out: rows that could not be used, counted by reason.
    """

    options: MmdOptions
    bandwidth: Bandwidth
    bins: pd.DataFrame
    matrix: pd.DataFrame
    sums: pd.DataFrame
    total: Estimate
    test: TestResult
    critical: float
    exchange: Exchange | None
    left_out: Mapping[str, int]


def run(scored: pd.DataFrame, bins: Labels, options: MmdOptions | None = None) -> MmdResult:
    """Squared MMD of rewards over the bins of an attribute, with a permutation test.

    The p-value is (1 + arrangements with at least this total) / (1 + arrangements); which labels
    change places is the subject of `exchange`. The interval is a jackknife over prompts with a
    normal approximation: fit for a total that is clearly above 0; near 0, where the total's
    distribution is skewed, the test is the guide.

    Args:
        scored: `core.labs.pairs.plan_pairs` with one model's rewards.
        bins: (n,) bin of each row, anything that can be compared; None or NaN for no bin. The order
            of a pandas categorical is kept.
        options: what is computed.

    Raises:
        TableError: a column is missing, or there is not one bin a row.
        BandwidthError: the bandwidth given is unusable.

    Source: Wang et al. 2025 (arXiv 2501.09620), their regulariser, here as a measurement on the
    reward itself (their text speaks of the representation, their objective of the reward).
    """
    options = options or MmdOptions()
    usable = usable_rows(scored, bins, by_side=options.conditional)
    rows = _reward_rows(scored, bins, usable.keep, options)
    table = _bin_table(rows, options)
    small = int(table.loc[~table["used"], "n"].sum())
    n_other = int((~rows["condition"].isin([ALL, *SIDES])).sum())
    others = {"in a bin with too few responses": small, "neither chosen nor rejected": n_other}
    left_out = merged(usable.left_out, {reason: n for reason, n in others.items() if n})
    return _analyse(rows, table, options, left_out)


def _reward_rows(
    scored: pd.DataFrame, bins: Labels, keep: npt.NDArray[np.bool_], options: MmdOptions
) -> pd.DataFrame:
    """The usable rows: `prompt` (a number), `condition`, `bin` (categorical), `reward`."""
    given = bins if isinstance(bins, pd.Series) else pd.Series(list(bins))
    labels = given.reset_index(drop=True)[keep]
    if not isinstance(labels.dtype, pd.CategoricalDtype):
        labels = labels.astype("category")
    return pd.DataFrame(
        {
            "prompt": cluster_codes(scored.loc[keep, "prompt_id"].tolist()),
            "condition": scored.loc[keep, SIDE].to_numpy() if options.conditional else ALL,
            "bin": labels.cat.remove_unused_categories().array,
            "reward": scored.loc[keep, REWARD].to_numpy(dtype=np.float64),
        }
    )


def _bin_table(rows: pd.DataFrame, options: MmdOptions) -> pd.DataFrame:
    """Every condition and bin with its size, and whether it is large enough to be compared."""
    fewest = max(options.fewest_members, 2 if options.estimator == "unbiased" else 1)
    listed = []
    for condition in SIDES if options.conditional else (ALL,):
        of_condition = rows.loc[rows["condition"] == condition]
        for name in rows["bin"].cat.categories:
            of_bin = of_condition.loc[of_condition["bin"] == name]
            n, used = len(of_bin), len(of_bin) >= fewest
            reason = "" if used else f"fewer than {fewest} responses"
            mean = float(of_bin["reward"].mean()) if n else float("nan")
            listed.append((condition, name, n, of_bin["prompt"].nunique(), mean, used, reason))
    columns = ["condition", "bin", "n", "n_prompts", "mean_reward", "used", "reason"]
    return pd.DataFrame(listed, columns=columns)


def _analyse(
    rows: pd.DataFrame, table: pd.DataFrame, options: MmdOptions, left_out: Mapping[str, int]
) -> MmdResult:
    """The result on the rows whose bin is used."""
    names = table.loc[table["used"]].reset_index(drop=True)
    number = {key: at for at, key in enumerate(zip(names["condition"], names["bin"], strict=True))}
    groups = [number.get(key, -1) for key in zip(rows["condition"], rows["bin"], strict=True)]
    labels = np.array(groups, dtype=np.int64)
    rows, labels = rows.loc[labels >= 0], labels[labels >= 0]
    bandwidth = _bandwidth(rows["reward"].to_numpy(), options)
    condition_of = cluster_codes(names["condition"].tolist())
    pairs = _unordered_pairs(condition_of)
    if not len(pairs):
        return _nothing_to_compare(table, bandwidth, options, left_out)
    prompts = cluster_codes(rows["prompt"].tolist())
    features = rbf_features(rows["reward"].to_numpy(), bandwidth.value)
    grouped = GroupedRewards(features, labels, prompts, len(names), pairs, options.estimator)
    exchange = choose_exchange(labels, prompts, condition_of[labels], options.exchange)
    permuted = permute(
        grouped,
        exchange,
        n_permutations=options.n_permutations,
        confidence=options.confidence,
        rng=np.random.default_rng(options.seed),
    )
    sums = _sums_table(grouped, names, permuted)
    return MmdResult(
        options,
        bandwidth,
        table,
        _matrix_table(grouped, names, permuted),
        sums,
        _total_estimate(grouped, sums, options, left_out),
        _test_result(grouped, sums, exchange, options),
        permuted.critical,
        exchange,
        left_out,
    )


def _bandwidth(rewards: FloatArray, options: MmdOptions) -> Bandwidth:
    if options.bandwidth is None:
        return median_bandwidth(rewards)
    return given_bandwidth(options.bandwidth)


def _unordered_pairs(conditions: IntArray) -> npt.NDArray[np.bool_]:
    """(conditions with two groups or more, groups, groups): the pairs a < b of each condition."""
    upper = np.triu(np.ones((len(conditions), len(conditions)), dtype=bool), k=1)
    same = conditions[:, None] == conditions
    masks = [upper & same & (conditions == at) for at in np.unique(conditions)]
    kept = [mask for mask in masks if mask.any()]
    return np.array(kept, dtype=bool).reshape(len(kept), len(conditions), len(conditions))


def _both_estimators(grouped: GroupedRewards) -> dict[Estimator, FloatArray]:
    sums, counts = group_sums(grouped.features, grouped.labels[None], grouped.n_groups)
    kinds: tuple[Estimator, ...] = ("biased", "unbiased")
    return {kind: squared_distances(sums, counts, kind)[0] for kind in kinds}


def _matrix_table(grouped: GroupedRewards, names: pd.DataFrame, permuted: Permuted) -> pd.DataFrame:
    squared = _both_estimators(grouped)
    compared = grouped.pairs.any(axis=0)
    first, second = np.nonzero(compared)
    adjusted = np.full_like(permuted.p_cells, np.nan)
    adjusted[compared] = false_discovery(permuted.p_cells[compared])
    # Both orders, so that the table pivots to a full matrix.
    a, b = np.concatenate([first, second]), np.concatenate([second, first])
    low, high = np.minimum(a, b), np.maximum(a, b)
    columns = {
        "condition": names["condition"].to_numpy()[a],
        "bin_a": names["bin"].to_numpy()[a],
        "bin_b": names["bin"].to_numpy()[b],
        "n_a": names["n"].to_numpy()[a],
        "n_b": names["n"].to_numpy()[b],
        "biased": squared["biased"][low, high],
        "unbiased": squared["unbiased"][low, high],
        "p_value": permuted.p_cells[low, high],
        "p_adjusted": adjusted[low, high],
    }
    return pd.DataFrame(columns)


def _sums_table(grouped: GroupedRewards, names: pd.DataFrame, permuted: Permuted) -> pd.DataFrame:
    conditions = [str(names["condition"][np.nonzero(mask)[0][0]]) for mask in grouped.pairs]
    sizes = [len(np.unique(np.nonzero(mask))) for mask in grouped.pairs]
    table = pd.DataFrame({"condition": conditions, "n_bins": sizes})
    for kind, squared in _both_estimators(grouped).items():
        table[kind] = grouped.totals(squared)
        table[f"{kind}_ordered"] = 2 * table[kind]
    table["p_value"] = permuted.p_conditions
    total = table.sum(numeric_only=True).to_dict()
    total |= {"condition": TOTAL, "p_value": permuted.p_total}
    return pd.concat([table, pd.DataFrame([total])], ignore_index=True).astype({"n_bins": int})


def _total_estimate(
    grouped: GroupedRewards, sums: pd.DataFrame, options: MmdOptions, left_out: Mapping[str, int]
) -> Estimate:
    low, high, method = jackknife(grouped, options.confidence)
    value = float(sums[options.estimator].iloc[-1])
    n, n_prompts = len(grouped.labels), int(grouped.prompts.max()) + 1
    described = f"{options.estimator} squared MMD, {method}"
    return Estimate(value, low, high, options.confidence, n, n_prompts, described, left_out)


def _test_result(
    grouped: GroupedRewards, sums: pd.DataFrame, exchange: Exchange, options: MmdOptions
) -> TestResult:
    last = sums.iloc[-1]
    method = (
        f"{options.n_permutations:,} random arrangements of the bins, exchanged {exchange.scheme}: "
        f"{exchange.n_moving:,} prompts can change, {exchange.n_still:,} cannot"
    )
    n, n_prompts = len(grouped.labels), int(grouped.prompts.max()) + 1
    return TestResult(float(last[options.estimator]), float(last["p_value"]), n, n_prompts, method)


def _nothing_to_compare(
    table: pd.DataFrame, bandwidth: Bandwidth, options: MmdOptions, left_out: Mapping[str, int]
) -> MmdResult:
    nan, why = float("nan"), "no two bins with enough responses"
    pair_columns = ["condition", "bin_a", "bin_b", "n_a", "n_b"]
    return MmdResult(
        options,
        bandwidth,
        table,
        pd.DataFrame(columns=[*pair_columns, "biased", "unbiased", "p_value", "p_adjusted"]),
        pd.DataFrame(columns=["condition", "n_bins", *_SUM_COLUMNS, "p_value"]),
        Estimate(nan, nan, nan, options.confidence, 0, 0, why, left_out),
        TestResult(nan, nan, 0, 0, why),
        nan,
        None,
        left_out,
    )
