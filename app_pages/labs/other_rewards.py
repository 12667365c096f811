"""The other rewards page: rewards from a policy, from steps and from a rubric."""

import streamlit as st

from app_pages.common.other_rewards.claim import claim
from app_pages.common.other_rewards.implicit_view import implicit_view
from app_pages.common.other_rewards.process_view import process_view
from app_pages.common.other_rewards.rubric_view import rubric_view
from app_pages.common.other_rewards.take_along import Taken, take_along
from app_pages.common.other_rewards.work import NAME

TABS = {
    ":material/difference: Implicit": implicit_view,
    ":material/stairs: Process": process_view,
    ":material/checklist: Rubric": rubric_view,
}

st.markdown("#### What else can be a reward?")
st.caption(
    "What a policy has learned to prefer, the steps of an answer, or a list of criteria. The first "
    "tab shows a trained policy's reward against length; the others score with one press."
)
taken: Taken | None = None
drawn = st.tabs(list(TABS), key=f"{NAME}-tab", on_change="rerun")
for tab, view in zip(drawn, TABS.values(), strict=True):
    if tab.open:
        with tab:
            taken = view()
claim()
take_along(taken)
