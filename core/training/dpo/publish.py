"""What a DPO run leaves: the adapter, its recipe, the record of training, held-out rewards."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.torch import save_file

from core.models import embedded
from core.stats import clustered_mean
from core.training.dpo.recipe import DpoRecipe, write_dpo_recipe
from core.training.dpo.train import DpoResult


def publish(recipe: DpoRecipe, result: DpoResult, margins: pd.DataFrame, output: Path) -> None:
    """Writes adapter, recipe.yaml, training.csv, held_out.csv and training.json into `output`.

    Args:
        recipe: of the run.
        result: what training left.
        margins: of `held_out_margins`.
        output: folder; made where it is not there.
    """
    output.mkdir(parents=True, exist_ok=True)
    policy = result.policy
    save_file(
        {name: tensor.contiguous() for name, tensor in policy.adapter_state().items()},
        output / "adapter_model.safetensors",
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
    margins.round(5).to_csv(output / "held_out.csv", index=False)
    record: dict[str, object] = {"seconds": round(result.seconds), "steps": len(result.steps)}
    record |= {f"held_out_{rule}": _accuracy(margins, rule) for rule in ("sum", "mean")}
    (output / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _accuracy(margins: pd.DataFrame, rule: str) -> dict[str, float]:
    """Share of held-out pairs ranked rightly, with its interval over prompts."""
    gap = margins[f"{rule}_chosen"] - margins[f"{rule}_rejected"]
    right = np.where(gap == 0, 0.5, gap > 0).astype(float)
    found = clustered_mean(right, list(margins["prompt_id"]), rng=np.random.default_rng(0))
    return {"accuracy": found.value, "low": found.low, "high": found.high, "n": found.n}
