"""Checkpoints of one run in order: what training changed, in the first one's ruler."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.compare.options import CompareError, CompareOptions
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.scores import BoolArray, FloatArray, PairScores
from core.labs.compare.tidy import estimate_columns
from core.stats import Estimate

ACCURACY = "accuracy"
MARGIN = "mean margin"
DRIFT = "reward drift"
CHANGE = "reward change"
NOISE = "noise floor"
FLIPPED = "winners changed since the step before"
MEASURES = (ACCURACY, MARGIN, DRIFT, CHANGE, NOISE, FLIPPED)

_STEP_AT_END = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True)
class RunView:
    """Measures over training steps.

    Attributes:
        checkpoints: the models in the order of their steps.
        steps: the step of each.
        table: one row a checkpoint and measure: `model`, `step`, `measure`, the estimate's columns.
            Accuracy and winners changed are shares. Mean margin, reward drift (mean change of a
            response's reward since the first checkpoint), reward change (mean absolute change) and
            noise floor are in units of the standard deviation of the first checkpoint's rewards:
            one ruler for all, so that a growing scale shows. Further measures are bias indices in
            their own unit.
        indices: names of the bias indices.
        ruler: the first checkpoint's standard deviation, in its own unit; NaN where its rewards do
            not differ, and what is measured with it is NaN too.
    """

    checkpoints: tuple[str, ...]
    steps: tuple[float, ...]
    table: pd.DataFrame
    indices: tuple[str, ...]
    ruler: float

    def line(self, measure: str) -> pd.DataFrame:
        """One measure's rows, in the order of the steps."""
        return self.table[self.table["measure"] == measure].reset_index(drop=True)


def run_view(
    scores: PairScores,
    steps: Mapping[str, float] | None = None,
    options: CompareOptions | None = None,
    *,
    indices: Mapping[str, Mapping[str, Estimate]] | None = None,
) -> RunView:
    """Follows the models of the table over their training steps.

    Args:
        scores: checkpoints of one run, whose rewards share a unit.
        steps: the step of each model; by default the last number in its name.
        options: confidence, draws, noise floors.
        indices: bias indices of other labs: index -> model -> estimate. A checkpoint without one
            has a gap.

    Raises:
        CompareError: a step is unknown or stands twice, or an index names an unknown model.
    """
    chosen = options or CompareOptions()
    step_of = _steps(scores.models, steps)
    order = sorted(scores.models, key=step_of.__getitem__)
    extra = dict(indices or {})
    scores.check_models([model for by_model in extra.values() for model in by_model])
    ruler = _ruler(scores, order[0])
    rows = []
    for position, model in enumerate(order):
        before = order[position - 1] if position else None
        found = _measured(scores, model, order[0], before, ruler, chosen)
        found |= {name: by_model[model] for name, by_model in extra.items() if model in by_model}
        rows += [
            {"model": model, "step": step_of[model], "measure": measure}
            | estimate_columns(estimate)
            for measure, estimate in found.items()
        ]
    in_order = tuple(step_of[model] for model in order)
    return RunView(tuple(order), in_order, pd.DataFrame(rows), tuple(extra), ruler)


def index_estimates(
    table: pd.DataFrame, columns: Iterable[str], options: CompareOptions | None = None
) -> dict[str, dict[str, Estimate]]:
    """Bias indices given as columns of the long scores table: each model's mean over its rows.

    Args:
        table: the table that `read_scores` takes, with a number a row in each of the columns.
        columns: which columns are indices.
        options: confidence, draws and seed.

    Raises:
        CompareError: a column is not there or not made of numbers.
    """
    chosen = options or CompareOptions()
    found: dict[str, dict[str, Estimate]] = {}
    for column in columns:
        if column not in table.columns or not pd.api.types.is_numeric_dtype(table[column]):
            raise CompareError(f"There is no column of numbers {column!r} in the table.")
        for model, part in table.groupby(table["model"].astype(str), sort=False):
            over = OverPrompts(list(part["prompt_id"].astype(str)), chosen, (column, str(model)))
            values = part[column].to_numpy(dtype=np.float64, na_value=np.nan)
            found.setdefault(column, {})[str(model)] = over.mean(values, "index")
    return found


def _steps(models: Sequence[str], steps: Mapping[str, float] | None) -> dict[str, float]:
    found: dict[str, float] = {}
    for model in models:
        match = _STEP_AT_END.search(model)
        step = steps.get(model) if steps is not None else float(match[1]) if match else None
        if step is None or not math.isfinite(step):
            raise CompareError(
                f"The training step of {model!r} is not known.", fix="Give each model its step."
            )
        if step in found.values():
            raise CompareError(f"Two checkpoints have step {step:g}.", fix="Choose one of them.")
        found[model] = float(step)
    return found


def _ruler(scores: PairScores, first: str) -> float:
    rows = scores.usable([first])
    rewards = np.concatenate(
        [scores.values(side, first, rows) for side in (scores.chosen, scores.rejected)]
    )
    finite = rewards[np.isfinite(rewards)]
    spread = float(finite.std()) if len(finite) else 0.0
    return spread if spread > 0 else float("nan")


def _measured(
    scores: PairScores,
    model: str,
    first: str,
    before: str | None,
    ruler: float,
    options: CompareOptions,
) -> dict[str, Estimate]:
    rows = scores.usable([model])
    over = OverPrompts(scores.prompts(rows), options, ("run", model), scores.left_out([model]))
    found = {
        ACCURACY: over.share(scores.credits(model)[rows], ACCURACY),
        MARGIN: over.mean(scores.values(scores.margins, model, rows) / ruler, MARGIN),
    }
    moved, both = _moved(scores, model, first)
    along = OverPrompts(
        scores.prompts(both) * 2, options, ("drift", model), scores.left_out([first, model])
    )
    found[DRIFT] = along.mean(moved / ruler, DRIFT)
    found[CHANGE] = along.mean(np.abs(moved) / ruler, CHANGE)
    floor = options.noise_floors.get(model)
    if floor is not None:
        found[NOISE] = _given(floor / ruler, options.confidence)
    if before is not None:
        found[FLIPPED] = _flipped(scores, before, model, options)
    return found


def _moved(scores: PairScores, model: str, first: str) -> tuple[FloatArray, BoolArray]:
    """(2 n,) change of each response's reward since the first checkpoint, chosen then rejected."""
    rows = scores.usable([first, model])
    with np.errstate(invalid="ignore"):
        sides = [
            scores.values(side, model, rows) - scores.values(side, first, rows)
            for side in (scores.chosen, scores.rejected)
        ]
    return np.concatenate(sides), rows


def _flipped(scores: PairScores, before: str, model: str, options: CompareOptions) -> Estimate:
    both = [before, model]
    rows = scores.usable(both)
    signs = [np.sign(scores.values(scores.margins, name, rows)) for name in both]
    over = OverPrompts(scores.prompts(rows), options, ("flipped", *both), scores.left_out(both))
    return over.share((signs[0] != signs[1]).astype(np.float64), FLIPPED)


def _given(value: float, confidence: float) -> Estimate:
    nan = float("nan")
    return Estimate(value, nan, nan, confidence, 0, 0, "from the conformance check")
