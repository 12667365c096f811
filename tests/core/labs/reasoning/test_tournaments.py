"""Tournaments against published updates, planted strengths and every bracket played out."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.reasoning.brackets import (
    knockout_chances,
    knockout_cost,
    play_knockout,
    play_methods,
    slots,
)
from core.labs.reasoning.judgements import check_judgements
from core.labs.reasoning.tournaments import (
    Comparison,
    can_fit,
    elo_over_orders,
    elo_ratings,
    elo_update,
    fit_bradley_terry,
    item_comparisons,
    round_robin_cost,
    win_matrix,
)


def test_elo_updates_of_the_worked_example():
    assert elo_update(1500, 1500, 1) == pytest.approx((1516, 1484))
    assert elo_update(1600, 1400, 0) == pytest.approx((1575.6881, 1424.3119), abs=1e-4)
    assert elo_update(1500, 1500, 0.5) == pytest.approx((1500, 1500))


def test_costs_of_eight():
    assert round_robin_cost(8) == 28
    assert knockout_cost(8) == (7, 3)
    assert knockout_cost(5) == (4, 3)
    assert knockout_cost(1) == (0, 0)


def test_elo_depends_on_the_order_and_the_fit_does_not():
    played = [Comparison(0, 1, 1), Comparison(1, 2, 1), Comparison(2, 0, 1)]
    ratings = elo_over_orders(played, 3, n_orders=200)
    assert np.ptp(ratings.ratings, axis=0).min() > 0.5
    assert ratings.leaders.sum() == pytest.approx(1)
    assert not np.allclose(elo_ratings(played, 3), elo_ratings(played[::-1], 3))
    fits = [fit_bradley_terry(win_matrix(order, 3)) for order in (played, played[::-1])]
    assert np.allclose(fits[0].strengths, 0, atol=1e-6)
    assert np.allclose(fits[0].strengths, fits[1].strengths, atol=1e-6)
    assert np.allclose(ratings.ratings.sum(axis=1), 4500)


def test_the_fit_of_two_is_the_log_odds_with_its_textbook_error():
    fit = fit_bradley_terry([[0, 30], [10, 0]])
    assert fit.strengths[0] - fit.strengths[1] == pytest.approx(np.log(3), abs=1e-6)
    # Var(log-odds) = 1/30 + 1/10, and each strength is half of the difference.
    assert fit.errors == pytest.approx([np.sqrt(1 / 30 + 1 / 10) / 2] * 2, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(30 * np.log(0.75) + 10 * np.log(0.25))
    assert fit.elo.mean() == pytest.approx(1500)


def test_planted_strengths_come_back_from_expected_wins():
    rng = np.random.default_rng(0)
    strengths = rng.normal(size=6)
    strengths -= strengths.mean()
    chance = 1 / (1 + np.exp(-(strengths[:, None] - strengths[None, :])))
    wins = 50 * chance * (1 - np.eye(6))
    fit = fit_bradley_terry(wins)
    assert fit.strengths == pytest.approx(strengths, abs=1e-5)
    assert fit.probabilities() == pytest.approx(chance, abs=1e-5)
    better = fit.log_likelihood
    for _ in range(20):
        other = strengths + rng.normal(0, 0.1, 6)
        gap = other[:, None] - other[None, :]
        assert better >= -(wins * np.logaddexp(0, -gap)).sum() - 1e-9


def test_an_unbeaten_candidate_has_no_finite_strength_without_a_prior():
    wins = np.array([[0, 2, 2], [0, 0, 1], [0, 1, 0]])
    assert not can_fit(wins)
    with pytest.raises(TableError, match="never lost"):
        fit_bradley_terry(wins)
    fit = fit_bradley_terry(wins, prior=0.5)
    assert fit.strengths[0] > max(fit.strengths[1:])
    assert np.isnan(fit.errors).all()
    apart = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    assert not can_fit(apart)


@pytest.mark.parametrize("n", range(1, 10))
@pytest.mark.parametrize("seeding", ["given", "random", "best apart"])
def test_everyone_has_one_place_and_a_knockout_takes_n_minus_one(n, seeding):
    placed = slots(n, seeding, strengths=np.arange(n))
    assert sorted(at for at in placed if at is not None) == list(range(n))
    assert len(placed) == 2 ** knockout_cost(n)[1]
    pairs = list(zip(placed[::2], placed[1::2], strict=False))
    assert all(pair != (None, None) for pair in pairs)
    played = play_knockout(placed, lambda a, b: float(a > b))
    assert played.n_comparisons == n - 1
    assert played.winner == n - 1


def test_the_strongest_two_meet_last():
    placed = slots(8, "best apart", strengths=[8, 7, 6, 5, 4, 3, 2, 1])
    assert placed == [0, 7, 3, 4, 1, 6, 2, 5]
    played = play_knockout(placed, lambda a, b: float(a < b))
    final = played.matches[-1]
    assert {final.first, final.second} == {0, 1}
    assert play_knockout([0, 1], lambda *_: 0.5).winner in (0, 1)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_exact_chances_equal_playing_every_outcome(n):
    rng = np.random.default_rng(n)
    beats = rng.random((n, n))
    beats = np.triu(beats, 1) + np.tril(1 - beats.T, -1)
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    placed = slots(n, "random", seed=1)
    expected = np.zeros(n)
    for outcome in product([0, 1], repeat=len(pairs)):
        table = np.zeros((n, n))
        weight = 1.0
        for (a, b), first in zip(pairs, outcome, strict=True):
            table[a, b], table[b, a] = first, 1 - first
            weight *= beats[a, b] if first else beats[b, a]
        expected[play_knockout(placed, lambda a, b, t=table: t[a, b]).winner] += weight
    assert knockout_chances(placed, beats) == pytest.approx(expected)


def test_a_perfect_judge_always_finds_the_best_and_a_coin_does_by_chance():
    n = 6
    perfect = np.triu(np.ones((n, n)), 1)
    for method in play_methods(perfect, 0, n_plays=20):
        assert method.found == 1
    coin = np.full((n, n), 0.5)
    for method in play_methods(coin, 0, n_plays=400):
        assert method.found == pytest.approx(1 / n, abs=0.06)
    costs = {method.name: method.comparisons for method in play_methods(coin, 0, n_plays=2)}
    assert costs == {"wins": 15, "Elo": 15, "Bradley-Terry": 15, "knockout": 5}
    noisy = np.triu(np.full((n, n), 0.7), 1) + np.tril(np.full((n, n), 0.3), -1)
    once = {m.name: m.found for m in play_methods(noisy, 0, n_plays=300)}
    often = {m.name: m.found for m in play_methods(noisy, 0, votes=9, n_plays=300)}
    assert all(often[name] > once[name] for name in once)
    assert once["wins"] > once["knockout"]


def test_comparisons_out_of_recorded_judgements():
    read = check_judgements(
        pd.DataFrame(
            {
                "item_id": ["x"] * 4 + ["y"] + ["z"],
                "order": ["AB", "CB", "CA", "AC", "ABC", "AB"],
                "verdict": ["A", "B", None, "tie", None, "A"],
                "scores": [None, None, None, None, [3, 9, 3], None],
                "best": ["A"] * 4 + ["B", "A"],
            }
        )
    )
    pairs, lists = item_comparisons(read)
    assert [(c.first, c.second, c.score) for c in pairs.comparisons] == [
        (0, 1, 1.0), (1, 2, 1.0), (0, 2, 0.5),
    ]  # fmt: skip
    assert (pairs.unread, pairs.from_lists, pairs.right) == (1, False, 0)
    assert [(c.first, c.second, c.score) for c in lists.comparisons] == [
        (0, 1, 0.0), (0, 2, 0.5), (1, 2, 1.0),
    ]  # fmt: skip
    assert lists.from_lists
    assert win_matrix(pairs.comparisons, 3)[0].tolist() == [0, 1, 0.5]
