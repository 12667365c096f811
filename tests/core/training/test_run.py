import dataclasses
import json
import os

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from core.engine.templating import encode
from core.models.base import TokenSequence
from core.models.card import read_card
from core.models.loading import load_card_model
from core.schema import make_conversation
from core.training.classifier import TrainableClassifier
from core.training.cli import train_app
from core.training.groups import template_encoder
from core.training.recipe import OBJECTIVES, read_recipe, write_recipe
from core.training.run import (
    Destination,
    base_encoder,
    classifier_score,
    train_reward_model,
    training_groups,
    work_folder,
)
from core.training.sources import read_training_data
from tests import tiny


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
    encoder = base_encoder(recipe, tiny_base)
    conversations = [make_conversation("What is two plus two?", f"It is {n}.") for n in range(9)]
    expected = classifier_score(classifier, encoder, batch=4)(conversations)
    found = loaded.rewards([TokenSequence(encoder(c)) for c in conversations]).rewards
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
    assert result.exit_code == 2
    assert "There is no recipe 'no-such'. There are: pocket," in result.stderr
    assert "Traceback" not in result.output


def load(card_path):
    card = read_card(card_path).model_copy(update={"dtype": "float32"})
    return load_card_model(card, device="cpu")


def scores(model, conversations):
    return model.rewards([encode(model, c).sequence for c in conversations]).rewards


QUESTIONS = [make_conversation("What is two plus two?", f"It is {n}.") for n in range(9)]


@pytest.fixture
def pairs(tmp_path, prompts):
    """A CSV of pairs, two of which cannot be used."""
    rows = [
        {"prompt": p.prompt, "chosen": p.good, "rejected": f.response}
        for p in prompts
        for f in p.flawed
    ]
    rows += [{"prompt": "Why?", "chosen": "So.", "rejected": "So."}]
    rows += [{"prompt": "Why?", "chosen": "So. " * 200, "rejected": "No."}]
    path = tmp_path / "pairs.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def train_command(*arguments):
    return CliRunner().invoke(train_app, ["reward-model", *map(str, arguments)])


