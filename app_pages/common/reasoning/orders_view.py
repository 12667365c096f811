"""Tab: the same pairs in either order."""

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.reasoning.setup import NAME, Setup
from app_pages.common.reasoning.words import consistent_words, interval, order_words
from app_pages.common.reasoning.work import keep, swaps_of
from core.figures import reasoning as figures
from core.labs.reasoning.orders import position_shares


def orders_view(setup: Setup) -> None:
    """The whole tab."""
    found = swaps_of(setup)
    if found is None:
        return
    keep("swaps", setup, found)
    if len(found.items):
        st.markdown(order_words(found))
        left, right = st.columns([0.5, 0.5], gap="medium")
        with left:
            st.plotly_chart(
                figures.order_matrix(found.matrix),
                key=f"{NAME}-order-matrix",
                alt="Outcome in one order against outcome in the other",
            )
            st.caption(
                "Every judgement in one order is held against every one in the other; means over "
                f"{len(found.items):,} items, which add up to 100 %. A judge that draws its "
                "verdicts also names the same place twice by chance; a preference for a place is "
                "where 'first' and 'second' differ by more than the interval above."
            )
        with right:
            _numbers(found.estimates())
            st.markdown(consistent_words(found))
        with st.expander("Each item in both orders", icon=":material/table:"):
            st.dataframe(found.items, hide_index=True, key=f"{NAME}-order-items")
    else:
        st.info(
            "No pair was judged in both orders, so flips cannot be counted.", icon=":material/info:"
        )
    for reason, n in found.left_out.items():
        st.caption(f":material/info: Left out: {plain(reason)} ({n}).")
    shares = position_shares(setup.judgements)
    if len(shares) and (shares["n_candidates"] > 2).any():
        st.plotly_chart(
            figures.position_shares(shares, title="Which place wins"),
            key=f"{NAME}-places",
            alt="Share of wins by place",
        )
        st.caption("Dotted: what every place would get if places did not matter.")


def _numbers(estimates: dict) -> None:
    flip, both = estimates["Flip rate"], estimates["Right in both orders"]
    columns = st.columns(3)
    for column, (name, estimate, about) in zip(
        columns,
        (
            ("Flip rate", flip, "Verdicts that name the other response in the other order"),
            (
                "Right in both",
                both,
                "Position-consistent accuracy: both verdicts name the right winner. One "
                "that ties or cannot be read is not right.",
            ),
            (
                "One judgement right",
                estimates["One judgement right (a tie or an unread one is not)"],
                "Over both orders. A tie or an unread judgement is not right here, while a vote "
                "counts it as undecided.",
            ),
        ),
        strict=True,
    ):
        with column:
            st.metric(name, f"{estimate.value:.1%}" if estimate.n else "none", help=about)
            st.caption(f"{interval(estimate, digits=2)}, n = {estimate.n}")
