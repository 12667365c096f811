"""Figures of the collapse lab: runs over their budget, problems one by one, bonuses of a group."""

from core.figures.collapse.bonuses import advantage_slopes, decay
from core.figures.collapse.curves import (
    MOST_BANDS,
    at_k_curves,
    coverage_beside_checkpoint,
    cumulative,
    flag_plane,
    over_steps,
    spread_bars,
)
from core.figures.collapse.problems import class_flow, class_shares, problem_map

__all__ = [
    "MOST_BANDS",
    "advantage_slopes",
    "at_k_curves",
    "class_flow",
    "class_shares",
    "coverage_beside_checkpoint",
    "cumulative",
    "decay",
    "flag_plane",
    "over_steps",
    "problem_map",
    "spread_bars",
]
