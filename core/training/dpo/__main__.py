"""`python -m core.training.dpo RECIPE.yaml OUTPUT`: trains the policy and writes its adapter."""

import sys
from pathlib import Path

from core.training.dpo.publish import publish
from core.training.dpo.recipe import read_dpo_recipe
from core.training.dpo.train import held_out_margins, train_dpo
from core.training.preferences import read_preferences, split_prompts


def main(recipe_path: str, output: str) -> None:
    """Trains by the recipe on the training prompts and measures the held-out ones."""
    recipe = read_dpo_recipe(Path(recipe_path))
    prompts = split_prompts(read_preferences())
    result = train_dpo(recipe, prompts.train, lambda line: print(line, flush=True))  # noqa: T201
    margins = held_out_margins(result.policy, prompts.held_out, recipe.beta)
    publish(recipe, result, margins, Path(output))


if __name__ == "__main__":
    main(*sys.argv[1:3])
