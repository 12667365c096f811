"""What a self-rewarding run leaves: its samples, its pairs, and the recipe beside them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.labs.self_rewarding.pairs import BuiltPairs
from core.models.base import FloatArray
from core.models.sampling import Tokens
from core.training.policy.prompts import OpenPrompt
from core.training.self_rewarding.recipe import SelfRewardingRecipe, write_self_rewarding_recipe
from core.training.self_rewarding.update import PairRecord

PairRow = dict[str, Any]
"""One row of the table of pairs."""


@dataclass(frozen=True)
class SampleRow:
    """A sample with all that is known of it; the columns of the rollout table.

    `step` is the iteration, `source` "Mi" for the current model or "Mf" for the provisional next
    one. `reward` is the judge's; `outside` is that of the model that only looks on, NaN for the
    provisional model's samples. `token_ids` ends with the end token where it came.
    """

    step: int
    source: str
    problem_id: str
    sample: int
    response: str
    token_ids: Tokens
    reward: float
    outside: float
    log_probability: float
    entropy: float
    truncated: bool


def pair_rows(
    recipe: SelfRewardingRecipe,
    iteration: int,
    built: BuiltPairs,
    sides: Sequence[tuple[SampleRow, ...]],
    records: Sequence[PairRecord],
    outside: FloatArray,
) -> list[PairRow]:
    """Rows of the table of pairs.

    Args:
        recipe: beta and the run's name are read from it.
        iteration: the pairs were trained on in it.
        built: the pairs.
        sides: chosen and rejected sample of each.
        records: what the update measured of each.
        outside: (n, 2) rewards of chosen and rejected by the outside model.
    """
    rows = []
    told = built.pairs.to_dict("records")
    for pair, (high, low), record, rewards in zip(told, sides, records, outside, strict=True):
        losses = np.array(record.losses)
        rows.append(
            {
                "run": recipe.run,
                "iteration": iteration,
                **{str(name): value for name, value in pair.items()},
                "chosen": high.response,
                "rejected": low.response,
                "outside_chosen": float(rewards[0]),
                "outside_rejected": float(rewards[1]),
                "cosine": record.cosine,
                "distance": record.distance,
                "gradient_norm": record.gradient_norm,
                "policy_chosen_before": record.policy_chosen_before,
                "policy_rejected_before": record.policy_rejected_before,
                "policy_chosen_after": record.policy_chosen_after,
                "policy_rejected_after": record.policy_rejected_after,
                "reference_chosen": record.policy_chosen_before,
                "reference_rejected": record.policy_rejected_before,
                "loss": float(losses.mean()),
                # 1 - sigmoid(m) = 1 - exp(-loss), since the loss is -log sigmoid(m).
                "weight": float(recipe.beta * -np.expm1(-losses).mean()),
            }
        )
    return rows


def write_run(
    recipe: SelfRewardingRecipe,
    samples: Sequence[SampleRow],
    pairs: Sequence[PairRow],
    prompts: Sequence[OpenPrompt],
    details: dict[str, Any],
    folder: Path,
) -> None:
    """Writes rollouts.parquet, pairs.parquet, problems.parquet, recipe.yaml and run.json."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame([asdict(row) for row in samples])
    table.insert(0, "run", recipe.run)
    table["tokens"] = table.pop("token_ids").map(len)
    _write(table, folder / "rollouts.parquet")
    _write(pd.DataFrame(list(pairs)), folder / "pairs.parquet")
    _write(pd.DataFrame([asdict(each) for each in prompts]), folder / "problems.parquet")
    write_self_rewarding_recipe(recipe, folder / "recipe.yaml")
    (folder / "run.json").write_text(json.dumps(details, indent=2) + "\n", encoding="utf-8")


def collect_runs(folders: Sequence[Path], output: Path) -> None:
    """Puts the records of several runs together as one collection (without its card).

    Args:
        folders: of the runs, in the order they shall have.
        output: folder of the collection; made where it is not there.
    """
    output.mkdir(parents=True, exist_ok=True)
    for name in ("rollouts", "pairs"):
        parts = [pd.read_parquet(folder / f"{name}.parquet") for folder in folders]
        _write(pd.concat(parts, ignore_index=True), output / f"{name}.parquet")
    _write(pd.read_parquet(folders[0] / "problems.parquet"), output / "problems.parquet")


def _write(table: pd.DataFrame, file: Path) -> None:
    """Numbers in single precision: what was measured in bfloat16 products has no more to tell."""
    wide = table.select_dtypes("float64").columns
    small = table.astype(dict.fromkeys(wide, "float32"))
    small.to_parquet(file, index=False, compression="zstd", compression_level=12)
