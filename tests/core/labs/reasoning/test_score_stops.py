"""Stopping sums of scores early against enumerating every future and every order."""

from itertools import permutations, product
from math import nan

import numpy as np
import pytest

from core.errors import TableError
from core.labs.reasoning import score_stops
from core.labs.reasoning.ballots import Ballots, ballots_of
from core.labs.reasoning.curves import VotingOptions
from core.labs.reasoning.score_stops import (
    SCORE_RULES,
    ScoreScale,
    ScoreStopping,
    ahead_probability,
    score_curves,
    score_gain,
    stop_scores,
)
from core.labs.reasoning.voting import vote_credits
from tests.core.labs.reasoning.made import ballot, made_judgements

FEW = VotingOptions(n_resamples=200)
LISTS, ALONE = ScoreScale(1, 3, together=True), ScoreScale(1, 3, together=False)
NONE = nan


def scored(scores: list, *, right: int = 0, tokens: list | None = None):
    size = len(scores[0])
    return ballot([None] * len(scores), right=right, size=size, scores=scores, tokens=tokens)


def totals(judgements) -> list[float]:
    """Sums; a candidate without any score is below all."""
    found = []
    for column in zip(*judgements, strict=True):
        there = [score for score in column if score == score]
        found.append(sum(there) if there else -np.inf)
    return found


def sole(sums) -> int | None:
    best = [at for at, each in enumerate(sums) if each == max(sums)]
    return best[0] if len(best) == 1 else None


def allowed(scale: ScoreScale, size: int) -> list[tuple[float, ...]]:
    """Every judgement that the scale allows, in whole scores."""
    whole = list(range(int(scale.lowest), int(scale.highest) + 1))
    if scale.together:
        return [*product(whole, repeat=size), (NONE,) * size]
    return list(product([*whole, NONE], repeat=size))


def stops_after(seen, rule, scale, most, threshold=0.9) -> bool:
    stopping = ScoreStopping(rule, threshold, most)
    made = scored([list(each) for each in seen])
    return bool(
        score_stops._stops(score_stops._seen(made, np.ones((1, len(seen)))), stopping, scale)[0]
    )


@pytest.mark.parametrize("scale", [LISTS, ALONE, ScoreScale(0, 2, False)])
@pytest.mark.parametrize(("size", "n_seen", "left"), [(2, 1, 1), (2, 2, 1), (2, 2, 2), (3, 1, 1)])
def test_sums_are_settled_exactly_where_no_future_takes_the_lead(scale, size, n_seen, left):
    futures = list(product(allowed(scale, size), repeat=left))
    n_stopped = 0
    rng = np.random.default_rng(0)
    seens = list(product(allowed(scale, size), repeat=n_seen))
    for at in rng.permutation(len(seens))[:60]:
        seen = seens[at]
        now = sole(totals(seen))
        keeps = now is not None and all(sole(totals([*seen, *future])) == now for future in futures)
        stop = stops_after(seen, "settled", scale, n_seen + left)
        assert stop == keeps, seen
        n_stopped += stop
    assert n_stopped or scale.swing * left >= n_seen * (scale.highest - scale.lowest)


def test_the_order_is_settled_exactly_where_no_future_changes_it():
    seens = list(product(allowed(LISTS, 3), repeat=2))
    futures = allowed(LISTS, 3)
    n_stopped = 0
    for first in seens:
        seen = [*first, (1, 2, 3)]
        now = np.argsort(totals(seen))
        keeps = len(set(totals(seen))) == 3 and all(
            len(set(after := totals([*seen, future]))) == 3 and (np.argsort(after) == now).all()
            for future in futures
        )
        assert stops_after(seen, "order", LISTS, 4) == keeps
        n_stopped += keeps
    assert n_stopped > 0
    assert stops_after([(1, 2, 3)] * 3, "order", LISTS, 4)
    assert not stops_after([(1, 3, 3)] * 3, "order", LISTS, 4)


