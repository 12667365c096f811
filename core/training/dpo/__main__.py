"""`python -m core.training.dpo RECIPE.yaml FOLDER` trains the policy and measures its adapter.

`python -m core.training.dpo --measure FOLDER` only measures one that is there.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from core.training.dpo.publish import measure, publish
from core.training.dpo.recipe import read_dpo_recipe
from core.training.dpo.train import train_dpo
from core.training.preferences import read_preferences, split_prompts


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains by the recipe on the training prompts and measures the held-out ones."""
    parser = argparse.ArgumentParser(prog="python -m core.training.dpo")
    parser.add_argument("recipe", nargs="?", type=Path, help="recipe.yaml; left out with --measure")
    parser.add_argument("folder", type=Path, help="of the adapter")
    parser.add_argument("--measure", action="store_true", help="train nothing")
    asked = parser.parse_args(arguments)
    if asked.recipe is None and not asked.measure:
        parser.error("a recipe is needed to train")
    prompts = split_prompts(read_preferences())
    if not asked.measure:
        recipe = read_dpo_recipe(asked.recipe)
        result = train_dpo(recipe, prompts.train, lambda line: print(line, flush=True))  # noqa: T201
        publish(recipe, result, asked.folder)
    measure(asked.folder, prompts.held_out)


if __name__ == "__main__":
    main()
