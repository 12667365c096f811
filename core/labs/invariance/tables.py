"""All results of the lab as long tables over models: what is exported, saved, and drawn again.

Each table has a column `model`. Aggregates carry value, interval, n and prompts, one row each.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import pandas as pd

from core.labs.invariance.attribute_scan import ScanResult
from core.labs.invariance.battery import BatteryResult
from core.labs.invariance.battery_changes import group_verdicts
from core.labs.invariance.densities import DensityResult
from core.labs.invariance.dependence import DependenceResult
from core.labs.invariance.frontier import FrontierResult
from core.labs.invariance.mmd import MmdResult
from core.labs.invariance.rate import RateResult

MODEL = "model"

GROUP_TITLES = {
    "nothing": "should not move",
    "lower": "should drop",
    "raise": "should rise",
    "shortcut": "must not pay",
}
"""What each group of edits is called, in the order of tables and figures."""

R = TypeVar("R")


@dataclass(frozen=True)
class AttributeFinding:
    """One attribute against one model's rewards.

    Attributes:
        title: of the attribute.
        mmd: distances between its bins.
        densities: of the rewards in each bin.
        dependence: slope, correlation and residuals.
    """

    title: str
    mmd: MmdResult
    densities: DensityResult
    dependence: DependenceResult


@dataclass(frozen=True)
class Findings:
    """What was found, by model; each part may be empty.

    Attributes:
        batteries: rewards under edits.
        changes: of `core.labs.invariance.battery_changes.changed_responses`.
        scans: every attribute against the reward.
        planted: attributes put in by an edit (`core.labs.invariance.planted`).
        attributes: the attribute that was looked at closely.
        rates: effects by rewriting.
        heads: heads trained on the pairs as they are.
        biased_heads: heads trained on pairs with a planted bias.
    """

    batteries: Mapping[str, BatteryResult] = field(default_factory=dict)
    changes: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    scans: Mapping[str, ScanResult] = field(default_factory=dict)
    planted: Mapping[str, ScanResult] = field(default_factory=dict)
    attributes: Mapping[str, AttributeFinding] = field(default_factory=dict)
    rates: Mapping[str, RateResult] = field(default_factory=dict)
    heads: Mapping[str, FrontierResult] = field(default_factory=dict)
    biased_heads: Mapping[str, FrontierResult] = field(default_factory=dict)


def to_tables(found: Findings) -> dict[str, pd.DataFrame]:
    """Every table of the findings that has rows, by name.

    Returns:
        Of `battery_groups`, `battery_effects`, `battery_flips`, `battery_by_side`, `battery_doses`,
        `battery_applied`, `battery_scale`, `battery_changes`, `attribute_scan`,
        `attribute_planted`, `mmd_matrix`, `mmd_bins`, `mmd_sums`, `density_curves`,
        `density_bins`, `dependence`, `dependence_points`, `rate_effects`, `rate_sanity`,
        `rate_responses`, `head_points`, `biased_head_points` and `left_out` those that were found.
    """
    tables = {
        "battery_groups": stacked(
            found.batteries, lambda each: group_verdicts(each.effects, GROUP_TITLES)
        ),
        "battery_effects": stacked(found.batteries, lambda each: each.effects),
        "battery_flips": stacked(found.batteries, lambda each: each.flips),
        "battery_by_side": stacked(found.batteries, lambda each: each.by_side),
        "battery_doses": stacked(found.batteries, _doses),
        "battery_applied": stacked(found.batteries, lambda each: each.applied),
        "battery_scale": stacked(found.batteries, _scale),
        "battery_changes": stacked(found.changes, lambda table: table),
        "attribute_scan": stacked(found.scans, lambda each: each.table),
        "attribute_planted": stacked(found.planted, lambda each: each.table),
        "mmd_matrix": stacked(found.attributes, lambda each: each.mmd.matrix),
        "mmd_bins": stacked(found.attributes, lambda each: each.mmd.bins),
        "mmd_sums": stacked(found.attributes, _mmd_sums),
        "density_curves": stacked(found.attributes, lambda each: each.densities.curves),
        "density_bins": stacked(found.attributes, lambda each: each.densities.bins),
        "dependence": stacked(found.attributes, dependence_measures),
        "dependence_points": stacked(found.attributes, lambda each: each.dependence.points),
        "rate_effects": stacked(found.rates, lambda each: each.effects),
        "rate_sanity": stacked(found.rates, lambda each: each.sanity),
        "rate_responses": stacked(found.rates, lambda each: each.responses),
        "head_points": stacked(found.heads, lambda each: each.points),
        "biased_head_points": stacked(found.biased_heads, lambda each: each.points),
        "left_out": pd.DataFrame(list(_left_out(found))),
    }
    return {name: table for name, table in tables.items() if len(table)}


def stacked(results: Mapping[str, R], table: Callable[[R], pd.DataFrame]) -> pd.DataFrame:
    """One table of every model's result, with the model's name in the first column."""
    made = [(model, table(result)) for model, result in results.items()]
    kept = []
    for model, each in made:
        if len(each):
            named = each.reset_index(drop=True)
            named.insert(0, MODEL, model)
            kept.append(named)
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()


def dependence_measures(found: AttributeFinding) -> pd.DataFrame:
    """Slope, correlations and accuracies of one attribute: `measure, value, low, high, confidence,
    n, n_prompts, method`."""
    dependence = found.dependence
    estimates = {
        "slope": dependence.slope,
        "within_slope": dependence.within_slope,
        "correlation": dependence.correlation,
        "rank_correlation": dependence.rank_correlation,
        "residual_correlation": dependence.residual_correlation,
    }
    estimates |= {f"accuracy_{name}": each.accuracy for name, each in dependence.accuracy.items()}
    rows = [
        {
            "measure": name,
            "value": each.value,
            "low": each.low,
            "high": each.high,
            "confidence": each.confidence,
            "n": each.n,
            "n_prompts": each.n_prompts,
            "method": each.method,
        }
        for name, each in estimates.items()
    ]
    return pd.DataFrame(rows).assign(intercept=dependence.intercept, attribute=found.title)


def _doses(result: BatteryResult) -> pd.DataFrame:
    """The slopes, with the doses as text: a cell of a file holds no tuple."""
    table = result.doses
    if table.empty:
        return table
    return table.assign(doses=[", ".join(map(str, doses)) for doses in table["doses"]])


def _scale(result: BatteryResult) -> pd.DataFrame:
    """What the verdicts of a battery are held against."""
    row = {
        "n_pairs": result.n_pairs,
        "n_prompts": result.n_prompts,
        "reward_spread": result.reward_spread,
        "relevant_change": result.relevant_change,
        "noise_floor": result.options.noise_floor,
        "level": result.options.level,
        "confidence": result.options.confidence,
        "power": result.options.power,
    }
    return pd.DataFrame([row])


def _mmd_sums(found: AttributeFinding) -> pd.DataFrame:
    """The sums, with the interval of the total and what the test says of itself."""
    result = found.mmd
    if result.sums.empty:
        return result.sums
    return result.sums.assign(
        attribute=found.title,
        estimator=result.options.estimator,
        bandwidth=result.bandwidth.value,
        total=result.total.value,
        low=result.total.low,
        high=result.total.high,
        n=result.test.n,
        n_prompts=result.test.n_prompts,
        method=result.test.method,
    )


def _left_out(found: Findings) -> Iterator[dict[str, object]]:
    parts: list[tuple[str, str, Mapping[str, int]]] = []
    for model, battery in found.batteries.items():
        parts.append(("battery", model, battery.left_out))
        differ = battery.flips.loc[battery.flips["n_prompts_differ"] > 0]
        counted = differ.groupby("perturbation", sort=False)["n_prompts_differ"].max()
        differing = {f"flips under {name}: the prompts differ": n for name, n in counted.items()}
        parts.append(("battery", model, differing))
    for model, attribute in found.attributes.items():
        parts.append(("MMD", model, attribute.mmd.left_out))
        parts.append(("dependence", model, attribute.dependence.left_out))
    for model, rate in found.rates.items():
        parts.append(("rewriting", model, rate.left_out))
    for model, head in found.heads.items():
        parts.append(("heads", model, head.left_out))
    for model, head in found.biased_heads.items():
        parts.append(("heads with a planted bias", model, head.left_out))
    for part, model, reasons in parts:
        for reason, n in reasons.items():
            yield {"part": part, MODEL: model, "reason": reason, "n": n}
