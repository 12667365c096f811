"""A link opens the same state, an export has its manifest, the shown Python gives the numbers."""

import io
import json
import random
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common.export import (
    as_python,
    manifest_json,
    report_html,
    versions_csv,
    versions_json,
)
from app_pages.common.sharing import state_of
from core.share import share
from core.versions import VersionTree
from tests.pages.conftest import ROOT, TIMEOUT_S, answer, editor_data, typed, until_measured


def link_of(test: AppTest) -> dict[str, str]:
    """The parameters of the link the share button shows."""
    test.session_state["share"] = True
    until_measured(test.run())
    (link,) = (code.value for code in test.code if "?s" in code.value)
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def opened(parameters: dict[str, str]) -> AppTest:
    """The app as a new visitor with this link finds it."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    for name, value in parameters.items():
        test.query_params[name] = value
    return until_measured(test.run())


NASTY = "<b>Owls</b> & 🦉 שלום **x**"


def test_a_link_opens_the_same_text_models_and_numbers(playground: AppTest):
    playground.multiselect(key="models").set_value(["words", "shouts"])
    until_measured(playground.run())
    typed(playground, *answer(NASTY))
    fresh = opened(link_of(playground))
    assert editor_data(fresh)["messages"] == editor_data(playground)["messages"]
    assert fresh.multiselect(key="models").value == ["words", "shouts"]
    assert [m.value for m in fresh.metric] == [m.value for m in playground.metric]
    assert [m.delta for m in fresh.metric] == [m.delta for m in playground.metric]
    assert list(fresh.radio(key="version").options) == list(playground.radio(key="version").options)


def test_a_long_history_goes_through_a_session_file(playground: AppTest):
    numbers = random.Random(1)
    words = " ".join(str(numbers.random()) for _ in range(500))
    typed(playground, *answer(words))
    parameters = link_of(playground)
    assert list(parameters) == ["session"]
    assert editor_data(opened(parameters))["messages"][-1]["content"] == words


def test_a_link_cannot_claim_a_reward(playground: AppTest):
    state = state_of(playground.session_state["workspace"], ["words"])
    for version in state["tree"]["versions"]:
        assert "rewards" not in version
        version["rewards"] = {"words": 999.0}
    link = share(state)
    fresh = opened({link.name: link.value})
    assert "999" not in " ".join([m.value for m in fresh.metric] + [m.delta for m in fresh.metric])


@pytest.mark.parametrize(
    "parameters",
    [{"s": "damaged"}, {"s": ""}, {"session": "../../etc/passwd"}, {"session": "0" * 12}],
)
def test_a_damaged_link_says_so_and_opens_the_playground(service, parameters: dict[str, str]):
    fresh = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    fresh.session_state["models"] = ["words"]
    for name, value in parameters.items():
        fresh.query_params[name] = value
    until_measured(fresh.run())
    assert fresh.warning
    assert fresh.metric


@pytest.mark.parametrize("state", [5, {}, {"models": []}, {"models": [], "tree": {"versions": []}}])
def test_a_link_without_a_history_says_so(service, state):
    link = share(state) if isinstance(state, dict) else share({"x": state})
    fresh = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    fresh.session_state["models"] = ["words"]
    fresh.query_params[link.name] = link.value
    until_measured(fresh.run())
    assert fresh.warning
    assert fresh.metric


def test_a_model_that_is_not_here_is_named(playground: AppTest):
    state = state_of(playground.session_state["workspace"], ["words", "not-here"])
    link = share(state)
    fresh = opened({link.name: link.value})
    assert fresh.multiselect(key="models").value == ["words"]
    assert any("not-here" in text.value for text in fresh.text)


@pytest.fixture
def tree() -> VersionTree:
    tree = VersionTree()
    tree.add(answer("one two"), None, "start", {"words": 2.0})
    tree.add(answer(NASTY + ',"quoted"\nline'), 1, "edit", {"words": 6.0})
    return tree


def test_csv_has_every_version_and_its_rewards(tree: VersionTree):
    table = pd.read_csv(io.BytesIO(versions_csv(tree)))
    assert list(table["response"]) == ["one two", NASTY + ',"quoted"\nline']
    assert list(table["reward_words"]) == [2.0, 6.0]


def test_json_holds_the_manifest_and_reads_back(tree: VersionTree, service):
    content = json.loads(versions_json(tree, ["words", "shouts"]))
    assert VersionTree.from_dict(content).to_dict() == tree.to_dict()
    (model,) = content["manifest"]["models"]
    assert model["id"] == "words"
    assert model["fingerprint"] == service.model("words").fingerprint
    assert json.loads(manifest_json(tree, ["words"]))["details"]["rows"] == 2


def test_the_report_is_one_file_in_which_texts_stay_texts(tree: VersionTree, service):
    page = report_html(tree, ["words"]).decode("utf-8")
    assert page.startswith("<!doctype html>")
    assert NASTY not in page
    assert "2 versions of a conversation" in page
    assert service.model("words").fingerprint in page


def test_the_shown_python_gives_the_numbers_on_screen(playground: AppTest, capsys):
    typed(playground, *answer(NASTY + " 'quoted' \\ \"twice\"\n"))
    tree = playground.session_state["workspace"].tree
    code = as_python(["words"], tree.pinned.messages, tree.current.messages)
    scope: dict[str, object] = {}
    exec(code, scope)
    row = scope["table"].loc["words"]
    assert f"{row['reward']:.3f}" == playground.metric[0].value
    assert f"{row['change']:+.3f}" == playground.metric[0].delta
