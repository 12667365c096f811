"""Knockout tournaments: played once with a comparison at hand, or in all ways they can go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from core.labs.reasoning.tournaments import (
    K_FACTOR,
    Comparison,
    elo_ratings,
    fit_bradley_terry,
    round_robin_cost,
    win_matrix,
)
from core.stats import FloatArray

Compare = Callable[[int, int], float]
"""Asks the judge about two candidates: 1 if the first wins, 0 if the second does, 0.5 for a tie."""

Seeding = Literal["given", "random", "best apart"]
SEEDINGS: tuple[Seeding, ...] = get_args(Seeding)
SEEDING_MEANING: dict[Seeding, str] = {
    "given": "neighbours in the given order meet first",
    "random": "the draw is random",
    "best apart": "the strongest meet last, by what is known of them",
}


def knockout_cost(n: int) -> tuple[int, int]:
    """Comparisons (n - 1) and rounds (log2 n, rounded up) of a knockout."""
    return max(0, n - 1), int(np.ceil(np.log2(n))) if n > 1 else 0


@dataclass(frozen=True)
class Match:
    """One match of a knockout; `second` is None for a bye."""

    round: int
    first: int
    second: int | None
    score: float
    winner: int


@dataclass(frozen=True)
class Knockout:
    """A knockout that was played: its matches and its winner."""

    matches: tuple[Match, ...]
    winner: int

    @property
    def n_comparisons(self) -> int:
        """Matches that took a comparison."""
        return sum(match.second is not None for match in self.matches)


def slots(n: int, seeding: Seeding, *, strengths: npt.ArrayLike | None = None,
          seed: int = 0) -> list[int | None]:  # fmt: skip
    """Who stands where in the bracket, None for a bye; as many places as the next power of two.

    Byes are spread over different first matches.

    Args:
        n: candidates.
        seeding: how they are placed.
        strengths: (n,) what is known of them, for "best apart".
        seed: of the random draw.
    """
    size = 1 << knockout_cost(n)[1]
    if seeding == "random":
        ranked = [int(at) for at in np.random.default_rng(seed).permutation(n)]
    elif seeding == "best apart":
        known = np.zeros(n) if strengths is None else np.asarray(strengths, dtype=np.float64)
        ranked = [int(at) for at in np.argsort(-known, kind="stable")]
    else:
        ranked = list(range(n))
    if seeding == "best apart":
        return [ranked[place] if place < n else None for place in _bracket(size)]
    # The last matches get the byes: their first place is filled, the second is not.
    n_byes = size - n
    placed: list[int | None] = []
    left = list(ranked)
    for match in range(size // 2):
        placed.append(left.pop(0))
        placed.append(None if match >= size // 2 - n_byes else left.pop(0))
    return placed if size > 1 else [ranked[0]]


def _bracket(size: int) -> list[int]:
    """The usual draw: ranks of the places, such that 1 and 2 can meet in the last match only."""
    places = [0]
    while len(places) < size:
        total = 2 * len(places) - 1
        places = [rank for place in places for rank in (place, total - place)]
    return places


def play_knockout(placed: Sequence[int | None], compare: Compare, *, seed: int = 0) -> Knockout:
    """Plays a knockout; a tie is decided by a seeded coin.

    Args:
        placed: of `slots`.
        compare: asks the judge; called once a match.
        seed: of the coin.
    """
    rng = np.random.default_rng(seed)
    matches: list[Match] = []
    standing = list(placed)
    number = 0
    while len(standing) > 1:
        number += 1
        through: list[int | None] = []
        for first, second in zip(standing[::2], standing[1::2], strict=True):
            if first is None or second is None:
                through.append(first if first is not None else second)
                if through[-1] is not None:
                    matches.append(Match(number, through[-1], None, 1.0, through[-1]))
                continue
            score = float(compare(first, second))
            ahead = score > 0.5 or (score == 0.5 and bool(rng.integers(2)))
            through.append(first if ahead else second)
            matches.append(Match(number, first, second, score, first if ahead else second))
        standing = through
    winner = standing[0]
    assert winner is not None  # noqa: S101 - a bracket has at least one candidate
    return Knockout(tuple(matches), winner)


def knockout_chances(placed: Sequence[int | None], chances: npt.ArrayLike) -> FloatArray:
    """(n,) chance that each candidate wins the knockout, exact.

    Args:
        placed: of `slots`.
        chances: (n, n) chance that the row's candidate beats the column's, independent matches.
    """
    beats = np.asarray(chances, dtype=np.float64)
    n = len(beats)

    def reach(part: Sequence[int | None]) -> FloatArray | None:
        if len(part) == 1:
            if part[0] is None:
                return None
            alone = np.zeros(n)
            alone[part[0]] = 1.0
            return alone
        half = len(part) // 2
        left, right = reach(part[:half]), reach(part[half:])
        if left is None or right is None:
            return left if right is None else right
        return np.asarray(left * (beats @ right) + right * (beats @ left))

    found = reach(placed)
    return np.zeros(n) if found is None else found


@dataclass(frozen=True)
class Method:
    """What one way of choosing the best of n costs and finds.

    Attributes:
        name: of the method.
        comparisons: that it takes.
        found: share of tournaments in which it picks the candidate that is best.
        error: Monte Carlo standard error of `found`, 0 where it is exact.
    """

    name: str
    comparisons: int
    found: float
    error: float


def play_methods(
    chances: npt.ArrayLike,
    best: int,
    *,
    votes: int = 1,
    k_factor: float = K_FACTOR,
    seeding: Seeding = "random",
    n_plays: int = 300,
    seed: int = 0,
) -> list[Method]:
    """Plays round-robins and knockouts many times with a judge of known chances.

    Args:
        chances: (n, n) chance that a judgement prefers the row's candidate to the column's.
        best: the candidate that should be found.
        votes: judgements of each comparison, of which the majority counts.
        k_factor: of Elo.
        seeding: of the knockout; "best apart" goes by the chances' row means.
        n_plays: tournaments.
        seed: of all draws.

    Returns:
        Round-robin by wins, by Elo in a random order, by a Bradley-Terry fit (with half a win
        added so that it always exists), and the knockout. Ties for the first place are shared.
    """
    beats = np.asarray(chances, dtype=np.float64)
    n = len(beats)
    rng = np.random.default_rng(seed)
    credit: dict[str, list[float]] = {name: [] for name in ("wins", "Elo", "Bradley-Terry",
                                                            "knockout")}  # fmt: skip
    for _ in range(n_plays):
        results = np.full((n, n), np.nan)
        for first in range(n):
            for second in range(first + 1, n):
                right = int(rng.binomial(votes, beats[first, second]))
                results[first, second] = (np.sign(2 * right - votes) + 1) / 2
                results[second, first] = 1 - results[first, second]
        played = [Comparison(a, b, float(results[a, b])) for a in range(n) for b in range(a + 1, n)]
        wins = win_matrix(played, n)
        shuffled = [played[at] for at in rng.permutation(len(played))]
        rated = elo_ratings(shuffled, n, k_factor=k_factor)
        fitted = fit_bradley_terry(wins, prior=0.5).strengths
        for name, ranking in (
            ("wins", wins.sum(axis=1)),
            ("Elo", rated),
            ("Bradley-Terry", fitted),
        ):
            top = np.flatnonzero(ranking >= ranking.max() - 1e-6)
            credit[name].append(float(best in top) / len(top))
        placed = slots(n, seeding, strengths=beats.mean(axis=1), seed=int(rng.integers(2**31)))

        def recorded(first: int, second: int, table: FloatArray = results) -> float:
            return float(table[first, second])

        won = play_knockout(placed, recorded, seed=int(rng.integers(2**31))).winner
        credit["knockout"].append(float(won == best))
    costs = {"knockout": knockout_cost(n)[0] * votes}
    return [
        Method(
            name,
            costs.get(name, round_robin_cost(n) * votes),
            float(np.mean(values)),
            float(np.std(values)) / np.sqrt(n_plays),
        )
        for name, values in credit.items()
    ]
