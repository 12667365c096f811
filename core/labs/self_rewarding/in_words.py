"""What the numbers say, in sentences: only what the data at hand show, with its interval."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from core.labs.self_rewarding import audit, drift
from core.labs.self_rewarding.audit import AuditResult
from core.labs.self_rewarding.estimates import POOLED
from core.labs.self_rewarding.iterations import GAP_RATIO, KEPT
from core.labs.self_rewarding.pairs import FIRST, FUTURE
from core.stats import Estimate

Row = Mapping[Any, Any]

_VERBS = {
    "cosine": ("more alike", "less alike", "the cosine of chosen and rejected"),
    "loss": ("higher", "lower", "DPO's loss, mean over the updates,"),
    "loss_before": ("higher", "lower", "DPO's loss before the updates"),
    "loss_after": ("higher", "lower", "DPO's loss after the updates"),
    "weight": ("higher", "lower", "DPO's weight, mean over the updates,"),
    "weight_before": ("higher", "lower", "DPO's weight before the updates"),
    "weight_after": ("higher", "lower", "DPO's weight after the updates"),
    "gradient_norm": ("larger", "smaller", "the measured norm of a pair's gradient"),
    "gradient_before": ("larger", "smaller", "the gradient scale before the updates"),
    "gradient_after": ("larger", "smaller", "the gradient scale after the updates"),
    "outside_gap": ("wider", "narrower", "the gap under the outside model"),
    drift.AGREEMENT: ("higher", "lower", "the agreement of judge and outside model"),
}


_STRONG = 0.7
"""A rank correlation surely above this is called good."""


def gap_sentences(estimates: pd.DataFrame, changes: pd.DataFrame) -> list[str]:
    """For each method, whether its gap shrank: the ratio of the last to the first iteration."""
    return list(_gaps(estimates, changes))


def _gaps(estimates: pd.DataFrame, changes: pd.DataFrame) -> Iterator[str]:
    for method in _methods(estimates):
        ends = _ends(estimates, method, "gap")
        ratio = _one(changes, method, GAP_RATIO)
        if ends is None or ratio is None:
            yield f"{method}: one iteration only, so no change of the gap can be told."
            continue
        start, end = ends
        told = f"{method}: the mean gap went from {start:.3f} to {end:.3f}"
        if not math.isfinite(ratio["low"]):
            yield f"{told}; too few problems for an interval."
            continue
        told += (
            f", {ratio['value']:.2f} times what it was "
            f"({ratio['low']:.2f} to {ratio['high']:.2f}): "
        )
        yield told + _verdict(ratio, 1.0, "it grew.", "it shrank.")


def change_sentences(estimates: pd.DataFrame, changes: pd.DataFrame, measure: str) -> list[str]:
    """For each method, how a measure changed from the first to the last iteration."""
    more, less, what = _VERBS[measure]
    sentences = []
    for method in _methods(estimates):
        ends, change = _ends(estimates, method, measure), _one(changes, method, measure)
        if ends is None or change is None or not math.isfinite(change["value"]):
            continue
        told = f"{method}: {what} went from {ends[0]:.3f} to {ends[1]:.3f}"
        if math.isfinite(change["low"]):
            told += f" (change {change['low']:+.3f} to {change['high']:+.3f}): "
            told += _verdict(change, 0.0, f"{more}.", f"{less}.")
        else:
            told += "; too few problems for an interval."
        sentences.append(told)
    return sentences


def bound_sentence(found: Estimate) -> str:
    """Whether the bound on the gradient ranks pairs as the measured gradient does."""
    if not math.isfinite(found.value):
        return "Too few pairs to hold the bound against the measured gradient."
    told = (
        f"Over {found.n:,} recorded pairs the bound (weight times distance of the states) and the "
        f"measured gradient have a rank correlation of {found.value:.2f}"
    )
    if not math.isfinite(found.low):
        return told + "; too few problems for an interval."
    told += f" ({found.low:.2f} to {found.high:.2f}): "
    if found.low <= 0 <= found.high:
        return told + "the bound does not tell which pairs have a large gradient here."
    if found.high < 0:
        return told + "pairs with a larger bound have the smaller gradients here."
    strength = "well" if found.low > _STRONG else "only in part"
    return told + f"the bound tells {strength} which pairs have a large gradient here."


def kept_sentence(estimates: pd.DataFrame) -> str:
    """How many problems gave a pair, over all methods and iterations."""
    rows = estimates.loc[(estimates["measure"] == KEPT) & (estimates["run"] == POOLED)]
    if rows.empty:
        return ""
    low, high = rows["value"].min(), rows["value"].max()
    span = f"{low:.0%}" if math.isclose(low, high) else f"{low:.0%} to {high:.0%}"
    return f"{span} of the problems gave a pair, by method and iteration."


def slot_sentences(slots: pd.DataFrame) -> list[str]:
    """For each method, what the first and the future model won at the last iteration."""
    rows = slots.loc[slots["run"] == POOLED]
    sentences = []
    for method, group in rows.groupby("method", sort=False):
        last = group.loc[group["iteration"] == group["iteration"].max()]
        won = {(row["slot"], row["source"]): row["share"] for row in last.to_dict("records")}
        rejected, chosen = won.get(("rejected", FIRST), 0.0), won.get(("chosen", FUTURE), 0.0)
        sentences.append(
            f"{method}: at iteration {last['iteration'].max()} the first model wrote "
            f"{rejected:.0%} of the rejected, the future model {chosen:.0%} of the chosen."
        )
    return sentences


def drift_sentences(estimates: pd.DataFrame, changes: pd.DataFrame) -> list[str]:
    """For each method, whether the judge's praise is shared by the outside model."""
    sentences = []
    for method in _methods(estimates):
        rows = {name: _one(changes, method, name) for name in drift.MEASURES}
        judge, outside, ahead = (rows[n] for n in (drift.JUDGE, drift.OUTSIDE, drift.AHEAD))
        if judge is None or outside is None or ahead is None:
            continue
        told = (
            f"{method}: over the iterations the judge's mean score moved by {judge['value']:+.2f} "
            f"standard deviations, the outside model's by {outside['value']:+.2f}. "
        )
        if not math.isfinite(ahead["low"]):
            sentences.append(told + "Too few problems for an interval.")
            continue
        told += f"The judge's lead: {ahead['low']:+.2f} to {ahead['high']:+.2f}; "
        sentences.append(
            told
            + _verdict(
                ahead,
                0.0,
                "the judge praises the change more than the outside model does.",
                "the outside model praises the change more than the judge does.",
                "no difference between the two can be told.",
            )
        )
    return sentences


