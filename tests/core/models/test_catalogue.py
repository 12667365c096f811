"""The catalogue: every shipped card holds, the user's cards count, and a name finds its model."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import CardError, ModelNotFoundError
from core.models import catalogue as module
from core.models.card import AdapterSource, HubSource, LocalSource, RewardModelCard, read_card
from core.models.catalogue import add_card, catalogue, describe_source, list_cards, load_card
from core.models.derive import derive_card, is_unrefined
from core.paths import data_folder

SHIPPED = sorted((data_folder() / "cards").glob("*.yaml"))
TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
HUB = HubSource(kind="hub", repo="org/model")


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user's folder."""
    folder = tmp_path / "home"
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(folder))
    monkeypatch.delenv("REWARD_WORKBENCH_SETTINGS", raising=False)
    (folder / "cards").mkdir(parents=True)
    return folder


def write_yaml(path: Path, card_id: str = "mine", **fields: Any) -> Path:
    content = {
        "id": card_id,
        "source": {"kind": "hub", "repo": "org/mine"},
        "family": "sequence-classifier",
        **fields,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def write_checkpoint(folder: Path, config: dict[str, Any], tokenizer: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    return folder


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_card_holds(path: Path) -> None:
    card = read_card(path)
    assert card.id == path.stem
    assert card.title
    assert card.summary
    if isinstance(card.source, HubSource):
        assert card.url == f"https://huggingface.co/{card.source.repo}"
        assert re.fullmatch(r"[0-9a-f]{40}|main|refs/pr/\d+", card.source.revision)
        unpinned = card.source.revision == "main"
        assert unpinned == ("no commit is pinned" in card.notes)
    for fixture in card.fixtures:
        assert [message["role"] for message in fixture.messages] == ["user", "assistant"]


def test_the_shipped_catalogue_has_no_problem_and_the_known_models() -> None:
    found = catalogue()
    assert found.problems == ()
    ids = {card.id for card in found.cards}
    assert ids >= {
        *(f"skywork-v2-{size}" for size in ("0.6b", "1.7b", "4b", "8b")),
        *("skywork-v2-llama-3.2-1b", "skywork-v2-llama-3.2-3b", "skywork-v2-llama-3.1-8b"),
        *("skywork-v0.2-llama-3.1-8b", "skywork-v0.2-gemma-2-27b"),
        *("openassistant-deberta-v3-large-v2", "grm-llama3-8b", "grm-llama3.2-3b"),
        *("grm-llama3.1-8b", "grm-gemma2-2b", "offsetbias-llama3-8b", "fsfairx-llama3-8b"),
    }


def test_gemma_models_avoid_the_kernels_that_skip_soft_capping() -> None:
    for card in list_cards():
        if "gemma" in card.id:
            assert card.attention == "eager"
            assert card.input.system_prompt == "merge"


def test_the_published_rewards_are_on_the_skywork_card() -> None:
    good, bad = load_card("skywork-v2-llama-3.1-8b").fixtures
    assert (good.reward, bad.reward) == (23.0, 3.59375)
    assert good.messages[0] == bad.messages[0]
    assert good.messages[0]["content"].startswith("Jane has 12 apples. She gives 4 apples")
    assert "\n" not in good.messages[0]["content"]
    assert good.messages[1]["content"].count("\n") == 2
    assert good.messages[1]["content"].endswith("Each person gets 3 apples.")
    assert bad.messages[1]["content"].endswith("Each person gets 4 apples.")


def test_a_broken_card_is_reported_and_the_rest_still_counts(user: Path) -> None:
    write_yaml(user / "cards" / "good.yaml", "good")
    write_yaml(user / "cards" / "bad.yaml", "bad", colour="blue")
    (user / "cards" / "worse.yml").write_text("id: [")
    found = catalogue()
    assert found.find("good") is not None
    assert len(found.cards) == len(SHIPPED) + 1
    bad, worse = found.problems
    assert bad.path.name == "bad.yaml"
    assert "field colour" in bad.message
    assert worse.path.name == "worse.yml"


def test_the_users_card_wins_over_the_shipped_one_and_it_is_said(user: Path) -> None:
    path = write_yaml(user / "cards" / "own.yaml", "skywork-v2-0.6b", title="My reading of it")
    found = catalogue()
    card = found.find("skywork-v2-0.6b")
    assert card is not None
    assert card.title == "My reading of it"
    (problem,) = found.problems
    assert problem.path == data_folder() / "cards" / "skywork-v2-0.6b.yaml"
    assert str(path) in problem.message


def test_two_cards_of_one_id_in_one_folder_are_a_problem(user: Path) -> None:
    write_yaml(user / "cards" / "a.yaml", "twin", title="first")
    write_yaml(user / "cards" / "b.yaml", "twin", title="second")
    found = catalogue()
    card = found.find("twin")
    assert card is not None
    assert card.title == "first"
    assert [problem.path.name for problem in found.problems] == ["b.yaml"]


def test_the_operators_folders_are_read_too(user: Path, tmp_path: Path) -> None:
    write_yaml(tmp_path / "shared" / "team.yaml", "team")
    (user / "settings.toml").write_text('card_folders = ["../shared", "../absent"]')
    found = catalogue()
    assert found.find("team") is not None
    assert ["absent" in problem.message for problem in found.problems] == [True]


def test_a_changed_card_is_read_anew(user: Path) -> None:
    path = write_yaml(user / "cards" / "mine.yaml", title="before")
    assert load_card("mine").title == "before"
    write_yaml(path, title="after, with another size")
    assert load_card("mine").title == "after, with another size"


def test_a_hub_id_with_a_card_means_that_card() -> None:
    card = load_card("Skywork/Skywork-Reward-Gemma-2-27B-v0.2")
    assert card.id == "skywork-v0.2-gemma-2-27b"


def test_another_revision_is_read_the_same_way_without_the_fixtures() -> None:
    name = "Skywork/Skywork-Reward-Gemma-2-27B-v0.2@0123456789abcdef"
    card = load_card(name)
    assert card.id == name
    assert card.source == HubSource(
        kind="hub", repo="Skywork/Skywork-Reward-Gemma-2-27B-v0.2", revision="0123456789abcdef"
    )
    assert card.attention == "eager"
    assert card.fixtures == ()


def test_an_unknown_hub_id_gets_a_card_to_be_refined() -> None:
    card = load_card("org/some-reward-model@refs/pr/1")
    assert card.id == "org/some-reward-model@refs/pr/1"
    assert card.source == HubSource(kind="hub", repo="org/some-reward-model", revision="refs/pr/1")
    assert is_unrefined(card)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("skywork-v2-06b", "skywork-v2-0.6b"),
        ("Skywork-V2-8B", "skywork-v2-8b"),
        ("fsfairx", "fsfairx-llama3-8b"),
    ],
)
def test_an_unknown_name_gets_close_matches(name: str, suggestion: str) -> None:
    with pytest.raises(ModelNotFoundError, match="Did you mean") as caught:
        load_card(name)
    assert suggestion in caught.value.fix


