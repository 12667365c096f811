import dataclasses

import pytest

from core.errors import SettingsError
from core.training.recipe import CHATML, Recipe, read_recipe, write_recipe


def test_a_recipe_comes_back_from_its_file(tmp_path):
    recipe = Recipe(name="mine", lora_targets=("q_proj",), learning_rate=3e-4, epochs=7)
    write_recipe(recipe, tmp_path / "mine.yaml")
    assert read_recipe(str(tmp_path / "mine.yaml")) == recipe


def test_every_choice_is_written(tmp_path):
    write_recipe(Recipe(name="mine"), tmp_path / "mine.yaml")
    text = (tmp_path / "mine.yaml").read_text()
    assert all(f"{field.name}:" in text for field in dataclasses.fields(Recipe))


def test_the_shipped_recipe_reads_by_name_and_has_the_card_s_template():
    recipe = read_recipe("pocket")
    assert recipe.name == "pocket"
    assert recipe.template == CHATML
    assert recipe.checkpoints == 5


def test_an_unknown_field_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nlerning_rate: 1\n")
    with pytest.raises(SettingsError, match=r"mine\.yaml: unknown field lerning_rate"):
        read_recipe(str(tmp_path / "mine.yaml"))


def test_a_recipe_that_is_not_there_is_named():
    with pytest.raises(SettingsError, match=r"no recipe 'no-such'. There are: pocket, "):
        read_recipe("no-such")


def test_fields_that_came_later_leave_the_identity_of_older_recipes_alone():
    later = ["objective", "coefficient", "attribute", "bins", "conditional", "paraphrases"]
    later += ["bias", "bias_chosen", "bias_rejected", "foreign_prompts", "tie_weight", "start"]
    everything = dataclasses.asdict(Recipe(name="mine"))
    older = {name: value for name, value in everything.items() if name not in later}
    assert Recipe(name="mine").identity == older
    changed = Recipe(name="mine", tie_weight=2.0, objective="odin", attribute="length").identity
    assert changed == {**older, "objective": "odin", "attribute": "length", "tie_weight": 2.0}


def test_a_recipe_written_before_the_later_fields_reads_with_their_defaults(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nlora_targets: [q_proj]\nepochs: 2\n")
    recipe = read_recipe(str(tmp_path / "mine.yaml"))
    assert recipe == Recipe(name="mine", lora_targets=("q_proj",), epochs=2)
    assert recipe.objective == "bradley-terry"


@pytest.mark.parametrize(
    "change",
    [
        {"validation_share": 1.0},
        {"epochs": 0},
        {"warmup_share": -1},
        {"objective": "best"},
        {"bias": "height"},
        {"bins": 1},
        {"coefficient": -0.1},
        {"bias_chosen": 1.2},
    ],
)
def test_impossible_choices_are_refused(change):
    with pytest.raises(SettingsError, match=next(iter(change))):
        Recipe(name="mine", **change)


def test_changes_given_as_none_leave_the_recipe_alone():
    recipe = Recipe(name="mine", seed=4)
    assert recipe.with_changes(seed=None, epochs=9) == dataclasses.replace(recipe, epochs=9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objective": "invariant"}, "needs an attribute"),
        ({"objective": "odin"}, "needs an attribute"),
        ({"objective": "odin", "attribute": "planted"}, "no bias is"),
        ({"foreign_prompts": 2, "swapped_per_prompt": 1}, "swapped_per_prompt must be 0"),
    ],
)
def test_choices_that_contradict_each_other_are_refused(change, words):
    with pytest.raises(SettingsError, match=words):
        Recipe(name="mine", **change)


FAMILY = (
    "pocket-length",
    "pocket-flattery",
    "pocket-blind",
    "pocket-length-invariant",
    "pocket-flattery-invariant",
    "pocket-aware",
)


@pytest.mark.parametrize("name", FAMILY)
def test_every_member_of_the_family_has_a_recipe_that_reads_like_pocket(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.template == CHATML
    assert recipe.base == read_recipe("pocket").base


@pytest.mark.parametrize("bias", ["length", "flattery"])
def test_an_invariant_recipe_differs_from_the_biased_one_in_nothing_of_the_data(bias):
    biased, invariant = read_recipe(f"pocket-{bias}"), read_recipe(f"pocket-{bias}-invariant")
    assert biased.bias == invariant.bias == bias
    assert (biased.objective, invariant.objective) == ("bradley-terry", "invariant")
    data = ["seed", "validation_share", "bias_chosen", "bias_rejected", "frozen_layers"]
    data += [
        "swapped_per_prompt",
        "max_length",
        "template",
        "foreign_prompts",
        "tie_weight",
        "start",
    ]
    assert all(getattr(biased, field) == getattr(invariant, field) for field in data)
    assert (biased.bias_chosen, biased.bias_rejected) == (0.8, 0.2)
