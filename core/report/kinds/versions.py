"""The report of a playground's history: each version's text and rewards, one line a model."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from core.figures.rewards import version_line
from core.report import Section, register_report

KIND = "versions"
REWARD = "reward_"
"""Begins the columns with the models' rewards."""

_TEXT = (
    "Each point is a version of the conversation, in the order of its making. Dotted: the pinned "
    "baseline; grey band: the model's noise floor, below which a difference means nothing. Rewards "
    "of different models have different scales and share no axis."
)


def versions_sections(
    tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> Sequence[Section]:
    """Figures and the table of versions.

    Args:
        tables: `versions`, as `core.versions.VersionTree.to_frame` makes it.
        options: `noise_floors`, a number a model, where known.
    """
    versions = tables["versions"]
    columns = [str(name) for name in versions.columns if str(name).startswith(REWARD)]
    floors = options.get("noise_floors") or {}
    figures = [_line(versions, name, float(floors.get(_model(name), 0.0))) for name in columns]
    return [Section("Versions", _TEXT, figures=figures, tables={"All versions": versions})]


def _model(column: str) -> str:
    return column.removeprefix(REWARD)


def _line(versions: pd.DataFrame, column: str, noise_floor: float) -> go.Figure:
    pinned = versions.loc[versions["pinned"].astype(bool), column]
    return version_line(
        [f"v{version}" for version in versions["version"]],
        versions[column].astype(float).tolist(),
        title=_model(column),
        labels=versions["label"].astype(str).tolist(),
        baseline=float(pinned.iloc[0]) if len(pinned) else None,
        noise_floor=noise_floor,
    )


register_report(KIND, versions_sections)
