"""Which way a model errs: does it prefer more of an attribute than the labels do?"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from core.labs.compare.options import CompareError, CompareOptions
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.scores import PairScores
from core.stats import Estimate

EQUAL = "both responses have as much of it"
UNKNOWN = "the attribute is not known"


def attribute_indices(
    scores: PairScores,
    gaps: Mapping[str, npt.ArrayLike],
    options: CompareOptions | None = None,
) -> dict[str, dict[str, Estimate]]:
    """For each attribute and model, how much more often than the labels it prefers more of it.

    Among pairs whose two responses differ in the attribute: the share of pairs on which the model
    prefers the response with more of it (a tie is half), minus the share on which the chosen one
    has more. From -1 to 1; 0 means that its errors go both ways alike, or that there are none. Our
    reading: an error of the model that follows the attribute counts +1, one against it -1.

    Args:
        scores: the models' rewards.
        gaps: for each attribute (n_pairs,) its value of the chosen response minus that of the
            rejected one, NaN where unknown.
        options: confidence, draws and seed.

    Returns:
        Name of the attribute -> model -> estimate; a model that scored no such pair has NaN.

    Raises:
        CompareError: an attribute has not one value a pair.
    """
    chosen = options or CompareOptions()
    return {
        name: {
            model: _index(scores, model, name, _checked(scores, name, values), chosen)
            for model in scores.models
        }
        for name, values in gaps.items()
    }


def _checked(scores: PairScores, name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    gap = np.asarray(values, dtype=np.float64)
    if gap.shape != (len(scores),):
        raise CompareError(f"Attribute {name!r} has {gap.size} values for {len(scores)} pairs.")
    return gap


def _index(
    scores: PairScores,
    model: str,
    name: str,
    gap: npt.NDArray[np.float64],
    options: CompareOptions,
) -> Estimate:
    scored = scores.usable([model])
    rows = scored & np.isfinite(gap) & (gap != 0)
    reasons = {
        EQUAL: int((scored & (gap == 0)).sum()),
        UNKNOWN: int((scored & ~np.isfinite(gap)).sum()),
    }
    left_out = scores.left_out([model]) | {why: n for why, n in reasons.items() if n}
    more_is_chosen = gap[rows] > 0
    credit = scores.credits(model)[rows]
    prefers_more = np.where(more_is_chosen, credit, 1 - credit)
    over = OverPrompts(scores.prompts(rows), options, ("index", name, model), left_out)
    return over.share_difference(prefers_more - more_is_chosen, "index")
