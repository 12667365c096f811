import dataclasses
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from core.models.base import TokenSequence
from core.models.card import read_card
from core.models.loading import load_card_model
from core.schema import make_conversation
from core.training.classifier import TrainableClassifier
from core.training.cli import train_app
from core.training.recipe import write_recipe
from core.training.run import (
    Destination,
    base_encoder,
    classifier_score,
    train_reward_model,
    work_folder,
)


@pytest.fixture
def data(tmp_path, prompts):
    path = tmp_path / "prompts.jsonl"
    rows = [json.dumps(dataclasses.asdict(prompt)) for prompt in prompts]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path / "cache"))


def test_a_run_publishes_adapter_checkpoints_cards_and_recipe(recipe, data, tmp_path):
    destination = Destination.of(recipe, tmp_path / "out")
    result = train_reward_model(dataclasses.replace(recipe, checkpoints=3), destination, data=data)
    folders = sorted(path.name for path in (tmp_path / "out" / "checkpoints").iterdir())
    assert folders == [f"step-{step:04d}" for step in result.snapshots]
    assert len(folders) == 3
    cards = {path.stem for path in destination.cards.iterdir()}
    assert cards == {"tiny", *(f"tiny-{name}" for name in folders)}
    assert "frozen_layers: 2" in (tmp_path / "out" / "recipe.yaml").read_text()
    assert len((tmp_path / "out" / "training.csv").read_text().splitlines()) == 1 + len(
        result.validations
    )


def test_the_published_card_loads_a_model_with_the_rewards_of_training(
    recipe, data, tmp_path, tiny_base
):
    destination = Destination.of(recipe, tmp_path / "out")
    result = train_reward_model(recipe, destination, data=data)
    card = read_card(destination.cards / "tiny.yaml").model_copy(update={"dtype": "float32"})
    loaded = load_card_model(card, device="cpu")
    classifier = TrainableClassifier(recipe, tiny_base)
    classifier.load_trained_state(result.snapshots[result.best_step])
    encode = base_encoder(recipe, tiny_base)
    conversations = [make_conversation("What is two plus two?", f"It is {n}.") for n in range(9)]
    expected = classifier_score(classifier, encode, batch=4)(conversations)
    found = loaded.rewards([TokenSequence(encode(c)) for c in conversations]).rewards
    assert np.ptp(expected) > 1e-3
    # The network of training may have multiplied in bfloat16.
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_the_state_of_a_finished_run_is_cleared_away(recipe, data, tmp_path):
    train_reward_model(recipe, Destination.of(recipe, tmp_path / "out"), data=data)
    assert list((tmp_path / "cache" / "training").iterdir()) == []


def test_held_out_prompts_change_nothing(recipe, data, tmp_path, prompts):
    from core.training.preferences import is_held_out, read_preferences, split_prompts

    assert any(is_held_out(prompt.id) for prompt in prompts)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    for row in rows:
        if is_held_out(row["id"]):
            row["good"] = "Something else entirely."
    changed = tmp_path / "changed.jsonl"
    changed.write_text("\n".join(json.dumps(row) for row in rows))
    before, after = (split_prompts(read_preferences(path)).train for path in (data, changed))
    assert work_folder(recipe, before) == work_folder(recipe, after)
    results = [
        train_reward_model(recipe, Destination.of(recipe, tmp_path / name), data=path)
        for name, path in (("one", data), ("two", changed))
    ]
    files = [tmp_path / name / "adapter_model.safetensors" for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert results[0].validations == results[1].validations


def test_the_command_trains_by_a_recipe_file(recipe, data, tmp_path):
    write_recipe(recipe, tmp_path / "tiny.yaml")
    arguments = ["reward-model", "--recipe", str(tmp_path / "tiny.yaml"), "--data", str(data)]
    arguments += ["--output", str(tmp_path / "out"), "--epochs", "2", "--checkpoints", "2"]
    result = CliRunner().invoke(train_app, arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    assert "epochs: 2" in (tmp_path / "out" / "recipe.yaml").read_text()
    assert "validation loss" in result.output


def test_the_command_explains_a_recipe_that_is_not_there():
    result = CliRunner().invoke(train_app, ["reward-model", "--recipe", "no-such"])
    assert result.exit_code == 1
    assert "no-such" in result.output
    assert "Traceback" not in result.output


def test_the_evaluate_command_prints_the_held_out_table(data, monkeypatch):
    from core.engine import service
    from core.models.function import FunctionRewardModel

    monkeypatch.setattr(service, "_service", None)
    counter = FunctionRewardModel("four", lambda c: float("four" in c[-1]["content"]))
    service.get_service().register(counter)
    result = CliRunner().invoke(train_app, ["evaluate", "four", "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert "| flaw | rude |" in result.output
    assert "| good of another prompt | same category |" in result.output
