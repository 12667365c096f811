"""What DPO would get out of a set of preference pairs, told before training on it.

Per pair: the gap in reward, how alike the two responses are, and the expected size of the gradient.
The last is our reading of a bound (arXiv 2508.06026): DPO's weight times the distance of the two
responses' embeddings, each of length 1. It ranks pairs; it is no prediction of a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.self_rewarding.dpo import (
    BETA,
    FloatArray,
    cosines,
    dpo_loss,
    dpo_margin,
    dpo_weight,
    unit_distance,
)
from core.stats import Estimate, clustered_mean, clustered_share

LOG_PROBABILITIES = (
    "policy_chosen",
    "policy_rejected",
    "reference_chosen",
    "reference_rejected",
)
"""Columns that give DPO's margin: log-probabilities in nats, summed over the response."""

FLAGS: dict[str, tuple[str, str]] = {
    "identical": (
        "Identical responses",
        "Nothing to learn: the two gradients cancel whatever the weight.",
    ),
    "parallel": (
        "Near-parallel pairs",
        "Embeddings nearly alike: the two gradients nearly cancel.",
    ),
    "tie": ("Ties", "Gap within the tolerance: the reward model has no preference."),
    "reversed": ("Reversed", "The reward model prefers the rejected response."),
    "saturated": (
        "Saturated pairs",
        "The policy tells them apart already: almost no weight is left.",
    ),
}
"""Name and meaning of each flag."""

MEASURES: dict[str, tuple[str, str]] = {
    "gap": ("Gap", "Reward of the chosen minus that of the rejected, in the model's own unit."),
    "preferred": ("Preferred", "Share of pairs whose chosen has the higher reward, ties half."),
    "cosine": ("Cosine", "Of the two responses' sentence embeddings; 1 for parallel ones."),
    "margin": ("DPO margin", "From the table's log-probabilities."),
    "loss": ("DPO loss", "-log sigmoid(margin), in nats; 0.693 at the start of training."),
    "weight": ("DPO weight", "beta (1 - sigmoid(margin)); beta / 2 at the start of training."),
    "gradient": (
        "Expected gradient scale",
        "Weight times the distance of the two embeddings (of length 1): our reading of a bound.",
    ),
}
"""Label and meaning of each measure."""


@dataclass(frozen=True)
class AuditOptions:
    """What counts as what.

    Attributes:
        beta: of DPO, above 0.
        parallel: a cosine from here up is near-parallel.
        saturated: a weight below this share of beta is saturated.
        tie: a gap of at most this size is a tie.
        seed: of the resampling.
        confidence: of the intervals.
        n_draws: of the resampling.
    """

    beta: float = BETA
    parallel: float = 0.95
    saturated: float = 0.05
    tie: float = 0.0
    seed: int = 0
    confidence: float = 0.95
    n_draws: int = 2_000


@dataclass(frozen=True)
class AuditResult:
    """One set of pairs.

    Attributes:
        pairs: pair_id, prompt_id, the measures that could be had (NaN where a pair lacks one), and
            one column a flag that could be checked (nullable boolean).
        estimates: mean of each measure, intervals over prompts.
        flags: how many pairs have each flag: columns flag, n, of, share, low, high.
        n_equal: the expected gradient of all pairs together is spread as if over so many equal
            pairs, (sum g)^2 / sum g^2; NaN without embeddings.
        at_start: whether no log-probabilities were given, so that the weight is that of the start
            of training, beta / 2 for every pair.
        missing: what could not be told, and what it needs.
    """

    pairs: pd.DataFrame
    estimates: Mapping[str, Estimate]
    flags: pd.DataFrame
    n_equal: float
    at_start: bool
    missing: tuple[str, ...] = field(default_factory=tuple)


