"""Best-of-n: what picking the response a proxy likes best does to the gold reward.

The gold reward is another reward model, a verifier's column or a label. For each prompt the
expected gold reward of the proxy's favourite among n of its responses is exact, over all subsets of
n and all orders of equal rewards; prompts count the same and are what intervals resample.

Source: estimator and forms Gao et al. 2023, arXiv 2210.10760; ensembles Coste et al. 2024,
arXiv 2310.02743; reward variance Razin et al. 2025, arXiv 2503.15477.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.best_of_n.ensembles import ENSEMBLES, Ensemble, combine, standardise
from core.labs.best_of_n.estimator import (
    expected_best,
    order_accuracy,
    reward_variance,
    sizes_up_to,
)
from core.labs.best_of_n.overoptimisation import (
    NO_TURN,
    OveroptimisationFit,
    basis,
    fit_overoptimisation,
    kl_of_best_of_n,
    n_of_kl,
    peak,
)
from core.labs.plan import CONVERSATION, ERROR, REWARD, Plan
from core.schema import with_response
from core.stats import Estimate, FloatArray, clustered_mean, clustered_statistic

ORACLE = "oracle"
"""The proxy that picks by the gold reward itself: the best any proxy could do."""

NO_GOLD = "no gold reward"
FEW_RESPONSES = "prompt with too few usable responses"
WIDE_BETA = "the interval of beta includes 0: these data do not show a turn"


@dataclass(frozen=True)
class BestOfNOptions:
    """How the lab is run.

    Attributes:
        gold: the column with the gold reward (numbers, or true and false).
        gold_model: a model of the table whose reward is the gold one instead; it is no proxy.
        max_n: the largest n; by default what nine of ten prompts have usable responses for.
            Prompts with fewer usable responses are left out of every n, so that all n are about
            the same prompts.
        ensembles: ways to combine the proxies, where there are several.
        variance_weight: lambda of "mean - variance".
        seed: of the resampling.
        confidence: coverage of the intervals.
        n_resamples: bootstrap draws for each interval.
    """

    gold: str = "gold"
    gold_model: str | None = None
    max_n: int | None = None
    ensembles: tuple[Ensemble, ...] = ENSEMBLES
    variance_weight: float = 0.5
    seed: int = 0
    confidence: float = 0.95
    n_resamples: int = 2_000

    def rng(self) -> np.random.Generator:
        """A fresh generator: every number starts from the seed."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True)
class BestOfNResult:
    """What the lab found.

    Attributes:
        curves: one row a proxy and n: proxy, n, kl, distance (its square root), gold and gain (gold
            minus that at n = 1) with low and high, proxy_reward (standardised), n_prompts, method.
            The proxy "oracle" picks by the gold reward itself.
        fits: one row a proxy: Gao's best-of-n form, with intervals for alpha, beta and the peak;
            `problem` says why a fit or its peak cannot be trusted.
        drops: one row a proxy: the n with the highest gold reward, and the paired change from there
            to the largest n. The peak is chosen on the same data, so its interval is optimistic.
        policies: one row a proxy: within-prompt variance of its standardised reward, and how often
            it orders two responses of a prompt as the gold reward does (ties as half).
        n_prompts: prompts used.
        gold: what the gold reward is, for titles.
        notes: what a reader has to know.
        left_out: responses, and prompts, that could not be used, by reason.
    """

    curves: pd.DataFrame
    fits: pd.DataFrame
    drops: pd.DataFrame
    policies: pd.DataFrame
    n_prompts: int
    gold: str
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def plan(responses: pd.DataFrame, options: BestOfNOptions | None = None) -> Plan:
    """Every response as a conversation.

    Args:
        responses: prompt_id, prompt (messages), response (text), and own columns (the gold reward).
        options: not used in planning.

    Raises:
        TableError: when a column is missing.
    """
    del options
    missing = [name for name in ("prompt_id", "prompt", "response") if name not in responses]
    if missing:
        raise TableError(f"The table of responses lacks the columns {', '.join(missing)}.")
    pairs = zip(responses["prompt"], responses["response"], strict=True)
    conversations = pd.Series([with_response(*pair) for pair in pairs], dtype=object)
    keys = responses.drop(columns=["prompt", "response"]).reset_index(drop=True)
    return Plan(keys.assign(**{CONVERSATION: conversations}))


