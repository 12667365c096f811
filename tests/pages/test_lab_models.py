"""The models of a lab: its own choice, a bounded number, kept from page to page."""

import pytest
from streamlit.testing.v1 import AppTest

from core.engine.service import RewardService
from tests.pages.conftest import TIMEOUT_S

SCRIPT = """
import streamlit as st
from app_pages.common.model_choice import choose_lab_models

def lab():
    st.session_state["got"] = choose_lab_models("lab", default=["words", "gone"], most=2)

def other():
    st.write("other")

st.navigation([st.Page(lab, default=True), st.Page(other, url_path="other")]).run()
"""


@pytest.fixture
def lab(service: RewardService) -> AppTest:
    return AppTest.from_string(SCRIPT, default_timeout=TIMEOUT_S).run()


def test_defaults_that_do_not_exist_are_left_out(lab: AppTest):
    assert lab.session_state["got"] == ["words"]


def test_the_choice_is_the_labs_own(lab: AppTest):
    lab.multiselect(key="lab-models").set_value(["shouts", "words"]).run()
    assert lab.session_state["got"] == ["shouts", "words"]
    assert "models" not in lab.session_state


def test_a_model_that_is_added_is_chosen_while_there_is_room(lab: AppTest, tmp_path):
    lab.text_input(key="lab-add-name").set_value("/no/such/folder").run()
    lab.button(key="lab-add").click().run()
    assert any("There is no model" in text.value for text in lab.text)
    for name, expected in (("org/one", ["words", "org/one"]), ("org/two", ["words", "org/one"])):
        lab.text_input(key="lab-add-name").set_value(name).run()
        lab.button(key="lab-add").click().run()
        assert lab.session_state["got"] == expected
