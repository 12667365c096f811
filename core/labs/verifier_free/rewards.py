"""VeriFree, RLPR and NOVER on the same group of traces, and the advantages each would give.

VeriFree and RLPR as in their papers, NOVER and RLPR's weights as in their code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.labs.groups import Scale, group_advantages, leave_one_out_advantages
from core.labs.verifier_free.aggregates import (
    WHOLE,
    Aggregate,
    Span,
    aggregate,
    aggregate_all,
    has_impossible,
)
from core.labs.verifier_free.debias import Debias, rlpr_score

FloatArray = npt.NDArray[np.float64]

Method = Literal["VeriFree", "RLPR", "NOVER"]
METHODS: tuple[Method, ...] = get_args(Method)

AdvantageKind = Literal["RLOO", "mean", "GRPO std", "GRPO sample std"]
ADVANTAGES: tuple[AdvantageKind, ...] = get_args(AdvantageKind)
ADVANTAGE_MEANING: dict[AdvantageKind, str] = {
    "RLOO": "reward minus the mean of the others",
    "mean": "reward minus the group's mean",
    "GRPO std": "reward minus the group's mean, over the group's standard deviation (n)",
    "GRPO sample std": "reward minus the group's mean, over the group's sample standard deviation "
    "(n - 1)",
}
OWN_ADVANTAGE: dict[Method, AdvantageKind] = {
    "VeriFree": "RLOO",
    "RLPR": "GRPO sample std",
    "NOVER": "mean",
}
"""What each method's own training uses; RLPR's code divides by the sample standard deviation."""

FLAT = 1e-9

_SCALES: dict[AdvantageKind, Scale] = {
    "mean": "none",
    "GRPO std": "population",
    "GRPO sample std": "sample",
}


def advantages(rewards: npt.ArrayLike, kind: AdvantageKind) -> FloatArray:
    """(n,) advantages of a group; all 0 where the rewards differ by float noise only.

    Args:
        rewards: (n,) finite.
        kind: RLOO (VeriFree), mean (Dr. GRPO, NOVER), or over the population or the sample (RLPR)
            standard deviation.
    """
    values = np.asarray(rewards, dtype=np.float64)
    if values.size < 2 or np.ptp(values) < FLAT:
        return np.zeros_like(values)
    if kind == "RLOO":
        return leave_one_out_advantages(values)
    return group_advantages(values, scale=_SCALES[kind])


def verifree_rewards(rows: Sequence[npt.ArrayLike | None], span: Span = WHOLE) -> FloatArray:
    """(n,) product of the reference's token probabilities: reward of the trace, and weight of the
    log-likelihood of the reference in the gradient.
    """
    return aggregate_all(rows, "product", span=span)


def nover_perplexity(mean_nll: float, n_tokens: float, *, normalised: bool = True) -> float:
    """exp(NLL / max(1, 1 + log10 of the reasoning's tokens)), as in NOVER's code.

    Args:
        mean_nll: nats per reference token, at least 0.
        n_tokens: of the reasoning.
        normalised: without it, exp(NLL).
    """
    if not np.isfinite(mean_nll):
        return float("nan") if np.isnan(mean_nll) else float("inf")
    divisor = max(1.0, 1.0 + float(np.log10(max(n_tokens, 1.0)))) if normalised else 1.0
    return float(np.exp(mean_nll / divisor))


def nover_ranks(perplexities: npt.ArrayLike, valid: npt.ArrayLike) -> FloatArray:
    """(V - rank) / V over the V valid completions, rank 0 for the lowest perplexity; 0 if invalid.

    Equal perplexities share the mean of their rewards (our reading: the code sorts, and what it
    does with ties depends on the order of the completions).
    """
    values, usable = np.asarray(perplexities, dtype=np.float64), np.asarray(valid, dtype=bool)
    usable = usable & ~np.isnan(values)
    found = np.zeros(values.size)
    n = int(usable.sum())
    for position in np.flatnonzero(usable):
        below = int((values[usable] < values[position]).sum())
        ties = int((values[usable] == values[position]).sum())
        found[position] = (n - below - (ties - 1) / 2) / n
    return found


def nover_efficiency(
    perplexities: npt.ArrayLike, lengths: npt.ArrayLike, valid: npt.ArrayLike
) -> FloatArray:
    """Share of the other valid completions that are both longer and worse; 0 where V < 2."""
    values, sizes = np.asarray(perplexities, float), np.asarray(lengths, float)
    usable = np.asarray(valid, dtype=bool) & ~np.isnan(values) & ~np.isnan(sizes)
    found = np.zeros(values.size)
    n = int(usable.sum())
    if n < 2:
        return found
    for position in np.flatnonzero(usable):
        beaten = usable & (sizes > sizes[position]) & (values > values[position])
        found[position] = float(beaten.sum()) / (n - 1)
    return found


@dataclass(frozen=True)
class RewardOptions:
    """What the three methods are computed with.

    Attributes:
        score: the aggregate of RLPR; its own is the mean probability.
        debias: of RLPR.
        normalised: NOVER's perplexity by the length of the reasoning.
        span: which reference tokens count, for all methods.
        advantage: the same for all methods; None gives each its own.
    """

    score: Aggregate = "mean"
    debias: Debias = field(default_factory=Debias)
    normalised: bool = True
    span: Span = WHOLE
    advantage: AdvantageKind | None = None


def side_by_side(group: pd.DataFrame, options: RewardOptions | None = None) -> pd.DataFrame:
    """The three methods on one group, one row a trace and method.

    Args:
        group: rows of one problem and wording, as in `tables.Scores`.
        options: aggregate, shape, weights, normaliser, advantages.

    Returns:
        Columns `trace_id`, `correct`, `method`, `reward`, `advantage`, `advantage_kind`, `flat`
        (the group gives no signal), `impossible` (a token of probability 0 makes the reward 0) and
        NOVER's `perplexity`, `rank_reward`, `efficiency`. A trace whose reward does not exist has
        NaN and takes no part in the advantages of the others.
    """
    options = options or RewardOptions()
    tags = group["format_ok"].to_numpy(dtype=bool)
    parts = {
        "VeriFree": pd.DataFrame(
            {"reward": verifree_rewards(list(group["ref_log_probabilities"]), options.span)}
        ),
        "RLPR": pd.DataFrame({"reward": rlpr_rewards(group, options)}),
        "NOVER": nover_parts(group, tags, options),
    }
    impossible = [has_impossible(row) for row in group["ref_log_probabilities"]]
    frames = []
    for method in METHODS:
        found = parts[method]
        kind = options.advantage or OWN_ADVANTAGE[method]
        rewards = found["reward"].to_numpy(dtype=np.float64)
        usable = np.isfinite(rewards)
        each = np.full(rewards.size, np.nan)
        each[usable] = advantages(rewards[usable], kind)
        flat = int(usable.sum()) < 2 or float(np.ptp(rewards[usable])) < FLAT
        frames.append(
            found.assign(
                trace_id=list(group["trace_id"]),
                correct=list(group["correct"]),
                method=method,
                advantage=each,
                advantage_kind=kind,
                flat=flat,
                impossible=impossible,
            )
        )
    return pd.concat(frames, ignore_index=True)


def rlpr_rewards(group: pd.DataFrame, options: RewardOptions) -> FloatArray:
    """(n,) RLPR's reward of each trace; NaN where a baseline is wanted and there is none."""
    how = options.debias
    scores = aggregate_all(list(group["ref_log_probabilities"]), options.score, span=options.span)
    bare = aggregate_all(
        list(group["ref_log_probabilities_without"]), options.score, span=options.span
    )
    with np.errstate(invalid="ignore"):
        found = rlpr_score(scores, bare, group["format_ok"].to_numpy(dtype=bool), how)
    missing = np.array([row is None for row in group["ref_log_probabilities_without"]])
    return np.where(missing, np.nan, found) if how.baseline else found


def nover_parts(
    group: pd.DataFrame, valid: npt.NDArray[np.bool_], options: RewardOptions
) -> pd.DataFrame:
    """Perplexity, reward by rank, efficiency and their sum with the format's 1 or 0."""
    lengths = group["n_trace_tokens"].to_numpy(dtype=np.float64)
    perplexities = np.array(
        [
            nover_perplexity(
                -aggregate(row, "mean-log", span=options.span),
                length,
                normalised=options.normalised,
            )
            for row, length in zip(group["ref_log_probabilities"], lengths, strict=True)
        ]
    )
    if options.normalised:  # a length that is not known has no normalised perplexity
        perplexities = np.where(np.isnan(lengths), np.nan, perplexities)
    ranks = nover_ranks(perplexities, valid)
    efficiency = nover_efficiency(perplexities, lengths, valid)
    total = ranks + efficiency + valid.astype(np.float64)
    return pd.DataFrame(
        {
            "reward": np.where(np.isnan(perplexities), np.nan, total),
            "perplexity": perplexities,
            "rank_reward": ranks,
            "efficiency": efficiency,
        }
    )
