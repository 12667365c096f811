"""The report of a comparison: every part computed again from its rewards, and all changed pairs.

Everything drawn at random has its seed among the run's options, so that the numbers are those that
were on the page.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.compare import (
    accuracy_ranges,
    agreement_heatmap,
    changed_minds_bars,
    disagreement_histogram,
    ensemble_ranges,
    head_to_head_scatter,
    paired_differences,
    reliability_diagram,
    run_line,
    slice_ranges,
)
from core.labs.compare import (
    ChangedMinds,
    CompareOptions,
    Comparison,
    compare_head_to_head,
    outcomes_table,
    read_scores,
    run,
    run_view,
    slice_scores,
    sliceable,
)
from core.labs.compare.agreement import KENDALL, SAME_WINNER
from core.labs.compare.checkpoints import ACCURACY, CHANGE, DRIFT, MARGIN
from core.labs.compare.in_words import (
    agreement_words,
    calibration_words,
    changed_words,
    ensemble_words,
    head_to_head_words,
    outcome_p,
    overview_words,
    paired_words,
    run_words,
    slice_words,
)
from core.report import Section, register_report

_EXAMPLES = 200
"""Changed pairs of a candidate that the report lists with their texts."""

_MEASURES = (ACCURACY, MARGIN, DRIFT, CHANGE)


def compare_sections(
    tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> Sequence[Section]:
    """Sections of a saved comparison, from its tables `scores` and (for the texts) `pairs`."""
    pairs = tables["pairs"] if "pairs" in tables else pd.DataFrame()
    told = CompareOptions(
        baseline=options.get("baseline") or None,
        noise_floors=dict(options.get("noise_floors") or {}),
        seed=int(options.get("seed") or 0),
    )
    found = run(tables["scores"], told)
    return [
        _overview(found),
        _paired(found),
        _head_to_head(found, pairs),
        *_changed(found, pairs),
        _agreement(found),
        _calibration(found),
        *_slices(found),
        _ensembles(found),
        *_training_runs(found, tables["scores"], options),
    ]


def _overview(found: Comparison) -> Section:
    floors = found.options.noise_floors
    known = ", ".join(f"{model} {floor:.2g}" for model, floor in floors.items())
    note = "Noise floors (largest change of a reward from batching alone): " + (known or "unknown")
    return Section(
        "Accuracy",
        f"{overview_words(found.overview)}\n\nBaseline: {found.baseline}. Intervals are over "
        "prompts.",
        figures=[accuracy_ranges(found.overview)],
        tables={"Overview": found.overview},
        notes=[f"{note}.", *found.scores.notes],
    )


def _paired(found: Comparison) -> Section:
    outcomes = outcomes_table(found.paired)
    words = [paired_words(one, outcome_p(outcomes, one.candidate)) for one in found.paired]
    estimates = {
        f"{one.candidate} - {one.baseline}, {what}": estimate
        for one in found.paired
        for what, estimate in (
            ("accuracy", one.accuracy_difference),
            ("standardised margin", one.margin_difference),
        )
    }
    return Section(
        "Paired tests",
        "\n\n".join(words),
        estimates=estimates,
        figures=[paired_differences(found.paired)],
        tables={"Tests": outcomes},
    )


def _head_to_head(found: Comparison, pairs: pd.DataFrame) -> Section:
    prompts = _prompts(pairs)
    words, figures = [], []
    for one in found.paired:
        result = compare_head_to_head(found.scores, found.baseline, one.candidate)
        rows = [int(row) for row in result.points["row"]]
        texts = [prompts[row] for row in rows] if prompts else []
        words.append(head_to_head_words(result))
        figures.append(_drawn_as_svg(head_to_head_scatter(result, texts=texts)))
    return Section("Head to head", "\n\n".join(words), figures=figures)


def _drawn_as_svg(figure: go.Figure) -> go.Figure:
    """The figure without traces that need the graphics card, which a report does without."""
    content = figure.to_dict()
    for trace in content["data"]:
        trace["type"] = trace["type"].removesuffix("gl")
    return go.Figure(content)


def _changed(found: Comparison, pairs: pd.DataFrame) -> Iterator[Section]:
    if not found.changed:
        return
    yield Section(
        "Who changed their mind",
        "\n\n".join(changed_words(one) for one in found.changed),
        figures=[changed_minds_bars(found.changed)],
    )
    for one in found.changed:
        if len(one.changes):
            yield Section(
                f"Pairs that changed: {one.candidate}",
                tables={f"From {one.baseline} to {one.candidate}": _examples(one, pairs)},
                left_out=one.left_out,
                notes=_cut(one),
            )


def _examples(one: ChangedMinds, pairs: pd.DataFrame) -> pd.DataFrame:
    changes = one.changes.head(_EXAMPLES)
    shown = changes[
        ["pair_id", "kind", "margin_baseline", "margin_candidate", "change", "within_noise"]
    ]
    if pairs.empty:
        return shown
    rows = changes["row"].to_numpy(dtype=np.int64)
    return shown.assign(
        **{name: pairs[name].iloc[rows].to_numpy() for name in ("prompt", "chosen", "rejected")}
    )


def _cut(one: ChangedMinds) -> list[str]:
    n = len(one.changes)
    return [f"The first {_EXAMPLES:,} of {n:,} changed pairs."] if n > _EXAMPLES else []


def _agreement(found: Comparison) -> Section:
    result = found.agreement
    return Section(
        "Agreement",
        "\n\n".join(agreement_words(result, measure) for measure in (SAME_WINNER, KENDALL)),
        figures=[agreement_heatmap(result, measure) for measure in (SAME_WINNER, KENDALL)],
        tables={"Agreement of each two": result.table},
    )


def _calibration(found: Comparison) -> Section:
    result, models = found.calibration, found.scores.models
    return Section(
        "Calibration",
        "\n\n".join(calibration_words(result, model) for model in models),
        estimates={f"temperature of {m}": one for m, one in result.temperatures.items()},
        figures=[reliability_diagram(result, model) for model in models],
        tables={"Calibration": result.table},
    )


def _slices(found: Comparison) -> Iterator[Section]:
    scores = found.scores
    for column in sliceable(scores):
        result = slice_scores(scores, column, found.options)
        yield Section(
            f"By {column}",
            "\n\n".join(slice_words(result, model) for model in scores.models),
            figures=[slice_ranges(result)],
            tables={f"Accuracy by {column}": result.accuracy},
            notes=result.notes,
        )


def _ensembles(found: Comparison) -> Section:
    result = found.ensembles
    return Section(
        "Ensembles",
        ensemble_words(result),
        estimates={
            "disagreement picks out errors (AUC)": result.disagreement_auc,
            "a small margin picks out errors (AUC)": result.doubt_auc,
        },
        figures=[ensemble_ranges(result), disagreement_histogram(result)],
        tables={"Models and ensembles": result.accuracy},
        left_out=result.left_out,
    )


def _training_runs(
    found: Comparison, table: pd.DataFrame, options: Mapping[str, Any]
) -> Iterator[Section]:
    steps, runs = options.get("steps") or {}, options.get("runs") or {}
    for name in dict.fromkeys(runs.values()):
        models = {m: float(steps[m]) for m in found.scores.models if runs.get(m) == name}
        if len(models) < 2 or len(set(models.values())) < len(models):
            continue
        view = run_view(read_scores(table, list(models)), models, found.options)
        yield Section(
            f"Training run {name}",
            run_words(view),
            figures=[run_line(view, measure) for measure in _MEASURES],
            tables={"Over the steps": view.table},
        )


def _prompts(pairs: pd.DataFrame) -> list[str]:
    if "prompt" not in pairs.columns:
        return []
    return [str(turns[-1]["content"]) if len(turns) else "" for turns in pairs["prompt"]]


register_report("compare", compare_sections)
