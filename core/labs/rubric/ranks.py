"""How far two rewards rank the same responses differently, prompt by prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from core.errors import TableError
from core.stats import Estimate, clustered_mean, clustered_statistic

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RankShift:
    """Two rewards on the same responses.

    Attributes:
        table: one row a response: prompt_id, rewards `first` and `second`, their ranks within the
            prompt (1 is best, ties share the mean rank) and `shift` (rank by the first minus rank
            by the second: positive where the second likes it better).
        kendall: tau-b within prompts, the mean over prompts where both rewards differ.
        spearman: the same of ranks.
        same_best: share of prompts whose best response is the same one.
        pooled: Spearman over all responses, which also compares different prompts.
    """

    table: pd.DataFrame
    kendall: Estimate
    spearman: Estimate
    same_best: Estimate
    pooled: Estimate


def rank_shift(
    prompt_ids: Sequence[object],
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    n_resamples: int = 2_000,
) -> RankShift:
    """Compares the orders that two rewards give.

    Args:
        prompt_ids: (n,) the prompt of each response.
        first: (n,) rewards, NaN where there is none.
        second: (n,) the other's.
        rng: of the resampling, which goes over prompts.
        n_resamples: bootstrap draws.

    Raises:
        TableError: the three differ in length.
    """
    table = _table(prompt_ids, first, second)
    usable = np.isfinite(table["first"]) & np.isfinite(table["second"])
    missing = int((~usable).sum())
    kept = table[usable].reset_index(drop=True)
    kept["rank_first"] = kept.groupby("prompt_id")["first"].rank(ascending=False)
    kept["rank_second"] = kept.groupby("prompt_id")["second"].rank(ascending=False)
    kept["shift"] = kept["rank_first"] - kept["rank_second"]
    names, taus, rhos, best, flat, lone = _by_prompt(kept)
    left_out = {
        reason: count
        for reason, count in (
            ("responses without both rewards", missing),
            ("prompts with one response", lone),
            ("prompts where a reward gives all the same", flat),
        )
        if count
    }

    def mean(values: list[float]) -> Estimate:
        return clustered_mean(values, names, rng=rng, n_resamples=n_resamples, left_out=left_out)

    one, two = kept["first"].to_numpy(), kept["second"].to_numpy()

    def over_all(weights: FloatArray) -> float:
        counts = weights.astype(int)
        return _spearman(np.repeat(one, counts), np.repeat(two, counts))

    pooled = clustered_statistic(
        over_all,
        list(kept["prompt_id"]),
        rng=rng,
        n_resamples=n_resamples,
        left_out={"responses without both rewards": missing} if missing else {},
    )
    return RankShift(kept, mean(taus), mean(rhos), mean(best), pooled)


def _table(
    prompt_ids: Sequence[object], first: npt.ArrayLike, second: npt.ArrayLike
) -> pd.DataFrame:
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not len(prompt_ids) == len(one) == len(two):
        raise TableError(
            f"{len(prompt_ids)} prompts, {len(one)} first and {len(two)} second rewards: they must "
            "be one for each response."
        )
    return pd.DataFrame({"prompt_id": list(prompt_ids), "first": one, "second": two})


def _by_prompt(
    kept: pd.DataFrame,
) -> tuple[list[object], list[float], list[float], list[float], int, int]:
    names: list[object] = []
    taus: list[float] = []
    rhos: list[float] = []
    best: list[float] = []
    flat = lone = 0
    for name, group in kept.groupby("prompt_id", sort=False):
        one, two = group["first"].to_numpy(), group["second"].to_numpy()
        if len(group) < 2:
            lone += 1
        elif np.ptp(one) == 0 or np.ptp(two) == 0:
            flat += 1
        else:
            names.append(name)
            taus.append(float(stats.kendalltau(one, two).statistic))
            rhos.append(_spearman(one, two))
            best.append(_same_best(one, two))
    return names, taus, rhos, best, flat, lone


def _same_best(one: FloatArray, two: FloatArray) -> float:
    """Chance that the best by each, drawn among ties, is the same response."""
    tops_one, tops_two = one == one.max(), two == two.max()
    return float((tops_one & tops_two).sum() / (tops_one.sum() * tops_two.sum()))


def _spearman(one: FloatArray, two: FloatArray) -> float:
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return float("nan")
    return float(stats.spearmanr(one, two).statistic)
