"""Every rollout with its penalties, and the groups in which they compete."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from core.errors import TableError
from core.labs.groups import GROUP_KEYS
from core.labs.trajectories.reading import COUNTS
from core.labs.trajectories.resample import NO_TOOL_PENALTY, p_err, p_format

GROUP = "group"
"""Column that numbers the groups: all samples of one problem at one step of one run."""

NOT_JUDGED = "not known whether right"
NO_COUNTS = "tool calls could not be counted"
DUPLICATE = "the same sample twice"


@dataclass(frozen=True)
class PenaltyOptions:
    """How much each fault weighs.

    Attributes:
        no_tool: p_err of a rollout without a tool call, 0.5 in the paper.
        error_weight: of p_err in the penalty, at least 0.
        format_weight: of p_format in the penalty, at least 0.
    """

    no_tool: float = NO_TOOL_PENALTY
    error_weight: float = 1.0
    format_weight: float = 1.0


@dataclass(frozen=True)
class Penalised:
    """Usable rollouts with penalties.

    Attributes:
        table: the usable rows with `p_err`, `p_format`, `penalty` (their weighted sum),
            `used_tool`, `messy` (a failed call, or not exactly one answer) and `group`.
        left_out: rows that could not be used, by reason.
    """

    table: pd.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)

    def groups(self) -> Iterator[pd.DataFrame]:
        """The rows of one group after the other."""
        for _, rows in self.table.groupby(GROUP, sort=False):
            yield rows


def penalise(table: pd.DataFrame, options: PenaltyOptions | None = None) -> Penalised:
    """Adds penalties to rollouts and numbers their groups.

    Args:
        table: rollouts with the columns of `core.labs.trajectories.reading.COUNTS`.
        options: weights of the faults.

    Raises:
        TableError: when a count or `correct` is missing as a column.
    """
    options = options or PenaltyOptions()
    missing = [name for name in (*COUNTS, "correct", "problem_id") if name not in table.columns]
    if missing:
        raise TableError(
            f"The rollouts have no column {missing[0]!r}.",
            fix="Read them with read_trajectories, which counts tool calls.",
        )
    usable, left_out = _usable(table)
    errors = p_err(usable["tool_errors"], usable["tool_calls"], no_tool=options.no_tool)
    formats = p_format(usable["answer_tags"], usable["turns"])
    keys = [name for name in GROUP_KEYS if name in usable.columns]
    found = usable.assign(
        correct=usable["correct"].astype(bool),
        p_err=errors,
        p_format=formats,
        penalty=options.error_weight * errors + options.format_weight * formats,
        used_tool=usable["tool_calls"] > 0,
        messy=(usable["tool_errors"] > 0) | (usable["answer_tags"] != 1),
    )
    numbers = found.groupby(keys, sort=False, dropna=False).ngroup()
    return Penalised(found.assign(**{GROUP: numbers}), left_out)


def _usable(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows with a judgement and counts, each sample once."""
    keys = [name for name in (*GROUP_KEYS, "sample") if name in table.columns]
    judged = table["correct"].notna().to_numpy(bool)
    counted = np.isfinite(table[list(COUNTS)].to_numpy(np.float64)).all(axis=1)
    again = (
        table.duplicated(keys).to_numpy(bool)
        if "sample" in keys
        else np.zeros(len(table), dtype=bool)
    )
    reasons = Counter[str]()
    reasons[NOT_JUDGED] = int((~judged).sum())
    reasons[NO_COUNTS] = int((judged & ~counted).sum())
    reasons[DUPLICATE] = int((judged & counted & again).sum())
    kept = table.loc[judged & counted & ~again]
    return kept, {reason: count for reason, count in reasons.items() if count}
