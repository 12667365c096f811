"""The recipe of a run that names none: what a base and a table of pairs suggest."""

from pathlib import Path

from core.errors import SettingsError
from core.models import embedded
from core.models.derive import read_tokenizer_config
from core.models.weights import read_json
from core.training.recipe import CHATML, Recipe


def default_recipe(name: str, base: str, folder: Path) -> Recipe:
    """A recipe for any decoder: adapters on the upper half of its layers, its own chat template.

    Nothing is swapped in: the pairs are taken as they are.

    Args:
        name: of the model to be made.
        base: as the recipe names it.
        folder: where the base's files are.

    Raises:
        SettingsError: the folder's configuration does not say how many layers there are.
    """
    config = read_json(folder / "config.json")
    n_layers = config.get("text_config", config).get("num_hidden_layers")
    if not isinstance(n_layers, int):
        raise SettingsError(
            f"{folder / 'config.json'} does not say num_hidden_layers, so {base} cannot be a base.",
            fix="Name the folder of a decoder-only language model.",
        )
    # The embedded base's own template would put a system prompt in front.
    own = base != embedded.BASE_NAME and read_tokenizer_config(folder).get("chat_template")
    return Recipe(
        name=name,
        base=base,
        template="" if own else CHATML,
        frozen_layers=n_layers // 2,
        swapped_per_prompt=0,
    )