def audit_sentences(result: AuditResult) -> list[str]:
    """What the audit found, a sentence a finding."""
    return list(_audit(result))


def _audit(result: AuditResult) -> Iterator[str]:
    n = len(result.pairs)
    gap = result.estimates.get("gap")
    if gap is not None and gap.n:
        share = result.estimates["preferred"]
        yield (
            f"The reward model prefers the chosen response in {share.value:.0%} of {gap.n:,} pairs "
            f"({share.low:.0%} to {share.high:.0%}); the mean gap is {gap.value:.3f} "
            f"({gap.low:.3f} to {gap.high:.3f})."
        )
    cosine = result.estimates.get("cosine")
    if cosine is not None and cosine.n:
        yield (
            f"The responses of a pair have a mean cosine of {cosine.value:.3f} "
            f"({cosine.low:.3f} to {cosine.high:.3f})."
        )
    for row in result.flags.to_dict("records"):
        if row["n"]:
            name, meaning = audit.FLAGS[str(row["flag"])]
            yield f"{name}: {row['n']:,} of {row['of']:,} pairs. {meaning}"
    if result.at_start:
        weight = result.pairs["weight"].iloc[0] if n else float("nan")
        yield (
            "Without log-probabilities this is the start of training, where policy and reference "
            f"are one model: the margin is 0 and the weight beta / 2 = {weight:.3g} for every "
            "pair, whatever its gap."
        )
    if math.isfinite(result.n_equal):
        yield (
            f"The expected gradient is spread as if over {result.n_equal:,.0f} equal pairs of "
            f"{n:,}."
        )


def _methods(estimates: pd.DataFrame) -> list[str]:
    return [str(method) for method in dict.fromkeys(estimates["method"])]


def _ends(estimates: pd.DataFrame, method: str, measure: str) -> tuple[float, float] | None:
    """The pooled value of the first and of the last iteration."""
    rows = estimates.loc[
        (estimates["method"] == method)
        & (estimates["run"] == POOLED)
        & (estimates["measure"] == measure)
    ].sort_values("iteration")
    if len(rows) < 2:
        return None
    return float(rows["value"].iloc[0]), float(rows["value"].iloc[-1])


def _one(changes: pd.DataFrame, method: str, measure: str) -> dict[Any, Any] | None:
    rows = changes.loc[(changes["method"] == method) & (changes["measure"] == measure)]
    return None if rows.empty else rows.iloc[0].to_dict()


def _verdict(
    row: Row, level: float, above: str, below: str, neither: str = "no change can be told."
) -> str:
    if row["low"] > level:
        return above
    return below if row["high"] < level else neither