def test_a_name_like_nothing_gets_the_choices() -> None:
    with pytest.raises(ModelNotFoundError, match="There is no model 'zzz'") as caught:
        load_card("zzz")
    assert "hub id" in caught.value.fix


def test_a_local_checkpoint_gets_a_card_from_its_configuration(tmp_path: Path) -> None:
    folder = write_checkpoint(
        tmp_path / "run" / "checkpoint-100",
        {"model_type": "llama", "max_position_embeddings": 2048, "id2label": {"0": "LABEL_0"}},
        {"chat_template": TEMPLATE, "model_max_length": 1e30},
    )
    card = load_card(str(folder))
    assert card.source == LocalSource(kind="local", path=folder)
    assert (card.family, card.input.form) == ("sequence-classifier", "chat-template")
    assert card.max_length == 2048
    assert card.id.startswith("run-checkpoint-100-")
    assert not is_unrefined(card)


def test_checkpoints_of_the_same_name_in_two_runs_have_two_ids(tmp_path: Path) -> None:
    config, tokenizer = {"model_type": "llama"}, {"chat_template": TEMPLATE}
    ids = {
        load_card(str(write_checkpoint(tmp_path / run / "a" / "last", config, tokenizer))).id
        for run in ("one", "two")
    }
    assert len(ids) == 2


