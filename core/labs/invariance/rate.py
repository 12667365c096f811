"""RATE: what an attribute does to the reward, with rewrites on both arms of the comparison.

A rewrite that adds an attribute also leaves the rewriter's own marks. Comparing an original with
its rewrite counts these marks as the attribute's effect; comparing the rewrite with the rewrite of
the rewrite, which has the original's attribute again, does not, as both arms carry them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import ConversationError, TableError
from core.labs.invariance.rows import merged, missing_rewards, require_columns
from core.labs.plan import CONVERSATION, REWARD, Plan
from core.perturbations import Perturbation
from core.schema import Message, make_conversation, parse_conversation, with_response
from core.stats import (
    Estimate,
    FloatArray,
    clustered_mean,
    clustered_standard_error,
    clustered_statistic,
    sign_flip_test,
    smallest_detectable_effect,
)

Rewrite = Callable[[str, bool], str | None]
"""Takes a text and whether it shall have the attribute; None where it cannot be rewritten."""

ORIGINAL, REWRITE, DOUBLE = "original", "rewrite", "double"
ARMS = (ORIGINAL, REWRITE, DOUBLE)

INPUT_COLUMNS = ("response_id", "prompt_id", "prompt", "response", "has_attribute")
"""Columns of the table of responses; `rewrite` and `double_rewrite` beside them hold texts."""

KEY_COLUMNS = ("response_id", "prompt_id", "has_attribute", "arm")

Estimator = Literal["naive", "single rewrite", "double rewrite"]


@dataclass(frozen=True)
class RateOptions:
    """How effects are estimated.

    Attributes:
        confidence: coverage of the intervals.
        n_resamples: bootstrap draws.
        n_permutations: patterns of signs at most.
        seed: of the resampling.
    """

    confidence: float = 0.95
    n_resamples: int = 2_000
    n_permutations: int = 10_000
    seed: int = 0


@dataclass(frozen=True)
class RateResult:
    """Effects of an attribute on the reward.

    Attributes:
        effects: one row an estimator and effect: `estimator, effect, value, low, high, n,
            n_prompts, standard_error, clustered_error, detectable, p_value, method`. ATT is the
            effect of the attribute on responses that have it, ATU on those that do not, ATE on all.
            `standard_error` takes responses as independent: paired, but for the naive difference.
        sanity: reward(double rewrite) - reward(original), for responses with the attribute, without
            it, and all: `has_attribute, value, low, high, n, n_prompts, p_value, detectable`.
            It should centre on 0: what it does not is the rewriter's own mark.
        responses: one row a used response: `response_id, prompt_id, has_attribute, original,
            rewrite, double, single_effect, double_effect, rewrite_effect`.
        left_out: responses that could not be used, counted by reason.
    """

    effects: pd.DataFrame
    sanity: pd.DataFrame
    responses: pd.DataFrame
    left_out: Mapping[str, int]


def perturbation_rewriter(adds: Perturbation, removes: Perturbation, *, seed: int = 0) -> Rewrite:
    """A rewriter of two rules: one gives a response the attribute, the other takes it away.

    Args:
        adds: an edit of the response that adds the attribute, for example padding.
        removes: an edit that removes it, for example a concise rule.
        seed: of the edits' choices.

    Raises:
        TableError: one of them does not edit the response.
    """
    for perturbation in (adds, removes):
        if perturbation.target != "response":
            raise TableError(f"{perturbation.name} edits the {perturbation.target}.")

    def rewrite(text: str, to: bool) -> str | None:
        outcome = (adds if to else removes).apply(make_conversation("", text), seed)
        return outcome.conversation[-1]["content"] if outcome.applied else None

    return rewrite


def plan(table: pd.DataFrame, rewrite: Rewrite | None = None) -> Plan:
    """Each response, its rewrite to the other side of the attribute, and the rewrite back.

    Args:
        table: `INPUT_COLUMNS`; without `rewrite` also the columns `rewrite` and `double_rewrite`,
            in which an empty cell is a rewrite that failed.
        rewrite: makes the rewrites.

    Returns:
        A plan with `KEY_COLUMNS`. A response of which a rewrite failed, or changed nothing, is left
        out with all three of its texts, and counted.

    Raises:
        TableError: a column is missing, or a response stands twice.
    """
    texts = () if rewrite else ("rewrite", "double_rewrite")
    require_columns(table, (*INPUT_COLUMNS, *texts), "table of responses")
    if table["response_id"].duplicated().any():
        twice = table.loc[table["response_id"].duplicated(), "response_id"].iloc[0]
        raise TableError(f"The response {twice!r} stands twice.", fix="Give it a new id.")
    rows: list[tuple[object, ...]] = []
    left_out: Counter[str] = Counter()
    for row in table.to_dict("records"):
        try:
            arms = _arms(row, rewrite)
        except _Unusable as reason:
            left_out[str(reason)] += 1
            continue
        key = (row["response_id"], row["prompt_id"], bool(row["has_attribute"]))
        rows += [(*key, arm, conversation) for arm, conversation in arms]
    return Plan(pd.DataFrame(rows, columns=[*KEY_COLUMNS, CONVERSATION]), dict(left_out))


def run(scored: pd.DataFrame, options: RateOptions | None = None) -> RateResult:
    """Naive, single-rewrite and double-rewrite effects of the attribute.

    All three are estimated on the same responses: those whose three texts have a reward.

    Args:
        scored: the plan with one model's rewards.
        options: how effects are estimated.

    Raises:
        TableError: a column is missing, or a row stands twice.

    Source: Reber et al. 2024 (arXiv 2410.11348): ATT, ATU and ATE of double rewrites. The interval,
    over prompts, and the paired standard error are ours.
    """
    options = options or RateOptions()
    responses, left_out = _wide(scored)
    arms = {arm: responses[arm].to_numpy(dtype=np.float64) for arm in ARMS}
    has = responses["has_attribute"].to_numpy(dtype=bool)
    # With the attribute the original is the treated text, without it the rewrite is.
    sign = np.where(has, 1.0, -1.0)
    single = sign * (arms[ORIGINAL] - arms[REWRITE])
    double = sign * (arms[DOUBLE] - arms[REWRITE])
    mark = arms[DOUBLE] - arms[ORIGINAL]
    prompts = responses["prompt_id"].tolist()
    effects = [_naive(arms[ORIGINAL], has, prompts, options)]
    for name, values in (("single rewrite", single), ("double rewrite", double)):
        for effect, chosen in (("ATT", has), ("ATU", ~has), ("ATE", np.ones(len(has), dtype=bool))):
            found = _paired(values[chosen], _chosen(prompts, chosen), options)
            effects.append({"estimator": name, "effect": effect, **found})
    parts = (("with", has), ("without", ~has), ("all", np.ones(len(has), dtype=bool)))
    sanity = [
        {"has_attribute": name, **_paired(mark[chosen], _chosen(prompts, chosen), options)}
        for name, chosen in parts
    ]
    return RateResult(
        pd.DataFrame(effects),
        pd.DataFrame(sanity),
        responses.assign(single_effect=single, double_effect=double, rewrite_effect=mark),
        left_out,
    )


class _Unusable(Exception):  # noqa: N818 - the answer of a response that has no rewrites
    """Why a response is left out."""


def _arms(row: Mapping[Any, Any], rewrite: Rewrite | None) -> Iterator[tuple[str, list[Message]]]:
    """The three conversations of a response.

    Raises:
        _Unusable: one of them is missing.
    """
    original, has = row["response"], row["has_attribute"]
    if pd.isna(has):
        raise _Unusable("not known whether it has the attribute")
    if not isinstance(original, str):
        raise _Unusable("the response is not text")
    if rewrite is None:
        once, twice = row["rewrite"], row["double_rewrite"]
    else:
        once = rewrite(original, not has)
        twice = rewrite(once, bool(has)) if once else None
    if not isinstance(once, str) or not once.strip():
        raise _Unusable("the rewrite failed")
    if not isinstance(twice, str) or not twice.strip():
        raise _Unusable("the rewrite back failed")
    if original == once or once == twice:
        raise _Unusable("a rewrite changed nothing")
    try:
        conversations = [
            parse_conversation(with_response(row["prompt"], text))
            for text in (original, once, twice)
        ]
    except (ConversationError, TypeError) as error:
        raise _Unusable(f"the prompt is not a list of messages: {error}") from error
    return zip(ARMS, conversations, strict=True)


def _wide(scored: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """One row a response with a reward for each of its three texts, and who has not."""
    require_columns(scored, (*KEY_COLUMNS, REWARD), "scored table")
    if scored.duplicated(["response_id", "arm"]).any():
        raise TableError("The scored table holds a text twice.", fix="Pass one model at a time.")
    missing = missing_rewards(scored)
    rewards = scored[REWARD].to_numpy(dtype=np.float64)
    table = scored.assign(**{REWARD: np.where(missing == "", rewards, np.nan)})
    wide = table.pivot(index="response_id", columns="arm", values=REWARD)
    wide = wide.reindex(columns=list(ARMS))
    complete = wide.notna().all(axis=1)
    first = scored.assign(missing=missing).loc[missing != ""].drop_duplicates("response_id")
    reasons = first.set_index("response_id")["missing"].reindex(wide.index[~complete])
    left_out = Counter(str(reason) for reason in reasons.fillna("a text is not there"))
    keys = scored.drop_duplicates("response_id")[["response_id", "prompt_id", "has_attribute"]]
    kept = keys.merge(wide.loc[complete].reset_index(), on="response_id")
    return kept.astype({"has_attribute": bool}), merged(dict(left_out))


def _chosen(prompts: list[object], chosen: npt.NDArray[np.bool_]) -> list[object]:
    return [prompt for prompt, kept in zip(prompts, chosen, strict=True) if kept]


def _paired(
    differences: FloatArray, prompts: list[object], options: RateOptions
) -> dict[str, object]:
    """Mean of paired differences with its errors and test."""
    estimate = clustered_mean(
        differences,
        prompts,
        rng=np.random.default_rng(options.seed),
        confidence=options.confidence,
        n_resamples=options.n_resamples,
    )
    test = sign_flip_test(
        differences,
        prompts,
        rng=np.random.default_rng(options.seed),
        n_permutations=options.n_permutations,
    )
    n = len(differences)
    error = float(np.std(differences, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    clustered = clustered_standard_error(differences, prompts)
    return _described(estimate, error, clustered, test.p_value, options)


def _naive(
    rewards: FloatArray, has: npt.NDArray[np.bool_], prompts: list[object],
    options: RateOptions,
) -> dict[str, object]:  # fmt: skip
    """Mean reward with the attribute minus mean reward without; these are different responses."""

    def difference(weights: FloatArray) -> float:
        means = []
        for group in (has, ~has):
            total = float(weights[group].sum())
            means.append(float(weights[group] @ rewards[group]) / total if total else np.nan)
        return means[0] - means[1]

    estimate = clustered_statistic(
        difference,
        prompts,
        rng=np.random.default_rng(options.seed),
        confidence=options.confidence,
        n_resamples=options.n_resamples,
    )
    parts = [rewards[group] for group in (has, ~has)]
    nan = float("nan")
    error = clustered = nan
    if all(len(part) > 1 for part in parts):
        error = float(np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts)))
        share = has.mean()
        # Influence of each response on the difference of means: its mean's error is the clustered.
        influence = np.where(
            has, (rewards - parts[0].mean()) / share, -(rewards - parts[1].mean()) / (1 - share)
        )
        clustered = clustered_standard_error(influence, prompts)
    described = _described(estimate, error, clustered, nan, options)
    return {"estimator": "naive", "effect": "ATE", **described}


def _described(
    estimate: Estimate, error: float, clustered: float, p_value: float, options: RateOptions
) -> dict[str, object]:
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "n_prompts": estimate.n_prompts,
        "standard_error": error,
        "clustered_error": clustered,
        "detectable": smallest_detectable_effect(clustered, confidence=options.confidence),
        "p_value": p_value,
        "method": estimate.method,
    }
