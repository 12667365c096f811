"""Tab: accuracy of k votes, what voting gains and what correlation eats of it."""

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.reasoning.setup import NAME, Setup, one_of
from app_pages.common.reasoning.words import dependence_words, voting_words
from app_pages.common.reasoning.work import Voted, aggregations_of, voted_of
from core.figures import reasoning as figures
from core.labs.reasoning.voting import AGGREGATION_MEANING, Aggregation


def shown_aggregation(setup: Setup) -> Aggregation:
    """The aggregation whose intervals are drawn, as last chosen."""
    offered = aggregations_of(setup.ballots) if setup.ballots is not None else ("majority",)
    known = st.session_state.get(f"{NAME}-shown-kept")
    return known if known in offered else offered[0]


def voting_view(setup: Setup) -> None:
    """The whole tab."""
    if setup.ballots is None:
        st.info(plain(setup.why_not), icon=":material/info:")
        return
    voted = voted_of(setup)
    if voted is None:
        return
    offered = tuple(voted.curves.credits)
    shown: Aggregation = one_of(
        "Read closely",
        offered,
        "shown",
        figures.AGGREGATION_NAMES,
        hint="Whose intervals are drawn. "
        + "; ".join(f"{figures.AGGREGATION_NAMES[name]}: {AGGREGATION_MEANING[name]}"
                    for name in offered),
    )  # fmt: skip
    st.session_state[f"{NAME}-shown-kept"] = shown
    st.markdown(voting_words(voted.curves, shown))
    left, right = st.columns([0.6, 0.4], gap="medium")
    with left:
        st.plotly_chart(
            figures.voting_curves(
                voted.curves.table, reference=voted.dependence.reference, shown=shown
            ),
            key=f"{NAME}-curves",
            alt="Accuracy by number of judgements that vote",
        )
        _curve_caption(voted, shown, setup.ballots.n_candidates)
    with right:
        st.plotly_chart(
            figures.vote_histogram(voted.votes, title="How an item's judgements vote"),
            key=f"{NAME}-histogram",
            alt="Number of items by share of right votes",
        )
        st.markdown(dependence_words(voted.dependence, voted.curves.ks[-1]))
    _tables(setup, voted)


def _curve_caption(voted: Voted, shown: Aggregation, n_candidates: int) -> None:
    row = voted.curves.at(shown, voted.curves.ks[-1])
    counted = "counted over all choices of k" if row["exact"] else "over random choices of k"
    rows = voted.curves.table.query("aggregation == @shown")
    if not rows["exact"].all():
        counted = "over all choices of k where they are few, else over 400 random ones"
    st.caption(
        f"k judgements are drawn without replacement from those recorded; {counted}. Grey: "
        "95 % interval of the mean over all choices, resampling items. Blue: where one choice of k "
        "for each of these items would land. Dotted: the formula for independent votes, all items "
        "alike."
    )
    if n_candidates == 2 and {"majority", "z-sum"} <= set(voted.curves.credits):
        st.caption(
            ":material/info: On pairs the sum of z-scores is the majority: standardised, the "
            "higher score is always +1 and the lower one -1. Mean and sum agree wherever both "
            "responses were scored."
        )
    for reason, n in voted.curves.left_out.items():
        st.caption(f":material/info: Left out: {plain(reason)} ({n}).")


def _tables(setup: Setup, voted: Voted) -> None:
    if setup.judgements.n_unread or (setup.ballots is not None and setup.ballots.n_unread):
        st.caption(
            f":material/info: {setup.judgements.n_unread:,} judgements could not be read. They "
            "stay in the draw and vote for nobody; one that stands alone leaves a tie."
        )
    with st.expander("Independent votes that k are worth", icon=":material/compress:"):
        st.plotly_chart(
            figures.effective_votes(voted.dependence.effective),
            key=f"{NAME}-effective",
            alt="Independent judgements that k correlated ones are worth",
        )
        st.caption("k / (1 + (k - 1) rho), from the correlation within items and its interval.")
    with st.expander("The curves as a table", icon=":material/table:"):
        st.dataframe(voted.curves.table, hide_index=True, key=f"{NAME}-curves-table")
    with st.expander("The votes of each item", icon=":material/how_to_vote:"):
        st.dataframe(voted.votes, hide_index=True, key=f"{NAME}-votes-table")