def run(scored: Mapping[str, pd.DataFrame], options: BestOfNOptions | None = None) -> BestOfNResult:
    """Best-of-n of every proxy and every ensemble of them.

    Args:
        scored: by model, the plan with that model's rewards; all of them the same rows.
        options: gold reward, largest n, ensembles and intervals.

    Raises:
        TableError: when there is no gold reward, no proxy, or the tables differ in their rows.
    """
    chosen = options or BestOfNOptions()
    sample, notes = _sample(scored, chosen)
    groups, ns, left_out = _groups(sample, chosen)
    gold_units = chosen.gold if chosen.gold_model is None else f"{chosen.gold_model} (standardised)"
    if not groups:
        empty = pd.DataFrame()
        return BestOfNResult(empty, empty, empty, empty, 0, gold_units, tuple(notes), left_out)
    proxies = {**sample.proxies, ORACLE: sample.gold}
    curves, fits, drops, policies = [], [], [], []
    for name, rewards in proxies.items():
        gold = np.array([expected_best(rewards[g], sample.gold[g], ns) for g in groups])
        own = np.array([expected_best(rewards[g], rewards[g], ns) for g in groups])
        curves.append(_curve(name, ns, gold, own, chosen))
        drops.append(_drop(name, ns, gold, chosen))
        if name != ORACLE:
            fits.append(_fit_row(name, ns, gold, chosen))
            policies.append(_policy_row(name, rewards, sample.gold, groups, chosen))
    return BestOfNResult(
        pd.concat(curves, ignore_index=True),
        pd.DataFrame(fits),
        pd.DataFrame(drops),
        pd.DataFrame(policies),
        len(groups),
        gold_units,
        tuple(notes),
        left_out,
    )


@dataclass(frozen=True)
class _Sample:
    """All responses: their prompts, gold rewards, proxies by name, and why some cannot be used."""

    prompt_ids: list[str]
    gold: FloatArray
    proxies: dict[str, FloatArray]
    reasons: list[str]


def _sample(
    scored: Mapping[str, pd.DataFrame], options: BestOfNOptions
) -> tuple[_Sample, list[str]]:
    names = [name for name in scored if name != options.gold_model]
    if not names:
        raise TableError("There is no proxy: score the responses with at least one more model.")
    first = scored[names[0]]
    prompt_ids = [str(value) for value in first["prompt_id"]]
    for name, table in scored.items():
        if [str(value) for value in table["prompt_id"]] != prompt_ids:
            raise TableError(f"The rewards of {name} are not about the same responses.")
    reasons = [""] * len(first)
    rewards: dict[str, FloatArray] = {}
    for name, table in scored.items():
        values = table[REWARD].to_numpy(dtype=np.float64)
        found = zip(reasons, table[ERROR], values, strict=True)
        reasons = [old or _reason(error, value) for old, error, value in found]
        rewards[name] = values
    gold = _gold(scored, first, options)
    reasons = [
        old or ("" if np.isfinite(value) else NO_GOLD)
        for old, value in zip(reasons, gold, strict=True)
    ]
    usable = np.array([not reason for reason in reasons], dtype=bool)
    proxies = {name: standardise(np.where(usable, rewards[name], np.nan)) for name in names}
    notes = [
        f"{name} gives every response the same reward."
        for name in names
        if usable.any() and not np.ptp(rewards[name][usable]) > 0
    ]
    stacked = np.array(list(proxies.values()))
    if len(names) > 1:
        for way in options.ensembles:
            proxies[f"ensemble: {way}"] = combine(
                stacked, way, variance_weight=options.variance_weight
            )
    if options.gold_model is not None:
        gold = standardise(np.where(usable, gold, np.nan))
    return _Sample(prompt_ids, gold, proxies, reasons), notes


def _reason(error: str, reward: float) -> str:
    if error:
        return str(error).partition("\n")[0]
    return "" if np.isfinite(reward) else "no reward"


def _gold(
    scored: Mapping[str, pd.DataFrame], first: pd.DataFrame, options: BestOfNOptions
) -> FloatArray:
    if options.gold_model is not None:
        if options.gold_model not in scored:
            raise TableError(f"The gold model {options.gold_model} has no rewards.")
        return scored[options.gold_model][REWARD].to_numpy(dtype=np.float64)
    if options.gold not in first.columns:
        columns = ", ".join(map(str, first.columns))
        raise TableError(
            f"There is no column {options.gold} with the gold reward. Columns: {columns}.",
            fix="Name the column, or a model whose reward is the gold one.",
        )
    return pd.to_numeric(first[options.gold], errors="coerce").to_numpy(dtype=np.float64)


