"""The no-tool trap: what p_err 0.5 for no call does to plain reasoning.

It beats a poor tool user and loses to a clean one, so resample-on-correct can squeeze it out or
reward the avoidance of tools, depending on who else is in the group.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from core.labs.trajectories.penalties import GROUP, Penalised
from core.stats import Estimate, clustered_statistic


@dataclass(frozen=True)
class NoToolTrap:
    """How right rollouts without a tool call fare against right ones with calls in their group.

    Attributes:
        n_right: right rollouts.
        n_without: right rollouts without a tool call.
        n_groups: groups in which right rollouts of both kinds meet.
        wins: share of the meetings (pairs of one without and one with calls, in one group) in which
            the one without has the lower penalty.
        ties: share of the meetings with equal penalties.
        losses: share in which it has the higher penalty.
        left_out: rows that could not be used, by reason.
    """

    n_right: int
    n_without: int
    n_groups: int
    wins: Estimate
    ties: Estimate
    losses: Estimate
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def present(self) -> bool:
        """Whether the two kinds meet at all, so that the no-tool value decides something."""
        return self.n_groups > 0


def no_tool_trap(penalised: Penalised, *, seed: int = 0, confidence: float = 0.95) -> NoToolTrap:
    """Counts the meetings of right rollouts with and without tool calls.

    Args:
        penalised: rollouts with penalties.
        seed: of the intervals, which resample problems.
        confidence: their coverage.
    """
    right = penalised.table.loc[penalised.table["correct"]]
    meetings = pd.DataFrame(
        [_meet(rows) for _, rows in right.groupby(GROUP, sort=False)],
        columns=["problem_id", "win", "tie", "loss"],
    )
    met = meetings.loc[meetings[["win", "tie", "loss"]].sum(axis=1) > 0]
    shares = {name: _share(met, name, seed, confidence) for name in ("win", "tie", "loss")}
    return NoToolTrap(
        n_right=len(right),
        n_without=int((~right["used_tool"]).sum()),
        n_groups=len(met),
        wins=shares["win"],
        ties=shares["tie"],
        losses=shares["loss"],
        left_out=dict(penalised.left_out),
    )


def _meet(rows: pd.DataFrame) -> tuple[object, int, int, int]:
    used = rows["used_tool"].to_numpy(bool)
    penalty = rows["penalty"].to_numpy(np.float64)
    difference = penalty[~used][:, None] - penalty[used][None, :]
    level = np.isclose(difference, 0.0)
    win, tie = int(((difference < 0) & ~level).sum()), int(level.sum())
    return rows["problem_id"].iloc[0], win, tie, difference.size - win - tie


def _share(met: pd.DataFrame, name: str, seed: int, confidence: float) -> Estimate:
    part = met[name].to_numpy(np.float64)
    whole = met[["win", "tie", "loss"]].sum(axis=1).to_numpy(np.float64)
    found = clustered_statistic(
        lambda weights: np.asarray((weights @ part) / (weights @ whole)),
        met["problem_id"].tolist(),
        rng=np.random.default_rng(seed),
        confidence=confidence,
        vectorized=True,
    )
    return replace(found, n=int(whole.sum()))
