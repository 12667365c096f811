"""What a reward owes to length, and how the sum and the mean of log-ratios disagree.

The sum over a response's tokens, which is what DPO trains, grows with their number wherever each
token's log-ratio has a mean other than 0; the mean over tokens takes that away, and with it part of
what was trained. All slopes are within prompts, so that easy and hard prompts do not mix in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from core.errors import TableError
from core.stats import Estimate, clustered_mean, clustered_statistic

FloatArray = npt.NDArray[np.float64]

COLUMNS = ("prompt_id", "response", "n_tokens", "sum", "mean")
"""One row a response; `response` is "chosen" or "rejected" in pairs, anything else elsewhere;
`sum` and `mean` are the two rewards."""

RULES = ("sum", "mean")
SIDES = ("chosen", "rejected")

N_RESAMPLES = 1_000


@dataclass(frozen=True)
class LengthEffect:
    """How one reward follows length.

    Attributes:
        rule: "sum" or "mean".
        slope: standard deviations of the reward for each standard deviation of length, both within
            prompts; their correlation, between -1 and 1.
        per_token: reward for one more token, within prompts.
        accuracy: share of pairs ranked rightly.
        accuracy_long: of pairs whose chosen response is the longer one.
        accuracy_short: of pairs whose chosen response is the shorter one.
        prefers_longer: share of pairs in which the longer response gets the higher reward.
    """

    rule: str
    slope: Estimate
    per_token: Estimate
    accuracy: Estimate
    accuracy_long: Estimate
    accuracy_short: Estimate
    prefers_longer: Estimate


@dataclass(frozen=True)
class LengthReport:
    """Both rewards on the same responses.

    Attributes:
        effects: one for each rule.
        agreement: Kendall's tau-b of the two rewards over all responses.
        same_winner: share of pairs in which both rewards have the same winner.
        pairs: one row a pair: prompt_id, n_chosen, n_rejected, gap_sum, gap_mean.
        left_out: responses and pairs that could not be used, by reason.
    """

    effects: tuple[LengthEffect, ...]
    agreement: Estimate
    same_winner: Estimate
    pairs: pd.DataFrame
    left_out: Mapping[str, int]


def length_report(
    table: pd.DataFrame, *, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> LengthReport:
    """Measures both rewards against length on pairs.

    Args:
        table: with `COLUMNS`; each prompt has one "chosen" and any number of "rejected" responses.
            Where a prompt has more than one chosen response, a column `group` tells which rejected
            ones each is compared with.
        rng: of the resampling, over prompts.
        n_resamples: bootstrap draws.

    Raises:
        TableError: a column is missing, or no response has both rewards.
    """
    kept, left_out = _usable(table)
    pairs = _pairs(kept)
    if len(pairs) == 0:
        left_out = {**left_out, "no prompt has a chosen and a rejected response": 1}
    clusters = list(kept["prompt_id"])

    def tau(weights: FloatArray) -> float:
        counts = weights.astype(int)
        one, two = (np.repeat(kept[rule].to_numpy(), counts) for rule in RULES)
        return float(stats.kendalltau(one, two).statistic)

    agreement = clustered_statistic(
        tau, clusters, rng=rng, n_resamples=n_resamples, left_out=left_out
    )
    gaps = [np.sign(pairs[f"gap_{rule}"].to_numpy()) for rule in RULES]
    same = _mean(gaps[0] == gaps[1], pairs, rng, n_resamples)
    effects = tuple(_effect(kept, pairs, rule, rng, n_resamples) for rule in RULES)
    return LengthReport(effects, agreement, same, pairs, left_out)


def _usable(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise TableError(f"The table lacks {', '.join(missing)}.", fix=f"It needs {COLUMNS}.")
    numbers = table[["n_tokens", *RULES]].to_numpy(dtype=np.float64)
    sound = np.isfinite(numbers).all(axis=1)
    if not sound.any():
        raise TableError("No response has a length and both rewards.")
    n_bad = int((~sound).sum())
    return table[sound].reset_index(drop=True), {
        "responses without a reward": n_bad
    } if n_bad else {}


def _pairs(kept: pd.DataFrame) -> pd.DataFrame:
    keys = ["prompt_id", "group"] if "group" in kept else ["prompt_id"]
    chosen = kept[kept["response"] == "chosen"].drop_duplicates(keys)
    rejected = kept[kept["response"] == "rejected"]
    both = rejected.merge(chosen, on=keys, suffixes=("_rejected", "_chosen"))
    return pd.DataFrame(
        {
            "prompt_id": both["prompt_id"],
            "n_chosen": both["n_tokens_chosen"],
            "n_rejected": both["n_tokens_rejected"],
            **{f"gap_{rule}": both[f"{rule}_chosen"] - both[f"{rule}_rejected"] for rule in RULES},
        }
    )


def _effect(
    kept: pd.DataFrame, pairs: pd.DataFrame, rule: str, rng: np.random.Generator, n: int
) -> LengthEffect:
    groups = kept.groupby("prompt_id")
    x = (kept["n_tokens"] - groups["n_tokens"].transform("mean")).to_numpy(dtype=np.float64)
    y = (kept[rule] - groups[rule].transform("mean")).to_numpy(dtype=np.float64)
    clusters = list(kept["prompt_id"])

    def slope(weights: FloatArray) -> float:
        spread = (weights * x * x).sum()
        return float((weights * x * y).sum() / spread) if spread > 0 else float("nan")

    def correlation(weights: FloatArray) -> float:
        spread = (weights * x * x).sum() * (weights * y * y).sum()
        return float((weights * x * y).sum() / np.sqrt(spread)) if spread > 0 else float("nan")

    gap = pairs[f"gap_{rule}"].to_numpy(dtype=np.float64)
    longer = (pairs["n_chosen"] - pairs["n_rejected"]).to_numpy(dtype=np.float64)
    right = np.where(gap == 0, 0.5, gap > 0)
    liked_longer = np.where(gap == 0, 0.5, np.sign(gap) == np.sign(longer))

    def share(
        values: npt.NDArray[np.generic], where: npt.NDArray[np.bool_] | None = None
    ) -> Estimate:
        chosen = np.ones(len(pairs), dtype=bool) if where is None else where
        return _mean(values[chosen], pairs[chosen], rng, n)

    return LengthEffect(
        rule,
        clustered_statistic(correlation, clusters, rng=rng, n_resamples=n),
        clustered_statistic(slope, clusters, rng=rng, n_resamples=n),
        share(right),
        share(right, longer > 0),
        share(right, longer < 0),
        share(liked_longer, longer != 0),
    )


def _mean(values: npt.ArrayLike, pairs: pd.DataFrame, rng: np.random.Generator, n: int) -> Estimate:
    clusters: Sequence[object] = list(pairs["prompt_id"])
    return clustered_mean(np.asarray(values, float), clusters, rng=rng, n_resamples=n)


def responses_of(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs side by side as one row a response, each chosen one once.

    Args:
        pairs: prompt_id, flaw, and for both sides sum_, mean_ and tokens_ with the suffix chosen or
            rejected.
    """
    parts = []
    for side in ("chosen", "rejected"):
        part = pairs[["prompt_id", "flaw"]].assign(
            response=side,
            n_tokens=pairs[f"tokens_{side}"],
            sum=pairs[f"sum_{side}"],
            mean=pairs[f"mean_{side}"],
        )
        parts.append(part.drop_duplicates("prompt_id") if side == "chosen" else part)
    return pd.concat(parts, ignore_index=True)


