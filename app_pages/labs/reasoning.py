"""The reasoning page: can reward models benefit from reasoning before scoring?"""

from importlib.util import find_spec

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.reasoning.adaptive_view import adaptive_view
from app_pages.common.reasoning.claim import claim
from app_pages.common.reasoning.orders_view import orders_view
from app_pages.common.reasoning.python_view import as_python
from app_pages.common.reasoning.scalar_view import reported, scalar_view
from app_pages.common.reasoning.setup import NAME, Setup, choose_setup
from app_pages.common.reasoning.tournaments_view import (
    methods_kept,
    tournament_words,
    tournaments_view,
)
from app_pages.common.reasoning.traces_view import traces_view
from app_pages.common.reasoning.voting_view import shown_aggregation, voting_view
from app_pages.common.reasoning.work import kept, voted_of
from app_pages.common.results_bar import results_bar
from core.labs.reasoning.ballots import HANDLING_MEANING
from core.labs.reasoning.tables import Findings, estimates_of, to_tables
from core.report import pack_estimates

VOTING, TRACES, ORDERS, ADAPTIVE, TOURNAMENTS, SCALAR, LIVE = (
    ":material/how_to_vote: Voting",
    ":material/article: Traces",
    ":material/swap_horiz: Both orders",
    ":material/timer: Adaptive",
    ":material/trophy: Tournaments",
    ":material/balance: Scalar against reasoning",
    ":material/play_circle: Live",
)
NEEDS = {
    VOTING: voting_view,
    TRACES: traces_view,
    ORDERS: orders_view,
    ADAPTIVE: adaptive_view,
    SCALAR: scalar_view,
}
"""Tabs on judgements; the others work without any."""

LIVE_VIEW = "app_pages.common.reasoning.live_view"


def tabs(setup: Setup | None) -> None:
    """The views of the question; only the open one is drawn and computes anything."""
    offered = [VOTING, TRACES, ORDERS, ADAPTIVE, TOURNAMENTS, SCALAR, LIVE]
    drawn = st.tabs(offered, key=f"{NAME}-tab", on_change="rerun")
    for tab, name in zip(drawn, offered, strict=True):
        if tab.open:
            with tab:
                _view(name, setup)


def _view(name: str, setup: Setup | None) -> None:
    if name == TOURNAMENTS:
        tournaments_view(setup)
    elif name == LIVE:
        _live()
    elif setup is not None:
        NEEDS[name](setup)
    elif name == SCALAR:
        reported()
    else:
        st.caption(":material/arrow_upward: Choose or upload judgements first.")


def _live() -> None:
    if find_spec(LIVE_VIEW) is None:
        st.info("The live judge is not part of this installation.", icon=":material/info:")
        return
    from app_pages.common.reasoning.live_view import live_judge

    live_judge()


def recorded_findings(setup: Setup) -> None:
    """What came out of the recorded judgements, as their card tells it."""
    card = setup.recorded
    if card is None:
        return
    with st.expander(f"The recording: {plain(card.title)}", icon=":material/inventory_2:"):
        st.markdown(plain(card.description))
        for finding in card.findings:
            st.markdown(f"- {plain(finding)}")
        if card.command:
            st.code(card.command, language="sh")


def take_along(setup: Setup) -> None:
    """Saving, report, tables and Python of what was looked at with these choices."""
    voted = voted_of(setup, quiet=True)
    if setup.ballots is None or voted is None:
        return
    against = kept("against", setup)
    found = Findings(
        ballots=setup.ballots,
        curves=voted.curves,
        dependence=voted.dependence,
        votes=voted.votes,
        swaps=kept("swaps", setup),
        adaptive=kept("adaptive", setup),
        budget=kept("budget", setup),
        against=against[0] if against is not None else None,
        methods=methods_kept(),
        left_out=setup.judgements.left_out,
    )
    tables = to_tables(found) | {"estimates": pack_estimates(estimates_of(found))}
    results_bar(
        kind=NAME,
        title=f"Reasoning, {setup.judge}",
        tables=tables,
        options={
            "source": setup.words,
            "judge": setup.judge,
            "handling": setup.handling,
            "handling_meaning": f"Orders: {HANDLING_MEANING[setup.handling]}.",
            "filter_by": setup.filter_by,
            "ties": setup.options.ties,
            "keep": setup.options.keep,
            "shown": shown_aggregation(setup),
            "tournament": tournament_words(),
            "budget_words": against[2] if against is not None else "",
            "seed": setup.options.seed,
        },
        models=[against[1]] if against is not None and against[1] else [],
        python=as_python(setup),
        notes=list(setup.judgements.notes),
    )


st.markdown("#### Can reward models benefit from reasoning before scoring?")
st.caption(
    "A judge writes about two responses before it names the better one, and may be asked many "
    "times. See whether its votes add up to more than one of them; then read what it wrote, swap "
    "the order, stop early, or hold it against a scalar model."
)
setup = choose_setup()
if setup is not None:
    recorded_findings(setup)
tabs(setup)
claim()
if setup is not None:
    take_along(setup)
