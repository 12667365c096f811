"""Votes of each item: what judgements say, as arrays that can be counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.reasoning.judgements import LETTERS, TIE, Judgements, verdict_of
from core.stats import FloatArray

IntArray = npt.NDArray[np.int64]

Handling = Literal["both", "own", "agree"]
HANDLINGS: tuple[Handling, ...] = get_args(Handling)
HANDLING_MEANING: dict[Handling, str] = {
    "both": "judgements of all orders are votes alike",
    "own": "only judgements that saw the candidates in their own order",
    "agree": "one vote is a judgement in either order: the winner if they agree, else none",
}

Filter = Literal["meta_score", "confidence"]
"""By what judgements are filtered: the score of a second model (the Meta-RM of DeepSeek-GRM), or
the probability of the verdict itself, which is our stand-in where no second model read them."""

NO_VOTE = -1
"""A judgement that names a tie or could not be read votes for nobody."""


@dataclass(frozen=True)
class Ballot:
    """The votes of one item.

    Attributes:
        item_id: the item.
        subset: that it belongs to.
        n_candidates: how many there are.
        right: number of the right winner.
        votes: (K,) number of the candidate each judgement votes for, `NO_VOTE` for none.
        ties: (K,) whether a judgement named a tie.
        scores: (K, n) scores in the candidates' own order, NaN for none.
        weights: (K,) what judgements are filtered by, NaN where unknown.
        tokens: (K,) tokens written, NaN where unknown.
    """

    item_id: str
    subset: str
    n_candidates: int
    right: int
    votes: IntArray
    ties: npt.NDArray[np.bool_]
    scores: FloatArray
    weights: FloatArray
    tokens: FloatArray

    def __len__(self) -> int:
        """Votes, those for nobody included."""
        return len(self.votes)

    @property
    def counts(self) -> IntArray:
        """(n + 1,) votes for each candidate, and for nobody."""
        found = np.bincount(
            np.where(self.votes < 0, self.n_candidates, self.votes), minlength=self.n_candidates + 1
        )
        return found.astype(np.int64)

    @property
    def n_unread(self) -> int:
        """Judgements that neither voted nor named a tie."""
        return int(((self.votes < 0) & ~self.ties).sum())


@dataclass(frozen=True)
class Ballots:
    """The votes of all items that can be counted.

    Attributes:
        items: one ballot an item, each with at least `k_max` votes.
        k_max: votes that every item has.
        left_out: items without a known winner or with too few votes, by reason.
        n_votes: votes of all items.
        n_unread: of those, how many could not be read.
        n_ties: of those, how many name a tie.
    """

    items: tuple[Ballot, ...]
    k_max: int
    left_out: Mapping[str, int]
    n_votes: int
    n_unread: int
    n_ties: int

    def __len__(self) -> int:
        """Items."""
        return len(self.items)

    @property
    def ids(self) -> list[str]:
        """The items' ids: what intervals resample."""
        return [item.item_id for item in self.items]

    @property
    def n_candidates(self) -> int:
        """Candidates of the item that has most."""
        return max((item.n_candidates for item in self.items), default=0)

    @property
    def has_scores(self) -> bool:
        """Whether any judgement gives scores to all candidates."""
        return any(np.isfinite(item.scores).all(axis=1).any() for item in self.items)

    @property
    def has_weights(self) -> bool:
        """Whether judgements can be filtered."""
        return any(np.isfinite(item.weights).any() for item in self.items)

    @property
    def has_tokens(self) -> bool:
        """Whether it is known how much was written."""
        return any(np.isfinite(item.tokens).any() for item in self.items)

    @property
    def n_uncounted(self) -> int:
        """Votes of which it is not known how much was written."""
        return sum(int((~np.isfinite(item.tokens)).sum()) for item in self.items)

    def of_subset(self, subset: str) -> "Ballots":
        """Only the items of this subset."""
        kept = tuple(item for item in self.items if item.subset == subset)
        return _counted(kept, self.k_max, {})


def ballots_of(
    judgements: Judgements,
    *,
    handling: Handling = "both",
    filter_by: Filter = "meta_score",
    most: int = 64,
) -> Ballots:
    """Makes votes of the judgements of one judge.

    A format that judges one response at a time gives one vote for the same sample number of all of
    an item's responses. So that every point of a curve is over the same items, `k_max` is the
    number of votes that keeps most judgements (k times the items with k or more) with at least
    half of the items; the others are left out and counted.

    Args:
        judgements: of one judge.
        handling: what becomes of the orders; "agree" is for pairs.
        filter_by: the column judgements can be filtered by.
        most: votes of an item that are used at most, in the order of the table.

    Raises:
        TableError: no item has a known winner and a vote.
    """
    items = {str(row["item_id"]): row for row in judgements.items.to_dict("records")}
    left_out: Counter[str] = Counter()
    found: list[Ballot] = []
    for item_id, rows in judgements.table.groupby("item_id", sort=False):
        item = items[str(item_id)]
        if item["best"] is None or item["best"] is pd.NA or item["best"] != item["best"]:
            left_out["items without a known winner"] += 1
            continue
        votes = _votes(rows, int(item["n_candidates"]), handling, filter_by)[:most]
        if not votes:
            left_out["items without a vote in this order"] += 1
            continue
        found.append(_ballot(item, votes))
    if not found:
        told = "; ".join(f"{why} ({n})" for why, n in left_out.items())
        raise TableError(
            f"There is nothing to vote on: {told}.",
            fix="An accuracy needs items whose right winner is known (column best).",
        )
    k_max = _common_votes([len(each) for each in found])
    kept = tuple(each for each in found if len(each) >= k_max)
    if len(kept) < len(found):
        left_out[f"items with fewer than {k_max} votes"] += len(found) - len(kept)
    return _counted(kept, k_max, left_out)


