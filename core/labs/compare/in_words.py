"""Results of the comparison as sentences: what a figure shows, how sure it is, what it cannot say.

Plain text: a page or report that reads markup must show it literally.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.labs.compare.agreement import KENDALL, SAME_WINNER, Agreement
from core.labs.compare.calibration import AS_GIVEN, CALIBRATED, ECE, ECE_CHANCE, Calibration
from core.labs.compare.checkpoints import ACCURACY, CHANGE, FLIPPED, NOISE, RunView
from core.labs.compare.ensembles import Ensembles
from core.labs.compare.flips import FROM_TIE, LOST, TO_TIE, WON, ChangedMinds
from core.labs.compare.head_to_head import BOTH, NEITHER, ONLY_X, ONLY_Y, TIE, HeadToHead
from core.labs.compare.paired import ACCURACY_FLIP, PairedComparison
from core.labs.compare.slices import Slices
from core.labs.compare.tidy import records
from core.stats import Estimate

SIGNIFICANT = 0.05
Row = Mapping[str, Any]


def percent(row: Row | Estimate) -> str:
    """A share with its interval: "78.0 % (70.1 to 84.6)"."""
    value, low, high = _parts(row)
    if np.isnan(value):
        return "no value"
    if np.isnan([low, high]).any():
        return f"{100 * value:.1f} % (no interval)"
    return f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def points(row: Row | Estimate) -> str:
    """A difference of shares with its interval, in percentage points."""
    value, low, high = _parts(row)
    if np.isnan(value):
        return "no difference known"
    if np.isnan([low, high]).any():
        return f"{100 * value:+.1f} points (no interval)"
    return f"{100 * value:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"


def of_pairs(row: Row | Estimate) -> str:
    """n and where it comes from: "100 pairs of 40 prompts"."""
    n, n_prompts = (
        (row.n, row.n_prompts) if isinstance(row, Estimate) else (row["n"], row["n_prompts"])
    )
    return f"{n:,} pair{'s' * (n != 1)} of {n_prompts:,} prompt{'s' * (n_prompts != 1)}"


def p_value(value: float) -> str:
    """A p-value as it is written."""
    if np.isnan(value):
        return "p not known"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _parts(row: Row | Estimate) -> tuple[float, float, float]:
    if isinstance(row, Estimate):
        return row.value, row.low, row.high
    return row["value"], row["low"], row["high"]


def overview_words(overview: pd.DataFrame) -> str:
    """Which model is right most often, and whether that can be told from the intervals."""
    known = [row for row in records(overview) if not np.isnan(row["value"])]
    if not known:
        return "No pair has a margin under any model."
    best, *others = sorted(known, key=lambda row: -row["value"])
    text = f"{best['model']} prefers the chosen response most often: {percent(best)} of "
    text += f"{of_pairs(best)}."
    if not others:
        return text
    worst = others[-1]
    text += f" Least often: {worst['model']}, {percent(worst)}."
    return text + " Overlapping intervals do not settle a difference: the paired tests do."


def head_to_head_words(result: HeadToHead) -> str:
    """On how many pairs two models part, and who is right there."""
    n = len(result.points)
    if not n:
        return "No pair has a margin under both models."
    counts, x, y = result.counts, result.x_model, result.y_model
    text = (
        f"Of {n:,} pairs both are right on {counts[BOTH]:,} and both wrong on {counts[NEITHER]:,}. "
        f"They disagree on {counts[ONLY_X] + counts[ONLY_Y]:,}: only {x} is right on "
        f"{counts[ONLY_X]:,}, only {y} on {counts[ONLY_Y]:,}."
    )
    return text + (f" {counts[TIE]:,} are a tie under one of them." if counts[TIE] else "")


def agreement_words(result: Agreement, measure: str) -> str:
    """Which two models agree most and least by one measure."""
    rows = [row for row in records(result.table) if row["measure"] == measure]
    known = sorted((row for row in rows if not np.isnan(row["value"])), key=lambda r: -r["value"])
    if not known:
        return "No two models have enough pairs in common."
    words = [_two(row, share=measure == SAME_WINNER) for row in (known[0], known[-1])]
    if len(known) == 1:
        return f"{words[0]}, on {of_pairs(known[0])}. {_AGREEMENT_MEANING[measure]}"
    return f"Closest: {words[0]}. Furthest: {words[1]}. {_AGREEMENT_MEANING[measure]}"


_AGREEMENT_MEANING = {
    SAME_WINNER: "Two models that are both right 90 % of the time agree on 80 % at least.",
    KENDALL: "1: they order the pairs alike from clearest to most wrong; 0: unrelated.",
}
_AGREEMENT_MEANING = (
    dict.fromkeys(("correlation of margins",), "1: margins in proportion; 0: unrelated.")
    | _AGREEMENT_MEANING
)


def _two(row: Row, *, share: bool) -> str:
    ends = row["low"], row["high"]
    interval = "no interval" if np.isnan(ends).any() else f"{ends[0]:.2f} to {ends[1]:.2f}"
    value = percent(row) if share else f"{row['value']:.2f} ({interval})"
    return f"{row['first']} and {row['second']}, {value}"


def changed_words(result: ChangedMinds) -> str:
    """How many pairs went over to another winner, and how many of them are noise."""
    counts, clear = result.counts, result.counts_clear
    n_changed = counts[WON] + counts[LOST]
    text = (
        f"From {result.baseline} to {result.candidate}, {n_changed:,} of "
        f"{of_pairs(result.flipped)} change their winner, {percent(result.flipped)}: "
        f"{counts[WON]:,} become right, {counts[LOST]:,} become wrong."
    )
    n_noise = n_changed - clear[WON] - clear[LOST]
    if any(result.noise_floors):
        text += f" Within a noise floor, where the winner is chance: {n_noise:,} of them."
    n_ties = counts[TO_TIE] + counts[FROM_TIE]
    return text + (f" {n_ties:,} more become or were a tie." if n_ties else "")


def paired_words(result: PairedComparison, p_adjusted: float) -> str:
    """Whether a candidate is better than the baseline, and what could have been seen.

    Args:
        result: the comparison.
        p_adjusted: of the sign flip of accuracy, corrected for the number of candidates.
    """
    found, reach = result.accuracy_difference, result.detectable_accuracy
    names = f"{result.candidate} against {result.baseline}"
    text = f"{names}: {points(found)} of accuracy on {of_pairs(found)}, {p_value(p_adjusted)} "
    text += "(sign flip over prompts, corrected for the number of candidates)."
    if np.isnan(found.value) or np.isnan(p_adjusted):
        return text
    if p_adjusted < SIGNIFICANT:
        return text + f" {result.candidate} is right {'more' if found.value > 0 else 'less'} often."
    text += " Not told apart from no difference"
    if np.isnan(reach):
        return text + "; as no prompt tells them apart, what could have been seen is not known."
    return text + f"; a true one of {100 * reach:.1f} points shows in 4 of 5 tables like this."


def outcome_p(outcomes: pd.DataFrame, candidate: str, test: str = ACCURACY_FLIP) -> float:
    """The corrected p-value of a candidate's test in `outcomes_table`."""
    rows = outcomes[(outcomes["candidate"] == candidate) & (outcomes["test"] == test)]
    return float(rows["p_adjusted"].iloc[0]) if len(rows) else float("nan")


