"""Do a reward model's choices rank language models as people's choices do?

Each battle is a prompt answered by two language models, with the winner people named. The reward
model's choices give its own winners; both sets of winners give ratings and win rates of the
language models, and the metrics say how alike these are.

Source: Frick et al. 2024 (PPE), arXiv 2410.14872, section 4: Spearman's and Kendall's correlation
of the two rankings, and the mean over language models of the Pearson correlation of its two rows of
win rates. Ratings are Bradley-Terry strengths, by the iteration of Hunter 2004, Annals of
Statistics 32, eq. 3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from core.stats import FloatArray

MAX_ITERATIONS = 200
TOLERANCE = 1e-7

RANK_METRICS = ("spearman", "kendall", "row-wise pearson")


@dataclass(frozen=True)
class Battles:
    """Battles of language models.

    Attributes:
        models: their names.
        first: (n,) index of one side's model.
        second: (n,) index of the other side's.
        people: (n,) 1 where people prefer the first, 0.5 for a tie, 0 for the second.
        reward_model: (n,) the same by the reward model.
    """

    models: tuple[str, ...]
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    people: FloatArray
    reward_model: FloatArray

    @staticmethod
    def of(
        pairs: Sequence[tuple[str, str]], people: FloatArray, reward_model: FloatArray
    ) -> "Battles":
        """The battles of these pairs of models, in order."""
        models = sorted({name for pair in pairs for name in pair})
        index = {name: place for place, name in enumerate(models)}
        return Battles(
            tuple(models),
            np.array([index[first] for first, _ in pairs], dtype=np.int64),
            np.array([index[second] for _, second in pairs], dtype=np.int64),
            people,
            reward_model,
        )


def wins_matrix(battles: Battles, outcomes: FloatArray, weights: FloatArray) -> FloatArray:
    """(m, m) how often the row's model beat the column's; a tie is half a win for each.

    Args:
        battles: who fought whom.
        outcomes: (n,) 1, 0.5 or 0 for the first.
        weights: (n,) how often each battle counts.
    """
    m = len(battles.models)
    wins = np.bincount(battles.first * m + battles.second, weights * outcomes, m * m)
    wins += np.bincount(battles.second * m + battles.first, weights * (1 - outcomes), m * m)
    return np.asarray(wins.reshape(m, m))


def strengths(wins: FloatArray, start: FloatArray | None = None) -> FloatArray:
    """Bradley-Terry strengths from a matrix of wins; NaN for a model without a battle.

    They sum to one over the models with battles. A model that lost everything has strength 0.

    Args:
        wins: (m, m) how often the row's model beat the column's.
        start: (m,) strengths above 0 to start from, where some are known to be near.
    """
    games = wins + wins.T
    np.fill_diagonal(games, 0.0)
    total = wins.sum(axis=1) - np.diag(wins)
    active = games.sum(axis=1) > 0
    begin = np.ones(len(wins)) if start is None else start
    found = np.where(active, begin / max(begin[active].sum(), np.finfo(float).tiny), 0.0)
    for _ in range(MAX_ITERATIONS):
        both = found[:, None] + found[None, :]
        expected = np.divide(games, both, out=np.zeros_like(games), where=both > 0).sum(axis=1)
        fresh = np.divide(total, expected, out=np.zeros_like(total), where=expected > 0)
        fresh /= fresh.sum() if fresh.sum() > 0 else 1.0
        settled = np.abs(fresh - found).max(initial=0.0) < TOLERANCE
        found = fresh
        if settled:
            break
    return np.where(active, found, np.nan)


def whole_strengths(battles: Battles) -> tuple[FloatArray, FloatArray]:
    """Strengths by people and by the reward model over all battles, kept above 0 to start from."""
    once = np.ones(len(battles.first))
    found = [
        strengths(wins_matrix(battles, outcomes, once))
        for outcomes in (battles.people, battles.reward_model)
    ]
    people, model = (np.nan_to_num(each, nan=1.0).clip(min=1e-6) for each in found)
    return people, model


def win_rates(wins: FloatArray) -> FloatArray:
    """(m, m) share of battles the row's model won against the column's; NaN without battles."""
    games = wins + wins.T
    return np.divide(wins, games, out=np.full_like(wins, np.nan), where=games > 0)


def rank_agreement(
    battles: Battles,
    weights: FloatArray | None = None,
    starts: tuple[FloatArray, FloatArray] | None = None,
) -> dict[str, float]:
    """The three metrics (`RANK_METRICS`), with (n,) how often each battle counts.

    `starts` are strengths by people and by the reward model to start from (see `strengths`).
    A metric without a value (fewer than two models, all alike) is NaN; so is a row of win rates
    that does not vary, and it does not count in the mean.
    """
    times = np.ones(len(battles.first)) if weights is None else weights
    people = wins_matrix(battles, battles.people, times)
    model = wins_matrix(battles, battles.reward_model, times)
    begin = starts or (None, None)
    ratings = strengths(people, begin[0]), strengths(model, begin[1])
    rows = zip(win_rates(people), win_rates(model), strict=True)
    pearsons = [_correlation(pearson, *row) for row in rows]
    defined = [value for value in pearsons if np.isfinite(value)]
    return {
        "spearman": _correlation(lambda x, y: float(scipy_stats.spearmanr(x, y)[0]), *ratings),
        "kendall": _correlation(lambda x, y: float(scipy_stats.kendalltau(x, y)[0]), *ratings),
        "row-wise pearson": float(np.mean(defined)) if defined else float("nan"),
    }


def pearson(first: FloatArray, second: FloatArray) -> float:
    """Pearson's correlation of two vectors that vary."""
    x, y = first - first.mean(), second - second.mean()
    return float((x @ y) / np.sqrt((x @ x) * (y @ y)))


def _correlation(
    function: Callable[[FloatArray, FloatArray], float], first: FloatArray, second: FloatArray
) -> float:
    both = np.isfinite(first) & np.isfinite(second)
    x, y = first[both], second[both]
    if len(x) < 2 or not np.ptp(x) > 0 or not np.ptp(y) > 0:
        return float("nan")
    return float(function(x, y))
