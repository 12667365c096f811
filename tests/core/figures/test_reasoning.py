"""Figures of the reasoning lab: what is drawn is what was computed."""

import numpy as np
import pytest

from core.figures import reasoning as figures
from core.labs.reasoning.adaptive import Stopping, adaptive_curves, adaptive_gain
from core.labs.reasoning.ballots import ballots_of
from core.labs.reasoning.brackets import play_methods
from core.labs.reasoning.budget import (
    budget_curve,
    judge_credits,
    scalar_against,
    scalar_credits,
)
from core.labs.reasoning.counter_evidence import counter_evidence
from core.labs.reasoning.curves import VotingOptions, dependence, vote_table, voting_curves
from core.labs.reasoning.orders import order_swaps, position_shares
from core.labs.reasoning.tables import methods_table
from tests.core.labs.reasoning.made import made_judgements

FEW = VotingOptions(n_resamples=100)


@pytest.fixture(scope="module")
def read():
    return made_judgements(12, 2, chance=0.7, scores=True)


@pytest.fixture(scope="module")
def ballots(read):
    return ballots_of(read)


def test_a_line_a_way_of_adding_up_with_both_bands_and_the_formula(ballots):
    curves = voting_curves(ballots, ("majority", "sum", "filtered"), FEW)
    figure = figures.voting_curves(
        curves.table, reference=dependence(ballots, FEW).reference, shown="sum"
    )
    names = [trace.name for trace in figure.data]
    assert names == [
        "95 % over items", "choice of the k", "if votes were independent",
        "majority", "sum of scores", "filtered",
    ]  # fmt: skip
    drawn = figure.data[4]
    assert list(drawn.y) == curves.table.query("aggregation == 'sum'")["value"].tolist()
    assert len(figure.data[0].y) == 2 * len(drawn.y)


def test_items_are_counted_by_their_share_of_right_votes(ballots):
    figure = figures.vote_histogram(vote_table(ballots))
    assert sum(figure.data[0].y) == 12


def test_effective_votes_lie_under_the_diagonal(ballots):
    figure = figures.effective_votes(dependence(ballots, FEW).effective)
    assert (np.array(figure.data[2].y) <= np.array(figure.data[2].x) + 1e-9).all()


def test_the_matrix_has_the_own_order_down_and_drops_empty_outcomes(read):
    found = order_swaps(read)
    figure = figures.order_matrix(found.matrix)
    assert list(figure.data[0].y) == ["A, shown first", "B, shown second"]
    assert list(figure.data[0].x) == ["A, shown second", "B, shown first"]
    assert figure.data[0].text[0] == ["same winner", "first both times"]
    assert figure.data[0].text[1] == ["second both times", "same winner"]
    grid = found.matrix.set_index(["own", "swapped"])["share"]
    assert figure.data[0].z[0][1] == pytest.approx(grid["A", "B"])
    shares = figures.position_shares(position_shares(read))
    assert sum(shares.data[0].y) == pytest.approx(1)


def test_budgets_by_rule_and_items_by_subset(ballots):
    table = adaptive_curves(ballots, thresholds=(0.8,), options=FEW).table
    figure = figures.adaptive_budget(table, tokens=True)
    assert [trace.name for trace in figure.data] == [
        figures.RULE_NAMES[rule] for rule in ("fixed", "settled", "majority", "stays")
    ]
    assert figure.data[1].mode == "markers"
    _, _, items = adaptive_gain(ballots, Stopping("settled", most=4), FEW)
    needs = figures.item_needs(items)
    assert sum(len(trace.x) for trace in needs.data) == 12


def test_tournaments_are_drawn_with_their_errors():
    chances = np.array([[0.5, 0.9], [0.1, 0.5]])
    methods = play_methods(chances, 0, n_plays=10)
    figure = figures.tournament_costs(methods_table(tuple(methods)))
    assert [trace.name for trace in figure.data] == ["wins", "Elo", "Bradley-Terry", "knockout"]
    heat = figures.win_chances(chances, ["<b>A</b>", "B"])
    assert np.isnan(heat.data[0].z[0][0])
    assert heat.data[0].x[0] == "&lt;b&gt;A&lt;/b&gt;"
    spread = figures.elo_spread(np.array([[1500.0, 1490.0]]), np.array([1501.0, 1499.0]), "AB")
    assert list(spread.data[-1].x) == [1501.0, 1499.0]


def test_differences_and_budgets_with_the_scalar_line(ballots):
    rewards = {item.item_id: [1.0, 0.0] for item in ballots.items}
    found = scalar_against(judge_credits(ballots), scalar_credits(ballots, rewards), FEW)
    figure = figures.scalar_differences(found.table)
    assert list(figure.data[0].x) == found.table["difference"].tolist()
    assert figure.layout.yaxis.ticktext[0] == "all items  (n = 12)"
    budget = figures.token_budget(budget_curve(ballots, options=FEW), scalar=0.75)
    assert "0.750" in budget.layout.annotations[0].text


def test_reported_numbers_are_apart_by_kind():
    figure = figures.reported_accuracies(counter_evidence())
    assert [trace.name for trace in figure.data] == [
        "scalar", "reasoning judge", "general model as judge",
    ]  # fmt: skip
    assert max(figure.data[0].x) == 96.4
