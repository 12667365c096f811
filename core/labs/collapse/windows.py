"""Stretches of training steps: where a policy is early, late, or between two looks at it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

EARLY, LATE = "early", "late"


def numbered_windows(steps: npt.ArrayLike, n_windows: int) -> dict[int, int]:
    """Which of `n_windows` windows each step is in, from 0; windows hold as many steps, within one.

    Args:
        steps: the steps of the record, in any order.
        n_windows: at least 1; no more than there are steps are made.
    """
    unique = np.unique(np.asarray(steps, dtype=np.int64))
    parts = np.array_split(unique, max(1, min(n_windows, len(unique))))
    return {int(step): place for place, part in enumerate(parts) for step in part}


def window_names(steps: npt.ArrayLike, n_windows: int) -> list[str]:
    """Names of the windows: "steps 0 to 9"."""
    placed = pd.Series(numbered_windows(steps, n_windows))
    return [f"steps {part.index.min()} to {part.index.max()}" for _, part in placed.groupby(placed)]


def early_and_late(steps: npt.ArrayLike, share: float) -> dict[int, str]:
    """The first and the last `share` of the steps, at least one each; they never overlap.

    Args:
        steps: the steps of the record.
        share: above 0 and at most 0.5.

    Raises:
        ValueError: when the share is out of range.
    """
    if not 0 < share <= 0.5:
        raise ValueError(f"The share of steps must be above 0 and at most 0.5, not {share}.")
    unique = np.unique(np.asarray(steps, dtype=np.int64))
    if len(unique) < 2:
        return {}
    n = max(1, int(share * len(unique)))
    return {int(s): EARLY for s in unique[:n]} | {int(s): LATE for s in unique[-n:]}


def in_windows(counts: pd.DataFrame, share: float) -> pd.DataFrame:
    """The counts of the early and the late window, named in a column `window`.

    The windows are of all steps of the table, so that runs are compared at the same steps.
    """
    names = early_and_late(counts["step"], share) if len(counts) else {}
    window = counts["step"].map(names)
    return counts.loc[window.notna()].assign(window=window[window.notna()])


def describe_windows(steps: Sequence[int], share: float) -> str:
    """The two windows in words."""
    names = early_and_late(steps, share)
    if not names:
        return "one step only: there is no early and late"
    parts = [[step for step, name in names.items() if name == which] for which in (EARLY, LATE)]
    return f"steps {min(parts[0])} to {max(parts[0])} against {min(parts[1])} to {max(parts[1])}"
