"""What a scores table says in sentences: headline, best and worst part, what style does."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from core.labs.benchmarks.style_matrix import LEVELS
from core.stats import Estimate, clustered_mean, smallest_detectable_effect

HEADLINES = ("average", "score", "accuracy")
"""Metrics that may stand for a whole, in this order."""

FEWEST = 5
"""Prompts a part must have to be called the best or the worst."""

_Z_95 = 1.959964


def headline(scores: pd.DataFrame, *, chance: float = 0.5) -> str:
    """What one model's scores come to, and whether guessing would have done as well.

    Args:
        scores: a scores table of one model.
        chance: the score of a model that guesses.
    """
    row = _headline_row(scores)
    if row is None:
        return "There is no overall score; the parts below are what there is."
    return f"{row['name']}: {share_text(row)}. {_against_chance(row, chance)}"


def extremes(scores: pd.DataFrame) -> str:
    """The best and the worst part, or "" where there are fewer than two with prompts enough.

    Args:
        scores: a scores table of one model.
    """
    for level in ("domain", "section", "subset", "slice"):
        part = scores[(scores["level"] == level) & (scores["n_prompts"] >= FEWEST)]
        metric = next((name for name in HEADLINES if name in set(part["metric"])), None)
        rows = part[(part["metric"] == metric) & part["value"].notna()]
        if len(rows) > 1:
            ordered = rows.sort_values("value", kind="stable").to_dict("records")
            worst, best = ordered[0], ordered[-1]
            return (
                f"Best: {best['name']}, {share_text(best)}. "
                f"Worst: {worst['name']}, {share_text(worst)}. "
                f"The best and the worst of {len(ordered)} parts lie apart by chance too; look at "
                "the intervals."
            )
    return ""


def style_reliance(items: pd.DataFrame, *, seed: int = 0) -> Estimate:
    """How much style moves a model: wins where it helps the better response minus where it hurts.

    Args:
        items: one model's items of a style matrix: prompt_id and the shares easy and hard.
        seed: of the interval over prompts.

    Returns:
        The mean of easy minus hard, from -1 to 1; 0 for a model that does not see style.
    """
    values = np.asarray(items["easy"], dtype=np.float64) - np.asarray(items["hard"], np.float64)
    return clustered_mean(values, items["prompt_id"].tolist(), rng=np.random.default_rng(seed))


def style_reading(matrix: pd.DataFrame) -> str:
    """What the matrix of one model and domain says, in one or two sentences."""
    styles = list(dict.fromkeys(matrix["chosen_style"]))
    order = {style: place for place, style in enumerate(styles)}
    own = matrix["chosen_style"].map(order).to_numpy()
    other = matrix["rejected_style"].map(order).to_numpy()
    values = matrix["value"].to_numpy(dtype=np.float64)
    shares = {
        "easy": values[own > other],
        "normal": values[own == other],
        "hard": values[own < other],
    }
    if not all(len(each) and np.isfinite(each).all() for each in shares.values()):
        return "Nothing could be compared here."
    easy, normal, hard = (float(shares[level].mean()) for level in LEVELS)
    return (
        f"The better response wins {easy:.0%} of comparisons where it is also the more decorated "
        f"one, {normal:.0%} in equal style and {hard:.0%} where the worse response is the more "
        "decorated one."
    )


def share_text(row: Mapping[Hashable, Any]) -> str:
    """A score with its interval, n and what was left out."""
    counts = f"n = {row['n']:,}, {row['n_prompts']:,} prompts"
    if row["n_left_out"]:
        counts += f", {row['n_left_out']:,} left out"
    if not np.isfinite(row["low"]):
        return f"{row['value']:.1%} (no interval; {counts})"
    interval = f"{row['confidence']:.0%} interval {row['low']:.1%} to {row['high']:.1%}"
    return f"{row['value']:.1%} ({interval}; {counts})"


def _headline_row(scores: pd.DataFrame) -> dict[Hashable, Any] | None:
    overall = scores[(scores["level"] == "overall") & scores["value"].notna()]
    for metric in HEADLINES:
        rows = overall[overall["metric"] == metric]
        if len(rows):
            found: dict[Hashable, Any] = rows.to_dict("records")[-1]
            return found
    return None


def _against_chance(row: Mapping[Hashable, Any], chance: float) -> str:
    low, high = float(row["low"]), float(row["high"])
    if not np.isfinite(low):
        return f"One prompt says nothing about others; guessing would give {chance:.0%}."
    if low > chance:
        return f"That is better than guessing ({chance:.0%})."
    if high < chance:
        return f"That is worse than guessing ({chance:.0%})."
    seen = smallest_detectable_effect((high - low) / (2 * _Z_95))
    return (
        f"That cannot be told from guessing ({chance:.0%}): with these prompts only a score about "
        f"{seen:.0%} away from it would have shown, four times out of five."
    )
