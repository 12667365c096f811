"""The recipe of a DPO policy: every choice that its adapter depends on."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from core.errors import SettingsError
from core.models.card import Dtype
from core.training.policy import CHATML_PROMPT


@dataclass(frozen=True)
class DpoRecipe:
    """How a policy is trained on the authored pairs.

    Attributes:
        name: of the adapter and its card.
        base: the policy before training, and the reference: the embedded model, a local folder or
            a hub id.
        pairs_per_prompt: flawed responses set against the good one of each training prompt.
        beta: of DPO.
        epochs: passes over the pairs.
        pairs_per_step: pairs in one step of the optimiser.
        learning_rate: AdamW's peak; it rises over the first tenth and falls to 0 along a line.
        max_grad_norm: longer gradients are scaled down to it.
        lora_rank: of the adapter.
        lora_alpha: LoRA's scale times the rank.
        first_layer: layers below it are not trained.
        lora_targets: linear maps that get an adapter.
        seed: of the pairs' choice and order and of the adapter's first weights.
        dtype: number format of training's matrix products.
        prompt_template: Jinja template of the text that a response follows.
    """

    name: str
    base: str = "smollm2-135m-instruct"
    pairs_per_prompt: int = 1
    beta: float = 0.1
    epochs: int = 1
    pairs_per_step: int = 8
    learning_rate: float = 5e-4
    max_grad_norm: float = 1.0
    lora_rank: int = 8
    lora_alpha: float = 16.0
    first_layer: int = 20
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    seed: int = 0
    dtype: Dtype = "bfloat16-matmul"
    prompt_template: str = CHATML_PROMPT

    def __post_init__(self) -> None:
        for name in ("pairs_per_prompt", "epochs", "pairs_per_step", "lora_rank"):
            if getattr(self, name) < 1:
                raise SettingsError(f"Recipe {self.name}: {name} must be at least 1.")
        for name in ("beta", "learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"Recipe {self.name}: {name} must be above 0.")


def read_dpo_recipe(path: Path) -> DpoRecipe:
    """Reads a recipe from a YAML file of its fields.

    Raises:
        SettingsError: names the file and the field that is unknown or missing.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"Recipe {path}: cannot be read: {error}") from error
    if not isinstance(content, dict) or "name" not in content:
        raise SettingsError(f"Recipe {path}: expected fields, among them name.")
    unknown = sorted(set(content) - {field.name for field in fields(DpoRecipe)})
    if unknown:
        raise SettingsError(f"Recipe {path}: unknown field {', '.join(unknown)}.")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    return DpoRecipe(**values)


def write_dpo_recipe(recipe: DpoRecipe, path: Path) -> None:
    """Writes every choice, also those left at their default."""
    content = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(recipe).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
