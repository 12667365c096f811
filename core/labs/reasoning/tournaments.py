"""Ranking candidates by comparisons: Bradley-Terry fits and Elo ratings.

A judge that sees two candidates at a time ranks n of them by a tournament. A round-robin takes
n(n - 1)/2 comparisons and a knockout n - 1 (`core.labs.reasoning.brackets`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize
from scipy.sparse.csgraph import connected_components

from core.errors import TableError
from core.labs.reasoning.judgements import LETTERS, TIE, Judgements
from core.stats import FloatArray

START = 1_500.0
K_FACTOR = 32.0
_SCALE = 400.0


def round_robin_cost(n: int) -> int:
    """Comparisons of everyone with everyone: n(n - 1)/2."""
    return n * (n - 1) // 2


def expected_score(rating: float, other: float) -> float:
    """Chance that Elo gives the first: 1 / (1 + 10^((other - rating) / 400))."""
    return float(1 / (1 + 10 ** ((other - rating) / _SCALE)))


def elo_update(
    first: float, second: float, score: float, k_factor: float = K_FACTOR
) -> tuple[float, float]:
    """Ratings after one comparison.

    Args:
        first: rating of the first.
        second: rating of the second.
        score: 1 if the first won, 0 if the second did, 0.5 for a tie.
        k_factor: how far one comparison moves ratings.

    Source: Elo 1978, The Rating of Chessplayers; used for judges by RRM (arXiv 2505.14674).
    """
    move = k_factor * (score - expected_score(first, second))
    return first + move, second - move


@dataclass(frozen=True)
class Comparison:
    """One comparison: who met whom, and what the first got (1, 0.5 or 0)."""

    first: int
    second: int
    score: float


def elo_ratings(
    comparisons: Sequence[Comparison], n: int, *, k_factor: float = K_FACTOR
) -> FloatArray:
    """(n,) ratings after comparisons in this order, from `START` each."""
    ratings = [START] * n
    for each in comparisons:
        ratings[each.first], ratings[each.second] = elo_update(
            ratings[each.first], ratings[each.second], each.score, k_factor
        )
    return np.array(ratings)


@dataclass(frozen=True)
class EloOrders:
    """The same comparisons rated in many orders.

    Attributes:
        ratings: (n_orders, n) ratings of each order.
        leaders: by candidate, share of the orders that it leads (ties shared).
    """

    ratings: FloatArray
    leaders: FloatArray


def elo_over_orders(
    comparisons: Sequence[Comparison],
    n: int,
    *,
    k_factor: float = K_FACTOR,
    n_orders: int = 500,
    seed: int = 0,
) -> EloOrders:
    """Elo ratings of the same comparisons in random orders: what the order alone does."""
    rng = np.random.default_rng(seed)
    ratings = np.array([
        elo_ratings([comparisons[at] for at in rng.permutation(len(comparisons))], n,
                    k_factor=k_factor)
        for _ in range(n_orders)
    ])  # fmt: skip
    best = ratings >= ratings.max(axis=1, keepdims=True) - 1e-9
    return EloOrders(ratings, (best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def win_matrix(comparisons: Sequence[Comparison], n: int) -> FloatArray:
    """(n, n) wins of the row's candidate over the column's, ties as half a win each."""
    wins = np.zeros((n, n))
    for each in comparisons:
        wins[each.first, each.second] += each.score
        wins[each.second, each.first] += 1 - each.score
    return wins


@dataclass(frozen=True)
class BradleyTerry:
    """Strengths on the scale of log-odds.

    Attributes:
        strengths: (n,) with mean 0; sigma of a difference is the chance of winning.
        errors: (n,) standard errors under the model, NaN with a prior.
        prior: half-wins that were added between every two candidates, 0 for none.
        log_likelihood: of the comparisons, in nats.
    """

    strengths: FloatArray
    errors: FloatArray
    prior: float
    log_likelihood: float

    @property
    def elo(self) -> FloatArray:
        """The strengths on Elo's scale, mean 1500."""
        return np.asarray(START + self.strengths * _SCALE / np.log(10), dtype=np.float64)

    def probabilities(self) -> FloatArray:
        """(n, n) chance that the row's candidate beats the column's."""
        return np.asarray(_sigmoid(self.strengths[:, None] - self.strengths[None, :]))


def can_fit(wins: npt.ArrayLike) -> bool:
    """Whether the strengths that fit best are finite.

    They are when from each candidate a chain of wins leads to every other one; otherwise some
    group never lost to the rest, and its strength runs away.

    Source: Ford 1957, American Mathematical Monthly 64; Hunter 2004, assumption 1.
    """
    n_parts, _ = connected_components(
        np.asarray(wins, dtype=np.float64) > 0, directed=True, connection="strong"
    )
    return int(n_parts) == 1