def responses_of_readings(
    pairs: pd.DataFrame, readings: Mapping[str, tuple[int, float, float]]
) -> pd.DataFrame:
    """Pairs whose responses were read, as one row a response for `length_report`.

    Args:
        pairs: pair_id, prompt_id, chosen, rejected, and `flaw` where known.
        readings: tokens, sum and mean of a response, by "pair_id/chosen" and "pair_id/rejected";
            a pair with one side missing is left out.

    Returns:
        `COLUMNS` with `group` (number of the chosen response among those of its prompt), `flaw` and
        `pair_id`. A chosen response of several pairs is there once.
    """
    rows = []
    groups: dict[tuple[object, str], int] = {}
    for pair in pairs.to_dict(orient="records"):
        sides = {side: readings.get(f"{pair['pair_id']}/{side}") for side in SIDES}
        if any(reading is None for reading in sides.values()):
            continue
        key = (pair["prompt_id"], str(pair["chosen"]))
        is_new = key not in groups
        group = groups.setdefault(key, sum(prompt == key[0] for prompt, _ in groups))
        for side, reading in sides.items():
            if reading is None or (side == "chosen" and not is_new):
                continue
            n_tokens, total, mean = reading
            rows.append(
                {
                    "prompt_id": pair["prompt_id"],
                    "flaw": str(pair.get("flaw") or ""),
                    "response": side,
                    "n_tokens": n_tokens,
                    "sum": total,
                    "mean": mean,
                    "group": group,
                    "pair_id": pair["pair_id"],
                }
            )
    columns = ["prompt_id", "flaw", *COLUMNS[1:], "group", "pair_id"]
    return pd.DataFrame(rows, columns=columns)
