"""Figures as pictures: the toolbar's settings, and a clear word where kaleido is missing."""

import importlib.util
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from core.exports import FigureError, figure_config, write_figure

FIGURE = go.Figure(go.Scatter(x=[1, 2], y=[3, 4]))


def test_the_toolbar_saves_under_a_plain_name() -> None:
    config = figure_config("Margins / pocket", "png")
    assert config["toImageButtonOptions"] == {
        "format": "png",
        "filename": "Margins-pocket",
        "scale": 2,
    }


def test_an_unknown_ending_is_told(tmp_path: Path) -> None:
    with pytest.raises(FigureError, match=r"Known: \.png"):
        write_figure(FIGURE, tmp_path / "figure.bmp")


def test_without_kaleido_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "kaleido" else original(name, *rest),
    )
    with pytest.raises(FigureError, match=r"pip install kaleido.*report"):
        write_figure(FIGURE, tmp_path / "figure.png")
    assert list(tmp_path.iterdir()) == []


def test_without_chrome_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_chrome(*_: Any, **__: Any) -> bytes:
        raise RuntimeError("\nKaleido requires Google Chrome to be installed.\nmore")

    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: object())
    monkeypatch.setattr(go.Figure, "to_image", no_chrome)
    with pytest.raises(FigureError, match="requires Google Chrome to be installed") as told:
        write_figure(FIGURE, tmp_path / "figure.svg")
    assert "plotly_get_chrome" in told.value.fix


def test_what_kaleido_draws_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def draw(_figure: go.Figure, **options: Any) -> bytes:
        asked.update(options)
        return b"<svg/>"

    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: object())
    monkeypatch.setattr(go.Figure, "to_image", draw)
    write_figure(FIGURE, tmp_path / "figure.svg", width=300)
    assert (tmp_path / "figure.svg").read_bytes() == b"<svg/>"
    assert asked == {"format": "svg", "width": 300, "height": None, "scale": 2.0}
