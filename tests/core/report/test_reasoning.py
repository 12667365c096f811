"""The report of the reasoning lab, from real findings and from few tables."""

from core.labs.reasoning.adaptive import adaptive_curves
from core.labs.reasoning.ballots import ballots_of
from core.labs.reasoning.brackets import Method
from core.labs.reasoning.budget import (
    budget_curve,
    judge_credits,
    scalar_against,
    scalar_credits,
)
from core.labs.reasoning.curves import VotingOptions, dependence, vote_table, voting_curves
from core.labs.reasoning.orders import order_swaps
from core.labs.reasoning.tables import Findings, estimates_of, to_tables
from core.report import pack_estimates, result_sections
from core.report.kinds.reasoning import KIND
from tests.core.labs.reasoning.made import made_judgements

FEW = VotingOptions(n_resamples=100)


def findings(*, everything: bool) -> Findings:
    read = made_judgements(10, 2, unread=0.2)
    ballots = ballots_of(read)
    rewards = {item.item_id: [1.0, 0.0] for item in ballots.items}
    parts = {
        "swaps": order_swaps(read),
        "adaptive": adaptive_curves(ballots, thresholds=(0.9,), options=FEW),
        "budget": budget_curve(ballots, options=FEW),
        "against": scalar_against(judge_credits(ballots), scalar_credits(ballots, rewards), FEW),
        "methods": (Method("knockout", 7, 0.5, 0.01),),
        "left_out": {"no item": 2},
    }
    return Findings(
        ballots,
        voting_curves(ballots, ("majority",), FEW),
        dependence(ballots, FEW),
        vote_table(ballots, FEW),
        **(parts if everything else {}),
    )


def tables_of(found: Findings) -> dict:
    return to_tables(found) | {"estimates": pack_estimates(estimates_of(found))}


def test_everything_that_was_found_is_told():
    found = findings(everything=True)
    tables = tables_of(found)
    sections = result_sections(KIND, tables, {"source": "Planted.", "shown": "majority"})
    assert [section.heading for section in sections] == [
        "Does voting help?", "Does the order decide?", "Can asking stop early?", "Tournaments",
        "Scalar against reasoning", "What others report", "What was left out",
    ]  # fmt: skip
    assert sections[0].estimates["Gain of 4 over 1, majority"].n == 10
    assert "Judge minus scalar model" in sections[0].estimates
    assert "Planted." in sections[0].notes
    unread = tables["left_out"].set_index("reason")["n"]
    assert unread["unread: vote for nobody"] == found.ballots.n_unread > 0
    assert unread["no item"] == 2


def test_votes_alone_make_the_first_section_and_the_references():
    sections = result_sections(KIND, tables_of(findings(everything=False)), {})
    assert [section.heading for section in sections] == [
        "Does voting help?", "What others report", "What was left out",
    ]  # fmt: skip
