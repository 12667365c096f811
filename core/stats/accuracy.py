"""How often the chosen response of a preference pair has the higher reward."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.stats.clusters import Estimate
from core.stats.intervals import clustered_share


@dataclass(frozen=True)
class PairAccuracy:
    """How often the chosen response has the higher reward; a tie counts as half.

    Attributes:
        accuracy: the share, with its interval over prompts.
        n_wins: pairs with a positive margin.
        n_ties: pairs with margin zero.
        n_losses: pairs with a negative margin.
    """

    accuracy: Estimate
    n_wins: int
    n_ties: int
    n_losses: int


def pair_accuracy(
    margins: npt.ArrayLike,
    prompt_ids: Sequence[object],
    *,
    rng: np.random.Generator,
    reasons: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> PairAccuracy:
    """Accuracy of pairs with an interval over prompts.

    Args:
        margins: (n,) reward(chosen) - reward(rejected). A pair without a number is left out.
        prompt_ids: (n,) the prompt of each pair.
        rng: the source of the resampling.
        reasons: (n,) why a pair has no margin ("" where it has one), to count them by.
        confidence: coverage of the interval.
    """
    values = np.asarray(margins, dtype=np.float64)
    given = list(reasons) if reasons is not None else [""] * len(values)
    # Two infinite rewards of one sign have no margin; an infinite margin still has a winner.
    usable = ~np.isnan(values) & np.array([not reason for reason in given], dtype=bool)
    left_out = Counter(
        reason or "no margin" for reason, kept in zip(given, usable, strict=True) if not kept
    )
    kept_values = values[usable]
    prompts = [prompt for prompt, kept in zip(prompt_ids, usable, strict=True) if kept]
    credit = (np.sign(kept_values) + 1) / 2
    accuracy = clustered_share(credit, prompts, rng=rng, confidence=confidence, left_out=left_out)
    return PairAccuracy(
        accuracy,
        n_wins=int((kept_values > 0).sum()),
        n_ties=int((kept_values == 0).sum()),
        n_losses=int((kept_values < 0).sum()),
    )