def fit_bradley_terry(wins: npt.ArrayLike, *, prior: float = 0.0) -> BradleyTerry:
    """The strengths under which the wins are likeliest.

    Args:
        wins: (n, n) wins of the row's candidate over the column's; ties as half a win each.
        prior: wins added to every pair in both directions, for comparisons that do not connect all
            candidates. Pulls the strengths together.

    Raises:
        TableError: the comparisons do not connect the candidates and there is no prior.

    Source: Bradley and Terry 1952, Biometrika 39; by the minorise-maximise steps of Hunter 2004,
    Annals of Statistics 32, polished with BFGS.
    """
    given = np.asarray(wins, dtype=np.float64) + prior * (1 - np.eye(len(np.asarray(wins))))
    if not can_fit(given):
        raise TableError(
            "These comparisons leave candidates that never lost to, or never beat, the others: "
            "their strength has no finite value.",
            fix="Compare more, or add a small prior.",
        )
    start = _minorise(given, 200)
    found = optimize.minimize(
        _negative_log_likelihood, start, args=(given,), jac=_gradient, method="BFGS",
        options={"gtol": 1e-9},
    )  # fmt: skip
    strengths = np.asarray(found.x - found.x.mean(), dtype=np.float64)
    errors = _errors(strengths, given) if prior == 0 else np.full(len(given), np.nan)
    plain = np.asarray(wins, dtype=np.float64)
    return BradleyTerry(strengths, errors, prior, -_negative_log_likelihood(strengths, plain))


def _minorise(wins: FloatArray, steps: int) -> FloatArray:
    """Log-strengths after so many minorise-maximise steps from equal ones."""
    met, won = wins + wins.T, wins.sum(axis=1)
    strength = np.ones(len(wins))
    for _ in range(steps):
        share = met / (strength[:, None] + strength[None, :])
        np.fill_diagonal(share, 0.0)
        strength = won / share.sum(axis=1)
        strength = strength / np.exp(np.log(strength).mean())
    return np.asarray(np.log(strength))


def _negative_log_likelihood(strengths: FloatArray, wins: FloatArray) -> float:
    difference = strengths[:, None] - strengths[None, :]
    return float((wins * np.logaddexp(0.0, -difference)).sum())


def _gradient(strengths: FloatArray, wins: FloatArray) -> FloatArray:
    chance = _sigmoid(strengths[:, None] - strengths[None, :])
    expected = (wins + wins.T) * chance
    np.fill_diagonal(expected, 0.0)
    return np.asarray(expected.sum(axis=1) - wins.sum(axis=1))


def _errors(strengths: FloatArray, wins: FloatArray) -> FloatArray:
    """Standard errors of strengths around their mean, from the inverse information."""
    chance = _sigmoid(strengths[:, None] - strengths[None, :])
    weight = (wins + wins.T) * chance * (1 - chance)
    np.fill_diagonal(weight, 0.0)
    information = np.diag(weight.sum(axis=1)) - weight
    spread = np.clip(np.diag(np.linalg.pinv(information)), 0, None)
    return np.asarray(np.sqrt(spread), dtype=np.float64)


def _sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-values)), dtype=np.float64)


@dataclass(frozen=True)
class ItemComparisons:
    """The comparisons of one item's candidates.

    Attributes:
        item_id: the item.
        n: candidates.
        right: number of the right winner, None where unknown.
        comparisons: of the recorded judgements, in the order of the table.
        unread: judgements of two candidates that could not be read.
        from_lists: whether each came with others out of one list of scores, so that they are not
            independent.
    """

    item_id: str
    n: int
    right: int | None
    comparisons: tuple[Comparison, ...]
    unread: int
    from_lists: bool


def item_comparisons(judgements: Judgements) -> tuple[ItemComparisons, ...]:
    """The comparisons of every item with more than two candidates.

    A judgement that was shown two of them is one comparison. A list of scores stands for one
    comparison of each two candidates.
    """
    found = []
    for item in judgements.items.to_dict("records"):
        n = int(item["n_candidates"])
        if n < 3:
            continue
        rows = judgements.table.loc[judgements.table["item_id"] == item["item_id"]]
        pairs = rows.loc[rows["order"].str.len() == 2]
        lists = rows.loc[rows["order"].str.len() > 2]
        given = _of_pairs(pairs) if len(pairs) else _of_lists(lists, n)
        right = LETTERS.index(item["best"]) if isinstance(item["best"], str) else None
        total = len(pairs) if len(pairs) else len(lists) * round_robin_cost(n)
        if given:
            missing = total - len(given)
            found.append(
                ItemComparisons(
                    str(item["item_id"]), n, right, tuple(given), missing, not len(pairs)
                )
            )
    return tuple(found)


def _of_pairs(rows: pd.DataFrame) -> list[Comparison]:
    found = []
    for order, verdict in zip(rows["order"], rows["verdict"], strict=True):
        if not isinstance(verdict, str):
            continue
        first, second = sorted(LETTERS.index(letter) for letter in order)
        score = 0.5 if verdict == TIE else float(LETTERS.index(verdict) == first)
        found.append(Comparison(first, second, score))
    return found


def _of_lists(rows: pd.DataFrame, n: int) -> list[Comparison]:
    found = []
    for scores in rows["scores"]:
        if scores is None or isinstance(scores, float):
            continue
        for first in range(n):
            for second in range(first + 1, n):
                a, b = float(scores[first]), float(scores[second])
                if np.isfinite([a, b]).all():
                    found.append(Comparison(first, second, 0.5 if a == b else float(a > b)))
    return found
