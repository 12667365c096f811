"""Accuracy within the groups of a column, against the rest, and from baseline to candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as scipy_stats

from core.labs.compare.options import CompareError, CompareOptions
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.scores import BoolArray, FloatArray, PairScores
from core.labs.compare.tidy import estimate_columns
from core.stats import cluster_codes, false_discovery

MISSING, OTHER = "(missing)", "(other)"
MOST_SLICES = 40
_MOST_NUMBERS = 12
_QUANTILE_GROUPS = 4


@dataclass(frozen=True)
class Slices:
    """Accuracy by the values of one column.

    Attributes:
        column: whose values divide the pairs.
        accuracy: one row a `model` and `slice`: accuracy (a tie counts as half) with the
            estimate's columns, `n_ties`, `rest` (difference to the pairs outside the slice) with
            `rest_low`, `rest_high`, `p_value` and `p_adjusted` (over the slices of a model that
            are large enough), and `small`: fewer prompts than asked for, too few to judge.
        differences: one row a `candidate` and `slice`: paired difference in accuracy to the
            baseline with the estimate's columns, and `small`.
        best: for each model its best slice by accuracy among those not small; "" for none.
        worst: the same of the worst. Extremes of many slices look more extreme than they are: read
            them with `p_adjusted`.
        min_prompts: prompts a slice needs not to be small.
        notes: how the column was divided.
    """

    column: str
    accuracy: pd.DataFrame
    differences: pd.DataFrame
    best: Mapping[str, str]
    worst: Mapping[str, str]
    min_prompts: int
    notes: tuple[str, ...]


def slice_scores(scores: PairScores, column: str, options: CompareOptions | None = None) -> Slices:
    """Accuracy of every model within each value of a column.

    A column of more than 12 different numbers is cut into four groups of about equal size; of more
    than 40 other values the 40 most frequent are kept and the rest pooled. Pairs without a value
    are a slice of their own.

    Raises:
        CompareError: the column is not there, differs between models, or holds no plain values.
    """
    chosen = options or CompareOptions()
    labels, notes = _labels(scores, column)
    names = _ordered(labels)
    tables = [_accuracy(scores, model, labels, names, chosen) for model in scores.models]
    baseline = scores.baseline(chosen.baseline)
    differences = [
        row
        for model in scores.models
        if model != baseline
        for row in _differences(scores, baseline, model, labels, names, chosen)
    ]
    extremes = {table["model"].iloc[0]: _extremes(table) for table in tables if len(table)}
    return Slices(
        column,
        pd.concat(tables, ignore_index=True),
        pd.DataFrame(differences),
        {model: pair[0] for model, pair in extremes.items()},
        {model: pair[1] for model, pair in extremes.items()},
        chosen.min_prompts,
        tuple(notes),
    )


def sliceable(scores: PairScores) -> list[str]:
    """Columns that divide the pairs: numbers, and other plain values of which some repeat."""
    names = [name for name in scores.pairs.columns if name not in ("pair_id", "prompt_id")]
    return [str(name) for name in names if _divides(scores.pairs[name])]


def _divides(values: "pd.Series[Any]") -> bool:
    try:
        n_values = int(values.nunique())
    except TypeError:  # lists and mappings
        return False
    n_values += bool(values.isna().any())
    numbers = pd.api.types.is_numeric_dtype(values)
    return n_values >= 2 and (numbers or n_values <= max(2, len(values) // 2))


def _labels(scores: PairScores, column: str) -> tuple[npt.NDArray[np.object_], list[str]]:
    if column in scores.varying:
        raise CompareError(
            f"Column {column!r} differs between the models, so it does not divide the pairs.",
            fix="Choose a column that describes the pair.",
        )
    if column not in scores.pairs.columns:
        raise CompareError(f"There is no column {column!r} to divide the pairs by.")
    values = scores.pairs[column]
    try:
        n_values = int(values.nunique())
    except TypeError as error:
        raise CompareError(
            f"Column {column!r} holds lists or mappings.", fix="Choose a column of plain values."
        ) from error
    missing = np.asarray(values.isna(), dtype=bool)
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numbers and n_values > _MOST_NUMBERS:
        groups = pd.qcut(values.astype("float64"), _QUANTILE_GROUPS, duplicates="drop")
        ends = values.groupby(groups, observed=True).agg(["min", "max"])
        names = {cut: f"{low:g} to {high:g}" for cut, low, high in ends.itertuples()}
        texts = groups.map(names).astype(object)
        notes = [f"{n_values:,} different numbers, in groups of about equal size."]
    else:
        texts, notes = values.map(str, na_action="ignore").astype(object), []
        frequent = texts[~missing].value_counts().index[:MOST_SLICES]
        if n_values > MOST_SLICES:
            texts = texts.where(texts.isin(frequent), OTHER)
            notes = [f"{n_values:,} values: the {MOST_SLICES} most frequent, the others pooled."]
    return np.where(missing, MISSING, texts.to_numpy(dtype=object)), notes


def _ordered(labels: npt.NDArray[np.object_]) -> list[str]:
    """Plain values by name (numbers by size), then the pooled and the missing."""

    def key(name: str) -> tuple[bool, bool, float, str]:
        start = name.split(" ", maxsplit=1)[0]
        try:
            size = float(start)
        except ValueError:
            size = float("inf")
        return name == MISSING, name == OTHER, size, name

    return sorted(set(labels.tolist()), key=key)


def _accuracy(
    scores: PairScores,
    model: str,
    labels: npt.NDArray[np.object_],
    names: Sequence[str],
    options: CompareOptions,
) -> pd.DataFrame:
    usable, credit = scores.usable([model]), scores.credits(model)
    prompts = scores.prompts(usable)
    rows = []
    for name in names:
        inside = labels == name
        over = _over(scores, [model], inside, name, options)
        found = over.share(credit[inside & usable], "accuracy")
        rows.append(
            {"model": model, "slice": name}
            | estimate_columns(found)
            | {"n_ties": int((credit[inside & usable] == 0.5).sum())}
            | _against_rest(credit[usable], inside[usable], prompts, options.confidence)
            | {"small": found.n_prompts < options.min_prompts}
        )
    table = pd.DataFrame(rows)
    judged = table["p_value"].where(~table["small"])
    return table.assign(p_adjusted=false_discovery(judged.to_numpy(dtype=np.float64)))


def _over(
    scores: PairScores,
    models: Sequence[str],
    inside: BoolArray,
    name: str,
    options: CompareOptions,
) -> OverPrompts:
    within = scores.subset(inside)
    prompts = within.prompts(within.usable(models))
    return OverPrompts(prompts, options, ("slices", *models, name), within.left_out(models))


def _against_rest(
    credit: FloatArray, inside: BoolArray, prompts: Sequence[str], confidence: float
) -> dict[str, float]:
    """Accuracy inside minus outside, with a normal interval and p-value clustered by prompt.

    The error is the sandwich of a difference of two means: a prompt with pairs on both sides enters
    once with all of them. Source: Liang and Zeger 1986, Biometrika 73.
    """
    nan = float("nan")
    unknown = {"rest": nan, "rest_low": nan, "rest_high": nan, "p_value": nan}
    if not inside.any() or inside.all():
        return unknown
    means = credit[inside].mean(), credit[~inside].mean()
    influence = np.where(
        inside, (credit - means[0]) / inside.sum(), -(credit - means[1]) / (~inside).sum()
    )
    of_prompts = np.bincount(cluster_codes(prompts), influence)
    n_prompts = len(of_prompts)
    difference = float(means[0] - means[1])
    if n_prompts < 2 or not (of_prompts**2).sum():
        return unknown | {"rest": difference}
    error = float(np.sqrt(n_prompts / (n_prompts - 1) * (of_prompts**2).sum()))
    reach = float(scipy_stats.norm.ppf((1 + confidence) / 2)) * error
    return {
        "rest": difference,
        "rest_low": difference - reach,
        "rest_high": difference + reach,
        "p_value": float(2 * scipy_stats.norm.sf(abs(difference) / error)),
    }


def _differences(
    scores: PairScores,
    baseline: str,
    candidate: str,
    labels: npt.NDArray[np.object_],
    names: Sequence[str],
    options: CompareOptions,
) -> list[dict[str, Any]]:
    both = [baseline, candidate]
    usable = scores.usable(both)
    gained = scores.credits(candidate) - scores.credits(baseline)
    rows = []
    for name in names:
        inside = labels == name
        found = _over(scores, both, inside, name, options).share_difference(
            gained[inside & usable], "difference"
        )
        rows.append(
            {"baseline": baseline, "candidate": candidate, "slice": name}
            | estimate_columns(found)
            | {"small": found.n_prompts < options.min_prompts}
        )
    return rows


def _extremes(table: pd.DataFrame) -> tuple[str, str]:
    judged = table[~table["small"] & table["value"].notna()]
    if judged.empty:
        return "", ""
    in_order = judged.sort_values("value", ascending=False, kind="stable")["slice"]
    return str(in_order.iloc[0]), str(in_order.iloc[-1])
