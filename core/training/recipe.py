"""The recipe of a training run: every choice that the result depends on, as one frozen value."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from core.errors import SettingsError
from core.paths import data_folder

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
"""ChatML and nothing else: SmolLM2's own template would put a system prompt in front."""


@dataclass(frozen=True)
class Recipe:
    """How a reward model is trained.

    Attributes:
        name: id of the model; its card, adapter folder and checkpoints carry it.
        base: "smollm2-135m-instruct" for the embedded base, or a local folder.
        template: Jinja template that turns `messages` into the text the model reads.
        max_length: tokens; a longer training text is an error, not a silent cut.
        frozen_layers: how many of the lowest layers no adapter touches (their states are cached).
        lora_rank: rank of the adapters on the layers above.
        lora_alpha: LoRA scale times rank.
        lora_dropout: dropout before the adapters, 0..1.
        lora_targets: names of the linear maps that get an adapter.
        learning_rate: peak, for the adapters.
        head_learning_rate: peak, for the scalar head.
        weight_decay: AdamW's.
        warmup_share: share of the steps in which the rate rises; then it falls to 0 as a cosine.
        max_grad_norm: gradients longer than this are scaled down to it.
        epochs: passes over the training prompts at most.
        prompts_per_batch: prompts in a step; each comes with all its responses.
        swapped_per_prompt: how many good responses of other training prompts of the same category
            go with each prompt as further rejected responses (they teach that the answer must fit
            the question).
        swapped_pool: how many such responses a prompt has to draw from, anew in every epoch.
        swapped_nearest: how many of the pool answer the prompts most alike in wording.
        centring: weight of the squared sum of chosen and rejected reward; keeps rewards near 0.
        validation_share: share of the training prompts that only decide when to stop.
        validations_per_epoch: how often the validation loss is taken (and the state saved).
        patience: validations without a better loss before training stops; 0 never stops early.
        checkpoints: how many points of the training are kept, the last being the final model.
        seed: of the order, the dropout, the initial weights, the swaps and the validation prompts.
    """

    name: str
    base: str = "smollm2-135m-instruct"
    template: str = CHATML
    max_length: int = 2048
    frozen_layers: int = 15
    lora_rank: int = 8
    lora_alpha: float = 16.0
    lora_dropout: float = 0.05
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    learning_rate: float = 5e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.06
    max_grad_norm: float = 1.0
    epochs: int = 4
    prompts_per_batch: int = 8
    swapped_per_prompt: int = 1
    swapped_pool: int = 6
    swapped_nearest: int = 3
    centring: float = 0.01
    validation_share: float = 0.1
    validations_per_epoch: int = 2
    patience: int = 4
    checkpoints: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        shares = {"validation_share": self.validation_share, "warmup_share": self.warmup_share}
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise SettingsError(f"Recipe {self.name}: {name} must lie in [0, 1), not {share}.")
        counts = {
            "epochs": self.epochs,
            "prompts_per_batch": self.prompts_per_batch,
            "validations_per_epoch": self.validations_per_epoch,
            "checkpoints": self.checkpoints,
        }
        for name, count in counts.items():
            if count < 1:
                raise SettingsError(f"Recipe {self.name}: {name} must be at least 1, not {count}.")

    def with_changes(self, **changes: Any) -> "Recipe":
        """The recipe with some choices changed; those given as None stay as they are."""
        return replace(self, **{k: v for k, v in changes.items() if v is not None})


def recipe_path(name: str) -> Path:
    """Where a named recipe of the package is."""
    return data_folder() / "adapters" / name / "recipe.yaml"


def read_recipe(name_or_path: str) -> Recipe:
    """Reads a recipe by its name ("pocket") or from a YAML file.

    Raises:
        SettingsError: names the file and the field that is unknown or missing.
    """
    path = Path(name_or_path)
    path = path if path.suffix in {".yaml", ".yml"} else recipe_path(name_or_path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"Recipe {path}: cannot be read: {error}") from error
    if not isinstance(content, dict) or "name" not in content:
        raise SettingsError(f"Recipe {path}: expected fields, among them name.")
    unknown = sorted(set(content) - {field.name for field in fields(Recipe)})
    if unknown:
        raise SettingsError(f"Recipe {path}: unknown field {', '.join(unknown)}.")
    content["lora_targets"] = tuple(content.get("lora_targets", Recipe("").lora_targets))
    return Recipe(**content)


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Writes every choice, also those left at their default, so that a default may change later."""
    content = {**asdict(recipe), "lora_targets": list(recipe.lora_targets)}
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
