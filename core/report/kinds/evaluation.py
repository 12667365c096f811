"""The report of a benchmark: scores with intervals, the style matrix, best-of-k, and all items."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from core.figures.benchmarks import best_of_k, difficulty_dots, score_dots, style_matrix
from core.labs.benchmarks.reading import extremes, headline, style_reading, style_reliance
from core.report import Section, register_report
from core.stats import Estimate

CHANCE: Mapping[str, float] = {"rewardbench2": 0.25}
"""Score of a model that guesses, where it is not one half: four responses to choose from."""

_PARTS = ("overall", "section", "domain", "subset", "slice")
_MATRICES = (
    ("", "matrix", "Style against substance"),
    ("styles_", "styles_matrix", "Your styles"),
)
_MATRIX_TEXT = (
    "Rows are the style of the better response, columns that of the worse one, plainest first. A "
    "model that sees only substance has one number everywhere. Below the diagonal style helps the "
    "better response (easy), above it style hurts it (hard)."
)
_DIFFICULTY_TEXT = (
    "Easy: the better response is also the more decorated one. Normal: both are in one style. "
    "Hard: the worse response is the more decorated one. The further hard lies to the left of "
    "easy, the more the model goes by style."
)
_CURVE_TEXT = (
    "Of k samples the reward picks one: how often it is correct, exactly, over all subsets. The "
    "dotted line is an oracle that picks a correct one whenever there is one."
)
_NO_CHANCE = (
    "A dot is a score, the bar its interval over prompts; hollow dots are not the authors' own "
    "number. The dotted line is guessing between two."
)


def evaluation_sections(
    tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> Sequence[Section]:
    """Sections of an evaluation; models stand side by side where there are several."""
    seed = options.get("seed")
    sections = [_scores_section(tables["scores"], str(options.get("benchmark", "")))]
    for prefix, name, heading in _MATRICES:
        if name in tables:
            sections += _matrix_sections(tables, prefix, name, heading, int(seed or 0))
    if "best_of_k" in tables:
        sections.append(
            Section(
                "Best of k samples",
                _CURVE_TEXT,
                figures=list(_curves(tables["best_of_k"])),
                tables={"Curves": tables["best_of_k"]},
            )
        )
    if "items" in tables:
        sections.append(Section("Items", tables={"What each item contributed": tables["items"]}))
    return sections


def _scores_section(scores: pd.DataFrame, benchmark: str) -> Section:
    by_model = _by_model(scores)
    several = len(by_model) > 1
    text = []
    for model, part in by_model.items():
        sentences = (headline(part, chance=CHANCE.get(benchmark, 0.5)), extremes(part))
        told = " ".join(sentence for sentence in sentences if sentence)
        text.append(f"{model}: {told}" if several else told)
    return Section(
        "Scores",
        "\n\n".join([*text, _NO_CHANCE]),
        estimates=_overall(by_model),
        figures=list(_dots(by_model)),
        tables={f"All scores of {benchmark}" if benchmark else "All scores": scores},
    )


def _overall(by_model: Mapping[str, pd.DataFrame]) -> dict[str, Estimate]:
    """The overall rows as estimates, so that two saved runs can be laid side by side."""
    found = {}
    for model, part in by_model.items():
        for row in part[part["level"] == "overall"].to_dict("records"):
            left_out = {"items without usable rewards": int(row["n_left_out"])}
            found[f"{model}: {row['name']}, {row['metric']}"] = Estimate(
                float(row["value"]),
                float(row["low"]),
                float(row["high"]),
                float(row["confidence"]),
                int(row["n"]),
                int(row["n_prompts"]),
                str(row["method"]),
                left_out if row["n_left_out"] else {},
            )
    return found


def _dots(by_model: Mapping[str, pd.DataFrame]) -> Iterator[go.Figure]:
    metrics = {str(metric) for part in by_model.values() for metric in part["metric"]}
    for metric in ("average", "score", "accuracy"):
        if metric in metrics:
            title = f"{metric.capitalize()} by part"
            yield score_dots(by_model, levels=_PARTS, metric=metric, title=title, x_title=metric)


def _matrix_sections(
    tables: Mapping[str, pd.DataFrame], prefix: str, name: str, heading: str, seed: int
) -> Iterator[Section]:
    matrix = tables[name]
    readings, figures = [], []
    for (model, domain), part in matrix.groupby(["model", "domain"], sort=False):
        readings.append(f"{model}, {domain}: {style_reading(part)}")
        figures.append(style_matrix(part, str(domain), title=f"{model}, {domain}"))
    yield Section(
        heading,
        "\n\n".join([_MATRIX_TEXT, *readings]),
        estimates=_reliance(tables.get(f"{prefix}items"), seed),
        figures=figures,
        tables={"Cells": matrix},
    )
    scores = tables.get(f"{prefix}scores")
    if scores is not None and {"easy", "normal", "hard"} <= set(scores["metric"]):
        figures = [
            difficulty_dots(part, title=f"{model}: easy, normal and hard")
            for model, part in _by_model(scores).items()
        ]
        yield Section(f"{heading}: easy, normal, hard", _DIFFICULTY_TEXT, figures=figures)


def _reliance(items: pd.DataFrame | None, seed: int) -> dict[str, Estimate]:
    if items is None or not {"easy", "hard", "prompt_id"} <= set(items.columns):
        return {}
    return {
        f"{model}: easy minus hard (how much style moves it)": style_reliance(part, seed=seed)
        for model, part in _by_model(items).items()
    }


def _curves(curves: pd.DataFrame) -> Iterator[go.Figure]:
    for (model, subset), part in curves.groupby(["model", "subset"], sort=False):
        yield best_of_k(part, str(subset), title=f"{model}, {subset}")


def _by_model(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(model): part for model, part in table.groupby("model", sort=False)}


register_report("evaluation", evaluation_sections)
