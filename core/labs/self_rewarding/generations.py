"""Recorded samples of self-rewarding training, and what-ifs on their scores.

The what-ifs: fewer samples a problem, a noisier judge, a judge that only knows whole points.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import TableError
from core.labs.self_rewarding.estimates import method_of
from core.labs.self_rewarding.pairs import CURRENT, FIRST, SOURCES

GENERATION_KEYS = ("run", "iteration", "problem_id", "source", "sample")
"""Columns that name a sample."""

POINTS = 5
"""Whole points go from 0 to this, as in the rubric of Yuan et al. 2024."""

_KEPT = ("prompt", "response", "outside", "tokens")


@dataclass(frozen=True)
class Generations:
    """Samples of self-rewarding runs.

    Attributes:
        table: one row a sample: `GENERATION_KEYS`, `method`, `judge_score` and, where they were
            recorded, prompt, response, outside (reward of a model that took no part), tokens.
        borrowed: samples of the first model that iterations past the first have not recorded of
            their own: they are those drawn at the first iteration, where the current model is the
            first one.
    """

    table: pd.DataFrame
    borrowed: int


@dataclass(frozen=True)
class Alteration:
    """What is changed about the recorded samples before pairs are built.

    Attributes:
        most_samples: of each source on each problem, drawn at random; None for all.
        noise: standard deviation of what is added to each score, in standard deviations of all
            recorded scores.
        whole_points: map scores linearly, from the lowest to the highest recorded one, onto 0 to
            `POINTS`, and round (halves up), after the noise.
        seed: of the draws and the noise.
    """

    most_samples: int | None = None
    noise: float = 0.0
    whole_points: bool = False
    seed: int = 0


def read_generations(rollouts: pd.DataFrame) -> Generations:
    """The samples in a rollout table: `step` is the iteration, `reward` the judge's score.

    Args:
        rollouts: `core.schema.ROLLOUT_COLUMNS` with the column `source` (M0, Mi or Mf).

    Raises:
        TableError: when the column `source` is missing, or no row has one of the sources.
    """
    if "source" not in rollouts.columns:
        raise TableError(
            "These rollouts have no column 'source'.",
            fix="Say who drew each sample: M0 (the first model), Mi (the model of the iteration) "
            "or Mf (the provisional next one).",
        )
    known = rollouts.loc[rollouts["source"].isin(SOURCES)]
    if known.empty:
        raise TableError(
            "No row of the column 'source' is M0, Mi or Mf.",
            fix="Call the first model M0, the current one Mi, the provisional next one Mf.",
        )
    table = pd.DataFrame(
        {
            "run": known["run"].astype(str),
            "method": known["run"].astype(str).map(method_of),
            "iteration": known["step"].astype("int64"),
            "problem_id": known["problem_id"].astype(str),
            "source": known["source"].astype(str),
            "sample": known["sample"].astype("int64"),
            "judge_score": pd.to_numeric(known["reward"], errors="coerce").astype("float64"),
            **{name: known[name] for name in _KEPT if name in known.columns},
        }
    ).reset_index(drop=True)
    borrowed = _first_model_elsewhere(table)
    return Generations(pd.concat([table, borrowed], ignore_index=True), len(borrowed))


def _first_model_elsewhere(table: pd.DataFrame) -> pd.DataFrame:
    """Samples of the first model for the problems of iterations that recorded none."""
    first = table["iteration"].min()
    drawn = table.loc[(table["iteration"] == first) & (table["source"] == CURRENT)]
    place = ["run", "iteration", "problem_id"]
    recorded = table.loc[table["source"] == FIRST, place].drop_duplicates()
    wanted = table.loc[table["source"] == CURRENT, place].drop_duplicates()
    wanted = wanted.merge(recorded, how="left", on=place, indicator="where")
    wanted = wanted.loc[wanted["where"] == "left_only", place]
    without = drawn.drop(columns="iteration").assign(source=FIRST)
    return wanted.merge(without, on=["run", "problem_id"])[list(table.columns)]


def altered(generations: pd.DataFrame, change: Alteration) -> pd.DataFrame:
    """The samples after the change; the recorded score stays in `recorded_score`.

    Args:
        generations: `Generations.table`.
        change: what is changed. Nothing is, by default.

    Raises:
        ValueError: when fewer than one sample is asked for, or the noise is negative.
    """
    if change.most_samples is not None and change.most_samples < 1:
        raise ValueError(f"At least one sample of each source, not {change.most_samples}.")
    if not change.noise >= 0:
        raise ValueError(f"The noise is a standard deviation of 0 or more, not {change.noise}.")
    rng = np.random.default_rng(change.seed)
    recorded = generations["judge_score"].to_numpy(np.float64)
    # Drawn for all samples, also those that are not kept: the noise of a sample is then the same
    # whatever number of samples is kept.
    order, errors = rng.random(len(recorded)), rng.standard_normal(len(recorded))
    finite = recorded[np.isfinite(recorded)]
    spread = float(finite.std()) if finite.size else 0.0
    scores = recorded + change.noise * spread * errors
    if change.whole_points and finite.size:
        scores = _whole_points(scores, float(finite.min()), float(finite.max()))
    table = generations.assign(judge_score=scores, recorded_score=recorded)
    if change.most_samples is None:
        return table
    keys = ["run", "iteration", "problem_id", "source"]
    place = table.assign(order=order).groupby(keys)["order"].rank(method="first")
    return table.loc[place <= change.most_samples].reset_index(drop=True)


def _whole_points(scores: np.ndarray, low: float, high: float) -> np.ndarray:
    if high == low:
        return np.where(np.isfinite(scores), 0.0, scores)
    points = np.floor(POINTS * (scores - low) / (high - low) + 0.5)
    clipped: np.ndarray = np.clip(points, 0, POINTS)
    return clipped
