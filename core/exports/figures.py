"""Figures as pictures.

The browser's own toolbar saves PNG and SVG and needs nothing else. From a shell the package kaleido
draws them in a Chrome of its own; it is used where it is installed and is no dependency of ours.
"""

import importlib.util
from pathlib import Path
from typing import Any, Literal

import plotly.graph_objects as go

from core.errors import WorkbenchError
from core.exports.tables import file_stem
from core.tables.writing import write_atomically

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")


class FigureError(WorkbenchError):
    """A figure that cannot be written as a picture."""


def figure_config(name: str, kind: Literal["png", "svg"] = "svg") -> dict[str, Any]:
    """Plotly's settings for a page: the toolbar's camera saves the figure as a file of this kind.

    The browser draws the picture, so no server or package is needed. PNG is drawn at twice the
    size on screen, for print.

    Args:
        name: what the file is called.
        kind: which of the two; the toolbar has one button.
    """
    return {
        "displaylogo": False,
        "toImageButtonOptions": {"format": kind, "filename": file_stem(name), "scale": 2},
    }


def write_figure(
    figure: go.Figure,
    path: Path,
    *,
    width: int | None = None,
    height: int | None = None,
    scale: float = 2.0,
) -> None:
    """Writes a figure as PNG, SVG or PDF. Needs the package kaleido and a Chrome.

    Args:
        figure: the figure.
        path: the file; its ending decides the kind.
        width: in pixels; by default the figure's own, or 700.
        height: in pixels; by default the figure's own, or 500.
        scale: pixels of the picture for one of the figure's.

    Raises:
        FigureError: when the ending is unknown, or kaleido or Chrome is missing.
        TableError: when the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in PICTURE_SUFFIXES:
        known = ", ".join(PICTURE_SUFFIXES)
        raise FigureError(f"{path}: cannot draw this kind of file.", fix=f"Known: {known}.")
    otherwise = "Or open the figure on a page or in a report, whose buttons save PNG and SVG."
    if importlib.util.find_spec("kaleido") is None:
        raise FigureError(
            f"{path}: drawing a figure without a browser needs the package kaleido.",
            fix=f"pip install kaleido. {otherwise}",
        )
    try:
        data: bytes = figure.to_image(format=kind[1:], width=width, height=height, scale=scale)
    except (RuntimeError, OSError, ValueError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise FigureError(
            f"{path}: kaleido could not draw the figure: {first_line}",
            fix=f"kaleido needs a Chrome: run plotly_get_chrome. {otherwise}",
        ) from error
    write_atomically(path, lambda file: file.write(data))
