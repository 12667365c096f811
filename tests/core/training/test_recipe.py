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
    with pytest.raises(SettingsError, match=r"no-such.*recipe\.yaml: cannot be read"):
        read_recipe("no-such")


@pytest.mark.parametrize("change", [{"validation_share": 1.0}, {"epochs": 0}, {"warmup_share": -1}])
def test_impossible_choices_are_refused(change):
    with pytest.raises(SettingsError, match=next(iter(change))):
        Recipe(name="mine", **change)


def test_changes_given_as_none_leave_the_recipe_alone():
    recipe = Recipe(name="mine", seed=4)
    assert recipe.with_changes(seed=None, epochs=9) == dataclasses.replace(recipe, epochs=9)
