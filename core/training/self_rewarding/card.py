"""The card of a collection of self-rewarding runs: what was trained, and what came out."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from core.labs.self_rewarding import drift, iterations
from core.labs.self_rewarding.generations import read_generations
from core.training.self_rewarding.recipe import PREFIX, SelfRewardingRecipe

N_DRAWS = 2_000


def write_card(recipes: Sequence[SelfRewardingRecipe], folder: Path) -> None:
    """Writes `card.yaml` beside the tables of a collection.

    The findings are sentences of numbers: of each method, pooled over its seeds, the first and the
    last iteration with 95% intervals over problems. They say what was measured, not what was hoped.

    Args:
        recipes: one for each run, in the order of the tables.
        folder: with rollouts.parquet and pairs.parquet.
    """
    rollouts = pd.read_parquet(folder / "rollouts.parquet").astype({"reward": "float64"})
    pairs = pd.read_parquet(folder / "pairs.parquet")
    wide = dict.fromkeys(pairs.select_dtypes("float32").columns, "float64")
    content = {
        "title": "Self-rewarding DPO, classic and temporal",
        "description": _description(recipes[0], rollouts),
        "command": f"reward-workbench train rollouts --recipe {PREFIX}classic",
        "findings": _findings(rollouts, pairs.astype(wide)),
        "tables": ["pairs"],
        "runs": [
            {
                "run": recipe.run,
                "method": recipe.method,
                "seed": recipe.seed,
                "base": False,
                "recipe": f"{PREFIX}{recipe.method}",
            }
            for recipe in recipes
        ],
    }
    text = yaml.safe_dump(content, sort_keys=False, width=100, allow_unicode=True)
    (folder / "card.yaml").write_text(text, encoding="utf-8")


def _description(recipe: SelfRewardingRecipe, rollouts: pd.DataFrame) -> str:
    n_problems = rollouts["problem_id"].nunique()
    return (
        f"{recipe.base} answers {n_problems} open prompts, {recipe.samples} samples each of at "
        f"most {recipe.max_new_tokens} tokens at temperature {recipe.temperature:g} and top-p "
        f"{recipe.top_p:g}. The reward model {recipe.judge} ranks them, and DPO (beta "
        f"{recipe.beta:g}, an adapter of rank {recipe.lora_rank}) trains on one pair a prompt; "
        f"{recipe.iterations} such iterations. Classic pairs are the best and the worst sample "
        "of the current model (Mi). Temporal pairs may take the rejected from the first model and "
        "the chosen from a provisional next one (Mf). The first model's samples are the Mi of "
        "iteration 0; the reference of an update is the policy as it began. Unlike in the papers "
        "the judge is a reward model that stays fixed, and not the policy. "
        f"{recipe.outside} looks on: its adapter was trained for itself, but over the same base "
        "and the same authored prompts, so it is no stranger to the judge. In the pairs, loss and "
        "weight are means over the passes of an update, and the gradient's norm is measured "
        "before it, where every weight is beta / 2."
    )


def _findings(rollouts: pd.DataFrame, pairs: pd.DataFrame) -> list[str]:
    measured = iterations.run(pairs, n_draws=N_DRAWS)
    drifted = drift.run(read_generations(rollouts).table, n_draws=N_DRAWS)
    methods = pairs["run"].str.rpartition("/seed-")[0].unique()
    found = [_verdict(measured.changes, list(methods))]
    for method in methods:
        parts = [
            _from_to(measured.estimates, measured.changes, method, name, label)
            for name, label in (
                ("gap", "the judge's gap"),
                ("cosine", "the cosine of chosen and rejected"),
                ("outside_agrees", "the share of pairs the outside model agrees with"),
                ("weight_after", "the weight after the update"),
            )
        ]
        found.append(f"{method}, pairs: {'; '.join(parts)}.")
        parts = [
            _from_to(drifted.estimates, drifted.changes, method, name, label)
            for name, label in (
                (drift.JUDGE, "the judge's standardised score of the samples"),
                (drift.OUTSIDE, "the outside model's"),
                (drift.AHEAD, "judge minus outside"),
            )
        ]
        found.append(f"{method}, samples: {'; '.join(parts)}.")
    return found


def _verdict(changes: pd.DataFrame, methods: Sequence[str]) -> str:
    """Whether the collapse that the paper reports shows: a gap that closes, pairs grown alike."""
    words = {
        "gap": ("the gap closes", "the gap widens", "no change of the gap is resolved"),
        "cosine": (
            "chosen and rejected grow less alike",
            "chosen and rejected grow more alike",
            "no change of their likeness is resolved",
        ),
    }
    parts = []
    for method in methods:
        told = []
        for measure, (below, above, unresolved) in words.items():
            own = changes[(changes["method"] == method) & (changes["measure"] == measure)]
            if own.empty:
                continue
            row = own.iloc[0]
            told.append(below if row["high"] < 0 else above if row["low"] > 0 else unresolved)
        parts.append(f"{method}: {', '.join(told)}")
    return (
        "The paper reports that under the classic rule the gap closes and the two responses grow "
        f"alike. At this scale, first against last iteration: {'; '.join(parts)}."
    )


def _from_to(
    estimates: pd.DataFrame, changes: pd.DataFrame, method: str, measure: str, label: str
) -> str:
    """First and last value of a measure and the paired change, each with its interval."""
    rows = estimates[
        (estimates["method"] == method)
        & (estimates["run"] == "all seeds")
        & (estimates["measure"] == measure)
    ].sort_values("iteration")
    change = changes[(changes["method"] == method) & (changes["measure"] == measure)]
    if rows.empty or change.empty:
        return f"{label} could not be estimated"
    first, last = rows.iloc[0], rows.iloc[-1]
    return (
        f"{label} {_told(first)} at iteration {first['iteration']} and {_told(last)} at "
        f"{last['iteration']} (change {_told(change.iloc[0])}; n = {last['n']} over "
        f"{last['n_prompts']} prompts)"
    )


def _told(row: "pd.Series[float]") -> str:
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
