"""How recorded runs were made and what came out, as their card tells it."""

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.rollout_choice import ChosenRollouts
from core.rollouts.recorded import collection


def recorded_card(chosen: ChosenRollouts) -> None:
    """The card of the chosen recorded runs, folded; nothing for the visitor's own rollouts."""
    if chosen.collection is None:
        return
    card = collection(chosen.collection)
    with st.expander(
        f"How these {len(card.runs)} runs were made, and what came out",
        icon=":material/inventory_2:",
    ):
        st.markdown(plain(card.description))
        for finding in card.findings:
            st.markdown(f"- {plain(finding)}")
        st.code(card.command, language="sh")