def audit(
    pairs: pd.DataFrame,
    *,
    rewards: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    embeddings: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    options: AuditOptions | None = None,
) -> AuditResult:
    """Reads a set of preference pairs as DPO would.

    Args:
        pairs: columns pair_id, prompt_id, chosen, rejected (texts); DPO's margin comes from the
            columns `LOG_PROBABILITIES` where all four are there.
        rewards: (n,) of the chosen and (n,) of the rejected responses; NaN where there is none.
        embeddings: (n, d) of the chosen and (n, d) of the rejected responses.
        options: what counts as what.

    Raises:
        TableError: when a column is missing, or rewards or embeddings are not one a pair.
    """
    options = options or AuditOptions()
    _check(pairs, rewards, embeddings)
    table = pairs[["pair_id", "prompt_id"]].astype(str).reset_index(drop=True)
    texts = [pairs[side].astype(str).str.strip().to_numpy() for side in ("chosen", "rejected")]
    table["identical"] = pd.array(texts[0] == texts[1], dtype="boolean")
    missing = []
    if rewards is None:
        missing.append("The gap needs rewards: a pair of columns, or a model that scores the set.")
    else:
        chosen, rejected = (np.asarray(side, np.float64) for side in rewards)
        _add_gap(table, chosen - rejected, options.tie)
    at_start = not set(LOG_PROBABILITIES) <= set(pairs.columns)
    margin = np.zeros(len(table))
    if at_start:
        missing.append(
            "DPO's margin needs log-probabilities: columns " + ", ".join(LOG_PROBABILITIES) + "."
        )
    else:
        given = [pd.to_numeric(pairs[c], errors="coerce") for c in LOG_PROBABILITIES]
        margin = dpo_margin(*given, beta=options.beta)
        table["margin"], table["loss"] = margin, dpo_loss(margin)
    weight = dpo_weight(margin, beta=options.beta)
    table["weight"] = weight
    if not at_start:
        table["saturated"] = _flag(weight < options.saturated * options.beta, weight)
    if embeddings is None:
        missing.append("Cosine and expected gradient need sentence embeddings of the responses.")
    else:
        cosine = cosines(*embeddings)
        table["cosine"] = cosine
        table["parallel"] = _flag(cosine >= options.parallel, cosine)
        table["gradient"] = weight * unit_distance(cosine)
    return AuditResult(
        pairs=table,
        estimates=_estimates(table, options),
        flags=_flags(table, options),
        n_equal=_n_equal(table),
        at_start=at_start,
        missing=tuple(missing),
    )


def reward_columns(pairs: pd.DataFrame) -> list[str]:
    """Columns of a table of pairs that can be read as rewards: numbers for at least one pair."""
    texts = {"pair_id", "prompt_id", "prompt", "chosen", "rejected"}
    names = [name for name in pairs.columns if name not in texts]
    return [str(name) for name in names if _is_numeric(pairs[name])]


def _is_numeric(column: "pd.Series[float]") -> bool:
    if pd.api.types.is_bool_dtype(column.dtype):
        return False
    try:
        return bool(pd.to_numeric(column, errors="coerce").notna().any())
    except TypeError:  # lists and mappings are no numbers
        return False


def _check(
    pairs: pd.DataFrame,
    rewards: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    embeddings: tuple[npt.ArrayLike, npt.ArrayLike] | None,
) -> None:
    needed = ("pair_id", "prompt_id", "chosen", "rejected")
    missing = [name for name in needed if name not in pairs.columns]
    if missing:
        raise TableError(
            f"The pairs have no column {', '.join(map(repr, missing))}.",
            fix=f"An audit needs {', '.join(needed)}.",
        )
    for name, given in (("rewards", rewards), ("embeddings", embeddings)):
        if given is not None and any(len(np.asarray(side)) != len(pairs) for side in given):
            raise TableError(f"There are not as many {name} as pairs ({len(pairs):,}).")


def _add_gap(table: pd.DataFrame, gap: FloatArray, tolerance: float) -> None:
    table["gap"] = gap
    table["preferred"] = np.where(np.abs(gap) <= tolerance, 0.5, (np.sign(gap) + 1) / 2)
    table["tie"] = _flag(np.abs(gap) <= tolerance, gap)
    table["reversed"] = _flag(gap < -tolerance, gap)


def _flag(is_so: npt.NDArray[np.bool_], values: FloatArray) -> pd.api.extensions.ExtensionArray:
    """True or false where there is a value, missing where there is none."""
    flags: pd.api.extensions.ExtensionArray = pd.arrays.BooleanArray(
        np.asarray(is_so, bool).copy(), ~np.isfinite(values)
    )
    return flags


def _estimates(table: pd.DataFrame, options: AuditOptions) -> dict[str, Estimate]:
    rng = np.random.default_rng(options.seed)
    return {
        name: clustered_mean(
            table[name].to_numpy(np.float64),
            list(table["prompt_id"]),
            rng=rng,
            confidence=options.confidence,
            n_resamples=options.n_draws,
        )
        for name in MEASURES
        if name in table.columns
    }


def _flags(table: pd.DataFrame, options: AuditOptions) -> pd.DataFrame:
    rng = np.random.default_rng(options.seed)
    rows = []
    for name in FLAGS:
        if name not in table.columns:
            continue
        known = table.loc[table[name].notna()]
        share = clustered_share(
            known[name].astype("float64").to_numpy(),
            list(known["prompt_id"]),
            rng=rng,
            confidence=options.confidence,
            n_resamples=options.n_draws,
        )
        n = int(known[name].sum())
        rows.append((name, n, len(known), share.value, share.low, share.high))
    return pd.DataFrame(rows, columns=["flag", "n", "of", "share", "low", "high"])


def _n_equal(table: pd.DataFrame) -> float:
    if "gradient" not in table.columns:
        return float("nan")
    sizes = table["gradient"].to_numpy(np.float64)
    sizes = sizes[np.isfinite(sizes)]
    squares = float((sizes**2).sum())
    return float(sizes.sum() ** 2 / squares) if squares else float("nan")
