"""The recipe of a training run: every choice that the result depends on, as one frozen value."""

import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from core.errors import SettingsError
from core.paths import data_folder

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
"""ChatML and nothing else: SmolLM2's own template would put a system prompt in front."""

ObjectiveName = Literal["bradley-terry", "invariant", "paraphrase-consistent", "odin"]
OBJECTIVES: tuple[str, ...] = get_args(ObjectiveName)

BiasName = Literal["", "length", "flattery"]
BIASES: tuple[str, ...] = get_args(BiasName)

PLANTED = "planted"
"""The attribute that the recipe's own bias planted, read from its label and not from the text."""


@dataclass(frozen=True)
class Recipe:
    """How a reward model is trained.

    Attributes:
        name: id of the model; its card, adapter folder and checkpoints carry it.
        base: "smollm2-135m-instruct" for the embedded base, a local folder, or a hub id
            ("org/name" or "org/name@revision").
        template: Jinja template that turns `messages` into the text the model reads; the chat
            template of the base's own tokenizer where it is empty.
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
        seed: of the order, the dropout, the initial weights, the swaps, the planted bias, the
            paraphrases and the validation prompts.
        objective: what is minimised, see `core.training.objectives`.
        coefficient: weight of the objective's own term: lambda of `invariant` and `odin`, alpha of
            `paraphrase-consistent`.
        attribute: what the reward shall not follow, for `invariant` and `odin`: the name of an
            attribute of `core.labs.attributes` ("length" is its "words"), or "planted" for the
            label of the recipe's bias.
        bins: into how many quantile bins `invariant` divides the attribute, at most.
        conditional: whether `invariant` compares the bins within the chosen and within the rejected
            texts (True) or over all of them (False).
        paraphrases: the perturbations that `paraphrase-consistent` rewords a response by; which
            one comes first is drawn for each response, and the first that applies is used.
        bias: a shortcut planted in the training responses, see `core.training.biases`.
        bias_chosen: share of the chosen responses that show it.
        bias_rejected: share of the rejected ones.
        foreign_prompts: under how many other prompts, drawn at random, each prompt's responses are
            read instead of under their own; 0 leaves them with their own. Both sides of a pair are
            read under the same one, so nothing in the data rewards reading the prompt.
        tie_weight: when above 0, every swapped response brings a flawed one of the same other
            prompt along. Both are rejected, and as answers to the wrong question they tie with
            each other: that tie counts as this many pairs.
        start: a recipe of the package whose trained adapter the run begins with, instead of a
            fresh one; it must have the same base, rank, targets and frozen layers.
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
    objective: ObjectiveName = "bradley-terry"
    coefficient: float = 1.0
    attribute: str = ""
    bins: int = 3
    conditional: bool = True
    paraphrases: tuple[str, ...] = ("paraphrase", "double-spaces", "reorder-items")
    bias: BiasName = ""
    bias_chosen: float = 0.8
    bias_rejected: float = 0.2
    foreign_prompts: int = 0
    tie_weight: float = 0.0
    start: str = ""

    def __post_init__(self) -> None:
        for name in ("validation_share", "warmup_share"):
            self._require(name, 0 <= getattr(self, name) < 1, "lie in [0, 1)")
        for name in ("bias_chosen", "bias_rejected"):
            self._require(name, 0 <= getattr(self, name) <= 1, "lie in [0, 1]")
        for name in ("epochs", "prompts_per_batch", "validations_per_epoch", "checkpoints"):
            self._require(name, getattr(self, name) >= 1, "be at least 1")
        for name in ("coefficient", "tie_weight", "foreign_prompts", "frozen_layers", "patience"):
            self._require(name, getattr(self, name) >= 0, "not be negative")
        self._require("coefficient", math.isfinite(self.coefficient), "be finite")
        objectives = ", ".join(OBJECTIVES)
        self._require("objective", self.objective in OBJECTIVES, f"be one of {objectives}")
        biases = ", ".join(name or "nothing" for name in BIASES)
        self._require("bias", self.bias in BIASES, f"be one of {biases}")
        self._require("bins", self.bins >= 2, "be at least 2")
        self._check_combinations()

    def _check_combinations(self) -> None:
        if self.objective in ("invariant", "odin") and not self.attribute:
            raise SettingsError(
                f"Recipe {self.name}: objective {self.objective} needs an attribute.",
                fix="Name what the reward shall not follow, for example length.",
            )
        if self.attribute == PLANTED and not self.bias:
            raise SettingsError(
                f"Recipe {self.name}: attribute is planted, but no bias is.",
                fix="Set bias, or name an attribute of the text.",
            )
        if self.foreign_prompts and self.swapped_per_prompt:
            raise SettingsError(
                f"Recipe {self.name}: with foreign_prompts no response answers its prompt, so "
                "swapped_per_prompt must be 0."
            )

    def _require(self, name: str, holds: bool, condition: str) -> None:
        if not holds:
            found = getattr(self, name)
            raise SettingsError(f"Recipe {self.name}: {name} must {condition}, not {found!r}.")

    @property
    def identity(self) -> dict[str, Any]:
        """What a run of this recipe is known by: all fields but later ones at their default.

        A field that comes to the class later leaves the state of runs begun before valid.
        """
        names = [field.name for field in fields(self)]
        later = fields(self)[names.index(_FIRST_OF_LATER) :]
        at_default = {field.name for field in later if getattr(self, field.name) == field.default}
        return {name: value for name, value in asdict(self).items() if name not in at_default}

    def with_changes(self, **changes: Any) -> "Recipe":
        """The recipe with some choices changed; those given as None stay as they are."""
        return replace(self, **{k: v for k, v in changes.items() if v is not None})


_FIRST_OF_LATER = "objective"
"""From this field on, all came to the recipe after runs were begun with it."""


def recipe_path(name: str) -> Path:
    """Where a named recipe of the package is."""
    return data_folder() / "adapters" / name / "recipe.yaml"


def recipe_names() -> list[str]:
    """Names of the package's recipes."""
    return sorted(file.parent.name for file in (data_folder() / "adapters").glob("*/recipe.yaml"))


def read_recipe(name_or_path: str) -> Recipe:
    """Reads a recipe by its name ("pocket") or from a YAML file.

    Raises:
        SettingsError: names the file and the field that is unknown or missing.
    """
    path = Path(name_or_path)
    path = path if path.suffix in {".yaml", ".yml"} else recipe_path(name_or_path)
    if not path.is_file():
        raise SettingsError(
            f"There is no recipe {name_or_path!r}.",
            fix=f"There are: {', '.join(recipe_names())}; or name a YAML file.",
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"Recipe {path}: cannot be read: {error}") from error
    if not isinstance(content, dict) or "name" not in content:
        raise SettingsError(f"Recipe {path}: expected fields, among them name.")
    unknown = sorted(set(content) - {field.name for field in fields(Recipe)})
    if unknown:
        raise SettingsError(f"Recipe {path}: unknown field {', '.join(unknown)}.")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    return Recipe(**values)


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Writes every choice, also those left at their default, so that a default may change later."""
    content = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(recipe).items()}
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