def calibration_words(result: Calibration, model: str) -> str:
    """Whether a model's margins mean what they say."""
    found = {
        (row["variant"], row["measure"]): row
        for row in records(result.table[result.table["model"] == model])
    }
    given, chance = found[AS_GIVEN, ECE], found[AS_GIVEN, ECE_CHANCE]
    if np.isnan(given["value"]):
        return f"{model} has no pair with a margin."
    text = (
        f"Read as a probability, {model}'s stated confidence is off by {percent(given)} on "
        f"average over {of_pairs(given)}; perfect confidences would show {percent(chance)} by "
        "chance alone."
    )
    text += f" {_temperature_words(result.temperatures[model])}"
    calibrated = found[CALIBRATED, ECE]
    if not np.isnan(calibrated["value"]):
        text += f" With the temperature fitted on other prompts it is off by {percent(calibrated)}."
    return text


def _temperature_words(found: Estimate) -> str:
    value = found.value
    if np.isnan(value):
        return "No temperature can be fitted."
    if value == 0:
        return "Every verdict is right, so no temperature is small enough to say so."
    if np.isinf(value):
        return "Its margins point the wrong way on average: no temperature helps."
    known = not np.isnan([found.low, found.high]).any()
    interval = f" ({found.low:.2f} to {found.high:.2f})" if known else ""
    side = "too sure" if value > 1 else "not sure enough"
    return f"Its best temperature is {value:.2f}{interval}: as given it is {side}."


