"""The models page lists every card, shows what is in memory, and adds a model with clear errors."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.models.catalogue import list_cards


@pytest.fixture
def models_page(app: AppTest) -> AppTest:
    app.run()
    return app.switch_page("app_pages/setup/models.py").run()


def test_every_card_is_in_the_table(models_page: AppTest):
    assert not models_page.exception
    table = models_page.dataframe[0].value
    assert sorted(table["id"]) == sorted(card.id for card in list_cards())
    row = table.set_index("id").loc["skywork-v2-0.6b"]
    assert row["weights"] == "download"
    assert row["size"] == "0.6B"
    assert table.iloc[0]["weights"] == "embedded"


def test_models_in_memory_can_be_unloaded(models_page: AppTest, service):
    assert {button.key for button in models_page.button} >= {"unload-words", "unload-shouts"}
    models_page.button(key="unload-shouts").click().run()
    assert not models_page.exception
    shown = {resident.id for resident in service.resident()}
    assert {b.key for b in models_page.button if b.key.startswith("unload-")} == {
        f"unload-{name}" for name in shown
    }


def test_adding_nothing_or_an_unknown_folder_says_so(models_page: AppTest):
    models_page.button(key="models-page-add").click().run()
    assert any("Nothing to add yet" in text.value for text in models_page.text)
    models_page.text_input(key="models-page-add-name").set_value("/no/such/folder")
    models_page.button(key="models-page-add").click().run()
    assert any("/no/such/folder" in text.value for text in models_page.text)


def test_a_hub_id_is_added_to_the_catalogue_and_chosen(models_page: AppTest):
    models_page.text_input(key="models-page-add-name").set_value("someone/a-reward-model")
    models_page.button(key="models-page-add").click().run()
    assert "someone/a-reward-model" in list(models_page.dataframe[0].value["id"])
    assert "someone/a-reward-model" in models_page.session_state["models"]


def test_a_broken_card_is_named_and_the_rest_is_there(app: AppTest, tmp_path: Path):
    folder = tmp_path / "home" / "cards"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("id: mine\nfamily: wizardry\n")
    app.run()
    app.switch_page("app_pages/setup/models.py").run()
    assert any("mine" in warning.value for warning in app.warning)
    assert "pocket" in list(app.dataframe[0].value["id"])


def test_a_card_says_where_its_weights_come_from(models_page: AppTest):
    models_page.selectbox(key="one-model").set_value("skywork-v2-0.6b").run()
    captions = " ".join(caption.value for caption in models_page.caption)
    assert "Skywork/Skywork-Reward-V2-Qwen3-0.6B" in captions.replace("\\", "")
    assert models_page.button(key="check").label == "Load and check"