def test_a_score_that_may_be_missing_leaves_more_open():
    seen = [(3, 1), (3, 1)]
    assert stops_after(seen, "settled", LISTS, 3)
    assert stops_after(seen, "settled", ALONE, 3)  # a gap of 4 and a swing of 3
    assert not stops_after([(3, 1), (2, 1)], "settled", ALONE, 3)  # none against 3: a tie
    assert stops_after([(3, 1), (2, 1)], "settled", LISTS, 3)


def test_a_candidate_without_a_score_may_still_win_and_cannot_lead():
    assert not stops_after([(1, NONE)], "settled", ALONE, 2)
    assert not stops_after([(NONE, NONE)], "ahead", ALONE, 2, threshold=0.1)
    assert stops_after([(NONE, NONE)], "settled", ALONE, 1)


def test_the_posterior_against_drawing_from_it():
    rng = np.random.default_rng(0)
    spread, prior = 2.0, 1.5
    for differences, left in (([2.0, 1.0, -1.0], 3), ([1.0], 2), ([0.0, 3.0, 3.0, 1.0], 1)):
        d = np.array(differences)
        m, degrees = len(d), prior + len(d) - 1
        squares = prior * spread + ((d - d.mean()) ** 2).sum()
        variance = squares / rng.chisquare(degrees, 400_000)
        mean = d.mean() + rng.normal(size=400_000) * np.sqrt(variance / m)
        more = left * mean + rng.normal(size=400_000) * np.sqrt(left * variance)
        told = (m, d.sum(), (d**2).sum(), spread)
        assert float(ahead_probability(*told, prior=prior)) == pytest.approx(
            (mean > 0).mean(), abs=0.004
        )
        assert float(ahead_probability(*told, left=left, prior=prior)) == pytest.approx(
            (d.sum() + more > 0).mean(), abs=0.004
        )
    assert float(ahead_probability(2, 3.0, 5.0, 1.0, left=0)) == 1
    assert float(ahead_probability(2, 0.0, 2.0, 1.0, left=0)) == 0.5


def test_the_chance_of_a_leader_is_that_of_its_differences_and_of_several_a_lower_bound():
    seen = [(3, 1, 2), (2, 3, 1), (3, 1, 1)]
    chances = []
    for other in (1, 2):
        d = np.array([each[0] - each[other] for each in seen])
        told = (3, d.sum(), (d**2).sum(), LISTS.spread)
        chances.append(float(ahead_probability(*told, left=2)))
    bound = 1 - sum(1 - each for each in chances)
    assert stops_after(seen, "stays", LISTS, 5, threshold=bound - 1e-6)
    assert not stops_after(seen, "stays", LISTS, 5, threshold=bound + 1e-6)
    pair = [each[:2] for each in seen]
    assert stops_after(pair, "stays", LISTS, 5, threshold=chances[0] - 1e-6)
    assert not stops_after(pair, "stays", LISTS, 5, threshold=chances[0] + 1e-6)


def test_equal_differences_are_no_certainty():
    sure = [float(ahead_probability(n, n, n, 2.0)) for n in (1, 2, 4, 16)]
    assert sure == sorted(sure)
    assert sure[0] < 0.75
    assert sure[1] < 0.9
    assert sure[-1] > 0.99


CASES = [
    ([[3, 1], [2, 2], [1, 3], [3, 1], [3, 2]], LISTS),
    ([[3, 1], [NONE, 2], [3, NONE], [NONE, NONE], [2, 1]], ALONE),
    ([[1, 2, 3], [3, 2, 1], [3, 1, 1], [3, 2, 2], [2, 3, 1]], LISTS),
]