def slice_words(result: Slices, model: str) -> str:
    """A model's best and worst slice, and whether they differ from the rest."""
    rows = {
        row["slice"]: row for row in records(result.accuracy[result.accuracy["model"] == model])
    }
    best, worst = result.best.get(model, ""), result.worst.get(model, "")
    if not best:
        return f"{model}: no slice has {result.min_prompts} prompts or more, so none is judged."
    parts = [f"{model}: best {_slice(rows[best])}"]
    if worst != best:
        parts.append(f"worst {_slice(rows[worst])}")
    judged = [row for row in rows.values() if not row["small"] and not np.isnan(row["rest"])]
    told = [row for row in judged if row["p_adjusted"] < SIGNIFICANT]
    untested = [row for row in judged if np.isnan(row["p_adjusted"])]
    text = "; ".join(parts) + "."
    if told:
        text += f" Different from the rest after correction: {_rests(told)}."
    elif len(untested) < len(judged):
        text += " None differs from the rest by more than chance, corrected for their number."
    if untested:
        text += f" Without an error to test against, as no verdict varies: {_rests(untested)}."
    return text


def _rests(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row['slice']} ({100 * row['rest']:+.0f} points)" for row in rows)


def _slice(row: Row) -> str:
    return f"{row['slice']}, {percent(row)} of {of_pairs(row)}"


def ensemble_words(result: Ensembles) -> str:
    """Whether all models together beat the best of them, and whether their doubt is worth it."""
    rows = [row for row in records(result.accuracy) if not np.isnan(row["value"])]
    if not rows:
        return "No pair has a finite reward under every model."
    alone = max((r for r in rows if r["kind"] == "model"), key=lambda row: row["value"])
    together = max((r for r in rows if r["kind"] == "ensemble"), key=lambda row: row["value"])
    text = (
        f"On the {of_pairs(alone)} that all have scored, the best ensemble is the "
        f"{together['name']}, right on {percent(together)}; the best single model, "
        f"{alone['name']}, on {percent(alone)}."
    )
    auc, doubt = result.disagreement_auc, result.doubt_auc
    if np.isnan(auc.value):
        return text + " Disagreement cannot be judged: the mean is right, or wrong, everywhere."
    return text + (
        f" A pair that the mean gets wrong has more disagreement than one it gets right in "
        f"{percent(auc)} of cases (50 %: no use); a small margin alone tells in {percent(doubt)}."
    )


def run_words(view: RunView) -> str:
    """What changed from the first to the last checkpoint."""
    accuracy = records(view.line(ACCURACY))
    first, last = accuracy[0], accuracy[-1]
    text = (
        f"Accuracy goes from {percent(first)} after {view.steps[0]:g} steps to {percent(last)} "
        f"after {view.steps[-1]:g}, on {of_pairs(last)}."
    )
    flipped = [row for row in records(view.line(FLIPPED)) if not np.isnan(row["value"])]
    if flipped:
        text += f" Between the last two, {percent(flipped[-1])} of the winners change."
    noise, change = (_last_value(view, name) for name in (NOISE, CHANGE))
    if not np.isnan([noise, change]).any():
        side = "above" if change > noise else "within"
        text += (
            f" Rewards have moved by {change:.2f} (in standard deviations of the first "
            f"checkpoint's), {side} the last one's noise floor of {noise:.2g}."
        )
    return text


def _last_value(view: RunView, measure: str) -> float:
    line: Sequence[float] = list(view.line(measure)["value"])
    return float(line[-1]) if line else float("nan")
