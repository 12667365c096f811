"""Voting curves over items: accuracy by k, what voting gains, what correlation eats of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from core.labs.reasoning.ballots import Ballots
from core.labs.reasoning.voting import (
    Aggregation,
    TiePolicy,
    all_margins,
    can_aggregate,
    iid_majority,
    majority_credit,
    vote_credits,
)
from core.stats import (
    Estimate,
    FloatArray,
    TestResult,
    clustered_mean,
    clustered_share,
    clustered_statistic,
    sign_flip_test,
    smallest_detectable_effect,
)
from core.stats.power import clustered_standard_error

MOST_K = 32
CURVE_COLUMNS = (
    "aggregation", "k", "value", "low", "high", "subset_low", "subset_high",
    "gain", "gain_low", "gain_high", "n", "exact",
)  # fmt: skip


@dataclass(frozen=True)
class VotingOptions:
    """How votes are counted.

    Attributes:
        ties: what a tie for the highest total earns.
        keep: share of k that the filter keeps, above 0 and at most 1.
        seed: of random subsets and resampling.
        confidence: coverage of all intervals.
        n_resamples: bootstrap draws over items.
    """

    ties: TiePolicy = "share"
    keep: float = 0.5
    seed: int = 0
    confidence: float = 0.95
    n_resamples: int = 2_000

    def k_meta(self, k: int) -> int:
        """Judgements that the filter keeps of k, rounded up."""
        return max(1, min(k, int(np.ceil(self.keep * k - 1e-9))))


@dataclass(frozen=True)
class VotingCurves:
    """Accuracy of votes.

    Attributes:
        table: `CURVE_COLUMNS`, one row an aggregation and k. `low` to `high` resamples items;
            `subset_low` to `subset_high` is what the choice of the k judgements alone would do,
            with these items (normal approximation). `gain` is over the same aggregation at k = 1,
            paired by item.
        credits: by aggregation, (n_items, n_ks) expected credit of each item and k.
        items: by aggregation, ids of the items in the rows of `credits`.
        ks: the numbers of judgements.
        gain: of each aggregation at the largest k.
        tests: of the hypothesis that voting gains nothing, by aggregation.
        detectable: smallest gain that would have been found four times in five, by aggregation.
        left_out: items without scores or without what the filter needs, by aggregation and reason.
    """

    table: pd.DataFrame
    credits: Mapping[Aggregation, FloatArray]
    items: Mapping[Aggregation, list[str]]
    ks: tuple[int, ...]
    gain: Mapping[Aggregation, Estimate]
    tests: Mapping[Aggregation, TestResult]
    detectable: Mapping[Aggregation, float]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def at(self, aggregation: Aggregation, k: int) -> pd.Series:
        """The row of one aggregation and k."""
        rows = self.table.loc[(self.table["aggregation"] == aggregation) & (self.table["k"] == k)]
        return rows.iloc[0]


def voting_curves(
    ballots: Ballots,
    aggregations: Sequence[Aggregation] = ("majority",),
    options: VotingOptions | None = None,
    *,
    most_k: int = MOST_K,
) -> VotingCurves:
    """Accuracy of votes of k = 1, 2, … judgements drawn without replacement.

    Args:
        ballots: the items' votes.
        aggregations: ways of adding up; one that no item allows has no rows.
        options: how votes are counted.
        most_k: the largest k, or fewer where items have fewer judgements.
    """
    chosen = options or VotingOptions()
    ks = tuple(range(1, min(most_k, ballots.k_max) + 1))
    rows: list[dict[str, object]] = []
    earned: dict[Aggregation, FloatArray] = {}
    items: dict[Aggregation, list[str]] = {}
    gains: dict[Aggregation, Estimate] = {}
    tests: dict[Aggregation, TestResult] = {}
    detectable: dict[Aggregation, float] = {}
    left_out: dict[str, int] = {}
    for aggregation in aggregations:
        usable = [item for item in ballots.items if can_aggregate(item, aggregation)]
        if len(usable) < len(ballots):
            lacks = "the filter's column" if aggregation == "filtered" else "scores"
            left_out[f"{aggregation}: items without {lacks}"] = len(ballots) - len(usable)
        if not usable:
            continue
        found = [
            vote_credits(
                item, ks, aggregation, ties=chosen.ties, k_meta=chosen.k_meta, seed=chosen.seed
            )
            for item in usable
        ]
        means = np.array([[each.mean for each in row] for row in found])
        variances = np.array([[each.variance for each in row] for row in found])
        exact = [all(row[at].exact for row in found) for at in range(len(ks))]
        ids = [item.item_id for item in usable]
        earned[aggregation], items[aggregation] = means, ids
        made = _rows(aggregation, ks, means, variances, exact, ids, chosen)
        rows += [row for row, _ in made]
        gains[aggregation] = made[-1][1]
        gained = means[:, -1] - means[:, 0]
        tests[aggregation] = sign_flip_test(
            gained, ids, rng=np.random.default_rng(chosen.seed), n_permutations=4_000
        )
        detectable[aggregation] = _detectable(gained, ids)
    table = pd.DataFrame(rows, columns=list(CURVE_COLUMNS))
    return VotingCurves(table, earned, items, ks, gains, tests, detectable, left_out)


def _rows(
    aggregation: Aggregation,
    ks: Sequence[int],
    means: FloatArray,
    variances: FloatArray,
    exact: Sequence[bool],
    ids: list[str],
    options: VotingOptions,
) -> list[tuple[dict[str, object], Estimate]]:
    reach = float(scipy_stats.norm.ppf((1 + options.confidence) / 2))
    found = []
    for at, k in enumerate(ks):
        # One seed for every k: the same items are drawn, so that curves do not jitter.
        accuracy = clustered_share(
            np.clip(means[:, at], 0.0, 1.0), ids, rng=np.random.default_rng(options.seed),
            confidence=options.confidence, n_resamples=options.n_resamples,
        )  # fmt: skip
        gain = clustered_mean(
            means[:, at] - means[:, 0], ids, rng=np.random.default_rng(options.seed),
            confidence=options.confidence, n_resamples=options.n_resamples,
        )  # fmt: skip
        half = reach * float(np.sqrt(variances[:, at].sum())) / len(ids)
        row: dict[str, object] = {
            "aggregation": aggregation, "k": k, "value": accuracy.value, "low": accuracy.low,
            "high": accuracy.high, "subset_low": max(0.0, accuracy.value - half),
            "subset_high": min(1.0, accuracy.value + half), "gain": gain.value,
            "gain_low": gain.low, "gain_high": gain.high, "n": accuracy.n, "exact": bool(exact[at]),
        }  # fmt: skip
        found.append((row, gain))
    return found


def _detectable(gained: FloatArray, ids: Sequence[str]) -> float:
    error = clustered_standard_error(gained, ids)
    return smallest_detectable_effect(error) if np.isfinite(error) else float("nan")


@dataclass(frozen=True)
class Dependence:
    """How alike judgements of one item are, beyond what the average accuracy explains.

    Attributes:
        correlation: of the correctness of two judgements of one item (intra-class correlation).
        single: accuracy of one judgement.
        effective: by k, the independent judgements that k correlated ones are worth as an average.
        reference: by k, accuracy of a majority of k if judgements were independent and all items
            alike.
        ceiling: accuracy of a majority of endlessly many judgements, were the recorded shares of
            votes the true ones: the share of items where the right one leads.
        below_half: share of items where the right winner does not lead, which voting makes worse.
    """

    correlation: Estimate
    single: Estimate
    effective: pd.DataFrame
    reference: pd.DataFrame
    ceiling: Estimate
    below_half: Estimate


def effective_votes(k: int, correlation: float) -> float:
    """Independent votes whose mean varies as much as that of k equally correlated ones.

    Source: Kish 1965, Survey Sampling, the design effect 1 + (k - 1) rho.
    """
    return k / max(1e-12, 1 + (k - 1) * correlation)


def dependence(
    ballots: Ballots, options: VotingOptions | None = None, *, most_k: int = MOST_K
) -> Dependence:
    """Intra-item correlation of correctness and what it leaves of k votes.

    The intra-class correlation is the one-way analysis-of-variance estimate for groups of unequal
    size; a judgement that names a tie or cannot be read is not right.

    Source: Fisher 1925; the mean group size for unequal groups as in Donner 1986, International
    Statistical Review 54.
    """
    chosen = options or VotingOptions()
    sizes = np.array([len(item) for item in ballots.items], dtype=np.float64)
    rights = np.array([item.counts[item.right] for item in ballots.items], dtype=np.float64)
    ids = ballots.ids

    def rng() -> np.random.Generator:
        return np.random.default_rng(chosen.seed)

    correlation = clustered_statistic(
        lambda weights: intraclass_correlation(rights, sizes, weights),
        ids,
        rng=rng(),
        confidence=chosen.confidence,
        n_resamples=chosen.n_resamples,
    )
    single_credits = np.array([
        majority_credit(item.counts, item.right, 1, chosen.ties).mean for item in ballots.items
    ])  # fmt: skip
    single = clustered_share(
        np.clip(single_credits, 0, 1), ids, rng=rng(), confidence=chosen.confidence,
        n_resamples=chosen.n_resamples,
    )  # fmt: skip
    margins = np.array([all_margins(item.counts, item.right) for item in ballots.items])
    leads = (np.sign(margins) + 1) / 2
    ceiling = clustered_share(
        leads, ids, rng=rng(), confidence=chosen.confidence, n_resamples=chosen.n_resamples
    )
    below = clustered_share(
        (margins < 0).astype(np.float64), ids, rng=rng(), confidence=chosen.confidence,
        n_resamples=chosen.n_resamples,
    )  # fmt: skip
    ks = list(range(1, min(most_k, ballots.k_max) + 1))
    effective = pd.DataFrame(
        {
            "k": ks,
            "effective": [effective_votes(k, max(0.0, correlation.value)) for k in ks],
            "low": [effective_votes(k, max(0.0, correlation.high)) for k in ks],
            "high": [effective_votes(k, max(0.0, correlation.low)) for k in ks],
        }
    )
    reference = pd.DataFrame({"k": ks, "value": [float(iid_majority(single.value, k)) for k in ks]})
    return Dependence(correlation, single, effective, reference, ceiling, below)


def intraclass_correlation(rights: FloatArray, sizes: FloatArray, weights: FloatArray) -> float:
    """One-way analysis-of-variance estimate of the correlation within items.

    Args:
        rights: (n,) right judgements of each item.
        sizes: (n,) judgements of each item.
        weights: (n,) how often each item counts.

    Returns:
        -1 / (K - 1) to 1; NaN without variation, or where no item has two judgements.
    """
    n_items, total = float(weights.sum()), float((weights * sizes).sum())
    if n_items < 2 or total <= n_items:
        return float("nan")
    mean = float((weights * rights).sum()) / total
    shares = rights / sizes
    between = float((weights * sizes * (shares - mean) ** 2).sum()) / (n_items - 1)
    # Of a 0/1 value the squared deviations within an item sum to n p (1 - p).
    within = float((weights * sizes * shares * (1 - shares)).sum()) / (total - n_items)
    typical = (total - float((weights * sizes**2).sum()) / total) / (n_items - 1)
    spread = between + (typical - 1) * within
    return (between - within) / spread if spread > 0 else float("nan")


def vote_table(ballots: Ballots, options: VotingOptions | None = None) -> pd.DataFrame:
    """One row an item: how its judgements voted.

    Columns: item_id, subset, n, right, wrong, ties, unread, share_right (of the votes
    for a candidate; NaN where there is none), margin (share of votes for
    the right one minus that of its strongest rival), entropy (of the votes for candidates, nats),
    majority (credit of all judgements together).
    """
    chosen = options or VotingOptions()
    rows = []
    for item in ballots.items:
        counts = item.counts
        right, voted = int(counts[item.right]), int(counts[:-1].sum())
        rows.append(
            {
                "item_id": item.item_id,
                "subset": item.subset,
                "n": len(item),
                "right": right,
                "wrong": voted - right,
                "ties": int(item.ties.sum()),
                "unread": item.n_unread,
                "share_right": right / voted if voted else float("nan"),
                "margin": all_margins(counts, item.right),
                "entropy": float(scipy_stats.entropy(counts[:-1])) if voted else float("nan"),
                "majority": majority_credit(counts, item.right, len(item), chosen.ties).mean,
            }
        )
    return pd.DataFrame(rows)