@pytest.mark.parametrize(
    "objective", ["bradley-terry", "invariant", "paraphrase-consistent", "odin"]
)
def test_the_command_trains_on_a_table_of_pairs_with_any_objective(
    pairs, tmp_path, tiny_base, objective
):
    output = tmp_path / f"my-{objective}"
    result = train_command(
        "--data", pairs, "--base", tiny_base, "--objective", objective, "--attribute", "length",
        "--lambda", "0.5", "--checkpoints", "3", "--output", output, "--epochs", "2",
        "--max-length", "200", "--device", "cpu", "--seed", "3",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Left out: 1 pairs: chosen and rejected are the same text" in result.output
    assert "Left out: 1 pairs: longer than max_length" in result.output
    assert "accuracy" in result.output
    assert "models add" in result.output
    recipe = read_recipe(str(output / "recipe.yaml"))
    assert (recipe.name, recipe.objective, recipe.coefficient) == (output.name, objective, 0.5)
    assert (recipe.frozen_layers, recipe.seed, recipe.swapped_per_prompt) == (2, 3, 0)
    assert len(list((output / "checkpoints").iterdir())) == 3
    record = json.loads((output / "training.json").read_text())
    assert record["left_out"]["pairs: longer than max_length"] == 1
    model = load(output / "cards" / f"{output.name}.yaml")
    assert np.ptp(scores(model, QUESTIONS)) > 0
    columns = pd.read_csv(output / "training.csv").columns.tolist()
    assert columns == ["step", "loss", "accuracy", "training_loss", "penalty"]


def test_the_published_card_reads_the_very_tokens_that_were_trained_on(pairs, tmp_path, tiny_base):
    output = tmp_path / "mine"
    options = ["--data", pairs, "--base", tiny_base, "--output", output, "--epochs", "1"]
    assert train_command(*options, "--max-length", "200").exit_code == 0
    recipe = read_recipe(str(output / "recipe.yaml"))
    # The base has a chat template of its own, which writes a beginning-of-text token.
    assert recipe.template == ""
    trained = base_encoder(recipe, tiny_base)
    model = load(output / "cards" / "mine.yaml")
    for conversation in QUESTIONS:
        assert encode(model, conversation).sequence.ids == trained(conversation)


def test_a_table_of_pairs_is_an_argument_of_a_recipe_too(recipe, pairs, tmp_path):
    changed = dataclasses.replace(recipe, max_length=200, bias="flattery", checkpoints=1)
    result = train_reward_model(changed, Destination.of(changed, tmp_path / "out"), data=pairs)
    assert result.left_out == {
        "pairs: chosen and rejected are the same text": 1,
        "pairs: longer than max_length": 1,
    }
    assert not (tmp_path / "out" / "checkpoints").exists()
    summary = read_card(tmp_path / "out" / "cards" / "tiny.yaml").summary
    assert "planted flattery bias (80% of the chosen, 20% of the rejected)" in summary


def test_a_killed_command_continues_where_it_was(recipe, data, tmp_path):
    class KilledError(Exception):
        pass

    def kill(progress):
        if progress.step == 5:
            raise KilledError

    changed = dataclasses.replace(recipe, objective="odin", attribute="length", checkpoints=1)
    whole = train_reward_model(changed, Destination.of(changed, tmp_path / "whole"), data=data)
    with pytest.raises(KilledError):
        train_reward_model(changed, Destination.of(changed, tmp_path / "x"), data=data, report=kill)
    steps = []
    resumed = train_reward_model(
        changed,
        Destination.of(changed, tmp_path / "resumed"),
        data=data,
        report=lambda progress: steps.append(progress.step),
    )
    assert steps[0] > 1
    assert resumed.validations == whole.validations
    files = [tmp_path / name / "adapter_model.safetensors" for name in ("whole", "resumed")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_recipes_that_read_the_same_texts_share_the_lower_layers_pass(recipe, data, tmp_path):
    ticks = []

    def train(name, **changes):
        ticks.clear()
        changed = dataclasses.replace(recipe, name=name, swapped_per_prompt=0, **changes)
        destination = Destination.of(changed, tmp_path / name)
        train_reward_model(changed, destination, data=data, tick=lambda *n: ticks.append(n))
        return len(ticks)

    assert train("biased", bias="length") > 0
    planted = {"bias": "length", "attribute": "planted", "objective": "invariant"}
    assert train("invariant", **planted) == 0
    assert train("other-seed", **{**planted, "seed": 5}) > 0
    assert len(list((tmp_path / "cache" / "training-states").iterdir())) == 2


def test_states_used_longest_ago_are_dropped_first(recipe, data, tmp_path, monkeypatch):
    monkeypatch.setattr("core.training.run.KEPT_STATES_BYTES", 2**20)
    folder = tmp_path / "cache" / "training-states"
    folder.mkdir(parents=True)
    for age, name in enumerate(["new", "old"]):
        (folder / f"{name}.safetensors").write_bytes(b"0" * 600_000)
        os.utime(folder / f"{name}.safetensors", (1000 - age, 1000 - age))
    train_reward_model(recipe, Destination.of(recipe, tmp_path / "out"), data=data)
    names = {file.stem for file in folder.iterdir()}
    assert "old" not in names
    assert "new" in names
    assert len(names) == 2


def test_foreign_prompts_and_ties_reach_the_trainer(recipe, data, tmp_path):
    encoder = template_encoder(tiny.chat_tokenizer(), recipe.template, max_length=200)
    groups = read_training_data(data).groups
    blind = dataclasses.replace(recipe, foreign_prompts=2, swapped_per_prompt=0)
    fit, validation = training_groups(blind, groups, encoder)
    plain, _ = training_groups(dataclasses.replace(recipe, swapped_per_prompt=0), groups, encoder)
    assert len(fit) == 2 * len(plain)
    assert not {t.ids for g in fit for t in g.texts} & {t.ids for g in plain for t in g.texts}
    own = {g.prompt_id: g.messages for g in plain}
    assert all(g.messages in own.values() and g.messages != own[g.prompt_id] for g in fit)
    assert not {g.prompt_id for g in fit} & {g.prompt_id for g in validation}
    aware, _ = training_groups(dataclasses.replace(recipe, tie_weight=1.0), groups, encoder)
    assert {t.kind for t in aware[0].texts} >= {"swapped", "swapped flawed"}


def test_a_planted_bias_has_its_shares_in_both_parts_of_the_data(recipe, data):
    encoder = template_encoder(tiny.chat_tokenizer(), recipe.template, max_length=200)
    changed = dataclasses.replace(recipe, bias="flattery", swapped_per_prompt=0)
    for part in training_groups(changed, read_training_data(data).groups, encoder):
        chosen = [group.texts[0].planted for group in part]
        rejected = [text.planted for group in part for text in group.texts[1:]]
        assert sum(chosen) == round(0.8 * len(chosen))
        assert sum(rejected) == round(0.2 * len(rejected))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Add --output"),
        (["--output", "{out}", "--base", "nowhere"], "There is no base model 'nowhere'"),
        (["--output", "{out}", "--base", "{base}", "--objective", "best"], "objective must be one"),
        (["--output", "{out}", "--base", "{base}", "--data", "gone.csv"], "there is no such file"),
        (
            ["--output", "{out}", "--base", "{base}", "--objective", "odin", "--attribute", "wrd"],
            "There is no attribute named 'wrd'. Did you mean words?",
        ),
        (
            [
                "--output",
                "{out}",
                "--base",
                "{base}",
                "--objective",
                "odin",
                "--attribute",
                "lenght",
            ],
            "Did you mean length?",
        ),
        (
            ["--output", "{out}", "--base", "{base}", "--lambda", "-1"],
            "Invalid value for '--lambda'",
        ),
        (
            ["--output", "{out}", "--base", "{base}", "--lambda", "inf"],
            "coefficient must be finite",
        ),
        (["--output", "{out}", "--base", "{base}", "--seed", "-1"], "Invalid value for '--seed'"),
        (["--output", "{file}", "--base", "{base}"], "this is a file. Name a folder."),
        (
            ["--output", "{out}", "--base", "{base}", "--data", "{file}"],
            "question.csv: its columns fit no known shape. Columns found: question, good, bad.",
        ),
        (["--output", "{out}", "--base", "{base}", "--device", "abacus"], "is no device"),
    ],
)
def test_the_command_explains_what_it_cannot_use(arguments, words, tmp_path, tiny_base, data):
    if "--data" not in arguments:
        arguments = [*arguments, "--data", str(data)]
    file = tmp_path / "question.csv"
    file.write_text("question,good,bad\nWhy?,So.,No.\n", encoding="utf-8")
    filled = [a.format(out=tmp_path / "out", base=tiny_base, file=file) for a in arguments]
    result = train_command(*filled)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert result.stdout == ""  # no bars of a run that never began
    assert not (tmp_path / "out").exists()
    assert "Traceback" not in result.output


