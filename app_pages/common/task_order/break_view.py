"""Tab: the ranking when the two assumptions are broken by a chosen amount."""

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.task_order.orders_view import ranking_of
from app_pages.common.task_order.setup import NAME, Setup, one_of
from core.figures.task_order import rank_shift
from core.labs.task_order.comparison import rank_correlations
from core.labs.task_order.orders import rank_orders
from core.labs.task_order.transfer import DEPENDENCES, Departure, Dependence


def break_view(setup: Setup) -> None:
    """The whole tab."""
    left, middle, right = st.columns(3, gap="medium")
    with left:
        interaction = st.slider(
            "Against assumption 1: interaction",
            -1.0,
            1.0,
            0.5,
            0.05,
            key=f"{NAME}-interaction",
            persist_state="session",
            help="0: effects are the same whatever was trained before. 0.5: they are half as "
            "large again where the thing on the right is full; -1: they vanish there.",
        )
    with middle:
        names: dict[Dependence, str] = {"stage": "the stage", "level": "what was learnt"}
        depends: Dependence = one_of(
            "Effects depend on",
            DEPENDENCES,
            "depends",
            names,
            hint="The stage: effects grow or fade from the first to the last stage, as under a "
            "falling learning rate. What was learnt: they grow or fade with the share of its own "
            "gain that the affected task has reached. Both forms are ours.",
        )
    with right:
        saturation = st.slider(
            "Against assumption 2: saturation",
            0.0,
            1.0,
            1.0,
            0.05,
            key=f"{NAME}-saturation",
            persist_state="session",
            help="1: a stage of its own brings a task to its full level from anywhere. Below: it "
            "closes only this share of the distance, so that what came before still counts.",
        )
    kept = ranking_of(setup)
    departure = Departure(interaction, depends, saturation)
    broken = rank_orders(
        setup.transfer,
        scale=setup.scale,
        departure=departure,
        also=[tuple(int(at) for at in order) for order in kept.orders] if not kept.exact else [],
    )
    joined = kept.table.merge(broken.table, on="order", suffixes=("_kept", "_broken"))
    alike = float(
        rank_correlations(
            joined[["objective_kept"]].to_numpy().T, joined[["objective_broken"]].to_numpy().T
        )[0]
    )
    before, after = plain(kept.named(kept.best)), plain(broken.named(broken.best))
    same = kept.best == broken.best
    st.markdown(
        f"**The best order stays {before}.**"
        if same
        else f"**The best order moves from {before} to {after}.**"
    )
    st.plotly_chart(
        rank_shift(kept.table, broken.table, unit=setup.unit),
        key=f"{NAME}-shift",
        alt="Each order's mean with the assumptions kept and broken",
    )
    st.caption(
        f"Rank correlation of the two rankings {alike:+.2f} over {len(joined):,} orders. The old "
        f"best order is now at rank {broken.rank(kept.best)}. Predicted from the same numbers; "
        f"{int(broken.table['clipped'].sum()):,} orders were clipped to the range of scores."
    )
