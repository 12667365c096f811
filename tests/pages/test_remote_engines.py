"""The models page and servers: found, flagged, mended, compared; no address from a visitor."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.models.catalogue import load_card, user_cards_folder
from core.models.remote import connection_to
from tests.pages.conftest import until
from tests.servers.base import running
from tests.servers.engines import VllmServer


@pytest.fixture
def server() -> Iterator[VllmServer]:
    with running(VllmServer()) as made:
        yield made


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app_pages.common.remote_engines.is_local", lambda: True)


def write_settings(tmp_path: Path, text: str) -> None:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / "settings.toml").write_text(text)
    connection_to.cache_clear()


def opened(app: AppTest) -> AppTest:
    app.run()
    return app.switch_page("app_pages/setup/models.py").run()


def everything(app: AppTest) -> str:
    """All words on the page, escapes taken out."""
    parts = [*app.markdown, *app.caption, *app.text, *app.warning, *app.code]
    return " ".join(str(part.value) for part in parts).replace("\\", "")


@pytest.fixture
def page(app: AppTest, server: VllmServer, tmp_path: Path, local: None) -> AppTest:
    """The page with one server named, after it has been looked at."""
    write_settings(tmp_path, f'[[endpoints]]\nname = "lab"\nurl = "{server.url}"\n')
    opened(app)
    return until(app, lambda: "vLLM 0.11.2" in everything(app))


def checked(app: AppTest) -> AppTest:
    return until(
        app,
        lambda: any(
            b.key == "check-remote-lab" and not b.disabled and b.label == "Check again"
            for b in app.button
        ),
    )


def badges(app: AppTest) -> str:
    return everything(app)


def test_without_a_server_the_page_says_who_adds_one(app: AppTest) -> None:
    opened(app)
    assert not app.exception
    assert "name no server yet" in everything(app)
    assert "[[endpoints]]" in everything(app)


def test_no_field_takes_an_address(page: AppTest) -> None:
    assert {field.key for field in page.text_input} == {"models-page-add-name"}


def test_a_server_says_what_it_is(page: AppTest, server: VllmServer) -> None:
    text = everything(page)
    assert "org/reward-model" in text
    assert "reads up to 4,096 tokens" in text
    assert server.url in text
    assert not page.exception


def test_others_are_not_shown_the_address(
    page: AppTest, server: VllmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app_pages.common.remote_engines.is_local", lambda: False)
    page.run()
    assert server.url not in everything(page)


def test_a_server_that_is_not_there_is_said_to_be_gone(app: AppTest, tmp_path: Path) -> None:
    write_settings(tmp_path, '[[endpoints]]\nname = "lab"\nurl = "http://127.0.0.1:9"\n')
    opened(app)
    until(app, lambda: "cannot be reached" in everything(app))
    assert "no answer" in badges(app)


def test_a_card_is_made_and_conforms(page: AppTest) -> None:
    page.button(key="card-lab-org/reward-model").click().run()
    checked(page)
    card = load_card("lab")
    assert card.source.endpoint == "lab"
    assert "conforms" in badges(page)
    assert "activated]" not in badges(page)
    table = page.dataframe[0].value.set_index("id")
    assert table.loc["lab"]["weights"] == "remote"


def test_an_activated_server_is_flagged_and_the_card_mended_in_one_click(
    page: AppTest, server: VllmServer
) -> None:
    server.squash = True
    page.button(key="card-lab-org/reward-model").click().run()
    checked(page)
    text = everything(page)
    assert "activated]" in badges(page)
    assert "asking without activation changes nothing" in text
    assert "set remote.activated to sigmoid in the card" in text
    page.button(key="repair-lab").click().run()
    until(page, lambda: "conforms" in badges(page))
    assert load_card("lab").remote.activated == "sigmoid"
    assert "activated: sigmoid" in (user_cards_folder() / "lab.yaml").read_text()
    assert "a sigmoid, which is undone" in everything(page)


def test_only_the_operator_changes_a_card(
    page: AppTest, server: VllmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.squash = True
    page.button(key="card-lab-org/reward-model").click().run()
    checked(page)
    monkeypatch.setattr("app_pages.common.remote_engines.is_local", lambda: False)
    page.run()
    assert not any(button.key == "repair-lab" for button in page.button)
    assert "whoever runs the workbench" in everything(page)


def test_two_models_are_compared_on_ten_texts(page: AppTest, server: VllmServer) -> None:
    page.selectbox(key="parity-0").set_value("words").run()
    page.selectbox(key="parity-1").set_value("shouts").run()
    page.button(key="parity-run").click().run()
    until(page, lambda: len(page.dataframe) > 1)
    table = page.dataframe[1].value
    # "The capital of France is Paris.": six words; the only exclamation marks are three in a row.
    assert table["words"][0] == 6
    assert sorted(table["shouts"])[:2] == pytest.approx([-0.3, -0.1])
    assert len(table) == 10
    text = everything(page)
    assert "On 10 texts rewards differ by up to" in text
    assert "n = 10" in text
    assert not page.exception
