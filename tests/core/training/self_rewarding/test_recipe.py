"""Recipes of self-rewarding runs: those of the package, written ones, damaged ones."""

from pathlib import Path

import pytest
import yaml

from core.errors import SettingsError
from core.training.self_rewarding import (
    SelfRewardingRecipe,
    read_self_rewarding_recipe,
    recipe_names,
    write_self_rewarding_recipe,
)


def test_the_package_has_both_methods_and_they_differ_in_nothing_else() -> None:
    assert recipe_names() == ["self-rewarding-classic", "self-rewarding-temporal"]
    classic, temporal = map(read_self_rewarding_recipe, recipe_names())
    assert classic.method == "classic"
    assert temporal == classic.with_changes(name=temporal.name, method="temporal")
    assert classic.with_changes(seed=2).run == "classic/seed-2"


def test_a_written_recipe_is_read_back(tmp_path: Path) -> None:
    recipe = SelfRewardingRecipe(name="mine", method="temporal", lora_targets=("q_proj",), seed=4)
    write_self_rewarding_recipe(recipe, tmp_path / "mine.yaml")
    assert read_self_rewarding_recipe(str(tmp_path / "mine.yaml")) == recipe


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": "x", "temperatur": 1}, "unknown field temperatur"),
        ({"seed": 1}, "among them name"),
        ([1], "expected fields"),
        ({"name": "x", "method": "other"}, "method must be one of classic, temporal"),
        ({"name": "x", "samples": 1}, "samples must be at least 2"),
        ({"name": "x", "beta": 0}, "beta must be above 0"),
        ({"name": "x", "epochs": 0}, "epochs must be at least 1"),
    ],
)
def test_damaged_recipes_say_what_is_wrong(tmp_path: Path, content: object, message: str) -> None:
    file = tmp_path / "damaged.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        read_self_rewarding_recipe(str(file))


def test_a_recipe_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="self-rewarding-classic"):
        read_self_rewarding_recipe("nothing")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_self_rewarding_recipe(str(tmp_path / "nowhere.yaml"))
