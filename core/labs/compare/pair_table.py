"""From scored pairs to the long table that the comparison reads; nothing of the user's is lost."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from core.labs.attributes import attribute_table
from core.labs.compare.scores import OWN_COLUMNS, stack_models
from core.labs.pairs import PAIR_TEXT_COLUMNS, pair_rewards

LONGER = "longer response"
"""Own column that is always there to slice by: which response has more words."""

_RENAMED = frozenset(OWN_COLUMNS) - frozenset(PAIR_TEXT_COLUMNS)


def stack_pairs(pairs: pd.DataFrame, scored: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The long table of one set of pairs under several models.

    Args:
        pairs: a table with `PAIR_TEXT_COLUMNS`. An own column that is named like one of the long
            table's is kept as "NAME (of the pairs)".
        scored: for each model `plan_pairs(pairs)` with its rewards.

    Returns:
        One row a model and pair, as `read_scores` takes it, with the column `LONGER`.
    """
    named = pairs.rename(
        columns={name: f"{name} (of the pairs)" for name in pairs.columns if name in _RENAMED}
    )
    if LONGER not in named.columns:
        named = named.assign(**{LONGER: longer_responses(pairs)})
    return stack_models({model: pair_rewards(named, rows) for model, rows in scored.items()})


def longer_responses(pairs: pd.DataFrame) -> list[str]:
    """(n_pairs,) which response has more words: "chosen", "rejected" or "same length"."""
    gap = np.sign(attribute_gaps(pairs, ["words"])["words"])
    return list(np.select([gap > 0, gap < 0], ["chosen", "rejected"], "same length"))


def attribute_gaps(pairs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Attributes of the chosen response minus those of the rejected one, a row a pair.

    Args:
        pairs: with columns `chosen` and `rejected`.
        names: attributes (`core.labs.attributes`).
    """
    sides = [
        attribute_table(pairs[side].reset_index(drop=True), names)
        for side in ("chosen", "rejected")
    ]
    return sides[0] - sides[1]
