"""Which method and threshold agree with people on whether two responses say the same.

Thresholds are chosen on training pairs and judged on validation pairs. `calibrated` keeps what came
out on NoveltyBench's human labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.diversity.classes import (
    ngrams,
    shared_share,
    tfidf_vectors,
    token_overlap,
    token_rule,
    words,
)
from core.labs.groups import FloatArray
from core.stats import Estimate, clustered_statistic

SIMILAR = "similar"
PROMPT_ID = "prompt_id"

BoolArray = npt.NDArray[np.bool_]

CRITERION = (
    "the threshold with the highest balanced accuracy (Youden's index) on the training pairs, "
    "half-way between the two similarities around it"
)


@dataclass(frozen=True)
class MethodCalibration:
    """One method against people.

    Attributes:
        method: the column.
        auc: area under the ROC curve on the validation pairs: the chance that a pair that people
            call the same is more similar than one they do not; ties count half.
        threshold: chosen on the training pairs.
        accuracy: balanced accuracy of that threshold on the validation pairs.
        found: of the validation pairs that people call the same, the share at or above it.
        false: of the others, the share at or above it.
        training_auc: on the training pairs.
        training_accuracy: balanced accuracy on the training pairs, flattered by the choice.
        roc: `threshold`, `false`, `found` on the validation pairs, from strict to loose.
    """

    method: str
    auc: Estimate
    threshold: float
    accuracy: Estimate
    found: float
    false: float
    training_auc: float
    training_accuracy: float
    roc: pd.DataFrame


@dataclass(frozen=True)
class Calibration:
    """Methods against people, the best AUC on validation first.

    Attributes:
        methods: one each.
        n_short: validation pairs that the rule for short texts could judge, and of how many.
        token_rule_right: of those, how many it judged as people did.
    """

    methods: tuple[MethodCalibration, ...]
    n_short: tuple[int, int]
    token_rule_right: int

    @property
    def best(self) -> MethodCalibration:
        """The method with the highest AUC on the validation pairs."""
        return self.methods[0]

    def table(self) -> pd.DataFrame:
        """One row a method with both aggregates and their intervals."""
        return pd.DataFrame([_row(each) for each in self.methods])


def pair_similarities(
    first: Sequence[str], second: Sequence[str], *, corpus: Sequence[str] | None = None
) -> dict[str, FloatArray]:
    """What the methods that need no model say of pairs of texts: (n,) each.

    Args:
        first: of each pair.
        second: of each pair.
        corpus: where TF-IDF counts how rare a word is; the pairs themselves by default.
    """
    basis = [*first, *second] if corpus is None else corpus
    left, right = tfidf_vectors(first, basis), tfidf_vectors(second, basis)
    pairs = list(zip(first, second, strict=True))
    return {
        "exact": np.array([float(a.strip() == b.strip()) for a, b in pairs]),
        "token-overlap": np.array([token_overlap(a, b) for a, b in pairs]),
        "jaccard": np.array([shared_share(words(a), words(b)) for a, b in pairs]),
        "n-gram": np.array(
            [shared_share(ngrams(words(a), 4), ngrams(words(b), 4)) for a, b in pairs]
        ),
        "tf-idf": np.asarray(left.multiply(right).sum(axis=1), dtype=np.float64).ravel(),
    }


def calibrate(
    training: pd.DataFrame,
    validation: pd.DataFrame,
    methods: Sequence[str],
    *,
    seed: int = 0,
    confidence: float = 0.95,
    texts: tuple[Sequence[str], Sequence[str]] | None = None,
) -> Calibration:
    """Chooses each method's threshold on the training pairs and judges it on the validation pairs.

    Args:
        training: one row a pair: `similar` (what people said), a column for each method.
        validation: the same with `prompt_id`, over which the intervals resample.
        methods: columns of similarities; higher is more alike.
        seed: of the resampling.
        confidence: of the intervals.
        texts: of the validation pairs, to count what the rule for short texts says.

    Raises:
        TableError: when one of the tables has pairs of one kind only, or lacks a column.
    """
    for name, table in (("training", training), ("validation", validation)):
        _check(name, table, methods)
    rng = np.random.default_rng(seed)
    found = [_calibrated(training, validation, each, rng, confidence) for each in methods]
    found.sort(key=lambda each: -each.auc.value)
    n_short, right = _short(validation[SIMILAR].to_numpy(dtype=bool), texts)
    return Calibration(tuple(found), (n_short, len(validation)), right)


def area_under_curve(
    similarity: npt.ArrayLike, same: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Chance that a pair called the same is more similar than one that is not; ties count half.

    Args:
        similarity: (n,).
        same: (n,) truth values.
        weights: (n,) how often each pair counts.

    Returns:
        NaN when one kind is missing.
    """
    values, truth = np.asarray(similarity, dtype=np.float64), np.asarray(same, dtype=bool)
    counted = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    positive, negative = values[truth], values[~truth]
    wins = np.sign(positive[:, None] - negative[None, :]) / 2 + 0.5
    total = counted[truth].sum() * counted[~truth].sum()
    return float(counted[truth] @ wins @ counted[~truth] / total) if total else float("nan")


