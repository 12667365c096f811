"""What a DPO run leaves: the adapter, its recipe, the record of training, held-out rewards."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.torch import load_file, save_file

from core.models import embedded
from core.stats import clustered_mean
from core.training.classifier import base_path
from core.training.dpo.recipe import DpoRecipe, read_dpo_recipe, write_dpo_recipe
from core.training.dpo.train import DpoResult, adapter_shape, held_out_margins
from core.training.policy import load_policy
from core.training.preferences import AuthoredPrompt

ADAPTER, RECORD, HELD_OUT = "adapter_model.safetensors", "training.json", "held_out.csv"


def publish(recipe: DpoRecipe, result: DpoResult, output: Path) -> None:
    """Writes adapter, recipe.yaml, training.csv and training.json into `output`.

    Args:
        recipe: of the run.
        result: what training left.
        output: folder; made where it is not there.
    """
    output.mkdir(parents=True, exist_ok=True)
    policy = result.policy
    save_file(
        {name: tensor.contiguous() for name, tensor in policy.adapter_state().items()},
        output / ADAPTER,
        metadata={"format": "pt"},
    )
    config = policy.model.peft_config["default"].to_dict()
    # Sets in the configuration would be written in an order that changes from run to run.
    config = {k: sorted(v) if isinstance(v, set) else v for k, v in config.items()}
    is_embedded = recipe.base == embedded.BASE_NAME
    config["base_model_name_or_path"] = embedded.HUB_REPO if is_embedded else recipe.base
    config["inference_mode"] = True
    text = json.dumps(config, indent=2, sort_keys=True, default=str)
    (output / "adapter_config.json").write_text(text + "\n", encoding="utf-8")
    write_dpo_recipe(recipe, output / "recipe.yaml")
    result.steps.round(5).to_csv(output / "training.csv", index=False)
    _record(output, {"seconds": round(result.seconds), "steps": len(result.steps)})


def measure(folder: Path, prompts: Sequence[AuthoredPrompt]) -> pd.DataFrame:
    """Reads the published adapter again in float32 and writes held_out.csv and its accuracies.

    An implicit reward is a small difference of two large sums: rounded to bfloat16, their noise is
    as large as what the responses differ by, and it changes with the batch.

    Args:
        folder: of `publish`.
        prompts: that it was not trained on.

    Returns:
        What `held_out_margins` gives.
    """
    recipe = read_dpo_recipe(folder / "recipe.yaml")
    policy = load_policy(
        base_path(recipe.base),
        adapter=adapter_shape(recipe),
        prompt_template=recipe.prompt_template,
        dtype="float32",
    )
    policy.load_adapter_state(load_file(folder / ADAPTER))
    margins = held_out_margins(policy, prompts, recipe.beta)
    margins.round(6).to_csv(folder / HELD_OUT, index=False)
    _record(folder, {f"held_out_{rule}": _accuracy(margins, rule) for rule in ("sum", "mean")})
    return margins


def _record(folder: Path, parts: dict[str, object]) -> None:
    """Adds parts to training.json."""
    path = folder / RECORD
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps(known | parts, indent=2) + "\n", encoding="utf-8")


def _accuracy(margins: pd.DataFrame, rule: str) -> dict[str, float]:
    """Share of held-out pairs ranked rightly, with its interval over prompts."""
    gap = margins[f"{rule}_chosen"] - margins[f"{rule}_rejected"]
    right = np.where(gap == 0, 0.5, gap > 0).astype(float)
    found = clustered_mean(right, list(margins["prompt_id"]), rng=np.random.default_rng(0))
    return {"accuracy": found.value, "low": found.low, "high": found.high, "n": found.n}