@pytest.mark.parametrize("rule", SCORE_RULES)
@pytest.mark.parametrize(("scores", "scale"), CASES)
@pytest.mark.parametrize("most", [4, 5])
def test_the_exact_sums_equal_replaying_every_order(rule, scores, scale, most):
    tokens = [10.0, 20.0, 5.0, 7.0, 1.0]
    asked, spent, credit = [], [], []
    for order in permutations(range(5)):
        for n in range(1, 6):
            seen = [scores[at] for at in order[:n]]
            if n == most or stops_after(seen, rule, scale, most, threshold=0.75):
                break
        sums = totals(seen)
        best = [at for at, each in enumerate(sums) if each == max(sums)]
        asked.append(n)
        spent.append(sum(tokens[at] for at in order[:n]))
        credit.append((0 in best) / len(best))
    (found,) = stop_scores(scored(scores, tokens=tokens), [ScoreStopping(rule, 0.75, most)], scale)
    assert found.votes == pytest.approx(np.mean(asked))
    assert found.tokens == pytest.approx(np.mean(spent))
    assert found.credit == pytest.approx(np.mean(credit))


def test_many_judgements_are_replayed_in_random_orders(monkeypatch):
    rng = np.random.default_rng(3)
    made = scored(rng.integers(1, 4, (9, 2)).tolist(), tokens=[1.0] * 9)
    rules = [ScoreStopping(rule, 0.8, 9) for rule in SCORE_RULES]
    exact = stop_scores(made, rules, LISTS)
    monkeypatch.setattr(score_stops, "MOST_EXACT", 4)
    drawn = stop_scores(made, rules, LISTS)
    for one, other in zip(exact, drawn, strict=True):
        assert other.votes == pytest.approx(one.votes, abs=0.35)
        assert other.tokens == pytest.approx(other.votes)
        assert other.credit == pytest.approx(one.credit, abs=0.08)


def test_a_fixed_number_is_the_sum_of_k():
    made = scored([[3, 1], [2, 2], [1, 3], [3, 1], [NONE, NONE]])
    wanted = vote_credits(made, [1, 2, 3, 4, 5], "sum")
    found = stop_scores(made, [ScoreStopping("fixed", nan, k) for k in range(1, 6)], LISTS)
    assert [each.credit for each in found] == pytest.approx([each.mean for each in wanted])
    assert [each.votes for each in found] == pytest.approx([1, 2, 3, 4, 5])
    assert all(np.isnan(each.tokens) for each in found)


def test_stopping_when_settled_costs_no_accuracy_and_saves_judgements():
    ballots = ballots_of(made_judgements(30, 4, chance=0.8, scores=True, unread=0.1))
    scale = ScoreScale(1, 10, together=True)
    saved, lost, items = score_gain(ballots, ScoreStopping("settled", most=8), scale, FEW)
    assert lost.value == pytest.approx(0, abs=1e-12)
    assert saved.low > 0
    assert len(items) == 30
    assert items["votes"].is_monotonic_decreasing
    table = score_curves(ballots, scale, thresholds=(0.7, 0.95), options=FEW).table
    assert set(table["rule"]) == set(SCORE_RULES)
    for rule in ("ahead", "stays"):
        rows = table.loc[table["rule"] == rule].sort_values("threshold")
        assert rows["votes"].is_monotonic_increasing
        assert (rows["tokens"] > 0).all()
    two = table.loc[table["rule"].isin(["settled", "order"])]
    assert two["votes"].nunique() == 1  # of two sums the order is the leader


def test_what_does_not_fit_the_scale_is_an_error_and_what_has_no_scores_is_left_out():
    with pytest.raises(TableError, match="outside 1 to 3"):
        stop_scores(scored([[4, 1]]), [ScoreStopping("settled")], LISTS)
    with pytest.raises(TableError, match="only some"):
        stop_scores(scored([[NONE, 1]]), [ScoreStopping("settled")], LISTS)
    with pytest.raises(TableError, match="no range"):
        ScoreScale(3, 3, together=True)
    plain = ballot([0, 1])
    both = Ballots((plain, scored([[3, 1], [3, 1]])), 2, {}, 4, 0, 0)
    found = score_curves(both, LISTS, options=FEW)
    assert found.left_out == {"items without a score": 1}
    assert found.table["n"].unique().tolist() == [1]
    nothing = score_curves(Ballots((plain,), 2, {}, 2, 0, 0), LISTS, options=FEW)
    assert nothing.table.empty
