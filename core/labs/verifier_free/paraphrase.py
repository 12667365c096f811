"""The stress test: the same answer in other words. Does the reward still rank the traces alike?

VeriFree's derivation needs one correct answer; 1/2 and 0.5 break it. A shift that all traces of a
problem share cancels in the advantages of their group; what is left over does not.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.verifier_free.aggregates import Aggregate, aggregate_all
from core.stats import Estimate, FloatArray, clustered_mean, clustered_statistic

FLAT = 1e-12


@dataclass(frozen=True)
class ParaphraseTest:
    """What other wordings do.

    Attributes:
        problems: one row a problem: `problem_id`, `domain`, `n_traces`, `n_wordings`, and mean
            squares as variances of the reward: `between_wordings` (their means over traces),
            `between_traces` (their means over wordings), `interaction` (what neither explains);
            `best_changes` (share of paraphrases under which another trace is best), `flips` (share
            of pairs of traces that a paraphrase puts in another order).
        ratio: variance over wordings of one trace's reward, over variance between traces under one
            wording; means over problems first.
        interaction_ratio: the interaction alone over the variance between traces.
        flips: mean share of pairs that change their order.
        best_changes: mean share of paraphrases that make another trace the best.
    """

    problems: pd.DataFrame
    ratio: Estimate
    interaction_ratio: Estimate
    flips: Estimate
    best_changes: Estimate


def reward_matrix(group: pd.DataFrame, how: Aggregate) -> tuple[FloatArray, list[str], list[int]]:
    """(traces, wordings) rewards of one problem, NaN where a cell is missing; with both names."""
    scores = aggregate_all(list(group["ref_log_probabilities"]), how)
    grid = group.assign(reward=scores).pivot(index="trace_id", columns="wording", values="reward")
    grid = grid.sort_index(axis=1)
    return grid.to_numpy(dtype=np.float64), list(grid.index), [int(at) for at in grid.columns]


def components(matrix: FloatArray) -> dict[str, float]:
    """Two-way analysis without replication: variances of the means, and of what is left.

    Args:
        matrix: (traces, wordings), finite, at least two of each.

    Returns:
        `within` (mean over traces of the variance over wordings) and `between` (mean over wordings
        of the variance over traces), both what one sees along a row or column; `between_wordings`
        and `between_traces`, the variances of the marginal means; `interaction`, the mean square
        of what is left. All with n - 1.
    """
    traces, wordings = matrix.shape
    left = (
        matrix
        - matrix.mean(axis=1, keepdims=True)
        - matrix.mean(axis=0, keepdims=True)
        + matrix.mean()
    )
    return {
        "within": float(matrix.var(axis=1, ddof=1).mean()),
        "between": float(matrix.var(axis=0, ddof=1).mean()),
        "between_wordings": float(matrix.mean(axis=0).var(ddof=1)),
        "between_traces": float(matrix.mean(axis=1).var(ddof=1)),
        "interaction": float((left**2).sum() / ((traces - 1) * (wordings - 1))),
    }


def order_changes(matrix: FloatArray) -> tuple[float, float]:
    """Share of pairs of traces in another order, and of paraphrases with another best trace.

    Against the first column, the reference. A tie on either side counts as half a change.
    """
    first, others = matrix[:, 0], matrix[:, 1:]
    a, b = np.triu_indices(len(first), 1)
    before = np.sign(first[a] - first[b])[:, None]
    after = np.sign(others[a] - others[b])
    changed = np.where((before == 0) | (after == 0), 0.5 * (before != after), before != after)
    best = others.argmax(axis=0) != first.argmax()
    return float(changed.mean()), float(best.mean())


def paraphrase_test(table: pd.DataFrame, how: Aggregate, *, seed: int = 0) -> ParaphraseTest:
    """The stress test over all problems that have paraphrases.

    Problems with a missing or infinite cell, fewer than two traces or no paraphrase are counted.

    Args:
        table: of `tables.Scores`, all wordings.
        how: the reward.
        seed: of the resampling.
    """
    rows, left_out = [], {"no paraphrase or a single trace": 0, "a reward is missing": 0}
    for problem, group in table.groupby("problem_id", sort=False):
        matrix, _, wordings = reward_matrix(group, how)
        if matrix.shape[0] < 2 or matrix.shape[1] < 2 or wordings[0] != 0:
            left_out["no paraphrase or a single trace"] += 1
            continue
        if not np.isfinite(matrix).all():
            left_out["a reward is missing"] += 1
            continue
        flips, best = order_changes(matrix)
        rows.append(
            {
                "problem_id": problem,
                "domain": group["domain"].iloc[0],
                "n_traces": matrix.shape[0],
                "n_wordings": matrix.shape[1],
                **components(matrix),
                "flips": flips,
                "best_changes": best,
            }
        )
    columns = [
        "problem_id", "domain", "n_traces", "n_wordings", "within", "between", "between_wordings",
        "between_traces", "interaction", "flips", "best_changes",
    ]  # fmt: skip
    found = pd.DataFrame(rows, columns=columns)
    reasons = {reason: n for reason, n in left_out.items() if n}
    names = list(found["problem_id"])

    def ratio(above: str) -> Estimate:
        top = found[above].to_numpy(dtype=np.float64)
        bottom = found["between"].to_numpy(dtype=np.float64)
        return clustered_statistic(
            lambda weights: _share(np.atleast_2d(weights), top, bottom),
            names,
            rng=np.random.default_rng(seed),
            left_out=reasons,
            vectorized=True,
        )

    return ParaphraseTest(
        problems=found,
        ratio=ratio("within"),
        interaction_ratio=ratio("interaction"),
        flips=_mean(found["flips"], names, seed, reasons),
        best_changes=_mean(found["best_changes"], names, seed, reasons),
    )


def _share(weights: FloatArray, top: FloatArray, bottom: FloatArray) -> FloatArray:
    below = weights @ bottom
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > FLAT, weights @ top / below, np.nan)


def _mean(
    values: "pd.Series[float]", names: list[str], seed: int, left_out: dict[str, int]
) -> Estimate:
    return clustered_mean(
        values.to_numpy(dtype=np.float64), names, rng=np.random.default_rng(seed), left_out=left_out
    )