def _groups(
    sample: _Sample, options: BestOfNOptions
) -> tuple[list[npt.NDArray[np.int64]], list[int], dict[str, int]]:
    """The rows of each prompt that has responses enough, the sizes, and what is left out."""
    left_out = Counter(reason for reason in sample.reasons if reason)
    rows: dict[str, list[int]] = {prompt: [] for prompt in sample.prompt_ids}
    for place, (prompt, reason) in enumerate(zip(sample.prompt_ids, sample.reasons, strict=True)):
        if not reason:
            rows[prompt].append(place)
    counts = sorted(len(places) for places in rows.values())
    max_n = options.max_n or (counts[len(counts) // 10] if counts else 0)
    kept = [np.array(places) for places in rows.values() if max_n and len(places) >= max_n]
    if len(kept) < len(rows):
        left_out[FEW_RESPONSES] += len(rows) - len(kept)
    return kept, sizes_up_to(max_n), dict(left_out)


def _mean(values: FloatArray, options: BestOfNOptions) -> Estimate:
    return clustered_mean(
        values,
        range(len(values)),
        rng=options.rng(),
        confidence=options.confidence,
        n_resamples=options.n_resamples,
    )


def _curve(
    name: str, ns: Sequence[int], gold: FloatArray, own: FloatArray, options: BestOfNOptions
) -> pd.DataFrame:
    """(prompts, n) gold and proxy rewards of the picks as rows of the curves table."""
    rows = []
    for place, n in enumerate(ns):
        level = _mean(gold[:, place], options)
        gain = _mean(gold[:, place] - gold[:, 0], options)
        kl = float(kl_of_best_of_n(n))
        rows.append(
            {
                "proxy": name,
                "n": n,
                "kl": kl,
                "distance": kl**0.5,
                "gold": level.value,
                "gold_low": level.low,
                "gold_high": level.high,
                "gain": gain.value,
                "gain_low": gain.low,
                "gain_high": gain.high,
                "proxy_reward": float(own[:, place].mean()),
                "n_prompts": level.n_prompts,
                "method": gain.method,
            }
        )
    return pd.DataFrame(rows)


def _drop(
    name: str, ns: Sequence[int], gold: FloatArray, options: BestOfNOptions
) -> dict[str, Any]:
    best = int(gold.mean(axis=0).argmax())
    change = _mean(gold[:, -1] - gold[:, best], options)
    return {
        "proxy": name,
        "best_n": ns[best],
        "largest_n": ns[-1],
        "change": change.value,
        "low": change.low,
        "high": change.high,
        "n_prompts": change.n_prompts,
        "method": change.method,
    }


def _fit_row(
    name: str, ns: Sequence[int], gold: FloatArray, options: BestOfNOptions
) -> dict[str, Any]:
    distances = np.sqrt(kl_of_best_of_n(ns))
    gains = gold - gold[:, :1]
    fit = fit_overoptimisation(distances, gains.mean(axis=0))
    row: dict[str, Any] = {"proxy": name, **vars(fit)}
    row["peak_n"] = n_of_kl(fit.peak_distance**2) if np.isfinite(fit.peak_distance) else np.nan
    for key, estimate in _fit_intervals(fit, distances, gains, options).items():
        row |= {f"{key}_low": estimate.low, f"{key}_high": estimate.high}
        row["method"] = estimate.method
    # NaN (one prompt) is no evidence of a turn either.
    if not fit.problem and not row.get("beta_low", np.nan) > 0:
        row["problem"] = WIDE_BETA
    return row


def _fit_intervals(
    fit: OveroptimisationFit, distances: FloatArray, gains: FloatArray, options: BestOfNOptions
) -> dict[str, Estimate]:
    """Intervals over prompts of alpha, beta and the peak's distance; none where there is no fit."""
    if not np.isfinite(fit.alpha):
        return {}
    solve = np.linalg.pinv(basis(distances, fit.form))

    def statistic(key: str, weights: FloatArray) -> float:
        alpha, beta = solve @ (weights @ gains / weights.sum())
        return float({"alpha": alpha, "beta": beta}.get(key, peak(alpha, beta, fit.form)[0]))

    def estimate(key: str) -> Estimate:
        return clustered_statistic(
            lambda weights: statistic(key, weights),
            range(len(gains)),
            rng=options.rng(),
            confidence=options.confidence,
            n_resamples=options.n_resamples,
        )

    keys = ["alpha", "beta", *(["peak_distance"] if fit.problem != NO_TURN else [])]
    return {key: estimate(key) for key in keys}


def _policy_row(
    name: str,
    rewards: FloatArray,
    gold: FloatArray,
    groups: Sequence[npt.NDArray[np.int64]],
    options: BestOfNOptions,
) -> dict[str, Any]:
    variances = np.array([reward_variance(rewards[g], ddof=1) for g in groups])
    orders = np.array([order_accuracy(rewards[g], gold[g]) for g in groups])
    row: dict[str, Any] = {"proxy": name}
    for key, values in (("variance", variances), ("accuracy", orders)):
        found = _mean(values, options)
        row |= {key: found.value, f"{key}_low": found.low, f"{key}_high": found.high}
        row |= {f"{key}_prompts": found.n_prompts, f"{key}_left_out": len(values) - found.n}
    return row