def best_threshold(similarity: npt.ArrayLike, same: npt.ArrayLike) -> tuple[float, float]:
    """The threshold with the highest balanced accuracy, and that accuracy; see `CRITERION`.

    Of several equally good thresholds the strictest is taken: it calls fewer pairs the same.
    """
    values, truth = np.asarray(similarity, dtype=np.float64), np.asarray(same, dtype=bool)
    levels = np.unique(values)[::-1]
    balanced = [balanced_accuracy(values >= level, truth) for level in levels]
    at = int(np.argmax(balanced))
    below = levels[at + 1] if at + 1 < len(levels) else levels[at]
    return float((levels[at] + below) / 2), float(balanced[at])


def balanced_accuracy(
    said: npt.ArrayLike, same: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Mean of the share of pairs called the same that were found, and of others left apart."""
    verdict, truth = np.asarray(said, dtype=bool), np.asarray(same, dtype=bool)
    counted = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    both = counted[truth].sum(), counted[~truth].sum()
    if not all(both):
        return float("nan")
    found = counted[truth & verdict].sum() / both[0]
    apart = counted[~truth & ~verdict].sum() / both[1]
    return float((found + apart) / 2)


def _calibrated(
    training: pd.DataFrame,
    validation: pd.DataFrame,
    method: str,
    rng: np.random.Generator,
    confidence: float,
) -> MethodCalibration:
    trained, trained_same = _columns(training, method)
    values, same = _columns(validation, method)
    threshold, flattered = best_threshold(trained, trained_same)
    said = values >= threshold
    prompts = validation[PROMPT_ID].tolist()
    auc = clustered_statistic(
        lambda weights: area_under_curve(values, same, weights),
        prompts, rng=rng, confidence=confidence,
    )  # fmt: skip
    accuracy = clustered_statistic(
        lambda weights: balanced_accuracy(said, same, weights),
        prompts, rng=rng, confidence=confidence,
    )  # fmt: skip
    return MethodCalibration(
        method,
        auc,
        threshold,
        accuracy,
        float(said[same].mean()),
        float(said[~same].mean()),
        area_under_curve(trained, trained_same),
        flattered,
        _roc(values, same),
    )


def _roc(values: FloatArray, same: BoolArray) -> pd.DataFrame:
    levels = np.unique(values)[::-1]
    return pd.DataFrame(
        {
            "threshold": levels,
            "false": [float((values[~same] >= level).mean()) for level in levels],
            "found": [float((values[same] >= level).mean()) for level in levels],
        }
    )


def _short(same: BoolArray, texts: tuple[Sequence[str], Sequence[str]] | None) -> tuple[int, int]:
    if texts is None:
        return 0, 0
    verdicts = [token_rule(a, b) for a, b in zip(*texts, strict=True)]
    judged = [(said, truth) for said, truth in zip(verdicts, same, strict=True) if said is not None]
    return len(judged), sum(said == truth for said, truth in judged)


def _columns(table: pd.DataFrame, method: str) -> tuple[FloatArray, BoolArray]:
    return table[method].to_numpy(dtype=np.float64), table[SIMILAR].to_numpy(dtype=bool)


def _check(name: str, table: pd.DataFrame, methods: Sequence[str]) -> None:
    missing = [each for each in (SIMILAR, *methods) if each not in table.columns]
    if missing:
        raise TableError(f"The {name} pairs have no column {missing[0]!r}.")
    if table[SIMILAR].astype(bool).nunique() < 2:
        raise TableError(
            f"The {name} pairs are all of one kind.",
            fix="Give pairs that people call the same and pairs that they do not.",
        )


def _row(each: MethodCalibration) -> Mapping[str, object]:
    return {
        "method": each.method,
        "auc": each.auc.value,
        "auc_low": each.auc.low,
        "auc_high": each.auc.high,
        "threshold": each.threshold,
        "balanced_accuracy": each.accuracy.value,
        "balanced_low": each.accuracy.low,
        "balanced_high": each.accuracy.high,
        "found": each.found,
        "false": each.false,
        "training_auc": each.training_auc,
        "training_balanced": each.training_accuracy,
        "n": each.auc.n,
        "n_prompts": each.auc.n_prompts,
        "method_of_interval": each.auc.method,
    }


def auc_difference(
    validation: pd.DataFrame,
    first: str,
    second: str,
    *,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """AUC of one method minus that of another on the same pairs, interval over prompts.

    Args:
        validation: as for `calibrate`.
        first: column of the one.
        second: column of the other.
        seed: of the resampling.
        confidence: of the interval.
    """
    one, same = _columns(validation, first)
    other, _ = _columns(validation, second)
    return clustered_statistic(
        lambda weights: (
            area_under_curve(one, same, weights) - area_under_curve(other, same, weights)
        ),
        validation[PROMPT_ID].tolist(),
        rng=np.random.default_rng(seed),
        confidence=confidence,
    )
