"""The playground with the embedded model itself: its numbers, its view of the text, its words."""

import re
from collections.abc import Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app_pages.common import details
from app_pages.common.examples import EXAMPLES
from core.engine.service import RewardService
from core.engine.templating import encode
from core.models import load
from core.models.embedded import base_folder, package_file, prepare_base
from tests.pages import conftest
from tests.pages.conftest import ROOT, answer, until_measured

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

PATIENCE_S = 180


@pytest.fixture(scope="module", autouse=True)
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewardService]:
    """A service with empty caches; only the converted base is shared with other tests."""
    if package_file() is None:
        pytest.skip("the embedded language model's package is not installed")
    prepare_base()
    folder = tmp_path_factory.mktemp("embedded")
    (folder / "cache").mkdir()
    (folder / "cache" / "models").symlink_to(base_folder().parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REWARD_WORKBENCH_CACHE", str(folder / "cache"))
        patch.setenv("REWARD_WORKBENCH_HOME", str(folder / "home"))
        patch.setattr(conftest, "TIMEOUT_S", PATIENCE_S)
        made = RewardService()
        patch.setattr("core.engine.service._service", made)
        patch.setattr("app_pages.common.service.warm_up", lambda: None)
        st.cache_resource.clear()
        st.cache_data.clear()
        yield made
        made.close()
        st.cache_resource.clear()
        st.cache_data.clear()


@pytest.fixture(scope="module")
def playground(service: RewardService) -> AppTest:
    """The playground with `pocket` alone, everything measured."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    test.session_state["models"] = ["pocket"]
    return until_measured(test.run())


def opened(test: AppTest, tab: str) -> AppTest:
    test.session_state["tab"] = tab
    test.session_state["details-waits"] = True
    return until_measured(test.run())


def test_the_reward_on_the_page_is_that_of_a_single_forward_pass(
    playground: AppTest, service: RewardService
):
    model = load("pocket")
    conversation = list(answer(EXAMPLES[0].edited, EXAMPLES[0].prompt))
    alone = model.rewards([encode(model, conversation).sequence]).rewards[0]
    allowed = service.conformance("pocket").noise_floor + 0.0005
    assert float(playground.metric[0].value) == pytest.approx(alone, abs=allowed)


def test_the_model_view_is_the_text_that_the_model_reads(playground: AppTest):
    opened(playground, details.READING)
    example = EXAMPLES[0]
    turns = f"<|im_start|>user\n{example.prompt}<|im_end|>\n"
    turns += f"<|im_start|>assistant\n{example.edited}<|im_end|>"
    assert playground.code[0].value.rstrip("\n") == turns


def test_both_attributions_stand_side_by_side_with_their_agreement(playground: AppTest):
    opened(playground, details.WORDS)
    drawn = [element.value for element in playground.html if "title=" in element.value]
    assert len(drawn) == 2
    hints = [re.findall(r'title="([+-]\d+\.\d+)"', markup) for markup in drawn]
    assert len(hints[0]) == len(hints[1]) >= 2
    # Leaving a sentence out and gradient times input are two measurements, not one shown twice.
    assert hints[0] != hints[1]
    assert any("agreement" in m.value.lower() for m in [*playground.markdown, *playground.caption])
