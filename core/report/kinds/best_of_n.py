"""The report of best-of-n: gold reward along the distance, each proxy, the fits, the variance."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.figures.best_of_n import gold_curves, policy_plane, proxy_against_gold
from core.labs.best_of_n import ORACLE
from core.report import Section, register_report
from core.stats import Estimate

_CURVES_TEXT = (
    "Of n responses to a prompt each proxy keeps the one it likes best; the vertical axis says "
    "what that pick is worth in gold reward, above a random response. To the right n grows: the "
    "distance is the square root of the KL divergence of best-of-n from the policy. A curve that "
    "rises and falls again is over-optimisation. The dotted line is the oracle, which picks by "
    "gold itself; dashed lines are fits of Gao's form, a star is a peak that the data support."
)
_PROXY_TEXT = (
    "The proxy's own reward of its picks (left axis, standardised) always climbs. Where the gold "
    "reward (right axis) no longer climbs with it, the proxy is being over-optimised."
)
_FIT_TEXT = (
    "Gain = d (alpha - beta d), with d the distance. alpha is how much picking by this proxy gives "
    "at first, beta how fast that is used up, alpha / (2 beta) the distance of the peak. `problem` "
    "says why a fit or its peak is not to be trusted."
)
_VARIANCE_TEXT = (
    "Variance: how much a proxy's standardised reward differs between responses to one prompt. "
    "Accuracy: how often it orders two of them as the gold reward does. An accurate proxy with "
    "little variance is a slow teacher: the policy hardly feels it."
)
_PICKS_TEXT = "What each proxy likes best of all responses to a prompt, the costliest picks first."


def best_of_n_sections(
    tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> Sequence[Section]:
    """Sections of a best-of-n run. `options["gold_title"]` says what the gold reward is."""
    curves = tables["curves"]
    gold = str(options.get("gold_title") or "gold reward")
    if not len(curves):
        return [Section("Nothing to show", "No prompt has responses enough with all rewards.")]
    confidence = float(options.get("confidence", 0.95))
    fits, drops = tables["fits"], tables["drops"]
    readings = [_drop_reading(row) for row in drops.to_dict("records") if row["proxy"] != ORACLE]
    sections = [
        Section(
            "What picking by a proxy is worth",
            "\n\n".join([*readings, _CURVES_TEXT]),
            estimates=_changes(drops, confidence),
            figures=[gold_curves(curves, fits, gold=gold, title="Gold reward of the picks")],
            tables={"Curves": curves},
        ),
        Section(
            "Proxy and gold side by side",
            _PROXY_TEXT,
            figures=[
                proxy_against_gold(curves, proxy, gold=gold, title=proxy)
                for proxy in _proxies(curves)
            ],
        ),
        Section(
            "Gao's fits", "\n\n".join([*_fit_readings(fits), _FIT_TEXT]), tables={"Fits": fits}
        ),
        Section(
            "Variance and accuracy",
            _VARIANCE_TEXT,
            figures=[policy_plane(tables["policies"], title="Accurate, and felt?")],
            tables={"Variance and accuracy": tables["policies"]},
        ),
    ]
    if "picks" in tables:
        sections.append(Section("Picks", _PICKS_TEXT, tables={"Picks": tables["picks"]}))
    return sections


def _proxies(curves: pd.DataFrame) -> list[str]:
    return [str(name) for name in dict.fromkeys(curves["proxy"]) if name != ORACLE]


def _drop_reading(row: Mapping[Any, Any]) -> str:
    """One proxy's sentence: where its picks are best and what more picking costs."""
    name, best, largest = row["proxy"], int(row["best_n"]), int(row["largest_n"])
    if best == largest:
        return f"{name}: the more responses it picks from, the better, up to n = {largest:,}."
    change = f"{row['change']:+.3f} ({row['low']:.3f} to {row['high']:.3f})"
    where = (
        f"{name}: its picks are worth most at n = {best:,}; from there to n = {largest:,} {change}."
    )
    if not np.isfinite(row["high"]):
        return f"{where} One prompt gives no interval."
    if row["high"] < 0:
        return f"{where} It is over-optimised."
    return f"{where} The interval includes no change."


def _changes(drops: pd.DataFrame, confidence: float) -> dict[str, Estimate]:
    def what(row: Mapping[Any, Any]) -> str:
        return f"{row['proxy']}: gold at n = {row['largest_n']:,} minus at n = {row['best_n']:,}"

    return {
        what(row): Estimate(
            float(row["change"]),
            float(row["low"]),
            float(row["high"]),
            confidence,
            int(row["n_prompts"]),
            int(row["n_prompts"]),
            f"{row['method']}; the peak is chosen on the same prompts, which flatters it",
        )
        for row in drops.to_dict("records")
    }


def _fit_readings(fits: pd.DataFrame) -> Iterator[str]:
    for row in fits.to_dict("records"):
        if row.get("problem"):
            yield f"{row['proxy']}: no peak to report; {row['problem']}."
        else:
            yield f"{row['proxy']}: the fit peaks at n = {row['peak_n']:,.0f}."


register_report("best-of-n", best_of_n_sections)
