"""Puts the finished runs of a collection together, as `core.rollouts.recorded` reads them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from core.errors import TableError
from core.rollouts.recorded import PROBLEMS, ROLLOUTS, rollouts_folder
from core.training.rollouts.recipes import BASE, RolloutRecipe, recipes


def publish(collection: str, finished: Path, target: Path | None = None) -> list[str]:
    """Writes a collection's tables and the runs of its card from the runs that are finished.

    The card's words (title, description, command, findings) are kept as they are.

    Args:
        collection: whose recipes are looked for.
        finished: the folder that `record` wrote into.
        target: the collection's folder; the package's own where it is None.

    Returns:
        The names of the runs.

    Raises:
        TableError: when no run is finished.
    """
    folder = target or rollouts_folder() / collection
    places = [
        (recipe, seed, finished / recipe.name / f"seed-{seed}")
        for recipe in recipes()
        if recipe.collection == collection
        for seed in recipe.seeds
    ]
    ready = [each for each in places if (each[2] / f"{PROBLEMS}.parquet").is_file()]
    if not ready:
        raise TableError(
            f"No run of {collection} is finished in {finished}.",
            fix="Train its recipes first: reward-workbench train rollouts --recipe NAME.",
        )
    names = [path.stem for path in sorted(ready[0][2].glob("*.parquet"))]
    for name in names:
        _merged(name, [place for _, _, place in ready]).to_parquet(
            folder / f"{name}.parquet", compression="zstd", compression_level=19, index=False
        )
    runs = [run for recipe, seed, place in ready for run in _described(recipe, seed, place)]
    card = folder / "card.yaml"
    told = yaml.safe_load(card.read_text(encoding="utf-8"))
    told["tables"] = [name for name in names if name not in (ROLLOUTS, PROBLEMS)]
    told["runs"] = runs
    card.write_text(
        yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=100), encoding="utf-8"
    )
    return [str(run["run"]) for run in runs]


def _merged(name: str, places: Sequence[Path]) -> pd.DataFrame:
    parts = [pd.read_parquet(place / f"{name}.parquet") for place in places]
    table = pd.concat(parts, ignore_index=True)
    if name == PROBLEMS:
        return table.drop_duplicates(ignore_index=True)
    if name == ROLLOUTS:
        table = _numbered(table)
    coded = [each for each in ("run", "split", "problem_id") if each in table.columns]
    return table.astype(dict.fromkeys(coded, "category"))


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    """The rollouts with no sample number twice in a group.

    A step that draws a problem twice has two groups of it, each numbered from 0.
    """
    names = ("run", "split", "step", "problem_id", "source")
    keys = [name for name in names if name in table.columns]
    again = table.groupby([*keys, "sample"], observed=True, sort=False).cumcount()
    size = table.groupby(keys, observed=True, sort=False)["sample"].transform("max") + 1
    number = table["sample"].astype("int64") + again * size.astype("int64")
    return table.assign(sample=number.astype(table["sample"].dtype))


def _described(recipe: RolloutRecipe, seed: int, place: Path) -> list[dict[str, object]]:
    """The runs of one training, as its rollouts name them: one, or one a sequence of tasks."""
    own = recipe.run_name(seed)
    told = pd.read_parquet(place / f"{ROLLOUTS}.parquet", columns=["run"])["run"].unique()
    return [
        {
            "run": str(run),
            "method": recipe.method if run == own else str(run).partition("/seed-")[0],
            "seed": seed,
            "base": recipe.method == BASE,
            "recipe": recipe.name,
        }
        for run in told
    ]
