"""Two models over the same pairs, point by point, each in its own ruler."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.compare.scores import BoolArray, PairScores

BOTH, ONLY_X, ONLY_Y, NEITHER, TIE = "both", "only x", "only y", "neither", "tie"
KINDS = (BOTH, ONLY_X, ONLY_Y, NEITHER, TIE)
"""Who prefers the chosen response; a tie is a pair that at least one model does not decide."""


@dataclass(frozen=True)
class HeadToHead:
    """One point a pair.

    Attributes:
        x_model: the model of the x axis.
        y_model: the model of the y axis.
        points: `pair_id`, `prompt_id`, `row` (the pair's row in `PairScores.pairs`, for a lasso),
            `x`, `y` (margins in units of each model's root mean square margin), `margin_x`,
            `margin_y` (in each model's own unit) and `kind`, one of `KINDS`. Where a model's
            margins are all zero its standardised margin is NaN.
        counts: pairs of each kind.
        left_out: pairs without a margin under one of the two, by reason.
    """

    x_model: str
    y_model: str
    points: pd.DataFrame
    counts: Mapping[str, int]
    left_out: Mapping[str, int]


def compare_head_to_head(scores: PairScores, x_model: str, y_model: str) -> HeadToHead:
    """The points of two models' scatter.

    Raises:
        CompareError: a model that is not in the table.
    """
    rows = scores.usable([x_model, y_model])
    margin_x = scores.values(scores.margins, x_model, rows)
    margin_y = scores.values(scores.margins, y_model, rows)
    points = pd.DataFrame(
        {
            "pair_id": scores.pairs.loc[rows, "pair_id"].to_numpy(),
            "prompt_id": scores.pairs.loc[rows, "prompt_id"].to_numpy(),
            "row": np.flatnonzero(rows),
            "x": scores.values(scores.standard_margins, x_model, rows),
            "y": scores.values(scores.standard_margins, y_model, rows),
            "margin_x": margin_x,
            "margin_y": margin_y,
            "kind": _kinds(margin_x > 0, margin_y > 0, (margin_x == 0) | (margin_y == 0)),
        }
    )
    counts = {kind: int((points["kind"] == kind).sum()) for kind in KINDS}
    return HeadToHead(x_model, y_model, points, counts, scores.left_out([x_model, y_model]))


def _kinds(x_right: BoolArray, y_right: BoolArray, tied: BoolArray) -> list[str]:
    cases = [tied, x_right & y_right, x_right, y_right]
    return list(np.select(cases, [TIE, BOTH, ONLY_X, ONLY_Y], NEITHER))