def _common_votes(sizes: list[int]) -> int:
    """The number of votes that keeps most judgements with at least half of the items."""
    kept = {k: sum(size >= k for size in sizes) for k in sorted(set(sizes))}
    affordable = {k: n for k, n in kept.items() if 2 * n >= len(sizes)}
    return max(affordable, key=lambda k: k * affordable[k])


def _counted(items: tuple[Ballot, ...], k_max: int, left_out: Mapping[str, int]) -> Ballots:
    return Ballots(
        items=items,
        k_max=k_max,
        left_out=dict(left_out),
        n_votes=sum(len(each) for each in items),
        n_unread=sum(each.n_unread for each in items),
        n_ties=sum(int(each.ties.sum()) for each in items),
    )


@dataclass(frozen=True)
class _Vote:
    vote: int
    tie: bool
    scores: FloatArray
    weight: float
    tokens: float


def _ballot(item: Mapping[Any, Any], votes: list[_Vote]) -> Ballot:
    return Ballot(
        item_id=str(item["item_id"]),
        subset=str(item["subset"]),
        n_candidates=int(item["n_candidates"]),
        right=LETTERS.index(str(item["best"])),
        votes=np.array([each.vote for each in votes], dtype=np.int64),
        ties=np.array([each.tie for each in votes], dtype=bool),
        scores=np.array([each.scores for each in votes], dtype=np.float64),
        weights=np.array([each.weight for each in votes], dtype=np.float64),
        tokens=np.array([each.tokens for each in votes], dtype=np.float64),
    )


def _votes(rows: pd.DataFrame, size: int, handling: Handling, filter_by: Filter) -> list[_Vote]:
    own = LETTERS[:size]
    if (rows["order"].str.len() == 1).all() and size > 1:
        return _pointwise(rows, size, filter_by)
    full = rows.loc[rows["order"].str.len() == size]
    if handling == "own":
        full = full.loc[full["order"] == own]
    each = [_vote(row, size, filter_by) for row in full.to_dict("records")]
    if handling != "agree":
        return each
    first = [vote for vote, order in zip(each, full["order"], strict=True) if order == own]
    second = [vote for vote, order in zip(each, full["order"], strict=True) if order != own]
    return [_agreed(one, other) for one, other in zip(first, second, strict=False)]


def _vote(row: Mapping[Any, Any], size: int, filter_by: Filter) -> _Vote:
    verdict = row["verdict"] if isinstance(row["verdict"], str) else None
    scores = np.full(size, np.nan)
    if row["scores"] is not None and not isinstance(row["scores"], float):
        scores = np.asarray(row["scores"], dtype=np.float64)
    at = LETTERS.index(verdict) if verdict not in (None, TIE) else NO_VOTE
    return _Vote(at, verdict == TIE, scores, float(row[filter_by]), float(row["n_tokens"]))


def _agreed(one: _Vote, other: _Vote) -> _Vote:
    """Two judgements of one item, in either order, as one vote."""
    same = one.vote == other.vote
    return _Vote(
        vote=one.vote if same else NO_VOTE,
        tie=one.tie or other.tie or (not same and min(one.vote, other.vote) >= 0),
        scores=one.scores + other.scores,
        weight=(one.weight + other.weight) / 2,
        tokens=one.tokens + other.tokens,
    )


def _pointwise(rows: pd.DataFrame, size: int, filter_by: Filter) -> list[_Vote]:
    """Lone scores of the responses, joined by their sample number."""
    found = []
    for _, together in rows.groupby("sample", sort=True):
        scores = np.full(size, np.nan)
        for order, given in zip(together["order"], together["scores"], strict=True):
            if given is not None and not isinstance(given, float):
                at = LETTERS.index(order)
                scores[at] = given[at]
        verdict = verdict_of(scores.tolist())
        at = LETTERS.index(verdict) if verdict not in (None, TIE) else NO_VOTE
        found.append(
            _Vote(
                at,
                verdict == TIE,
                scores,
                float(together[filter_by].mean()),
                float(together["n_tokens"].sum(skipna=False)),
            )
        )
    return found
