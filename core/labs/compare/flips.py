"""Who changed their mind: pairs whose winner differs between a baseline and a candidate."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.compare.options import CompareOptions
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.scores import FloatArray, PairScores
from core.stats import Estimate

WON, LOST = "won", "lost"
TO_TIE, FROM_TIE = "became a tie", "was a tie"
SAME = "same"
KINDS = (WON, LOST, TO_TIE, FROM_TIE, SAME)
"""What the candidate did to a pair: now right, now wrong, a tie now or before, or no change. Two
ties are the same."""


@dataclass(frozen=True)
class ChangedMinds:
    """Pairs whose winner changed.

    Attributes:
        baseline: the model before.
        candidate: the model after.
        changes: one row for each pair that changed, clear changes first and then the largest:
            `pair_id`, `prompt_id`, `row` (in `PairScores.pairs`), `kind`, `margin_baseline`,
            `margin_candidate` (each in its model's unit), `standard_baseline`,
            `standard_candidate`, `change` (standardised, candidate - baseline) and `within_noise`:
            one of the two margins is within its model's noise floor, so its winner is chance.
        counts: pairs of each kind, all pairs.
        counts_clear: the same without the pairs whose change is within the noise.
        flipped: the share of pairs that went from one winner to the other (ties are no winner).
        flipped_clear: the share whose flip is also outside the noise floors.
        noise_floors: what was used for the two models; 0 where none was given.
        left_out: pairs without a margin under one of the two, by reason.
    """

    baseline: str
    candidate: str
    changes: pd.DataFrame
    counts: Mapping[str, int]
    counts_clear: Mapping[str, int]
    flipped: Estimate
    flipped_clear: Estimate
    noise_floors: tuple[float, float]
    left_out: Mapping[str, int]


def changed_minds(
    scores: PairScores, baseline: str, candidate: str, options: CompareOptions | None = None
) -> ChangedMinds:
    """Compares the winners of two models, pair by pair.

    Raises:
        CompareError: a model that is not in the table.
    """
    chosen = options or CompareOptions()
    both = [baseline, candidate]
    rows = scores.usable(both)
    floors = (chosen.noise_floors.get(baseline, 0.0), chosen.noise_floors.get(candidate, 0.0))
    table = _table(scores, baseline, candidate, floors)
    kinds = table["kind"].to_numpy(dtype=object)
    clear = ~table["within_noise"].to_numpy(dtype=bool)
    flips = np.isin(kinds, [WON, LOST])
    over = OverPrompts(scores.prompts(rows), chosen, ("flips", *both), scores.left_out(both))
    changes = table[table["kind"] != SAME]
    size = changes["change"].abs().rename("size")
    order = pd.concat([changes["within_noise"], size], axis=1)
    order = order.sort_values(["within_noise", "size"], ascending=[True, False], kind="stable")
    return ChangedMinds(
        baseline,
        candidate,
        changes.loc[order.index].reset_index(drop=True),
        {kind: int((kinds == kind).sum()) for kind in KINDS},
        {kind: int(((kinds == kind) & (clear | (kind == SAME))).sum()) for kind in KINDS},
        over.share(flips.astype(np.float64), "all"),
        over.share((flips & clear).astype(np.float64), "clear"),
        floors,
        over.left_out,
    )


def _table(
    scores: PairScores, baseline: str, candidate: str, floors: tuple[float, float]
) -> pd.DataFrame:
    rows = scores.usable([baseline, candidate])
    before, after = (scores.values(scores.margins, name, rows) for name in (baseline, candidate))
    standard = [
        scores.values(scores.standard_margins, name, rows) for name in (baseline, candidate)
    ]
    with np.errstate(invalid="ignore"):
        change = standard[1] - standard[0]
    return pd.DataFrame(
        {
            "pair_id": scores.pairs.loc[rows, "pair_id"].to_numpy(),
            "prompt_id": scores.pairs.loc[rows, "prompt_id"].to_numpy(),
            "row": np.flatnonzero(rows),
            "kind": _kinds(np.sign(before), np.sign(after)),
            "margin_baseline": before,
            "margin_candidate": after,
            "standard_baseline": standard[0],
            "standard_candidate": standard[1],
            "change": change,
            "within_noise": (np.abs(before) < floors[0]) | (np.abs(after) < floors[1]),
        }
    )


def _kinds(before: FloatArray, after: FloatArray) -> list[str]:
    cases = [before == after, after == 0, before == 0, after > 0]
    return list(np.select(cases, [SAME, TO_TIE, FROM_TIE, WON], LOST))
