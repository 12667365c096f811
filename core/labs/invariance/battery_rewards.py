"""The rewards of a battery as arrays: pairs by sides by edits."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.invariance.battery_plan import COMPARABLE, ORIGINAL
from core.labs.invariance.rows import missing_rewards
from core.labs.pairs import SIDE, SIDES
from core.labs.plan import REWARD
from core.stats import FloatArray

ITEM_COLUMNS = ("perturbation", "title", "group", "target", "dose")
_KEY = ["pair_id", SIDE, "perturbation", "dose"]


@dataclass(frozen=True)
class BatteryRewards:
    """Rewards of the unedited and the edited responses.

    Attributes:
        pairs: `pair_id, prompt_id`, one row a pair.
        items: `ITEM_COLUMNS`, one row a perturbation and dose.
        original: (pairs, 2) reward of the unedited chosen and rejected response; NaN for none.
        edited: (pairs, 2, items) reward of the edited one; NaN where the edit did not apply or has
            no reward.
        planned: (pairs, 2, items) whether the edit was tried.
        made: (pairs, 2, items) whether it applied.
        comparable: (pairs, items) whether both sides still answer one prompt after the edit.
        applied: `perturbation, dose, side, reason, n`: how many were used ("") and why not.
        left_out: pairs without a margin, by reason.
    """

    pairs: pd.DataFrame
    items: pd.DataFrame
    original: FloatArray
    edited: FloatArray
    planned: npt.NDArray[np.bool_]
    made: npt.NDArray[np.bool_]
    comparable: npt.NDArray[np.bool_]
    applied: pd.DataFrame
    left_out: Mapping[str, int]

    @classmethod
    def of(cls, scored: pd.DataFrame) -> "BatteryRewards":
        """Reads a scored plan.

        Raises:
            TableError: a row stands twice, or a pair is not there unedited.
        """
        # A table that went through a file has nothing where there was an empty text.
        table = scored.assign(
            perturbation=scored["perturbation"].fillna(ORIGINAL),
            reason=scored["reason"].fillna(""),
            missing=missing_rewards(scored),
        )
        if table.duplicated(_KEY).any():
            raise TableError(
                "The scored table holds a conversation twice.", fix="Pass one model at a time."
            )
        is_original = (table["perturbation"] == ORIGINAL).to_numpy()
        unedited, edits = table[is_original], table[~is_original]
        pairs = unedited[["pair_id", "prompt_id"]].drop_duplicates("pair_id", ignore_index=True)
        items = edits[list(ITEM_COLUMNS)].drop_duplicates(["perturbation", "dose"])
        items = items.reset_index(drop=True)
        place = pd.Index(pairs["pair_id"])
        if not edits["pair_id"].isin(place).all():
            raise TableError("Some pairs of the scored table are only there edited.")
        original = np.full((len(pairs), len(SIDES)), np.nan)
        original[_places(unedited, place)] = _finite(unedited)
        at = (*_places(edits, place), _item_numbers(edits, items))
        shape = (len(pairs), len(SIDES), len(items))
        made, planned = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        planned[at] = True
        made[at] = edits["applied"].astype(bool)
        comparable = np.ones((len(pairs), len(items)), dtype=bool)
        if COMPARABLE in edits.columns:
            comparable[at[0], at[2]] = edits[COMPARABLE].astype(bool)
        edited = np.full(shape, np.nan)
        edited[at] = np.where(made[at], _finite(edits), np.nan)
        unknown = np.isnan(original[at[:2]])
        return cls(
            pairs, items, original, edited, planned, made, comparable,
            _applied_table(edits, unknown), _pairs_left_out(unedited),
        )  # fmt: skip

    @property
    def prompts(self) -> list[object]:
        """The prompt of each pair."""
        return self.pairs["prompt_id"].tolist()

    def changes(self) -> FloatArray:
        """(pairs, 2, items) reward of the edited minus reward of the unedited response."""
        return np.asarray(self.edited - self.original[:, :, None])

    def margins(self) -> FloatArray:
        """(pairs,) reward of chosen minus reward of rejected, unedited."""
        return np.asarray(self.original[:, 0] - self.original[:, 1])

    def spread(self) -> float:
        """Standard deviation of the unedited responses' rewards; NaN for fewer than two."""
        rewards = self.original[np.isfinite(self.original)]
        return float(rewards.std(ddof=1)) if len(rewards) > 1 else float("nan")


def _places(
    table: pd.DataFrame, pairs: pd.Index
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number of each row's pair and side."""
    sides = pd.Index(SIDES).get_indexer(pd.Index(table[SIDE]))
    return (
        pairs.get_indexer(pd.Index(table["pair_id"])).astype(np.int64),
        np.asarray(sides, dtype=np.int64),
    )


def _item_numbers(edits: pd.DataFrame, items: pd.DataFrame) -> npt.NDArray[np.int64]:
    key = ["perturbation", "dose"]
    known, wanted = (pd.MultiIndex.from_frame(table[key]) for table in (items, edits))
    return np.asarray(known.get_indexer(wanted), dtype=np.int64)


def _finite(table: pd.DataFrame) -> FloatArray:
    return np.where(table["missing"] == "", table[REWARD].to_numpy(dtype=np.float64), np.nan)


def _applied_table(edits: pd.DataFrame, unknown: npt.NDArray[np.bool_]) -> pd.DataFrame:
    why = np.where(edits["applied"].astype(bool), edits["missing"], edits["reason"])
    why = np.where((why == "") & unknown, "no reward of the unedited response", why)
    counted = edits[["perturbation", "dose", SIDE]].assign(reason=why, n=1)
    keys = ["perturbation", "dose", SIDE, "reason"]
    return counted.groupby(keys, sort=False)["n"].sum().reset_index()


def _pairs_left_out(unedited: pd.DataFrame) -> dict[str, int]:
    missing = unedited.loc[unedited["missing"] != ""]
    first = missing.drop_duplicates("pair_id")["missing"]
    return {str(reason): n for reason, n in Counter(first).items()}
