"""Each pair's gap as a prompt-free and a prompt-related part, from its gaps under other prompts.

Our reading of arXiv 2504.06020 (see `prompt_free`). The parts describe a reward model; they are not
meant to be used as rewards of their own.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from core.errors import TableError
from core.labs.prompt_awareness.measures import Measured, mean_of, ratio_of
from core.labs.prompt_awareness.other_prompts import NATURAL_KINDS, SwapKind
from core.labs.prompt_awareness.prompt_free import (
    ESTIMATORS,
    Estimator,
    policy_weights,
    prompt_free_gap,
)
from core.labs.prompt_awareness.swaps import OWN, SwapResult
from core.stats import FloatArray

LOG_PROBS = ("log_prob_chosen", "log_prob_rejected")
"""Log-probability of each response under a prompt, by the policy that wrote the responses."""

_FEW_PROMPTS = 2.0
_COLUMNS = (
    "pair_id", "prompt_id", "own_gap", "n_prompts_used", "effective_prompts", "few_prompts",
    "estimator", "prompt_free", "prompt_related", "saturated",
)  # fmt: skip


@dataclass(frozen=True)
class DecompositionOptions:
    """From which prompts, and how they weigh.

    Attributes:
        kinds: kinds of other prompts; None takes those somebody could have asked (random, same
            topic, typed), as the controls are no prompts of the distribution.
        include_own: whether the own prompt's gap counts among the prompts. With few prompts it
            pulls the prompt-free part towards the own gap.
        policy_weighted: weigh prompts by how likely a policy writes both responses to them; needs
            log-probabilities. Otherwise all weigh the same.
        seed: of the intervals.
        confidence: coverage of the intervals.
    """

    kinds: tuple[SwapKind, ...] | None = None
    include_own: bool = False
    policy_weighted: bool = False
    seed: int = 0
    confidence: float = 0.95


@dataclass(frozen=True)
class PartSummary:
    """How large the two parts are over all pairs, by one estimator.

    Attributes:
        prompt_free: mean prompt-free gap.
        prompt_related: mean prompt-related gap.
        free_share: sum of prompt-free gaps over sum of own gaps; 1 where the prompt adds nothing.
        n_saturated: pairs whose prompt-free gap is undetermined or was clipped.
    """

    prompt_free: Measured
    prompt_related: Measured
    free_share: Measured
    n_saturated: int


@dataclass(frozen=True)
class DecompositionResult:
    """The two parts of each pair's gap, for one model.

    Attributes:
        pairs: one row a pair and estimator: `own_gap`, `prompt_free`, `prompt_related` (own minus
            prompt-free), `saturated`, `n_prompts_used`, `effective_prompts` (the effective sample
            size of the weights) and `few_prompts` (weights that rest on fewer than two of several).
        summaries: the aggregates of each estimator.
        left_out: pairs and prompts that could not be used, by reason.
        reading: what these numbers are, to be shown with them.
    """

    pairs: pd.DataFrame
    summaries: Mapping[Estimator, PartSummary]
    left_out: Mapping[str, int] = field(default_factory=dict)
    reading: str = "Our reading of arXiv 2504.06020; the authors' code is not public."


def run(
    swaps: SwapResult,
    options: DecompositionOptions | None = None,
    *,
    log_probs: pd.DataFrame | None = None,
) -> DecompositionResult:
    """Splits the gaps of a swap result by all estimators.

    Args:
        swaps: result of `swaps.run`, with at least one kind of other prompts.
        options: which prompts and weights.
        log_probs: for policy weights, a row a pair and prompt: `pair_id`, `kind`, `swap` and
            `LOG_PROBS`. A prompt without them weighs nothing and is counted.

    Raises:
        TableError: policy weights without log-probabilities, or none of the kinds in the result.
    """
    options = options or DecompositionOptions()
    gaps = _chosen_gaps(swaps, options)
    if options.policy_weighted:
        gaps = _with_log_probs(gaps, log_probs)
    own = swaps.gaps.loc[swaps.gaps["kind"] == OWN].set_index("pair_id")
    left_out = Counter[str]()
    rows: list[dict[str, Any]] = []
    for pair_id, group in gaps.groupby("pair_id", sort=False):
        own_gap = float(own["gap"].get(pair_id, np.nan))
        usable = group.loc[group["gap"].notna()]
        left_out["prompts without a gap"] += len(group) - len(usable)
        weights, effective, unknown = _weights(usable, options)
        left_out["prompts without log-probabilities"] += unknown
        n_used = int((weights > 0).sum())
        if np.isnan(own_gap) or not n_used:
            left_out["no gap under the own prompt" if n_used else "no usable other prompt"] += 1
            continue
        shared = {
            "pair_id": pair_id, "prompt_id": group["prompt_id"].iloc[0], "own_gap": own_gap,
            "n_prompts_used": n_used, "effective_prompts": effective,
            "few_prompts": n_used >= _FEW_PROMPTS > effective,
        }  # fmt: skip
        rows.extend(_parts(shared, usable["gap"].to_numpy(dtype=np.float64), weights))
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    reasons = {reason: count for reason, count in left_out.items() if count}
    return DecompositionResult(table, _summaries(table, options, reasons), reasons)


def _chosen_gaps(swaps: SwapResult, options: DecompositionOptions) -> pd.DataFrame:
    wanted: tuple[str, ...] = NATURAL_KINDS if options.kinds is None else options.kinds
    found = swaps.gaps.loc[swaps.gaps["kind"].isin(wanted)]
    if found.empty and len(swaps.gaps):
        raise TableError(
            f"There are no gaps under prompts of kind {', '.join(wanted)}.",
            fix="Score other prompts of such a kind, or choose another kind.",
        )
    if not options.include_own:
        return found
    has_others = swaps.gaps["pair_id"].isin(found["pair_id"])
    return swaps.gaps.loc[
        swaps.gaps.index.isin(found.index) | ((swaps.gaps["kind"] == OWN) & has_others)
    ]


def _with_log_probs(gaps: pd.DataFrame, log_probs: pd.DataFrame | None) -> pd.DataFrame:
    keys = ["pair_id", "kind", "swap"]
    needed = [*keys, *LOG_PROBS]
    if log_probs is None or not set(needed) <= set(log_probs.columns):
        raise TableError(
            "Policy weights need the log-probabilities of the responses under each prompt.",
            fix=f"Give a table with {', '.join(needed)}, or weigh all prompts the same.",
        )
    return gaps.merge(log_probs[needed], on=keys, how="left", validate="one_to_one")


def _weights(gaps: pd.DataFrame, options: DecompositionOptions) -> tuple[FloatArray, float, int]:
    """Weights of a pair's prompts, their effective sample size and how many are unknown."""
    if not options.policy_weighted:
        n = len(gaps)
        return np.full(n, 1 / n if n else 0.0), float(n), 0
    logs = gaps[list(LOG_PROBS)].to_numpy(dtype=np.float64).sum(axis=1)
    weights, effective = policy_weights(logs)
    return weights, effective, int(np.isnan(logs).sum())