def test_a_template_in_a_file_of_its_own_counts(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", {"model_type": "qwen3"}, {})
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    assert load_card(str(folder)).input.form == "chat-template"


def test_an_encoder_without_template_reads_text_pairs(tmp_path: Path) -> None:
    folder = write_checkpoint(
        tmp_path / "m", {"model_type": "deberta-v2"}, {"model_max_length": 10**30}
    )
    card = load_card(str(folder))
    assert (card.family, card.input.form) == ("text-pair", "text-pair")
    assert card.max_length == 512


def test_a_decoder_without_template_needs_a_card(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", {"model_type": "llama"}, {})
    with pytest.raises(CardError, match="no chat template") as caught:
        load_card(str(folder))
    assert "raw-template" in caught.value.fix


def test_several_outputs_need_a_card() -> None:
    config = {"model_type": "llama", "id2label": {"0": "bad", "1": "good"}}
    with pytest.raises(CardError, match="2 outputs"):
        derive_card(config, {"chat_template": TEMPLATE}, HUB)


def test_a_template_that_refuses_system_turns_merges_them() -> None:
    refusing = "{{ raise_exception('System role not supported') }}" + TEMPLATE
    for template, policy in ((refusing, "merge"), (TEMPLATE, "keep")):
        card = derive_card({"model_type": "gemma2"}, {"chat_template": template}, HUB)
        assert card.input.system_prompt == policy
        assert card.attention == "eager"
        assert card.id == "org/model"


def test_a_very_long_limit_is_bounded() -> None:
    card = derive_card(
        {"model_type": "llama", "max_position_embeddings": 131072},
        {"chat_template": [{"name": "default", "template": TEMPLATE}]},
        HUB,
    )
    assert card.max_length == 16384


def test_a_local_adapter_takes_its_base_from_its_configuration(tmp_path: Path) -> None:
    base = write_checkpoint(
        tmp_path / "base",
        {"model_type": "llama", "max_position_embeddings": 1024},
        {"chat_template": TEMPLATE},
    )
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": "../base", "task_type": "SEQ_CLS"})
    )
    card = load_card(str(adapter))
    assert card.source == AdapterSource(
        kind="adapter",
        adapter=LocalSource(kind="local", path=adapter),
        base=LocalSource(kind="local", path=base),
    )
    assert card.max_length == 1024


def test_a_local_adapter_over_a_hub_base(tmp_path: Path) -> None:
    settings = {"base_model_name_or_path": "org/base", "revision": "abc"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    card = load_card(str(tmp_path))
    assert isinstance(card.source, AdapterSource)
    assert card.source.base == HubSource(kind="hub", repo="org/base", revision="abc")
    assert is_unrefined(card)


@pytest.mark.parametrize("settings", [{}, {"base_model_name_or_path": "/nowhere/at/all"}])
def test_an_adapter_without_a_findable_base_is_refused(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(CardError, match=r"adapter_config\.json"):
        load_card(str(tmp_path))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no config\.json"):
        load_card(str(tmp_path))


def test_a_card_file_can_be_named(tmp_path: Path) -> None:
    assert load_card(str(write_yaml(tmp_path / "elsewhere.yaml", "elsewhere"))).id == "elsewhere"


def test_adding_a_card_file_puts_it_into_the_catalogue(tmp_path: Path) -> None:
    path = write_yaml(
        tmp_path / "new" / "card.yaml", "new", source={"kind": "local", "path": "weights"}
    )
    added = add_card(path)
    assert added.source == LocalSource(kind="local", path=tmp_path / "new" / "weights")
    path.unlink()
    assert load_card("new") == added


def test_adding_a_hub_id_or_a_folder_writes_a_card(tmp_path: Path, user: Path) -> None:
    add_card("org/model@refs/pr/1")
    folder = write_checkpoint(tmp_path / "m", {"model_type": "llama"}, {"chat_template": TEMPLATE})
    added = add_card(folder)
    assert {card.id for card in list_cards()} >= {"org/model@refs/pr/1", added.id}
    assert len(list((user / "cards").glob("*.yaml"))) == 2


def test_an_invalid_card_is_not_added(tmp_path: Path, user: Path) -> None:
    with pytest.raises(CardError, match="field colour"):
        add_card(write_yaml(tmp_path / "card.yaml", colour="blue"))
    assert list((user / "cards").iterdir()) == []


def test_a_card_is_not_overwritten_unless_asked_for(tmp_path: Path) -> None:
    add_card(write_yaml(tmp_path / "card.yaml", title="first"))
    add_card(tmp_path / "card.yaml")  # the same again is no conflict
    write_yaml(tmp_path / "card.yaml", title="second")
    with pytest.raises(CardError, match="is there already"):
        add_card(tmp_path / "card.yaml")
    assert load_card("mine").title == "first"
    add_card(tmp_path / "card.yaml", replace=True)
    assert load_card("mine").title == "second"


def test_a_source_is_described_in_one_line() -> None:
    card = RewardModelCard(id="m", source=HUB, family="sequence-classifier")
    assert describe_source(card) == "org/model@main"
    over = AdapterSource(kind="adapter", adapter=HUB, base=LocalSource(kind="local", path="/b"))
    assert describe_source(card.model_copy(update={"source": over})) == "org/model@main over /b"


def test_the_catalogue_reads_each_unchanged_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue()
    calls: list[Path] = []
    monkeypatch.setattr(module, "read_card", calls.append)
    catalogue()
    assert calls == []
