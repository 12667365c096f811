"""RLPR's filter: prompts whose rewards hardly differ within their group are not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import SettingsError

FLAT = 1e-9
"""Spreads below this are float noise, and count as none."""

PER_MODEL = {"Qwen": 0.5, "Llama": 0.9, "Gemma": 1.0}
"""β of RLPR's training scripts, as reported by the code."""


@dataclass(frozen=True)
class FilterOptions:
    """Of the filter; the defaults are those of RLPR's code.

    Attributes:
        beta: share of the moving average that a group's standard deviation must reach.
        ratio: of the moving average: ratio · average + (1 - ratio) · last step's mean.
        collect_from: first step (from 1) whose mean is kept for the start.
        filter_from: first step at which groups are dropped; later than `collect_from`.
    """

    beta: float = 0.5
    ratio: float = 0.99
    collect_from: int = 6
    filter_from: int = 11

    def __post_init__(self) -> None:
        if not (self.beta >= 0 and 0 <= self.ratio <= 1):
            raise SettingsError("The filter needs beta of at least 0 and a ratio between 0 and 1.")
        if not 1 <= self.collect_from < self.filter_from:
            raise SettingsError(
                f"The filter starts at step {self.filter_from} but collects from step "
                f"{self.collect_from}.",
                fix="Collect from step 1 or later, and filter later than that.",
            )


def group_std(rewards: npt.ArrayLike) -> float:
    """Sample standard deviation of a group's rewards; 0 for float noise, NaN for fewer than two."""
    values = np.asarray(rewards, dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size < 2:
        return float("nan")
    spread = float(values.std(ddof=1))
    return 0.0 if spread < FLAT else spread


def next_average(average: float, step_mean: float, ratio: float = 0.99) -> float:
    """ratio · average + (1 - ratio) · the last step's mean standard deviation."""
    return ratio * average + (1 - ratio) * step_mean


def run_filter(
    steps: Sequence[npt.ArrayLike], options: FilterOptions | None = None
) -> pd.DataFrame:
    """The filter over a training, from the standard deviations of each step's groups.

    Before `filter_from` nothing is dropped, and the average does not exist. It begins as the mean
    of the collected step means and then takes in, at each step, the mean of the step before. A
    group is kept where its standard deviation is at least β times the average (inclusive).

    Args:
        steps: for each step from 1 the (n_groups,) standard deviations; NaN for groups of one.
        options: β, ratio and starts.

    Returns:
        One row a step: `step`, `mean_std` (over all groups, dropped ones too), `average` and
        `bound` (NaN before the filter starts), `n_groups`, `n_kept`, `n_flat` (no spread at all),
        `n_without` (groups of one, which have no spread and are never kept once the filter runs).
    """
    options = options or FilterOptions()
    collected: list[float] = []
    average, before = float("nan"), float("nan")
    rows = []
    for number, given in enumerate(steps, start=1):
        stds = np.asarray(given, dtype=np.float64)
        known = stds[np.isfinite(stds)]
        running = number >= options.filter_from
        if running and np.isnan(average):
            average = float(np.mean(collected)) if collected else float("nan")
        elif running and np.isfinite(before):
            average = next_average(average, before, options.ratio)
        bound = options.beta * average if running else float("nan")
        kept = known >= bound - 1e-12 * abs(bound) if np.isfinite(bound) else known >= -np.inf
        mean = float(known.mean()) if known.size else float("nan")
        if options.collect_from <= number < options.filter_from and np.isfinite(mean):
            collected.append(mean)
        rows.append(
            {
                "step": number,
                "mean_std": mean,
                "average": average if running else float("nan"),
                "bound": bound,
                "n_groups": int(stds.size),
                "n_kept": int(kept.sum()) if np.isfinite(bound) else int(stds.size),
                "n_flat": int((known == 0).sum()),
                "n_without": int(stds.size - known.size),
            }
        )
        before = mean
    return pd.DataFrame(rows)
