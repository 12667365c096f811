"""The reward workbench: navigation and page set-up. Start it with `streamlit run app.py`."""

from pathlib import Path

import streamlit as st

from pages.common.service import warm_up

IMAGES = Path(__file__).parent / "pages" / "common"

st.set_page_config(
    page_title="Reward workbench",
    page_icon=str(IMAGES / "mark.svg"),
    layout="wide",
)
st.logo(str(IMAGES / "logo.svg"), size="large")
warm_up()

page = st.navigation(
    [
        st.Page(
            "pages/play/playground.py",
            title="Playground",
            icon=":material/edit_note:",
            default=True,
        ),
        st.Page(
            "pages/setup/models.py",
            title="Models",
            icon=":material/deployed_code:",
            url_path="models",
        ),
    ],
    position="top",
)
page.run()
