"""One-sentence readings of the lab's figures, computed from the data."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from core.labs.collapse.analysis import CollapseResult
from core.labs.collapse.classes import CLASSES
from core.labs.collapse.coverage import BASE, BASE_SAME, ITSELF
from core.labs.collapse.flags import FlagResult
from core.labs.collapse.spread import Spread
from core.stats import Estimate

PLACES = {
    "checkpoint": "at the last checkpoint",
    "late in training": "late in training",
    "held out": "on problems never trained on",
}
"""Where a policy was sampled, as a sentence says it."""


def sizes(effects: Mapping[str, Estimate]) -> str:
    """How many run × problem pairs and problems the estimates stand on, and how sure they are."""
    if not effects:
        return ""
    pairs = _span([each.n for each in effects.values()])
    problems = _span([each.n_prompts for each in effects.values()])
    methods = "; ".join(dict.fromkeys(each.method for each in effects.values()))
    sure = f"{next(iter(effects.values())).confidence:.0%} intervals"
    return f"{sure}: {methods}; n = {pairs} run × problem pairs, {problems} problems a method"


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def spread_sentence(found: Spread) -> str:
    """What the difference in differences says of each method."""
    falls, rises, open_, nothing = [], [], [], []
    for method, effect in found.effects.items():
        if not math.isfinite(effect.value):
            nothing.append(method)
        elif effect.high < 0:
            falls.append(f"{method} ({effect.value:+.2f})")
        elif effect.low > 0:
            rises.append(f"{method} ({effect.value:+.2f})")
        else:
            open_.append(method)
    parts = []
    if falls:
        parts.append(f"fewer distinct answers than the base: {', '.join(falls)}")
    if rises:
        parts.append(f"more: {', '.join(rises)}")
    if open_:
        parts.append(f"no change that these problems can tell from none: {', '.join(open_)}")
    if nothing:
        parts.append(f"nothing to estimate: {', '.join(nothing)}")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else "There is no trained run here."


def curves_sentence(table: pd.DataFrame, budget: int, cohort: str, methods: Sequence[str]) -> str:
    """Distinct answers at the whole budget, against the base on the same problems."""
    rows = table.loc[
        (table["budget"] == budget) & (table["cohort"] == cohort) & (table["measure"] == "distinct")
    ]
    values = rows.set_index(["method", "compared"])["value"]
    own = {
        method: (float(values[method, ITSELF]), float(values.get((method, BASE_SAME), math.nan)))
        for method in methods
        if method != BASE and (method, ITSELF) in values.index
    }
    if not own:
        return "No run has a problem in this group with the whole budget."
    begin = f"Distinct answers of a problem after {budget} samples: "
    bases = {round(base, 1) for _, base in own.values() if math.isfinite(base)}
    if len(bases) == 1 and len(own) > 1:
        told = ", ".join(f"{method} {value:.1f}" for method, (value, _) in own.items())
        return f"{begin}{told}, against {bases.pop():.1f} of the base."
    parts = [
        f"{method} {value:.1f}" + (f" against {base:.1f}" if math.isfinite(base) else "")
        for method, (value, base) in own.items()
    ]
    return f"{begin}{'; '.join(parts)}{' of the base' if bases else ''}."


def at_k_sentence(table: pd.DataFrame, methods: Sequence[str], group: str) -> str:
    """One sample and many, against the base; distinct answers among the most."""
    passed = table.loc[(table["measure"] == "pass") & (table["group"] == "all")]
    values = passed.set_index(["method", "k"])["value"]
    trained = [name for name in methods if name != BASE and name in set(passed["method"])]
    if not trained:
        return "No trained run was sampled here."
    ks = sorted(set(passed["k"]))
    parts = [
        _against_base(values, trained, f"pass@{k}", int(k)) for k in dict.fromkeys((ks[0], ks[-1]))
    ]
    distinct = table.loc[(table["measure"] == "distinct") & (table["group"] == group)]
    answers = distinct.dropna(subset="value").set_index(["method", "k"])["value"]
    there = [name for name in trained if name in set(answers.index.get_level_values(0))]
    if there:
        k = int(distinct.dropna(subset="value")["k"].max())
        named = f"distinct answers among {k} ({group} problems)"
        parts.append(_against_base(answers, there, named, k, digits=1))
    return f"{'; '.join(parts)}."


def _against_base(
    values: "pd.Series[float]", methods: Sequence[str], what: str, k: int, digits: int = 2
) -> str:
    told = ", ".join(
        f"{name} {values[name, k]:.{digits}f}" for name in methods if (name, k) in values.index
    )
    base = f", base {values[BASE, k]:.{digits}f}" if (BASE, k) in values.index else ""
    return f"{what}: {told}{base}"


def flags_sentence(found: FlagResult) -> str:
    """Which runs are flagged."""
    if not found.runs:
        return "There is no early and late to compare."
    flagged = [each.run for each in found.runs if each.flagged]
    suspected = [each.run for each in found.runs if each.suspected]
    if flagged:
        return f"Reward up while pass@{found.k} goes down: {', '.join(flagged)}."
    if suspected:
        names = ", ".join(suspected)
        return f"The signs point that way, within what chance explains: {names}."
    return f"In none of the {len(found.runs)} runs does reward rise while pass@{found.k} falls."


def classes_sentence(result: CollapseResult, method: str) -> str:
    """What became of a method's problems in the last window."""
    shares = result.classes.shares()
    last = shares.loc[(shares["method"] == method) & (shares["window"] == shares["window"].max())]
    found = last.set_index("problem_class")
    parts = [
        f"{found.loc[name, 'share']:.0%} {name} ({found.loc[name, 'n']})"
        for name in CLASSES
        if name in found.index
    ]
    return f"{method}, {result.classes.windows[-1]}: {', '.join(parts)}." if parts else ""


def coverage_sentence(both: pd.DataFrame, method: str) -> str:
    """The two numbers that must not be confused."""
    rows = both.loc[both["method"] == method]
    ever = rows.loc[rows["what"] == "ever solved in training"]
    others = rows.loc[rows["what"] != "ever solved in training"]
    if ever.empty or others.empty:
        return "One of the two is not there."
    preferred = others.loc[others["what"] == "pass@k, checkpoint"]
    line = preferred if len(preferred) else others
    best = line.sort_values("k").iloc[-1]
    where = str(best["what"]).partition(", ")[2]
    return (
        f"{method} has ever solved {ever['value'].iloc[0]:.0%} of its training problems; its "
        f"pass@{int(best['k'])} {PLACES.get(where, f'on {where}')} is {best['value']:.0%} "
        f"({best['low']:.0%} to {best['high']:.0%}, {int(best['n_prompts'])} problems)."
    )
