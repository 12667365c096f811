"""The models page: what can be chosen, what is in memory, whether its numbers hold."""

import streamlit as st

from app_pages.common import catalogue_view
from app_pages.common.model_choice import add_model_form
from app_pages.common.parity_view import parity_view
from app_pages.common.remote_engines import remote_engines

st.markdown("#### Models")
st.caption(
    "Every model the playground can ask. A card says how one is loaded and read; the conformance "
    "check says whether its numbers can be trusted."
)

left, right = st.columns([0.62, 0.38], gap="large")
with right:
    st.markdown("##### In memory")
    catalogue_view.residents()
    st.markdown("##### Add a model")
    with st.container(border=True):
        add_model_form(key="models-page")
with left:
    st.markdown("##### Catalogue")
    catalogue_view.catalogue_table()
    st.markdown("##### One model")
    catalogue_view.one_model()

st.divider()
engines, parity = st.columns(2, gap="large")
with engines:
    st.markdown("##### Remote engines")
    remote_engines()
with parity:
    st.markdown("##### Parity of two models")
    parity_view()
