"""The recipe of a self-rewarding run: every choice that its record depends on."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from core.errors import SettingsError
from core.paths import data_folder
from core.training.policy import CHATML_PROMPT

Method = Literal["classic", "temporal"]

PREFIX = "self-rewarding-"
"""The package's recipes are called this and their method."""


@dataclass(frozen=True)
class SelfRewardingRecipe:
    """How a policy is trained on its own samples, as its judge ranks them.

    Attributes:
        name: of the recipe.
        method: "classic": chosen and rejected are the best and the worst sample of the current
            model (Yuan et al. 2024). "temporal": the rejected may come from the first model, the
            chosen from a provisional next one (Wang et al. 2025, arXiv 2508.06026).
        seed: of the draws, the adapter's first weights and the order of the pairs.
        base: the first model: the embedded one, a local folder or a hub id.
        judge: reward model that ranks the samples; it stays as it is.
        outside: reward model that only looks on.
        prompts_per_task: so many prompts of each task are used, the first ones of the list.
        iterations: updates of the policy.
        samples: responses of a model to each prompt (K).
        temperature: they are drawn at.
        top_p: they are drawn with.
        max_new_tokens: where a response is cut.
        beta: of DPO.
        epochs: passes over the pairs in each update. The first is one step of all pairs together
            (its gradients are recorded one by one), the others take `pairs_per_step`.
        pairs_per_step: pairs in a step after that.
        learning_rate: AdamW's, constant.
        max_grad_norm: longer gradients are scaled down to it.
        lora_rank: of the adapter that is trained.
        lora_alpha: LoRA's scale times the rank.
        first_layer: layers below it are not trained.
        lora_targets: linear maps that get an adapter.
        prompt_template: Jinja template of the text that a response follows.
    """

    name: str
    method: Method = "classic"
    seed: int = 0
    base: str = "smollm2-135m-instruct"
    judge: str = "pocket"
    outside: str = "pocket-flattery-invariant"
    prompts_per_task: int = 4
    iterations: int = 4
    samples: int = 4
    temperature: float = 0.7
    top_p: float = 0.9
    max_new_tokens: int = 32
    beta: float = 0.1
    epochs: int = 2
    pairs_per_step: int = 4
    learning_rate: float = 1e-3
    max_grad_norm: float = 1.0
    lora_rank: int = 8
    lora_alpha: float = 16.0
    first_layer: int = 15
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    prompt_template: str = CHATML_PROMPT

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            self._refuse("method", f"be one of {', '.join(get_args(Method))}")
        counts = ("prompts_per_task", "iterations", "epochs", "pairs_per_step", "max_new_tokens")
        for name in counts:
            if getattr(self, name) < 1:
                self._refuse(name, "be at least 1")
        if self.samples < 2:
            self._refuse("samples", "be at least 2, or there is no best and worst")
        for name in ("beta", "learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                self._refuse(name, "be above 0")

    def _refuse(self, name: str, condition: str) -> None:
        found = getattr(self, name)
        raise SettingsError(f"Recipe {self.name}: {name} must {condition}, not {found!r}.")

    @property
    def run(self) -> str:
        """Name of the run in the tables."""
        return f"{self.method}/seed-{self.seed}"

    def with_changes(self, **changes: Any) -> "SelfRewardingRecipe":
        """The recipe with some choices changed; those given as None stay as they are."""
        return replace(self, **{k: v for k, v in changes.items() if v is not None})


def recipes_file() -> Path:
    """Where the package's recipes are: what they share, and what is each one's own."""
    return data_folder() / "rollouts" / "self-rewarding" / "recipes.yaml"


def recipe_names() -> list[str]:
    """Names of the package's recipes, such as "self-rewarding-classic"."""
    return [f"{PREFIX}{method}" for method in _content(recipes_file())["recipes"]]


def read_self_rewarding_recipe(name_or_path: str) -> SelfRewardingRecipe:
    """Reads a recipe of the package by its name, or one from a YAML file of its fields.

    Raises:
        SettingsError: names the file and the field that is unknown or missing.
    """
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        return _recipe(path, _content(path))
    if name_or_path not in recipe_names():
        raise SettingsError(
            f"There is no recipe {name_or_path!r}.",
            fix=f"There are: {', '.join(recipe_names())}; or name a YAML file.",
        )
    content = _content(recipes_file())
    own = content["recipes"][name_or_path.removeprefix(PREFIX)] or {}
    return _recipe(recipes_file(), {"name": name_or_path, **content["shared"], **own})


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"Recipe {path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"Recipe {path}: expected fields, among them name.")
    return content


def _recipe(path: Path, content: dict[str, Any]) -> SelfRewardingRecipe:
    unknown = sorted(set(content) - {field.name for field in fields(SelfRewardingRecipe)})
    if unknown:
        raise SettingsError(f"Recipe {path}: unknown field {', '.join(unknown)}.")
    if "name" not in content:
        raise SettingsError(f"Recipe {path}: expected fields, among them name.")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    return SelfRewardingRecipe(**values)


def write_self_rewarding_recipe(recipe: SelfRewardingRecipe, path: Path) -> None:
    """Writes every choice, also those left at their default, so that a default may change later."""
    content = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(recipe).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
