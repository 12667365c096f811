"""Rows that a computation can use, and why the others are left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.pairs import SIDE
from core.labs.plan import CONVERSATION, ERROR, REWARD

NO_REWARD = "no reward"
NO_ATTRIBUTE = "no attribute"
SAME_RESPONSE = "same response to the same prompt, counted once"


@dataclass(frozen=True)
class UsableRows:
    """A selection of a table's rows.

    Attributes:
        keep: (n,) whether each row is used.
        left_out: the others, counted by reason.
    """

    keep: npt.NDArray[np.bool_]
    left_out: dict[str, int]


def require_columns(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Checks that a table has the columns a computation reads.

    Raises:
        TableError: names those that are missing.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise TableError(
            f"The {what} lacks {', '.join(missing)}.",
            fix=f"It needs the columns {', '.join(columns)}.",
        )


def usable_rows(
    scored: pd.DataFrame,
    attribute: Sequence[object] | pd.Series,
    *,
    by_side: bool = True,
) -> UsableRows:
    """Rows with a finite reward and an attribute, each response once.

    A response that stands in several pairs of its prompt is one observation, not several.

    Args:
        scored: a table with `prompt_id`, `side` and `reward`; where it also has `error` the reasons
            are taken from it, and where it has `conversation` equal responses are found.
        attribute: (n,) value or bin of each row; None and NaN are missing.
        by_side: whether a response that is chosen in one pair and rejected in another counts on
            both sides.

    Raises:
        TableError: a column is missing, or there is not one attribute a row.
    """
    require_columns(scored, ("prompt_id", SIDE, REWARD), "scored table")
    if len(attribute) != len(scored):
        raise TableError(f"{len(scored)} rows but {len(attribute)} attribute values.")
    reasons = missing_rewards(scored)
    known = ~pd.isna(pd.Series(list(attribute), dtype=object)).to_numpy()
    reasons = np.where((reasons == "") & ~known, NO_ATTRIBUTE, reasons)
    if CONVERSATION in scored.columns:
        repeated = _repeated(scored, reasons == "", by_side=by_side)
        reasons = np.where(repeated, SAME_RESPONSE, reasons)
    left_out = Counter(str(reason) for reason in reasons if reason)
    return UsableRows(reasons == "", dict(left_out))


def missing_rewards(scored: pd.DataFrame) -> npt.NDArray[np.object_]:
    """(n,) why each row has no finite reward; "" where it has one."""
    finite = np.isfinite(scored[REWARD].to_numpy(dtype=np.float64))
    if ERROR not in scored.columns:
        return np.where(finite, "", NO_REWARD).astype(object)
    said = [reason if isinstance(reason, str) else "" for reason in scored[ERROR]]
    pairs = zip(said, finite, strict=True)
    return np.array([reason or ("" if good else NO_REWARD) for reason, good in pairs], dtype=object)


def _repeated(
    scored: pd.DataFrame, candidates: npt.NDArray[np.bool_], *, by_side: bool
) -> npt.NDArray[np.bool_]:
    seen: set[tuple[object, ...]] = set()
    repeated = np.zeros(len(scored), dtype=bool)
    columns = (scored["prompt_id"], scored[SIDE], scored[CONVERSATION])
    for at, (prompt, side, conversation) in enumerate(zip(*columns, strict=True)):
        if not candidates[at]:
            continue
        key = (prompt, side if by_side else "", conversation[-1]["content"])
        repeated[at] = key in seen
        seen.add(key)
    return repeated


def merged(*counts: dict[str, int]) -> dict[str, int]:
    """Counts by reason, added up."""
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total)