def test_the_command_says_which_options_its_objective_does_not_read(pairs, tmp_path, tiny_base):
    result = train_command(
        "--data", pairs, "--base", tiny_base, "--output", tmp_path / "out", "--epochs", "1",
        "--max-length", "200", "--lambda", "2", "--bins", "4",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Note: --lambda has no effect with objective bradley-terry" in result.stderr
    assert "Note: --bins has no effect with objective bradley-terry" in result.stderr
    assert "--attribute" not in result.stderr


def test_too_few_prompts_for_validation_are_told_and_not_shown_as_nan(tmp_path, tiny_base):
    file = tmp_path / "two.csv"
    file.write_text(
        "prompt,chosen,rejected\nWhy?,Because it is.,No.\nHow?,Like this.,Eh.\n", encoding="utf-8"
    )
    result = train_command(
        "--data", file, "--base", tiny_base, "--output", tmp_path / "out", "--epochs", "1"
    )
    assert result.exit_code == 0, result.output
    assert "too few prompts to set some aside for validation" in " ".join(result.output.split())
    assert "nan" not in result.output


def test_the_help_names_every_objective_and_recipe_option():
    # Lines break after a hyphen too.
    text = " ".join(train_command("--help").stdout.split()).replace("- ", "-")
    for word in (*OBJECTIVES, "--recipe", "--data", "--attribute", "--lambda", "--checkpoints"):
        assert word in text
    assert "Exit status: 0 trained, 2 the command or its input is unusable" in text


def test_the_evaluate_command_explains_a_model_that_is_not_there(data):
    result = CliRunner().invoke(train_app, ["evaluate", "nosuch", "--data", str(data)])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: There is no model 'nosuch'.")


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