def _parts(shared: dict[str, Any], gaps: FloatArray, weights: FloatArray) -> list[dict[str, Any]]:
    rows = []
    for estimator in ESTIMATORS:
        free = prompt_free_gap(gaps, estimator, weights)
        related = shared["own_gap"] - free.value
        rows.append(
            {
                **shared, "estimator": estimator, "prompt_free": free.value,
                "prompt_related": related, "saturated": free.saturated,
            }
        )  # fmt: skip
    return rows


def _summaries(
    table: pd.DataFrame, options: DecompositionOptions, left_out: Mapping[str, int]
) -> dict[Estimator, PartSummary]:
    found: dict[Estimator, PartSummary] = {}
    for estimator in ESTIMATORS:
        rng = np.random.default_rng(options.seed)
        rows = table.loc[table["estimator"] == estimator]
        prompts = [str(prompt) for prompt in rows["prompt_id"]]
        own, free, related = (
            rows[name].to_numpy(dtype=np.float64)
            for name in ("own_gap", "prompt_free", "prompt_related")
        )
        # The share is the retention with the prompt-free gap in the swapped gap's place.
        found[estimator] = PartSummary(
            mean_of(free, prompts, rng, options.confidence, left_out),
            mean_of(related, prompts, rng, options.confidence, left_out),
            ratio_of(own, free, prompts, rng, options.confidence, left_out),
            int(rows["saturated"].sum()),
        )
    return found
